; SPDX-License-Identifier: MIT
;
; From the loader to C.
;
; Both loaders come in 32-bit protected mode, paging off, flat segments, interrupts off:
;
;     GRUB (Multiboot2, section 3.3)  EAX = magic          EBX = boot information
;     PVH                             [EBX] = magic        EBX = hvm_start_info
;
; The way up: check the loader and the CPU (checks.asm; failure.asm says why not and halts), build the early
; tables, turn on long mode, jump to the higher half, call kernel_main(magic, info_phys).
;
; Early tables, 2 MiB leaves only, so that every 64-bit CPU has them, all readable, writable and executable:
;
;     PML4[0]    0x0000000000000000 ─┐
;     PML4[256]  0xffff800000000000 ─┴─► low PDPT[0..3] ──► four page directories = physical 0 .. 4 GiB
;     PML4[511]  0xffffffff80000000 ───► image PDPT[510] ─► the first of them    = physical 0 .. 1 GiB
;
; mm replaces them with the final ones.  Registers on the 32-bit part: EBP = loader's magic, ESI = its
; information.

%include "boot/boot.inc"

global multiboot2_entry
global pvh_entry

extern boot_fail
extern boot_information
extern boot_check_cpu
extern boot_stack_end_phys
extern kernel_main

section .boot.text progbits alloc exec nowrite align=16
bits 32

multiboot2_entry:
    mov esp, boot_stack_end_phys
    mov ebp, eax
    mov esi, ebx
    mov eax, message_not_multiboot2
    cmp ebp, LOADER_MULTIBOOT2
    jne boot_fail
    mov [boot_information], esi
    jmp start

pvh_entry:
    mov esp, boot_stack_end_phys
    mov ebp, [ebx]
    mov esi, ebx
    mov eax, message_not_pvh
    cmp ebp, LOADER_PVH
    jne boot_fail

start:
    cli
    cld
    call boot_check_cpu
    call build_tables

    mov eax, CR0_PROTECTED                       ; caches on, no emulation
    mov cr0, eax
    mov eax, CR4_LONG
    mov cr4, eax
    mov eax, early_pml4
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    xor edx, edx
    wrmsr
    mov eax, CR0_PAGED
    mov cr0, eax                                 ; long mode, compatibility submode
    lgdt [gdt_pointer_phys]
    jmp SELECTOR_CODE:long_mode

; Fills the early tables, which the loader zeroed.
build_tables:
    mov edi, early_directories                   ; 4 tables of 512 leaves: 4 GiB
    mov eax, ENTRY_LARGE
.leaf:
    mov [edi], eax
    add edi, 8
    add eax, LARGE_BYTES
    jnc .leaf                                    ; until the address wraps at 4 GiB

    mov edi, early_low_pdpt
    mov eax, early_directories + ENTRY_TABLE
    mov ecx, 4
.directory:
    mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop .directory

    mov dword [early_image_pdpt + 510 * 8], early_directories + ENTRY_TABLE
    mov dword [early_pml4], early_low_pdpt + ENTRY_TABLE
    mov dword [early_pml4 + 256 * 8], early_low_pdpt + ENTRY_TABLE
    mov dword [early_pml4 + 511 * 8], early_image_pdpt + ENTRY_TABLE
    ret

bits 64
long_mode:
    mov rax, higher_half
    jmp rax

section .boot.rodata progbits alloc noexec nowrite align=8

message_not_multiboot2:
    db "not started by a Multiboot2 boot loader (wrong magic in EAX)", 0
message_not_pvh:
    db "not started by a PVH boot loader (wrong magic in hvm_start_info)", 0

align 8
gdt_pointer_phys:
    dw gdt_end - boot_gdt - 1
    dd boot_gdt_phys

section .boot.bss nobits alloc noexec write align=4096

early_pml4:        resb 0x1000
early_low_pdpt:    resb 0x1000
early_image_pdpt:  resb 0x1000
early_directories: resb 4 * 0x1000

; ---- the higher half ----

section .text
bits 64

higher_half:
    lgdt [rel gdt_pointer]                       ; the same table by its lasting address
    mov eax, SELECTOR_DATA
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov rsp, boot_stack_end
    mov edi, ebp                                 ; magic, zero-extended
    mov esi, esi                                 ; information, likewise
    xor ebp, ebp                                 ; a backtrace ends here
    call kernel_main
.halt:
    cli
    hlt
    jmp .halt

section .rodata progbits alloc noexec nowrite align=8

; Flat 64-bit code and data for ring 0, already marked accessed so that the CPU never writes here.
global boot_gdt
boot_gdt:
    dq 0
    dq 0x00af9b000000ffff
    dq 0x00cf93000000ffff
gdt_end:

gdt_pointer:
    dw gdt_end - boot_gdt - 1
    dq boot_gdt

extern boot_gdt_phys

; The boot stack: 32 KiB, with a frame below it that nothing uses, to be unmapped as its guard.

global boot_stack_guard
global boot_stack_start
global boot_stack_end

section .bss nobits alloc noexec write align=4096

boot_stack_guard: resb 0x1000
boot_stack_start: resb 32 * 1024
boot_stack_end:
