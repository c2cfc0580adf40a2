/* SPDX-License-Identifier: MIT */
/* The local APIC of the running CPU, as far as CPUs need it to reach each other (Intel SDM volume 3, "APIC"). */
#ifndef KERNEL_SMP_LAPIC_H
#define KERNEL_SMP_LAPIC_H

#include <lib/types.h>

/* Maps the registers, uncached.  False when there is no memory for the mapping. */
bool lapic_map(u64 phys);

/* Turns this CPU's APIC on, everything but its interprocessor interrupts masked as it is. */
void lapic_enable(u8 spurious_vector);

u8 lapic_id(void);

/* Interrupts the CPU with that APIC id; INIT and start-up at physical page `page` (0 .. 0xff) for one that sleeps. */
void lapic_send(u8 id, u8 vector);
void lapic_send_init(u8 id);
void lapic_send_startup(u8 id, u8 page);

/* The end of an interrupt that came through the APIC. */
void lapic_acknowledge(void);

#endif
