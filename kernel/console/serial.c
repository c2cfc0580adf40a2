/* SPDX-License-Identifier: MIT */
/*
 * Received bytes go into a ring, filled by the interrupt handler and by everybody who asks, also while
 * waiting to send: a pasted page of commands is kept while the first of them runs.  When the ring is full
 * the sender is told to wait (RTS goes down) and the UART is left alone; its FIFO then fills, which an
 * emulator takes as "later".
 *
 * Bytes to send go straight to the UART.  Only when it does not take them for a while (an emulator whose other end is
 * not being read) are they held back, and sent later, when something more is written or a key is waited for.
 *
 * Registers and bits: the data sheet of the 16550 (National Semiconductor PC16550D).
 */
#include <kernel/console/serial.h>
#include <kernel/cpu/interrupt.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>

#define COM1 0x3f8

#define UART_DATA (COM1 + 0)       /* with DLAB: divisor, low */
#define UART_INTERRUPTS (COM1 + 1) /* with DLAB: divisor, high */
#define UART_FIFO (COM1 + 2)       /* written; read: which interrupt, and whether the FIFO works */
#define UART_LINE (COM1 + 3)
#define UART_MODEM (COM1 + 4)
#define UART_STATUS (COM1 + 5)
#define UART_SCRATCH (COM1 + 7)

#define INTERRUPT_RECEIVED 0x01
#define FIFO_ON 0x07 /* enabled, both directions cleared, interrupt at the first byte */
#define FIFO_WORKS 0xc0
#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define MODEM_READY 0x0b /* DTR, RTS, and OUT2, which lets the interrupt out of the chip */
#define MODEM_WAIT 0x09  /* without RTS */
#define MODEM_LOOP 0x1b
#define STATUS_RECEIVED 0x01
#define STATUS_OVERRUN 0x02
#define STATUS_GARBLED 0x1c /* parity, framing, break */
#define STATUS_EMPTY 0x20   /* room in the transmitter */
#define STATUS_IDLE 0x40    /* nothing left in it */
#define STATUS_ABSENT 0xff

#define DIVISOR (115200 / 115200) /* of the chip's 1.8432 MHz / 16 */
#define FIFO_BYTES 16u

/* A look at the status takes 0.2 us in an emulator and 1 us on a real bus. */
#define SHORT_LOOKS 160000u      /* 30 to 160 ms: 16 bytes take 1.4 ms */
#define PATIENT_LOOKS 20000000u  /* 4 to 20 s; a real line never stands still so long */
#define LOOP_TRIES 100000u
#define QUIET_LOOKS 5000u        /* 1 to 5 ms: then nothing was typed ahead */
#define RECEIVE_BURST 512u /* bytes taken at a time: bounds the interrupt handler whatever the chip says */

#define RING_BYTES 8192u
#define HELD_BYTES 32768u

static struct {
    bool present;
    bool interrupts;
    bool paused;      /* the ring was full: the sender waits */
    bool stuck;       /* even patience did not help last time */
    unsigned n_burst; /* bytes that the empty transmitter takes */
    u32 head, tail;   /* free-running; the ring holds tail - head bytes */
    u8 ring[RING_BYTES];
    u32 held_head, held_tail; /* the same, for bytes to send */
    u8 held[HELD_BYTES];
    struct serial_counts counts;
} serial;

/* A byte that came before the line was set up: somebody typed ahead, or the line had another speed and it is noise.  Keys
 * that a command is made of are kept. */
static void receive_early(u8 status, u8 byte)
{
    bool is_text = (byte >= ' ' && byte <= '~') || byte == '\r' || byte == '\n';

    if (is_text && !(status & STATUS_GARBLED) && serial.tail - serial.head < RING_BYTES)
        serial.ring[serial.tail++ % RING_BYTES] = byte;
}

/* What the receiver has already, and what an emulator has behind it: clearing the FIFO would lose it. */
static void uart_drain(void)
{
    for (unsigned i = 0, n_bytes = 0; i < QUIET_LOOKS && n_bytes < RING_BYTES; i++) {
        u8 status = inb(UART_STATUS);

        if (!(status & STATUS_RECEIVED))
            continue;
        receive_early(status, inb(UART_DATA));
        n_bytes++;
        i = 0;
    }
}

/* An emulator lets bytes from outside in between all the same: they are no sign of a broken chip. */
static bool uart_loops_back(u8 byte)
{
    outb(UART_DATA, byte);
    for (unsigned i = 0; i < LOOP_TRIES; i++) {
        u8 status = inb(UART_STATUS), got;

        if (!(status & STATUS_RECEIVED))
            continue;
        got = inb(UART_DATA);
        if (got == byte)
            return true;
        receive_early(status, got);
    }
    return false;
}

static bool uart_keeps(u8 byte)
{
    outb(UART_SCRATCH, byte);
    return inb(UART_SCRATCH) == byte;
}

static void uart_program(void)
{
    outb(UART_INTERRUPTS, 0);
    outb(UART_LINE, LINE_DIVISOR);
    outb(UART_DATA, DIVISOR);
    outb(UART_INTERRUPTS, 0);
    outb(UART_LINE, LINE_8N1);
    outb(UART_FIFO, FIFO_ON);
}

