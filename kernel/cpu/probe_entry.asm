; SPDX-License-Identifier: MIT
;
; The way into and out of a call that may fault (probe.c).
;
; bool probe_enter(void (*fn)(void *), void *argument, u64 *resume)
;     Saves what C expects to be preserved, notes the stack pointer in *resume, calls fn(argument) and
;     returns true.
; probe_resume
;     Where trap.c sends a fault inside fn, with the stack pointer of *resume: probe_enter returns false.

bits 64
default rel

global probe_enter
global probe_resume

section .text

probe_enter:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        pushfq
        mov     [rdx], rsp
        mov     rax, rdi
        mov     rdi, rsi
        call    rax                     ; eight words on it since the caller's call: aligned
        mov     eax, 1
        jmp     leave_probe

probe_resume:
        xor     eax, eax
leave_probe:
        popfq                           ; IF and AC as they were
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
