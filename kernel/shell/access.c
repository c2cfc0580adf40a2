/* SPDX-License-Identifier: MIT */
/*
 * Looking at and changing memory without trusting the address.  Work is done in pieces that stay inside one
 * frame, so that one walk speaks for a whole piece.
 *
 * May it be written?  The mapping must be writable, -f or not.  Without -f the bytes must besides be in a
 * live object, in a page of alloc_pages, or in a mapping that a caller asked for (the special window): that
 * is memory that whoever is at the prompt has taken.
 */
#include <kernel/shell/access.h>

#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/shell/out.h>
#include <kernel/shell/regions.h>
#include <kernel/shell/tables.h>
#include <lib/printf.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/paging.h>

#define TEXT_BYTES 96

size_t access_piece(u64 at, u64 n)
{
    u64 left = PAGE_4K_SIZE - (at & ~PAGE_4K_MASK);
    return (size_t)(n < left ? n : left);
}

bool access_check_range(u64 at, u64 n)
{
    return (!n || at + n - 1 >= at) || out_error("0x%lx + 0x%lx wraps around", at, n);
}

/* ---- from an address to a pointer that can be probed ---- */

/* RAM that the direct map shows read-only is not to be written through the back door either. */
static bool is_read_only(u64 at)
{
    struct paging_path path;
    if (!mm_is_direct(phys(at)))
        return false;
    paging_walk(paging_kernel_top(), virt(at + PAGE_OFFSET), &path);
    return path.mapped && !(path.flags & PAGE_R_W);
}

static bool locate_physical(const struct access *access, u64 at, bool writable, u64 *pointer)
{
    struct mm_what what;
    if (at >> cpu_features.phys_bits)
        return out_error("0x%lx is beyond the %u physical address bits of this CPU", at,
                         cpu_features.phys_bits);
    mm_describe_phys(phys(at), &what);
    if (what.kind == MM_NO_RAM && !access->force)
        return out_error("0x%lx is no RAM; -f looks anyway", at);
    if (writable && is_read_only(at))
        return out_error("0x%lx is read-only: the kernel's instructions or constants", at);
    char *frame = paging_peek(phys(at & PAGE_4K_MASK), writable);
    if (!frame)
        return out_error("0x%lx cannot be shown: no temporary mapping", at);
    *pointer = (u64)frame + (at & ~PAGE_4K_MASK);
    return true;
}

static bool locate_virtual(u64 at, bool writable, u64 *pointer)
{
    struct paging_path path;
    if (!region_is_canonical(at))
        return out_error("0x%lx is not canonical: its bits 48 to 63 are not all as bit 47 is", at);
    paging_walk(tables_current(), virt(at), &path);
    if (!path.mapped)
        return out_error("0x%lx is not mapped", at);
    if (writable && !(path.flags & PAGE_R_W))
        return out_error("0x%lx is mapped read-only", at);
    *pointer = at;
    return true;
}

static bool locate(const struct access *access, u64 at, bool writable, u64 *pointer)
{
    return access->physical ? locate_physical(access, at, writable, pointer)
                            : locate_virtual(at, writable, pointer);
}

/* ---- reading ---- */

/* Device registers want accesses of four bytes; RAM does not care. */
static bool probe_words(u64 pointer, u32 *to, size_t n)
{
    for (size_t i = 0; i < n / sizeof *to; i++) {
        if (!probe_read(pointer + i * sizeof *to, &to[i], sizeof *to))
            return false;
    }
    return true;
}

bool access_read(const struct access *access, u64 at, void *to, size_t n)
{
    u64 pointer;
    if (!locate(access, at, false, &pointer))
        return false;
    bool words = !((pointer | n | (u64)to) & (sizeof(u32) - 1));
    if (words ? probe_words(pointer, to, n) : probe_read(pointer, to, n))
        return true;
    return out_error("reading 0x%lx faulted", at);
}

/* ---- writing ---- */

/* True when the bytes at a physical address belong to whoever is at the prompt. */
static bool is_taken(u64 at, u64 n)
{
    struct mm_what what;
    char text[TEXT_BYTES];
    mm_describe_phys(phys(at), &what);
    bool live = what.kind == MM_LIVE_OBJECT || what.kind == MM_PAGE;
    if (live && at + n <= what.block_start + what.block_bytes)
        return true;
    if (what.kind == MM_LIVE_OBJECT)
        return out_error("0x%lx + %lu leaves the object of %lu bytes at 0x%lx; -f writes anyway", at, n,
                         what.class_bytes, what.block_start);
    mm_describe_text(&what, text, sizeof text);
    return out_error(
        "physical 0x%lx is neither in a live object nor in a page of alloc_pages (%s); -f writes anyway", at,
        text);
}

static bool may_write_piece(const struct access *access, u64 at, u64 n)
{
    u64 pointer;
    struct paging_path path;
    bool special = !access->physical && at >= MM_SPECIAL_START && at < MM_SPECIAL_END;
    if (!locate(access, at, true, &pointer))
        return false;
    if (access->force || special)
        return true;
    if (access->physical)
        return is_taken(at, n);
    paging_walk(tables_current(), virt(at), &path);
    return is_taken(path.phys.addr, n);
}

bool access_may_write(const struct access *access, u64 at, u64 n)
{
    for (u64 done = 0, piece; done < n; done += piece) {
        piece = access_piece(at + done, n - done);
        if (!may_write_piece(access, at + done, piece))
            return false;
        if (out_interrupted())
            return false;
    }
    return true;
}

bool access_write(const struct access *access, u64 at, const void *from, size_t n)
{
    u64 pointer;
    if (!locate(access, at, true, &pointer))
        return false;
    return probe_write(pointer, from, n) || out_error("writing 0x%lx faulted", at);
}
