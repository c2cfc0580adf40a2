/* SPDX-License-Identifier: MIT */
/*
 * COM1 at 115200 baud, 8 data bits, no parity, 1 stop bit: a 16550 UART or what answers like one.
 *
 * May be absent: then everything here does nothing.  Ordinary code of one CPU, and traps after a panic.
 */
#ifndef KERNEL_CONSOLE_SERIAL_H
#define KERNEL_CONSOLE_SERIAL_H

#include <lib/types.h>

struct serial_counts {
    u64 n_overruns; /* times the UART had no room for a byte that came */
    u64 n_garbled;  /* bytes with a framing or parity error, breaks included; they are dropped */
    u64 n_pauses;   /* times the ring was full and the sender was asked to wait */
    u64 n_unsent;   /* bytes given up because the transmitter did not move */
};

/*
 * Looks for the UART (scratch register, then loopback: a port that nobody decodes reads 0xff and fails
 * both) and programs it.  False when there is none.
 */
bool serial_start(void);
bool serial_present(void);

/* Receives by interrupt (line 4) from here on.  The interrupt controller must be up. */
void serial_use_interrupt(void);

/*
 * Sends n bytes as they are.  Waits for a transmitter that is slow.  One that stands still gets them later: up
 * to 32 KiB are held back; what comes beyond waits some seconds once and is then lost, and counted.
 */
void serial_write(const char *bytes, size_t n);

/* Sends what was held back, as far as it goes at once; to be called now and then. */
void serial_continue(void);

/* Sends what was held back, waiting some seconds: before the machine stops. */
void serial_finish(void);

/* The next byte received, or -1.  Asks the UART too, so it works without interrupts. */
int serial_read(void);

/* True when serial_read has something, as far as is known without asking the UART.  Interrupts off or on. */
bool serial_waiting(void);

struct serial_counts serial_count(void);

#endif
