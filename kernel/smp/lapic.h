/* SPDX-License-Identifier: MIT */
/* The local APIC of the running CPU, as far as CPUs need it to reach each other (Intel SDM volume 3, "APIC").
 */
#ifndef KERNEL_SMP_LAPIC_H
#define KERNEL_SMP_LAPIC_H

#include <lib/types.h>

/*
 * On the boot CPU, once: finds the registers, in memory (mapped uncached) or, when firmware left the APIC in
 * x2APIC mode, as MSRs.  False when there is no memory for the mapping.
 */
bool lapic_start(void);

/* True once lapic_start succeeded. */
bool lapic_is_there(void);

/* Turns this CPU's APIC on: it receives interprocessor interrupts; devices' go on to arrive as they did. */
void lapic_enable(u8 spurious_vector);

u32 lapic_id(void);

/* The largest APIC id that lapic_send and its kin reach. */
u32 lapic_max_id(void);

/* Interrupts the CPU with that APIC id, by a vector or by NMI; INIT and start-up at physical page `page` (0
 * .. 0xff) for one that sleeps.  Any context. */
void lapic_send(u32 id, u8 vector);
void lapic_send_nmi(u32 id);
void lapic_send_init(u32 id);
void lapic_send_startup(u32 id, u8 page);

/* The end of an interrupt that came through the APIC. */
void lapic_acknowledge(void);

/*
 * This CPU's timer: one interrupt with `vector` after `counts`, which replaces one that is still to come; 0
 * counts: none. How long a count takes differs between machines: lapic_timer_left() tells how many are still
 * to go.
 */
void lapic_timer_arm(u8 vector, u32 counts);
u32 lapic_timer_left(void);

#endif
