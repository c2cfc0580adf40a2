/* SPDX-License-Identifier: MIT */
/*
 * The controller is set up with as few commands as possible and never reset: behind many machines' ports is
 * firmware that plays an 8042 for a USB keyboard, and plays it badly.  Every wait is bounded.
 *
 * Ports, status bits and commands: the data sheet of the Intel 8042, and IBM's PS/2 technical reference,
 * "Keyboard and auxiliary device controller".
 */
#include <kernel/console/keyboard.h>
#include <kernel/console/scancode.h>
#include <kernel/cpu/interrupt.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>

#define PORT_DATA 0x60
#define PORT_STATUS 0x64 /* written: commands */

#define STATUS_OUTPUT 0x01 /* a byte for us */
#define STATUS_INPUT 0x02  /* our last byte is not taken yet */
#define STATUS_MOUSE 0x20  /* the byte is the mouse's */
#define STATUS_ABSENT 0xff

#define COMMAND_READ_CONFIG 0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_MOUSE_OFF 0xa7
#define COMMAND_KEYBOARD_OFF 0xad
#define COMMAND_KEYBOARD_ON 0xae
#define CONFIG_INTERRUPT 0x01
#define CONFIG_MOUSE_INTERRUPT 0x02
#define CONFIG_KEYBOARD_STOPPED 0x10
#define CONFIG_MOUSE_STOPPED 0x20
#define CONFIG_TRANSLATE 0x40
#define KEYBOARD_SCAN 0xf4

/*
 * A status read takes 0.2 us in an emulator and 1 us on a real bus: 20 to 100 ms, the controller answers in
 * 20.
 */
#define WAIT_TRIES 100000u
#define FLUSH_BYTES 64u /* more than any controller buffers */
#define RING_BYTES 256u

static struct {
    bool present;
    u32 head, tail; /* free-running; the ring holds tail - head scan codes */
    u8 ring[RING_BYTES];
    struct scancode_decoder decoder;
} keyboard;

static bool controller_wait(u8 mask, u8 value)
{
    for (unsigned i = 0; i < WAIT_TRIES; i++) {
        if ((inb(PORT_STATUS) & mask) == value)
            return true;
    }
    return false;
}

static bool controller_command(u8 command)
{
    if (!controller_wait(STATUS_INPUT, 0))
        return false;
    outb(PORT_STATUS, command);
    return true;
}

static bool controller_write(u8 byte)
{
    if (!controller_wait(STATUS_INPUT, 0))
        return false;
    outb(PORT_DATA, byte);
    return true;
}

static int controller_read(void)
{
    return controller_wait(STATUS_OUTPUT, STATUS_OUTPUT) ? inb(PORT_DATA) : -1;
}

static void controller_flush(void)
{
    for (unsigned i = 0; i < FLUSH_BYTES && inb(PORT_STATUS) & STATUS_OUTPUT; i++)
        inb(PORT_DATA);
}

/* Interrupt and translation on, mouse off.  False when the controller does not answer. */
static bool controller_configure(void)
{
    int config;

    if (!controller_command(COMMAND_READ_CONFIG))
        return false;
    config = controller_read();
    if (config < 0)
        return false;
    config |= CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_MOUSE_STOPPED;
    config &= ~(CONFIG_KEYBOARD_STOPPED | CONFIG_MOUSE_INTERRUPT);
    return controller_command(COMMAND_WRITE_CONFIG) && controller_write((u8)config);
}

bool keyboard_start(void)
{
    scancode_start(&keyboard.decoder);
    if (inb(PORT_STATUS) == STATUS_ABSENT)
        return false;
    if (!controller_command(COMMAND_KEYBOARD_OFF) || !controller_command(COMMAND_MOUSE_OFF))
        return false;
    controller_flush();
    keyboard.present = controller_configure();
    controller_command(COMMAND_KEYBOARD_ON);
    if (!keyboard.present)
        return false;
    if (controller_write(KEYBOARD_SCAN))
        controller_read(); /* its acknowledgement, if a keyboard is plugged in now */
    controller_flush();
    return true;
}

bool keyboard_present(void)
{
    return keyboard.present;
}

/*
 * Moves what the controller has into the ring; what does not fit is lost (a ring of keys nobody reads).
 * Interrupts off.
 */
static void keyboard_receive(void)
{
    for (unsigned i = 0; i < FLUSH_BYTES; i++) {
        u8 status = inb(PORT_STATUS), code;

        if (status == STATUS_ABSENT || !(status & STATUS_OUTPUT))
            return;
        code = inb(PORT_DATA);
        if (!(status & STATUS_MOUSE) && keyboard.tail - keyboard.head < RING_BYTES)
            keyboard.ring[keyboard.tail++ % RING_BYTES] = code;
    }
}

static void keyboard_poll(void)
{
    u64 flags = interrupts_save();

    keyboard_receive();
    interrupts_restore(flags);
}

static void keyboard_interrupt(void)
{
    keyboard_receive();
}

void keyboard_use_interrupt(void)
{
    if (!keyboard.present)
        return;
    interrupt_set_handler(INTERRUPT_KEYBOARD, keyboard_interrupt);
    keyboard_poll(); /* a byte that came before holds the line up and would give no edge */
}

bool keyboard_waiting(void)
{
    return keyboard.tail != keyboard.head;
}

int keyboard_read(void)
{
    int key = KEY_NONE;

    if (!keyboard.present)
        return KEY_NONE;
    keyboard_poll();
    while (key == KEY_NONE && keyboard_waiting())
        key = scancode_push(&keyboard.decoder, keyboard.ring[keyboard.head++ % RING_BYTES]);
    return key;
}
