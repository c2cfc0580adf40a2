; SPDX-License-Identifier: MIT
; What loaders look for in the file: the Multiboot2 header (GRUB) and the PVH note (QEMU -kernel, Xen).

extern pvh_entry

; ---- Multiboot2, section 3.1: 8-byte aligned, within the first 32 KiB ----

%define MB2_HEADER_MAGIC     0xe85250d6
%define MB2_I386             0
%define MB2_OPTIONAL         1                   ; a loader that cannot serve the tag starts us all the same

%define TAG_END              0
%define TAG_REQUEST          1
%define TAG_FRAMEBUFFER      5
%define TAG_MODULE_ALIGN     6

%define INFO_COMMAND_LINE    1
%define INFO_MODULES         3
%define INFO_MEMORY_MAP      6
%define INFO_FRAMEBUFFER     8
%define INFO_ACPI_OLD        14
%define INFO_ACPI_NEW        15

section .boot.header progbits alloc noexec nowrite align=8

header_start:
    dd MB2_HEADER_MAGIC
    dd MB2_I386
    dd header_end - header_start
    dd 0x100000000 - (MB2_HEADER_MAGIC + MB2_I386 + (header_end - header_start))

align 8
request_start:
    dw TAG_REQUEST, MB2_OPTIONAL
    dd request_end - request_start
    dd INFO_COMMAND_LINE, INFO_MODULES, INFO_MEMORY_MAP, INFO_FRAMEBUFFER, INFO_ACPI_OLD, INFO_ACPI_NEW
request_end:

align 8
framebuffer_start:
    dw TAG_FRAMEBUFFER, MB2_OPTIONAL
    dd framebuffer_end - framebuffer_start
    dd 1024, 768, 32
framebuffer_end:

align 8
    dw TAG_MODULE_ALIGN, MB2_OPTIONAL            ; modules begin on frames of their own
    dd 8

align 8
    dw TAG_END, 0
    dd 8
header_end:

; ---- PVH: an ELF note "Xen", type 18 (XEN_ELFNOTE_PHYS32_ENTRY), with the physical 32-bit entry point ----

section .note.pvh note alloc noexec nowrite align=4

    dd 4, 8, 18                                  ; bytes of the name, bytes of the value, type
    db "Xen", 0
    dd pvh_entry, 0
