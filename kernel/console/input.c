/* SPDX-License-Identifier: MIT */
/*
 * The interrupt handlers only collect bytes and scan codes.  Here, in ordinary code, they become keys.
 * When the queue is full they stay where they are; the serial line's ring then fills and asks the sender to
 * wait (serial.c).
 *
 * Sleeping is safe only if the tick wakes the CPU again: a key whose interrupt was lost is then found by asking.
 *
 * A terminal's ESC is a key of its own if nothing follows within ESCAPE_MS.
 */
#include <kernel/console/input.h>
#include <kernel/console/key_stream.h>
#include <kernel/console/keyboard.h>
#include <kernel/console/serial.h>
#include <kernel/cpu/registers.h>
#include <kernel/time/time.h>

#define QUEUE_N 4096u
#define ESCAPE_MS 100u
#define ASK_EVERY 64u /* calls of input_take_interrupt per look at the hardware */
#define FROM_KEYBOARD 0x8000u

static struct {
    bool serial, keyboard;
    bool interrupts;
    u32 head, tail; /* free-running; the queue holds tail - head keys */
    u16 queue[QUEUE_N];
    unsigned n_ctrl_c; /* of them in the queue */
    unsigned n_asked;
    struct key_stream stream;
    u64 serial_ms;     /* when the last byte came */
} input;

void input_start(bool serial, bool keyboard)
{
    input.serial = serial;
    input.keyboard = keyboard;
}

void input_use_interrupts(void)
{
    if (input.serial)
        serial_use_interrupt();
    if (input.keyboard)
        keyboard_use_interrupt();
    input.interrupts = true;
}

static bool queue_full(void)
{
    return input.tail - input.head == QUEUE_N;
}

static void queue_push(int key, u16 source)
{
    if (key == KEY_NONE)
        return;
    input.n_ctrl_c += key == KEY_CTRL('C');
    input.queue[input.tail++ % QUEUE_N] = (u16)((u16)key | source);
}

static void input_collect_serial(void)
{
    int byte;

    while (!queue_full() && (byte = serial_read()) >= 0) {
        input.serial_ms = time_ms();
        queue_push(key_stream_push(&input.stream, (u8)byte), 0);
    }
    if (!queue_full() && input.stream.state != KEY_STREAM_GROUND && time_ms() - input.serial_ms > ESCAPE_MS)
        queue_push(key_stream_idle(&input.stream), 0);
}

static void input_collect_keyboard(void)
{
    int key;

    while (!queue_full() && (key = keyboard_read()) != KEY_NONE)
        queue_push(key, FROM_KEYBOARD);
}

static void input_collect(void)
{
    if (input.serial)
        input_collect_serial();
    if (input.keyboard)
        input_collect_keyboard();
}

struct input_key input_peek(void)
{
    struct input_key next = {.key = KEY_NONE};

    input_collect();
    if (input.tail == input.head)
        return next;
    next.key = input.queue[input.head % QUEUE_N] & (FROM_KEYBOARD - 1);
    next.from_keyboard = (input.queue[input.head % QUEUE_N] & FROM_KEYBOARD) != 0;
    return next;
}

struct input_key input_take(void)
{
    struct input_key next = input_peek();

    if (next.key == KEY_NONE)
        return next;
    input.head++;
    input.n_ctrl_c -= next.key == KEY_CTRL('C');
    return next;
}

static bool input_bytes_waiting(void)
{
    return (input.serial && serial_waiting()) || (input.keyboard && keyboard_waiting());
}

void input_wait(void)
{
    u64 flags = interrupts_save();

    if (!(flags & RFLAGS_IF) || !input.interrupts || time_n_ticks() == 0) {
        interrupts_restore(flags);
        cpu_pause();
    } else if (input_bytes_waiting() && !queue_full()) {
        interrupts_restore(flags);
    } else {
        cpu_wait_interrupt();
    }
}

bool input_take_interrupt(void)
{
    if (input_bytes_waiting() || ++input.n_asked >= ASK_EVERY || !input.interrupts) {
        input.n_asked = 0;
        input_collect();
    }
    if (input.n_ctrl_c == 0)
        return false;
    while (input.n_ctrl_c > 0)
        input_take();
    return true;
}
