/* SPDX-License-Identifier: MIT */
/* What memory management takes for itself. */
#include <kernel/bench/bench.h>

#include <kernel/shell/out.h>
#include <mm/inspect.h>
#include <mm/mm.h>

void bench_memory(void)
{
    struct mm_stat_t stat = mm_stat();
    struct mm_start_info info;

    mm_start_info(&info);
    out("total %lu free %lu page_array %lu held_bits %lu tables %lu metadata %lu\n", stat.total, stat.free,
        info.page_array_bytes, info.held_array_bytes, info.table_bytes,
        info.page_array_bytes + info.held_array_bytes + info.table_bytes);
}
