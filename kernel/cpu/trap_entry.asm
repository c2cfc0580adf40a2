; SPDX-License-Identifier: MIT
;
; Where the CPU arrives on every exception and interrupt.
;
; A stub makes the stack look the same for all vectors (a zero where the CPU pushes no error code, then the
; vector) and jumps to the common part, which saves the registers as struct trap_frame (trap.h), makes GS
; point to the CPU's block, calls trap_handle(frame) and undoes it all.
;
; GS: coming from ring 3, GS.base is the user's and SWAPGS is due; coming from ring 0 it is ours.  Except that
; an exception may strike in ring 0 with the user's GS: NMI, #DF, #MC, #DB around any SWAPGS, #GP at an IRETQ
; to ring 3.  Exceptions therefore look at the register itself: ours is in the kernel half, thus negative, and
; ring 3 cannot load such a base (CR4.FSGSBASE is off).  Interrupts, which are masked there and want to be
; quick, do not.
; rbx remembers whether SWAPGS is to be undone towards ring 0; C preserves rbx.

bits 64
default rel

MSR_GS_BASE     equ 0xc0000101
FRAME_CS        equ 18 * 8
STUB_BYTES      equ 16                  ; TRAP_STUB_BYTES

extern trap_handle
global trap_stubs
global trap_after_handler

section .text

; Vectors for which the CPU pushes an error code: 8, 10..14, 17, 21, 29, 30.
HAS_ERROR_CODE  equ 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30

%macro stub 1
        align STUB_BYTES
    %if %1 >= 32
        push qword 0
    %elif (HAS_ERROR_CODE >> %1) & 1 == 0
        push qword 0
    %endif
        push qword %1
    %if %1 < 32
        jmp enter_exception
    %else
        jmp enter_interrupt
    %endif
%endmacro

        align STUB_BYTES
trap_stubs:
%assign vector 0
%rep 256
        stub vector
    %assign vector vector + 1
%endrep

%macro save_registers 0
        push rax
        push rbx
        push rcx
        push rdx
        push rsi
        push rdi
        push rbp
        push r8
        push r9
        push r10
        push r11
        push r12
        push r13
        push r14
        push r15
        cld
%endmacro

        align 16
enter_interrupt:
        save_registers
        xor     ebx, ebx
        test    byte [rsp + FRAME_CS], 3
        jz      trap_common
        swapgs
        jmp     trap_common

enter_exception:
        save_registers
        xor     ebx, ebx
        test    byte [rsp + FRAME_CS], 3
        jnz     .swap
        mov     ecx, MSR_GS_BASE
        rdmsr
        test    edx, edx
        js      trap_common
        inc     ebx                     ; ring 0 with the user's GS: it must get it back
.swap:
        swapgs

trap_common:
        mov     rdi, rsp                ; the CPU aligned the stack: 22 words later it is aligned again
        xor     ebp, ebp                ; chains of frame pointers end here
        call    trap_handle
trap_after_handler:
        test    byte [rsp + FRAME_CS], 3
        jnz     .swap                   ; going to ring 3
        test    ebx, ebx
        jz      .restore
.swap:
        swapgs
.restore:
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rbp
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rbx
        pop     rax
        add     rsp, 16                 ; vector and error code
        iretq

section .note.GNU-stack noalloc noexec nowrite progbits
