/* SPDX-License-Identifier: MIT */
/*
 * How broken up free memory is.
 *
 * The unusable-free index of an order is the share of free memory that lies in blocks smaller than that
 * order, so that a request of that order cannot use it: 0 when all of it fits, 100 % when nothing does.  The
 * one honest percentage is what is left for a whole 2 MiB page: 100 % minus the index of order 9.  Frames in
 * CPU stacks count as single frames.
 */
#include <kernel/shell/call.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <lib/printf.h>
#include <mm/inspect.h>
#include <mm/mm.h>

#define PAGE_ORDER 9 /* 2^9 frames of 4 KiB are one page of 2 MiB */

struct fragmentation {
    u64 free_bytes;
    u64 usable_bytes[MM_N_ORDERS]; /* in blocks of at least this order */
    u64 n_whole_pages;
    unsigned largest_order;
};

static u64 order_bytes(unsigned order)
{
    return PAGE_4K_SIZE << order;
}

static void measure(struct fragmentation *f)
{
    *f = (struct fragmentation){0};
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;
        mm_zone_info(i, &zone);
        f->free_bytes += zone.free_bytes;
        f->n_whole_pages += zone.n_whole_free_pages;
        f->usable_bytes[0] += zone.cached_bytes;
        for (unsigned order = 0; order < MM_N_ORDERS; order++) {
            f->usable_bytes[order] += zone.n_free_blocks[order] * order_bytes(order);
            if (zone.n_free_blocks[order] && order > f->largest_order)
                f->largest_order = order;
        }
    }
    for (unsigned order = MM_N_ORDERS - 1; order > 0; order--)
        f->usable_bytes[order - 1] += f->usable_bytes[order];
}

static u64 unusable(const struct fragmentation *f, unsigned order)
{
    u64 usable = f->usable_bytes[order];
    return usable < f->free_bytes ? f->free_bytes - usable : 0;
}

static void frag_json(const struct fragmentation *f)
{
    struct json json;
    out_json_start(&json);
    json_object(&json, NULL);
    json_number(&json, "free", f->free_bytes);
    json_number(&json, "whole_free_pages", f->n_whole_pages);
    json_number(&json, "largest_order", f->largest_order);
    json_array(&json, "unusable_per_mille");
    for (unsigned order = 0; order < MM_N_ORDERS; order++)
        json_number(&json, NULL, per_mille(unusable(f, order), f->free_bytes));
    json_array_end(&json);
    json_number(&json, "whole_per_mille", per_mille(f->usable_bytes[PAGE_ORDER], f->free_bytes));
    json_object_end(&json);
    out_json_end();
}

static void frag_print(const struct fragmentation *f)
{
    out_styled(OUT_TITLE, "%5s %9s %14s %10s", "order", "block", "free in such", "unusable");
    for (unsigned order = 0; order <= f->largest_order || order <= PAGE_ORDER; order++) {
        out("%5u %9s %14s %10s\n", order, format_size(order_bytes(order)).s,
            format_size(f->usable_bytes[order]).s, format_percent(unusable(f, order), f->free_bytes).s);
    }
    out("free %s, largest block %s, %lu whole pages\n", format_size(f->free_bytes).s,
        f->free_bytes ? format_size(order_bytes(f->largest_order)).s : "none", f->n_whole_pages);
    out("%s of free memory is in whole 2 MiB pages\n",
        format_percent(f->usable_bytes[PAGE_ORDER], f->free_bytes).s);
}

bool show_frag(struct call *call)
{
    struct fragmentation f;
    measure(&f);
    if (call_has(call, "-j"))
        frag_json(&f);
    else
        frag_print(&f);
    return true;
}
