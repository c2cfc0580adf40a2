/* SPDX-License-Identifier: MIT */
/* A linear framebuffer as a face of the screen: characters painted with the console font. */
#ifndef KERNEL_CONSOLE_FRAMEBUFFER_H
#define KERNEL_CONSOLE_FRAMEBUFFER_H

#include <kernel/console/screen.h>

struct boot_framebuffer;

/*
 * Bytes of video memory that the screen covers, or 0 for a screen that cannot be used (not 24 or 32 bits a
 * pixel, ...).
 */
u64 framebuffer_bytes(const struct boot_framebuffer *screen);

/*
 * Clears the screen, whose memory is mapped at `memory` (never read, so write-combining is best), and
 * divides it into *columns x *rows characters, at most n_cells, with an even margin.  Returns NULL
 * when the screen is too small or the embedded font is not usable.
 */
const struct screen_face *framebuffer_start(const struct boot_framebuffer *screen, void *memory, unsigned n_cells,
                                            unsigned *columns, unsigned *rows);

#endif
