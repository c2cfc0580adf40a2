/* SPDX-License-Identifier: MIT */
/*
 * FADT fields and the \_S5_ package.
 *
 * _S5_ in AML (ACPI specification, "AML Grammar Definition"):
 *     NameOp 08, NameString "_S5_" or "\_S5_", PackageOp 12, PkgLength (1..4 bytes), NumElements, elements
 * An element is ZeroOp 00, OneOp 01, OnesOp ff, or a prefix 0a/0b/0c with 1/2/4 bytes.
 */
#include <kernel/acpi/fadt.h>
#include <kernel/acpi/tables.h>
#include <lib/string.h>

/* Offsets in the FADT. */
#define AT_DSDT              40
#define AT_SMI_COMMAND       48
#define AT_ACPI_ENABLE       52
#define AT_PM1A_CONTROL      64
#define AT_PM1B_CONTROL      68
#define AT_PM_TIMER          76
#define AT_BOOT_ARCHITECTURE 109
#define AT_FLAGS             112
#define AT_RESET             116
#define AT_RESET_VALUE       128
#define AT_X_DSDT            140
#define AT_X_PM1A_CONTROL    172
#define AT_X_PM1B_CONTROL    184
#define AT_SLEEP_CONTROL     244
#define FADT_MIN_BYTES       116 /* ACPI 1 */
#define FADT_MAX_BYTES       276 /* ACPI 6; what may follow is not read */

#define REVISION_WITH_BOOT_ARCHITECTURE 3
#define BOOT_ARCHITECTURE_8042          (1U << 1)
#define FLAG_RESET_REGISTER             (1U << 10)
#define FLAG_HARDWARE_REDUCED           (1U << 20)

#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    0x5c /* '\' */
#define AML_ONES    0xff

static struct acpi_address get_address(const u8 *at)
{
    return (struct acpi_address){.space = at[0], .address = acpi_get64(at + 4)};
}

/* The old field if it is filled, as systems disagree in the new one more often; else the new one. */
static struct acpi_address get_register(const u8 *old, const u8 *new)
{
    u32 port = acpi_get32(old);
    return port != 0 ? (struct acpi_address){ACPI_SPACE_IO, port} : get_address(new);
}

bool acpi_fadt_parse(const u8 *table, size_t n, struct acpi_fadt *out)
{
    u8 f[FADT_MAX_BYTES] = {0};
    *out = (struct acpi_fadt){0};
    if (n < FADT_MIN_BYTES)
        return false;
    memcpy(f, table, n < sizeof f ? n : sizeof f);

    u32 flags = acpi_get32(f + AT_FLAGS);
    u64 wide_dsdt = acpi_get64(f + AT_X_DSDT);
    out->dsdt_phys = wide_dsdt != 0 ? wide_dsdt : acpi_get32(f + AT_DSDT);
    out->hardware_reduced = (flags & FLAG_HARDWARE_REDUCED) != 0;
    bool tells = f[8] >= REVISION_WITH_BOOT_ARCHITECTURE;
    out->may_have_8042 = !tells || (acpi_get16(f + AT_BOOT_ARCHITECTURE) & BOOT_ARCHITECTURE_8042) != 0;
    out->smi_command_port = acpi_get32(f + AT_SMI_COMMAND);
    out->acpi_enable = f[AT_ACPI_ENABLE];
    out->pm1a_control = get_register(f + AT_PM1A_CONTROL, f + AT_X_PM1A_CONTROL);
    out->pm1b_control = get_register(f + AT_PM1B_CONTROL, f + AT_X_PM1B_CONTROL);
    out->sleep_control = get_address(f + AT_SLEEP_CONTROL);
    out->pm_timer_port = acpi_get32(f + AT_PM_TIMER);
    if (flags & FLAG_RESET_REGISTER) {
        out->reset = get_address(f + AT_RESET);
        out->reset_value = f[AT_RESET_VALUE];
    }
    return true;
}

/* One number of a package, as far as its low byte; advances *at.  False when it is none or runs past n. */
static bool get_element(const u8 *aml, size_t n, size_t *at, u8 *value)
{
    size_t bytes;
    if (*at >= n)
        return false;
    switch (aml[(*at)++]) {
    case AML_ZERO:
        *value = 0;
        return true;
    case AML_ONE:
        *value = 1;
        return true;
    case AML_ONES:
        *value = 0xff;
        return true;
    case AML_BYTE:
        bytes = 1;
        break;
    case AML_WORD:
        bytes = 2;
        break;
    case AML_DWORD:
        bytes = 4;
        break;
    default:
        return false;
    }
    if (n - *at < bytes)
        return false;
    *value = aml[*at];
    *at += bytes;
    return true;
}

/* The package at `at`, behind the name. */
static bool get_package(const u8 *aml, size_t n, size_t at, struct acpi_sleep_type *out)
{
    if (n - at < 3 || aml[at] != AML_PACKAGE)
        return false;
    size_t length_bytes =
        1U + (aml[at + 1] >> 6); /* the top two bits of PkgLength count the bytes that follow */
    at += 1 + length_bytes;
    if (at >= n)
        return false;
    u8 n_elements = aml[at++];
    u8 a, b;
    if (n_elements < 1 || !get_element(aml, n, &at, &a))
        return false;
    if (n_elements < 2 || !get_element(aml, n, &at, &b))
        b = a;
    *out = (struct acpi_sleep_type){a & 7, b & 7};
    return true;
}

bool acpi_find_s5(const u8 *aml, size_t n, struct acpi_sleep_type *out)
{
    for (size_t at = ACPI_HEADER_BYTES + 1; at + 4 <= n; at++) {
        if (memcmp(aml + at, "_S5_", 4) != 0)
            continue;
        bool named = aml[at - 1] == AML_NAME || (aml[at - 1] == AML_ROOT && aml[at - 2] == AML_NAME);
        if (named && get_package(aml, n, at + 4, out))
            return true;
    }
    return false;
}
