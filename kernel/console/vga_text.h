/* SPDX-License-Identifier: MIT */
/* VGA's text mode as a face of the screen: two bytes a character in video memory, the hardware's cursor. */
#ifndef KERNEL_CONSOLE_VGA_TEXT_H
#define KERNEL_CONSOLE_VGA_TEXT_H

#include <kernel/console/screen.h>

#define VGA_TEXT_PHYS 0xb8000u
#define VGA_TEXT_COLUMNS 80u
#define VGA_TEXT_ROWS 25u

/*
 * Is there a VGA in colour text mode, although the loader did not say so?  `memory`: where VGA_TEXT_PHYS is
 * mapped now.  Asks the graphics controller, and whether the memory keeps what is written (and puts it
 * back).
 */
bool vga_text_probe(volatile u16 *memory);

/* Uses cells at `memory`, `pitch_bytes` from row to row, and loads the theme's colours into the VGA. */
const struct screen_face *vga_text_start(volatile u16 *memory, unsigned pitch_bytes, unsigned columns);

#endif
