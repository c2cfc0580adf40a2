/* SPDX-License-Identifier: MIT */
/*
 * Off and reset.
 *
 * Off (ACPI specification, "Power Management", PM1 Control Registers): SLP_TYP of \_S5_ and SLP_EN go into
 * the control register of PM1a and, where there is one, PM1b.  That needs ACPI mode, which the firmware
 * enters when told through the SMI command port and confirms by SCI_EN.  Hardware-reduced machines have one
 * sleep control register.
 */
#include <kernel/acpi/fadt.h>
#include <kernel/acpi/power.h>
#include <kernel/acpi/register.h>
#include <kernel/console/console.h>
#include <kernel/cpu/idt.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>
#include <kernel/time/time.h>

#define PM1_SCI_EN        (1U << 0)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK  (7U << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN        (1U << 13)
#define SLEEP_TYP_SHIFT   2
#define SLEEP_EN          (1U << 5)

#define ACPI_MODE_WAIT_MS                                                                                    \
    3000U                   /* the specification sets no limit; firmware has been seen to take one second */
#define EFFECT_WAIT_MS 500U /* between doing something and believing that it did not work */

#define PORT_DEBUG_EXIT      0xf4
#define PORT_KEYBOARD_DATA   0x60
#define PORT_KEYBOARD_STATUS 0x64
#define KEYBOARD_INPUT_FULL  (1U << 1)
#define KEYBOARD_PULSE_RESET 0xfe
#define KEYBOARD_WAIT_MS     100U
#define PORT_RESET_CONTROL   0xcf9
#define RESET_SYSTEM         0x02
#define RESET_NOW            0x06

static struct {
    bool has_fadt, has_off, may_have_8042;
    struct acpi_sleep_type off;
    u16 smi_command_port;
    u8 acpi_enable;
    u8 reset_value;
    struct acpi_register pm1a, pm1b, sleep, reset;
} power = {.may_have_8042 = true};

void power_start(const struct acpi_fadt *fadt, const struct acpi_sleep_type *off)
{
    power.has_fadt = true;
    power.may_have_8042 = fadt->may_have_8042;
    power.smi_command_port = (u16)fadt->smi_command_port;
    power.acpi_enable = fadt->acpi_enable;
    power.reset_value = fadt->reset_value;
    power.reset = acpi_register_open(fadt->reset);
    if (fadt->hardware_reduced) {
        power.sleep = acpi_register_open(fadt->sleep_control);
    } else {
        power.pm1a = acpi_register_open(fadt->pm1a_control);
        power.pm1b = acpi_register_open(fadt->pm1b_control);
    }
    bool has_register = power.pm1a.kind != ACPI_REGISTER_NONE || power.sleep.kind != ACPI_REGISTER_NONE;
    power.has_off = off != NULL && has_register;
    if (off != NULL)
        power.off = *off;
}

static void wait_ms(u64 ms)
{
    time_wait_us(ms * 1000);
}

static void enter_acpi_mode(void)
{
    if ((acpi_register_read16(&power.pm1a) & PM1_SCI_EN) || power.smi_command_port == 0 ||
        power.acpi_enable == 0)
        return;
    outb(power.smi_command_port, power.acpi_enable);
    for (u64 ms = 0; ms < ACPI_MODE_WAIT_MS; ms++) {
        if (acpi_register_read16(&power.pm1a) & PM1_SCI_EN)
            return;
        wait_ms(1);
    }
}

static u16 pm1_value(const struct acpi_register *pm1, u8 type)
{
    u32 kept = acpi_register_read16(pm1) & ~(PM1_SLP_TYP_MASK | PM1_SLP_EN);
    return (u16)(kept | (u32)type << PM1_SLP_TYP_SHIFT);
}

static void off_by_acpi(void)
{
    if (power.sleep.kind != ACPI_REGISTER_NONE) {
        acpi_register_write8(&power.sleep, (u8)(power.off.a << SLEEP_TYP_SHIFT | SLEEP_EN));
        wait_ms(EFFECT_WAIT_MS);
        return;
    }
    enter_acpi_mode();
    u16 a = pm1_value(&power.pm1a, power.off.a);
    u16 b = pm1_value(&power.pm1b, power.off.b);
    acpi_register_write16(&power.pm1a, a);
    acpi_register_write16(&power.pm1b, b);
    acpi_register_write16(&power.pm1a, a | PM1_SLP_EN);
    acpi_register_write16(&power.pm1b, b | PM1_SLP_EN);
    wait_ms(EFFECT_WAIT_MS);
}

/* Emulators started without ACPI tables.  The ports mean nothing on a PC that has no ACPI. */
static void off_by_emulator(void)
{
    outw(0x604, PM1_SLP_EN);  /* QEMU's PM1a control register, \_S5_ type 0 */
    outw(0xb004, PM1_SLP_EN); /* the same before QEMU 2, and in Bochs */
    for (const char *c = "Shutdown"; *c != 0; c++)
        outb(0x8900, (u8)*c); /* Bochs' shutdown port */
    wait_ms(EFFECT_WAIT_MS);
}

_Noreturn void power_off(void)
{
    interrupts_disable();
    if (power.has_off)
        off_by_acpi();
    else if (!power.has_fadt)
        off_by_emulator();
    kprintf("the machine does not switch itself off: please do it by hand\n");
    cpu_halt();
}

static void reset_by_keyboard(void)
{
    if (!power.may_have_8042 || inb(PORT_KEYBOARD_STATUS) == 0xff)
        return;
    for (u64 ms = 0; ms < KEYBOARD_WAIT_MS; ms++) {
        u8 status = inb(PORT_KEYBOARD_STATUS);
        if (!(status & KEYBOARD_INPUT_FULL))
            break;
        (void)inb(PORT_KEYBOARD_DATA);
        wait_ms(1);
    }
    outb(PORT_KEYBOARD_STATUS, KEYBOARD_PULSE_RESET);
    wait_ms(EFFECT_WAIT_MS);
}

static void reset_by_chipset(void)
{
    outb(PORT_RESET_CONTROL, RESET_SYSTEM);
    wait_ms(1);
    outb(PORT_RESET_CONTROL, RESET_NOW);
    wait_ms(EFFECT_WAIT_MS);
}

/*
 * True when the keyboard controller's reset, which in Bochs leaves model-specific registers as they are,
 * would find virtualization locked by the firmware: its BIOS then faults at locking it again.
 */
static bool needs_hard_reset(void)
{
    bool has_vmx = (cpuid(1, 0).ecx >> 5 & 1) != 0;
    return has_vmx && (msr_read(MSR_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK) != 0;
}

_Noreturn void power_reboot(void)
{
    interrupts_disable();
    if (power.reset.kind != ACPI_REGISTER_NONE) {
        acpi_register_write8(&power.reset, power.reset_value);
        wait_ms(EFFECT_WAIT_MS);
    }
    if (needs_hard_reset())
        reset_by_chipset();
    reset_by_keyboard();
    reset_by_chipset();
    idt_unload();
    __asm__ volatile("int3");
    cpu_halt();
}

void power_try_exit(u8 code)
{
    outb(PORT_DEBUG_EXIT, code);
}

_Noreturn void power_exit(u8 code)
{
    power_try_exit(code);
    interrupts_disable();
    kprintf("there is no debug-exit device at port 0x%x\n", PORT_DEBUG_EXIT);
    cpu_halt();
}
