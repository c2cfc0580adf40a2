/* SPDX-License-Identifier: MIT */
/* Reporting a caller's mistake: one line `mm: bad CALL(0xADDRESS): WHAT IT IS`, and a count. */
#ifndef MM_MISUSE_H
#define MM_MISUSE_H

#include <mm/debug_state.h>

/* Reports with these words.  Any context, locks held or not. */
void mm_misuse(const char *call, ul address, const char *what);

/* Reports what the physical, or the virtual, address is.  Both return -EFAULT, for `return misuse_phys(...)`. */
int misuse_phys(const char *call, phys_t at);
int misuse_virt(const char *call, virt_t at);

/* A free that is refused: what the trace of the debug mode notes of it besides the report. */
struct misuse_free {
    const char *call;
    enum mm_event_kind kind;
    u64 bytes; /* that were to be freed; 0: not known */
    struct debug_here here;
};

/* The same three for frees.  These words are kept: a constant. */
void misuse_free(const struct misuse_free *free, ul address, const char *what);
int misuse_free_phys(const struct misuse_free *free, phys_t at);
int misuse_free_virt(const struct misuse_free *free, virt_t at);

/* With these words of a physical address; in the debug mode also with those of whose it is, or was. */
void misuse_free_whose(const struct misuse_free *free, phys_t at, const char *what);

#endif
