/* SPDX-License-Identifier: MIT */
/* Stops long output after every screenful, for who sits at the keyboard. */
#ifndef KERNEL_CONSOLE_PAGER_H
#define KERNEL_CONSOLE_PAGER_H

#include <lib/types.h>

void pager_begin(void);

/* Back to plain output.  Also forgets that the rest was to be dropped. */
void pager_end(void);

/* Called before each line of output; may wait for a key.  False: drop the line. */
bool pager_line(void);

/* Did q or Ctrl-C end the output?  True once. */
bool pager_take_quit(void);

#endif
