/* SPDX-License-Identifier: MIT */
/*
 * Memory as the commands see it: any address, virtual or physical, and never a fault.
 *
 * Virtual addresses are walked in the current table first, and read and written with probes.  Physical ones
 * are seen through the temporary mapping (paging_peek).  Functions that return bool write the error line
 * themselves.
 */
#ifndef KERNEL_SHELL_ACCESS_H
#define KERNEL_SHELL_ACCESS_H

#include <lib/types.h>

struct access {
    bool physical; /* addresses are physical */
    bool force;    /* -f: RAM or not, live or not */
};

/* Copies n bytes at `at`; n is at most what is left of its frame. */
bool access_read(const struct access *access, u64 at, void *to, size_t n);

/* True when all of [at, at + n) may be written: mapped, writable, and (without force) of somebody who is
 * known. */
bool access_may_write(const struct access *access, u64 at, u64 n);

/* Writes n bytes, at most what is left of the frame, after access_may_write. */
bool access_write(const struct access *access, u64 at, const void *from, size_t n);

/* Bytes from `at` to the end of its frame, at most n. */
size_t access_piece(u64 at, u64 n);

/* Refuses ranges that wrap around. */
bool access_check_range(u64 at, u64 n);

#endif
