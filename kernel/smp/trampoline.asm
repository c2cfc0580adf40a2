; SPDX-License-Identifier: MIT
;
; Where another CPU begins: real mode, at a page below 1 MiB (Intel SDM volume 3, "MP Initialization Protocol").
;
; smp.c copies trampoline_start .. trampoline_end to physical TRAMPOLINE, fills in the four parameters at its end, and
; sends the start-up interrupt.  The way up is that of boot/entry.asm, without checks: this CPU is like the first one.
; The table in trampoline_cr3 shows the trampoline at its physical address, and the kernel where it always is.

%include "boot/boot.inc"

%define TRAMPOLINE 0x8000
%define HERE(label) (label - trampoline_start + TRAMPOLINE)

global trampoline_start
global trampoline_end
global trampoline_cr3
global trampoline_efer
global trampoline_stack
global trampoline_cpu

extern smp_cpu_entry

section .rodata
align 16

bits 16
trampoline_start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    lgdt [HERE(gdt_pointer)]
    mov eax, CR0_PROTECTED
    mov cr0, eax
    jmp dword 0x18:HERE(protected)

bits 32
protected:
    mov ax, 0x10
    mov ds, ax
    mov ss, ax
    mov eax, CR4_LONG
    mov cr4, eax
    mov eax, [HERE(trampoline_cr3)]
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, [HERE(trampoline_efer)]
    xor edx, edx
    wrmsr
    mov eax, CR0_PAGED
    mov cr0, eax
    jmp 0x08:HERE(begin_64)

bits 64
begin_64:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov rsp, [HERE(trampoline_stack)]
    mov rdi, [HERE(trampoline_cpu)]
    xor ebp, ebp
    mov rax, smp_cpu_entry
    call rax                                     ; does not return

align 8
gdt:
    dq 0
    dq 0x00209a0000000000                        ; 0x08: 64-bit code
    dq 0x00cf92000000ffff                        ; 0x10: flat data
    dq 0x00cf9a000000ffff                        ; 0x18: flat 32-bit code
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd HERE(gdt)

align 8
trampoline_cr3:   dq 0
trampoline_efer:  dq 0
trampoline_stack: dq 0
trampoline_cpu:   dq 0
trampoline_end:
