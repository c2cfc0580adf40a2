; SPDX-License-Identifier: MIT
;
; The way to ring 3 and back (user.c).
;
; void user_enter(u64 entry, u64 stack, u64 argument, u64 rsp0_at, u64 rflags)
;     Saves what C expects to be preserved and stores the stack pointer at rsp0_at, in the task state: traps
;     from ring 3 build their frames just below.
; user_leave
;     Where user_catch sends the CPU, with that stack pointer: user_enter returns.
; user_leave_iret
;     The same after a fault of the IRETQ itself: the trap stub, returning to ring 0, left the user's GS in
;     force.

bits 64
default rel

USER_DATA       equ 0x18 | 3            ; GDT_USER_DATA
USER_CODE       equ 0x20 | 3            ; GDT_USER_CODE

global user_enter
global user_enter_iret
global user_leave
global user_leave_iret

section .text

user_enter:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        pushfq
        cli
        mov     [rcx], rsp

        push    USER_DATA
        push    rsi
        push    r8
        push    USER_CODE
        push    rdi
        mov     rdi, rdx

        xor     eax, eax                ; the kernel's values are none of the user's business
        xor     ebx, ebx
        xor     ecx, ecx
        xor     edx, edx
        xor     esi, esi
        xor     ebp, ebp
        xor     r8d, r8d
        xor     r9d, r9d
        xor     r10d, r10d
        xor     r11d, r11d
        xor     r12d, r12d
        xor     r13d, r13d
        xor     r14d, r14d
        xor     r15d, r15d
        swapgs
user_enter_iret:
        iretq

user_leave_iret:
        swapgs
user_leave:
        popfq
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
