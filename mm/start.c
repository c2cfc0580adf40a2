/* SPDX-License-Identifier: MIT */
/*
 * Bringing mm up, in the order in which each part can stand on those before it:
 *
 *      map          the firmware's, sorted; where RAM is; borders of the zones (start_map.c, ram.c, zone.c)
 *      early        frames from a cursor                                       (ram.c)
 *      own map      a copy of the firmware's map, which the loader's memory need not outlive (start_map.c)
 *      paging       the final tables, made of early frames, loaded             (paging_boot.c)
 *      page array   a struct Page for each 2 MiB, in its window                (page_array.c)
 *      frames       all RAM that is neither reserved nor taken early is freed  (zone.c)
 *      roles        the boot's page tables are marked                          (role.c)
 *      slab         magazines; kmalloc works                                   (slab.c)
 *      debug        the debug mode, if it is wanted                            (debug.c)
 *
 * Boot is "free every frame": there is no second way into the allocator.  All state lies in `mm`; starting again
 * forgets what was.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/platform.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/slab.h>
#include <mm/start_map.h>

/* A magazine may hold 1/2048 of RAM, at most 256 KiB: at 512 MiB that is reached. */
#define MAGAZINE_RAM_SHARE 2048
#define MAGAZINE_MAX_BYTES (256 * 1024UL)

/* A home may keep empty slabs of a quarter of that, 64 KiB; those of two or four objects, which come and go in numbers, as
 * long as there are not more than a quarter of these. */
#define HOME_EMPTY_SHARE (4 * (u32)FRAME_BYTES)
#define HOME_FEW_OBJECTS 4

/* The page stack of a CPU may hold 1/32 of NORMAL, its frame stack 1/64. */
#define STACK_PAGES_SHARE 32
#define STACK_FRAMES_SHARE 64
#define STACK_FRAMES_LEAST 4

struct mm mm;

/*
 * Usable memory ends where mem= says, where the direct map's window ends, and where this CPU's physical addresses do: what
 * firmware reports beyond could not be mapped.
 */
static void start_limit(const struct mm_boot *boot)
{
    u64 reach = min_u64(MM_RAM_LIMIT, 1UL << boot->features.phys_bits);

    memory_map_limit(&mm.map, boot->mem_bytes);
    if (mm.map.usable_limit == 0 || mm.map.usable_limit > reach)
        mm.map.usable_limit = reach;
}

/* Copies what was handed in; the borders, and all that depends on the size of RAM. */
static const char *start_configuration(const struct mm_boot *boot)
{
    const char *wrong;

    memset(&mm, 0, sizeof mm);
    mm.map = boot->map;
    mm.features = boot->features;
    mm.n_reserved = boot->n_reserved;
    memcpy(mm.reserved, boot->reserved, boot->n_reserved * sizeof mm.reserved[0]);
    for (u32 i = 0; i < mm.n_reserved; i++) /* there, so that rounding up to a frame does not wrap to 0 */
        mm.reserved[i].end = min_u64(mm.reserved[i].end, MEMORY_MAP_END);
    mm.n_caches_off = boot->debug.features != 0; /* before there are any */
    mm.n_segments = boot->n_segments;
    memcpy(mm.segments, boot->segments, boot->n_segments * sizeof mm.segments[0]);
    wrong = start_map_sort(boot);
    if (wrong != NULL)
        return wrong;
    start_limit(boot);
    if (ram_bytes_total() == 0)
        return "the firmware's map has no usable memory";
    zone_start_all(boot->dma_bytes, boot->direct_map_bytes);
    mm.magazine_bytes = (u32)min_u64(ram_bytes_total() / MAGAZINE_RAM_SHARE, MAGAZINE_MAX_BYTES);
    for (unsigned class = 0; class < N_SLAB_CLASSES; class++) {
        u32 n = mm.magazine_bytes / HOME_EMPTY_SHARE;

        mm.home_keeps_empty[class] = (u8)(class_n_objects(class) > HOME_FEW_OBJECTS ? n : n / 4);
    }
    mm.stack_pages = (u32)min_u64((mm.direct_end - mm.dma_end) / PAGE_BYTES / STACK_PAGES_SHARE, STACK_PAGES);
    mm.stack_frames = (u32)min_u64((mm.direct_end - mm.dma_end) / FRAME_BYTES / STACK_FRAMES_SHARE, STACK_FRAMES);
    mm.stack_frames = (u32)max_u64(align_down(mm.stack_frames, 2), STACK_FRAMES_LEAST);
    return NULL;
}

static void start_frames(void)
{
    struct memory_range run;

    for (u64 from = 0; ram_next_free(from, &run); from = run.end)
        zone_add_free(run.start, run.end);
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm.zone[i].low_water_frames = mm.zone[i].n_free_frames;
    mm.frames_ready = true;
}

const char *mm_start(const struct mm_boot *boot)
{
    const char *wrong = start_configuration(boot);

    if (wrong != NULL)
        return wrong;
    early_start(boot->early_limit);
    wrong = start_map_keep();
    if (wrong != NULL)
        return wrong;
    wrong = paging_start(boot);
    if (wrong != NULL)
        return wrong;
    mm.early.limit = MM_RAM_LIMIT;
    role_start();
    wrong = page_array_start();
    if (wrong == NULL)
        wrong = sanitize_ram_start();
    if (wrong != NULL)
        return wrong;
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm.ram_bytes += mm.zone[i].managed_frames * FRAME_BYTES;
    mm_cpu_start(mm.boot_cpu);
    start_frames();
    home_start(&mm.orphans, true);
    list_init(&mm.descriptors.partial);
    limbo_start();
    debug_start(&boot->debug);
    if (!paging_adopt_tables())
        return "no room for the roles of page tables";
    mm.start.table_bytes = paging_count_tables() * FRAME_BYTES;
    return NULL;
}

/* Frees what lies in [start, end) and is reserved by nobody any more. */
static u64 give_back_range(u64 start, u64 end)
{
    struct memory_range run;
    u64 n_frames = 0;

    for (u64 from = start; ram_next_unreserved(from, &run) && run.start < end; from = run.end) {
        run.end = min_u64(run.end, end);
        zone_add_free(run.start, run.end);
        n_frames += (run.end - run.start) / FRAME_BYTES;
    }
    return n_frames;
}

u64 mm_give_back(const char *name)
{
    u64 n_frames = 0;

    for (u32 i = 0; i < mm.n_reserved;) {
        struct mm_reserved range = mm.reserved[i];

        if (strcmp(range.name, name) != 0) {
            i++;
            continue;
        }
        mm.reserved[i] = mm.reserved[--mm.n_reserved];
        n_frames += give_back_range(align_down(range.start, FRAME_BYTES), align_up(range.end, FRAME_BYTES));
    }
    return n_frames;
}
