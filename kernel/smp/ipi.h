/* SPDX-License-Identifier: MIT */
/* Interprocessor interrupts: their vectors, and the handler. */
#ifndef KERNEL_SMP_IPI_H
#define KERNEL_SMP_IPI_H

#include <lib/types.h>

#define IPI_VECTOR          0xf0 /* look at your mailbox, or at your work */
#define IPI_VECTOR_TIMER    0xf1 /* the APIC's timer */
#define IPI_VECTOR_SPURIOUS 0xff /* the APIC's own, needs no answer */

/* Handles one of these vectors, in the interrupt; false for any other. */
bool ipi_handle(u64 vector);

#endif