bool serial_start(void)
{
    if (inb(UART_STATUS) == STATUS_ABSENT || !uart_keeps(0x5a) || !uart_keeps(0xa5))
        return false;
    uart_drain();
    uart_program();
    outb(UART_MODEM, MODEM_LOOP);
    serial.present = uart_loops_back(0x55) && uart_loops_back(0xca);
    if (!serial.present)
        serial.head = serial.tail; /* noise */
    serial.n_burst = (inb(UART_FIFO) & FIFO_WORKS) == FIFO_WORKS ? FIFO_BYTES : 1;
    outb(UART_MODEM, MODEM_READY);
    return serial.present;
}

bool serial_present(void)
{
    return serial.present;
}

/* Asks the sender to wait, or to go on. */
static void serial_pause(bool paused)
{
    if (paused == serial.paused)
        return;
    serial.paused = paused;
    serial.counts.n_pauses += paused;
    outb(UART_MODEM, paused ? MODEM_WAIT : MODEM_READY);
    outb(UART_INTERRUPTS, serial.interrupts && !paused ? INTERRUPT_RECEIVED : 0);
}

/* Moves what the UART has into the ring.  Interrupts off. */
static void serial_receive(void)
{
    for (unsigned i = 0; i < RECEIVE_BURST; i++) {
        u8 status, byte;

        if (serial.tail - serial.head == RING_BYTES) {
            serial_pause(true);
            return;
        }
        status = inb(UART_STATUS);
        if (status == STATUS_ABSENT || !(status & STATUS_RECEIVED))
            return;
        byte = inb(UART_DATA);
        serial.counts.n_overruns += (status & STATUS_OVERRUN) != 0;
        if (status & STATUS_GARBLED)
            serial.counts.n_garbled++;
        else
            serial.ring[serial.tail++ % RING_BYTES] = byte;
    }
}

static void serial_poll(void)
{
    u64 flags = interrupts_save();

    serial_receive();
    interrupts_restore(flags);
}

static void serial_interrupt(void)
{
    serial_receive();
}

void serial_use_interrupt(void)
{
    if (!serial.present)
        return;
    serial.interrupts = true;
    interrupt_set_handler(INTERRUPT_COM1, serial_interrupt);
    outb(UART_INTERRUPTS, INTERRUPT_RECEIVED);
}

bool serial_waiting(void)
{
    return serial.tail != serial.head;
}

int serial_read(void)
{
    u8 byte;

    if (!serial.present)
        return -1;
    if (!serial_waiting())
        serial_poll();
    if (!serial_waiting())
        return -1;
    byte = serial.ring[serial.head % RING_BYTES];
    serial.head++;
    if (serial.paused && serial.tail - serial.head < RING_BYTES / 2)
        serial_pause(false);
    return byte;
}

/* Waits for an empty transmitter, receiving meanwhile; gives up after that many looks. */
static bool uart_can_send(u32 n_looks)
{
    for (u32 i = 0; i < n_looks; i++) {
        u8 status = inb(UART_STATUS);

        if (status & STATUS_EMPTY)
            return true;
        if (status & STATUS_RECEIVED && !serial.paused)
            serial_poll();
    }
    return false;
}

/* Sends what is held back, as far as the transmitter takes it.  True when nothing is left. */
static bool serial_send_held(u32 n_looks)
{
    while (serial.held_head != serial.held_tail) {
        if (!uart_can_send(n_looks))
            return false;
        serial.stuck = false;
        for (unsigned i = 0; i < serial.n_burst && serial.held_head != serial.held_tail; i++)
            outb(UART_DATA, serial.held[serial.held_head++ % HELD_BYTES]);
    }
    return true;
}

/* Holds bytes back; when there is no room for more, waits for it once. */
static void serial_hold(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (serial.held_tail - serial.held_head == HELD_BYTES) {
            serial.stuck = serial.stuck || !uart_can_send(PATIENT_LOOKS);
            serial_send_held(1);
        }
        if (serial.held_tail - serial.held_head == HELD_BYTES)
            serial.counts.n_unsent++;
        else
            serial.held[serial.held_tail++ % HELD_BYTES] = (u8)bytes[i];
    }
}

void serial_write(const char *bytes, size_t n)
{
    if (!serial.present)
        return;
    if (!serial_send_held(SHORT_LOOKS / 16)) {
        serial_hold(bytes, n);
        return;
    }
    while (n > 0) {
        size_t n_burst = n < serial.n_burst ? n : serial.n_burst;

        if (!uart_can_send(SHORT_LOOKS)) {
            serial_hold(bytes, n);
            return;
        }
        for (size_t i = 0; i < n_burst; i++)
            outb(UART_DATA, (u8)bytes[i]);
        bytes += n_burst;
        n -= n_burst;
    }
}

void serial_continue(void)
{
    if (serial.present)
        serial_send_held(SHORT_LOOKS / 16);
}

void serial_finish(void)
{
    if (!serial.present || serial.stuck)
        return;
    serial.stuck = !serial_send_held(PATIENT_LOOKS);
    for (u32 i = 0; i < SHORT_LOOKS && !serial.stuck && !(inb(UART_STATUS) & STATUS_IDLE); i++)
        continue; /* what is in the chip is not on the line yet */
}

struct serial_counts serial_count(void)
{
    return serial.counts;
}
