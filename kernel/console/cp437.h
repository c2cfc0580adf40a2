/* SPDX-License-Identifier: MIT */
/* Unicode to code page 437, the character set of VGA's built-in font.  Pure C. */
#ifndef KERNEL_CONSOLE_CP437_H
#define KERNEL_CONSOLE_CP437_H

#include <lib/types.h>

/* The byte for a character, or for one that looks nearly like it; '?' when there is none. */
u8 cp437_from_unicode(u16 code);

#endif
