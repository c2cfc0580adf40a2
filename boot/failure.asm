; SPDX-License-Identifier: MIT
;
; A start that cannot go on: one line on every face there may be, then halt.
;
;     COM1         when a scratch register answers there
;     framebuffer  when GRUB left one (direct colour, 24 or 32 bits, below 4 GiB), with the console's font
;     VGA text     otherwise: writing where there is none does no harm
;
; 32-bit code without paging or interrupts; needs a stack.

%include "boot/boot.inc"

global boot_fail
global boot_information

extern console_font_phys

%define LINE_BYTES           160
%define WHITE_ON_RED         0x4f

; Multiboot2 section 3.6.12: the framebuffer tag.
%define TAG_FRAMEBUFFER      8
%define FB_ADDRESS           8                   ; 64 bits
%define FB_PITCH             16
%define FB_BITS              28
%define FB_TYPE              29
%define FB_DIRECT_COLOUR     1

; PSF version 1: magic, mode and height, then glyphs of `height` bytes.
%define PSF1_MAGIC           0x0436
%define PSF1_GLYPHS          4
%define GLYPH_ROWS           16

section .boot.text progbits alloc exec nowrite align=16
bits 32

; EAX = the reason, zero-terminated.  Does not return.
boot_fail:
    cli
    cld
    mov edi, line
    mov esi, message_prefix
    call append
    mov esi, eax
    call append
    mov esi, message_suffix
    call append
    call tell_serial
    call tell_framebuffer
    jnc .halt
    call tell_vga
.halt:
    hlt
    jmp .halt

; Copies the string at ESI to EDI, which moves on.  Keeps EAX.
append:
    mov dl, [esi]
    test dl, dl
    jz .done
    mov [edi], dl
    inc esi
    inc edi
    jmp append
.done:
    ret

; ---- COM1 at 115200 8N1 ----

tell_serial:
    mov edx, COM1 + 7                            ; the scratch register holds a value if anything is there
    mov al, 0x5a
    out dx, al
    in al, dx
    cmp al, 0x5a
    jne .done
    mov esi, serial_setup
.setup:
    lodsw                                        ; AL = register, AH = value
    movzx edx, al
    add edx, COM1
    mov al, ah
    out dx, al
    cmp esi, serial_setup_end
    jb .setup

    mov esi, line
.next:
    lodsb
    test al, al
    jz .newline
    call put_serial
    jmp .next
.newline:
    mov al, 13
    call put_serial
    mov al, 10
    call put_serial
.done:
    ret

; Sends AL.  A transmitter that never empties is not waited for long.
put_serial:
    mov ah, al
    mov ecx, 1 << 20
    mov edx, COM1 + 5
.wait:
    in al, dx
    test al, 0x20                                ; transmitter holding register empty
    jnz .send
    loop .wait
.send:
    mov edx, COM1
    mov al, ah
    out dx, al
    ret

; ---- VGA text memory, the top line ----

tell_vga:
    mov esi, line
    mov edi, VGA_TEXT
    mov ah, WHITE_ON_RED
.next:
    lodsb
    test al, al
    jz .done
    stosw
    jmp .next
.done:
    ret

; ---- framebuffer, the top line, in white; carry set when there is none to draw on ----

tell_framebuffer:
    call find_framebuffer                        ; EDI = tag
    jc .done
    movzx ebp, byte [edi + FB_BITS]
    shr ebp, 3                                   ; bytes of a pixel
    mov ebx, [edi + FB_PITCH]
    mov edi, [edi + FB_ADDRESS]
    mov esi, line
.next:
    movzx eax, byte [esi]
    inc esi
    test eax, eax                                ; clears carry
    jz .done
    call put_glyph
    lea edi, [edi + ebp * 8]
    jmp .next
.done:
    ret

; Draws the character EAX with its upper left pixel at EDI.  EBX = pitch, EBP = bytes of a pixel.  Keeps ESI and
; EDI.
put_glyph:
    push esi
    push edi
    shl eax, 4                                   ; GLYPH_ROWS bytes each
    lea esi, [console_font_phys + PSF1_GLYPHS + eax]
    mov ecx, GLYPH_ROWS
.row:
    lodsb
    mov edx, edi
.pixel:
    add al, al                                   ; the leftmost pixel is the highest bit
    jnc .dark
    mov word [edx], 0xffff
    mov byte [edx + 2], 0xff
.dark:
    add edx, ebp
    test al, al
    jnz .pixel                                   ; until no lit pixel is left in the row
    add edi, ebx
    loop .row
    pop edi
    pop esi
    ret

; EDI = a framebuffer tag that we can draw on with the font we have, or carry set.
find_framebuffer:
    mov edi, [boot_information]
    test edi, edi
    jz .none
    mov ecx, edi
    add ecx, [edi]                               ; where the information ends
    add edi, 8
.tag:
    cmp edi, ecx
    jae .none
    cmp dword [edi], TAG_FRAMEBUFFER
    je .found
    mov eax, [edi + 4]                           ; its size; the next tag is 8-byte aligned
    add eax, 7
    and eax, ~7
    jz .none
    add edi, eax
    jmp .tag
.found:
    cmp byte [edi + FB_TYPE], FB_DIRECT_COLOUR
    jne .none
    cmp byte [edi + FB_BITS], 24
    jb .none
    cmp dword [edi + FB_ADDRESS + 4], 0
    jne .none
    cmp word [console_font_phys], PSF1_MAGIC
    jne .none
    cmp byte [console_font_phys + 3], GLYPH_ROWS
    jne .none                                    ; equal clears carry
    ret
.none:
    stc
    ret

section .boot.rodata progbits alloc noexec nowrite align=8

serial_setup:                                    ; register, value: no interrupts, divisor 1, 8N1, FIFO, DTR and RTS
    db 1, 0x00,  3, 0x80,  0, 0x01,  1, 0x00,  3, 0x03,  2, 0xc7,  4, 0x03
serial_setup_end:

message_prefix: db "Tessera cannot start: ", 0
message_suffix: db ". Halted.", 0

section .boot.bss nobits alloc noexec write align=16

line:             resb LINE_BYTES                ; zeroed by the loader, so what is in it is terminated
align 4
boot_information: resd 1                         ; Multiboot2 information, 0 until its magic was right
