; SPDX-License-Identifier: MIT
;
; Where another CPU begins: real mode, at a frame below 640 KiB (Intel SDM volume 3, "MP Initialization Protocol").
;
; start.c copies trampoline_start .. trampoline_end to whatever low frame is free, fills in the parameters at its end,
; and sends the start-up interrupt.  So nothing here may know its address: real mode knows it by CS, later ebx has it.
; The way up is that of boot/entry.asm, without checks: this CPU is like the first one.  The table in trampoline_cr3
; shows the frame at its physical address, and the kernel where it always is.

%include "boot/boot.inc"

%define AT(label) (label - trampoline_start)
%define SELECTOR_CODE_32 0x18

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
    mov ax, cs
    mov ds, ax
    movzx ebx, ax
    shl ebx, 4
    lea eax, [ebx + AT(gdt)]
    mov [AT(gdt_pointer) + 2], eax
    lea eax, [ebx + AT(protected)]
    mov [AT(to_protected)], eax
    lea eax, [ebx + AT(begin_64)]
    mov [AT(to_64)], eax
    o32 lgdt [AT(gdt_pointer)]
    mov eax, CR0_PROTECTED
    mov cr0, eax
    jmp dword far [AT(to_protected)]

bits 32
protected:
    mov ax, SELECTOR_DATA
    mov ds, ax
    mov ss, ax
    mov eax, CR4_LONG
    mov cr4, eax
    mov eax, [ebx + AT(trampoline_cr3)]
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, [ebx + AT(trampoline_efer)]
    xor edx, edx
    wrmsr
    mov eax, CR0_PAGED
    mov cr0, eax
    jmp far [ebx + AT(to_64)]

bits 64
begin_64:
    mov ebx, ebx                                 ; the upper half is undefined after the change of mode
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov rsp, [rbx + AT(trampoline_stack)]
    mov rdi, [rbx + AT(trampoline_cpu)]
    xor ebp, ebp
    mov rax, smp_cpu_entry
    call rax                                     ; does not return

align 8
gdt:
    dq 0
    dq 0x00209a0000000000                        ; SELECTOR_CODE: 64-bit code
    dq 0x00cf92000000ffff                        ; SELECTOR_DATA: flat data
    dq 0x00cf9a000000ffff                        ; SELECTOR_CODE_32: flat 32-bit code
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd 0
to_protected:
    dd 0
    dw SELECTOR_CODE_32
to_64:
    dd 0
    dw SELECTOR_CODE

align 8
trampoline_cr3:   dq 0
trampoline_efer:  dq 0
trampoline_stack: dq 0
trampoline_cpu:   dq 0
trampoline_end:
