; SPDX-License-Identifier: MIT
;
; What must hold before long mode, and how a failure is told: one line on COM1 and on VGA text memory, then halt.
; 32-bit code without tables or interrupts; needs a stack.

%include "boot/boot.inc"

global boot_check_cpu
global boot_fail

section .boot.text progbits alloc exec nowrite align=16
bits 32

; Returns when the CPU has long mode, else fails.  Clobbers EAX ECX EDX EBX.
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

; EAX = the reason, zero-terminated.  Does not return.
boot_fail:
    cli
    cld
    mov esi, message_prefix
    mov edi, VGA_TEXT
    mov ebp, eax
    call serial_start
    call put_text
    mov esi, ebp
    call put_text
    mov esi, message_suffix
    call put_text
    mov esi, message_newline
    call serial_text
.halt:
    hlt
    jmp .halt

; ESI = text, EDI = next cell on the screen, EBX = serial port or 0.  Moves EDI on.
put_text:
    push esi
    call serial_text
    pop esi
    mov ah, 0x4f                                 ; white on red
.next:
    lodsb
    test al, al
    jz .done
    stosw
    jmp .next
.done:
    ret

; EBX = COM1 at 115200 8N1, or 0 when nothing answers there: its scratch register must hold a value.
serial_start:
    xor ebx, ebx
    mov edx, COM1 + 7
    mov al, 0x5a
    out dx, al
    in al, dx
    cmp al, 0x5a
    jne .done
    mov ecx, serial_setup
.write:
    movzx edx, byte [ecx]
    cmp dl, 0xff
    je .present
    add edx, COM1
    mov al, [ecx + 1]
    out dx, al
    add ecx, 2
    jmp .write
.present:
    mov ebx, COM1
.done:
    ret

; ESI = text, EBX = port or 0.  A transmitter that never empties is given up byte by byte.
serial_text:
    test ebx, ebx
    jz .done
.next:
    lodsb
    test al, al
    jz .done
    mov ah, al
    mov ecx, 1 << 20
    lea edx, [ebx + 5]
.wait:
    in al, dx
    test al, 0x20                                ; transmitter holding register empty
    jnz .send
    loop .wait
.send:
    mov edx, ebx
    mov al, ah
    out dx, al
    jmp .next
.done:
    ret

section .boot.rodata progbits alloc noexec nowrite align=8

serial_setup:                                    ; register, value: no interrupts, divisor 1, 8N1, FIFO on, DTR + RTS
    db 1, 0x00,  3, 0x80,  0, 0x01,  1, 0x00,  3, 0x03,  2, 0xc7,  4, 0x03,  0xff

message_prefix:       db "Tessera cannot start: ", 0
message_suffix:       db ". Halted.", 0
message_newline:      db 13, 10, 0
message_no_cpuid:     db "this CPU has no CPUID instruction, so no 64-bit mode", 0
message_no_long_mode: db "this CPU has no 64-bit mode (long mode)", 0
