/* SPDX-License-Identifier: MIT */
/*
 * ACPI registers: ports, memory, or PCI configuration space of bus 0 (through the ports 0xcf8 and 0xcfc; PCI
 * Local Bus specification 3.0, "Configuration Space Access Mechanism"), where the address holds device,
 * function and offset.
 */
#include <kernel/acpi/register.h>
#include <kernel/cpu/io.h>
#include <mm/mmio.h>

#define REGISTER_BYTES   4
#define PCI_ADDRESS_PORT 0xcf8
#define PCI_DATA_PORT    0xcfc
#define PCI_ENABLE       (1U << 31)

static struct acpi_register open_pci(u64 address)
{
    u32 device = (u32)(address >> 32) & 0x1f;
    u32 function = (u32)(address >> 16) & 7;
    u32 offset = (u32)address & 0xff;
    u64 selector = PCI_ENABLE | device << 11 | function << 8 | offset;
    return (struct acpi_register){.kind = ACPI_REGISTER_PCI, .address = selector};
}

struct acpi_register acpi_register_open(struct acpi_address where)
{
    struct acpi_register none = {.kind = ACPI_REGISTER_NONE};
    if (where.address == 0)
        return none;
    if (where.space == ACPI_SPACE_IO && where.address <= 0xffff)
        return (struct acpi_register){.kind = ACPI_REGISTER_IO, .address = where.address};
    if (where.space == ACPI_SPACE_PCI)
        return open_pci(where.address);
    if (where.space != ACPI_SPACE_MEMORY)
        return none;
    void *mapped = mmio_map(phys(where.address), REGISTER_BYTES, MMIO_UNCACHED);
    if (mapped == NULL)
        return none;
    return (struct acpi_register){.kind = ACPI_REGISTER_MEMORY, .address = where.address, .mapped = mapped};
}

static u16 select_pci(const struct acpi_register *reg)
{
    outl(PCI_ADDRESS_PORT, (u32)reg->address & ~3U);
    return (u16)(PCI_DATA_PORT + (reg->address & 3));
}

u8 acpi_register_read8(const struct acpi_register *reg)
{
    switch (reg->kind) {
    case ACPI_REGISTER_IO:
        return inb((u16)reg->address);
    case ACPI_REGISTER_MEMORY:
        return *reg->mapped;
    case ACPI_REGISTER_PCI:
        return inb(select_pci(reg));
    case ACPI_REGISTER_NONE:
        break;
    }
    return 0;
}

void acpi_register_write8(const struct acpi_register *reg, u8 value)
{
    if (reg->kind == ACPI_REGISTER_IO)
        outb((u16)reg->address, value);
    else if (reg->kind == ACPI_REGISTER_MEMORY)
        *reg->mapped = value;
    else if (reg->kind == ACPI_REGISTER_PCI)
        outb(select_pci(reg), value);
}

u16 acpi_register_read16(const struct acpi_register *reg)
{
    switch (reg->kind) {
    case ACPI_REGISTER_IO:
        return inw((u16)reg->address);
    case ACPI_REGISTER_MEMORY:
        return *(volatile u16 *)reg->mapped;
    case ACPI_REGISTER_PCI:
        return inw(select_pci(reg));
    case ACPI_REGISTER_NONE:
        break;
    }
    return 0;
}

void acpi_register_write16(const struct acpi_register *reg, u16 value)
{
    if (reg->kind == ACPI_REGISTER_IO)
        outw((u16)reg->address, value);
    else if (reg->kind == ACPI_REGISTER_MEMORY)
        *(volatile u16 *)reg->mapped = value;
    else if (reg->kind == ACPI_REGISTER_PCI)
        outw(select_pci(reg), value);
}
