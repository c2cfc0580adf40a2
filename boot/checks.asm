; SPDX-License-Identifier: MIT
;
; What the CPU must have before long mode.  32-bit code; needs a stack.

%include "boot/boot.inc"

global boot_check_cpu

extern boot_fail

section .boot.text progbits alloc exec nowrite align=16
bits 32

; Returns when the CPU has long mode, else fails.  Clobbers EAX EBX ECX EDX.
boot_check_cpu:
    pushfd                                       ; CPUID exists when EFLAGS.ID (bit 21) can be changed
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    push ecx
    popfd
    xor eax, ecx
    test eax, 1 << 21
    mov eax, message_no_cpuid
    jz boot_fail

    mov eax, 0x80000000                          ; highest extended leaf
    cpuid
    cmp eax, 0x80000001
    mov eax, message_no_long_mode
    jb boot_fail
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29                            ; LM (SDM volume 2, CPUID)
    mov eax, message_no_long_mode
    jz boot_fail
    ret

section .boot.rodata progbits alloc noexec nowrite align=8

message_no_cpuid:     db "this CPU has no CPUID instruction, so no 64-bit mode", 0
message_no_long_mode: db "this CPU has no 64-bit mode (long mode)", 0
