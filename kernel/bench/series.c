/* SPDX-License-Identifier: MIT */
/* Samples and the lists of the workloads: memory for them, and their minimum and median. */
#include <kernel/bench/measure.h>

#include <kernel/bench/report.h>
#include <lib/string.h>
#include <mm/types.h>

#define OBJECT_MAX_BYTES (1UL << 20) /* what kmalloc can give in one piece */
#define PAGES_MAX        63          /* what alloc_pages can */

void *list_take(u64 bytes)
{
    u64 n_pages = PAGE_2M_ALIGN(bytes) / PAGE_BYTES;
    struct Page *pages;
    void *list;

    if (bytes <= OBJECT_MAX_BYTES)
        return kzalloc(bytes, 0);
    if (n_pages > PAGES_MAX)
        return NULL;
    pages = alloc_pages(ZONE_NORMAL, (int)n_pages, 0);
    if (pages == NULL)
        return NULL;
    list = phys_pointer(phys(pages->addr_phys));
    memset(list, 0, n_pages * PAGE_BYTES);
    return list;
}

void list_give(void *list, u64 bytes)
{
    if (list == NULL)
        return;
    if (bytes <= OBJECT_MAX_BYTES)
        kfree(list);
    else
        free_pages(Virt_To_2M_Page(list), (int)(PAGE_2M_ALIGN(bytes) / PAGE_BYTES));
}

bool series_start(struct series *series, u32 n_max)
{
    *series = (struct series){.ticks = list_take(n_max * sizeof(u64)), .n_max = n_max};
    return series->ticks != NULL;
}

void series_add(struct series *series, u64 ticks)
{
    if (series->started && series->n < series->n_max)
        series->ticks[series->n++] = ticks;
    series->started = true;
}

void series_end(struct series *series)
{
    list_give(series->ticks, series->n_max * sizeof(u64));
    series->ticks = NULL;
}

/* Sorts by insertion at shrinking distances (Shell): a thousand samples at most, and outside of what is
 * timed. */
static void sort(u64 *value, u32 n)
{
    for (u32 distance = n / 2; distance > 0; distance /= 2) {
        for (u32 i = distance; i < n; i++) {
            u64 moved = value[i];
            u32 at = i;

            for (; at >= distance && value[at - distance] > moved; at -= distance)
                value[at] = value[at - distance];
            value[at] = moved;
        }
    }
}

/* ticks / n in hundredths, rounded to the nearest. */
static u64 hundredths(u64 ticks, u64 n)
{
    return (ticks * 100 + n / 2) / n;
}

void bench_figure(struct bench *bench, const char *name, u64 param, u64 n_operations, struct series *series)
{
    struct figure *figure = &bench->figure[bench->n_figures];

    if (series->n != 0 && bench->n_figures < N_FIGURES) {
        sort(series->ticks, series->n);
        *figure = (struct figure){.name = name, .param = param, .n_operations = series->n * n_operations};
        for (u32 i = 0; i < series->n; i++)
            figure->n_ticks += series->ticks[i];
        figure->min_hundredths = hundredths(series->ticks[0], n_operations);
        figure->median_hundredths = hundredths(series->ticks[series->n / 2], n_operations);
        bench->n_figures++;
        report_figure(bench, figure);
    }
    series_end(series);
}
