/* SPDX-License-Identifier: MIT */
/*
 * The shadow: what is known of every 8 bytes.
 *
 * The compiler calls __asan_loadN / __asan_storeN (access.c) before every access that it cannot prove right, and
 * surrounds arrays on stacks and globals with red zones.  Those calls ask the shadow, at (address >> 3) + SHADOW_OFFSET:
 *
 *      checked                                    its shadow                         backed
 *      0xffff800000000000  direct map             0xffffc00000000000  4 TiB          by early frames, for RAM only
 *      0xffffb00100000000  stacks                 0xffffc60020000000  128 MiB        by frames, when a stack is mapped
 *      0xffffffff80000000  image, its first 8 MiB 0xffffcffff0000000  1 MiB          by an array in the image
 *
 * Nothing else is looked up: the calls test for these three ranges, so no page of zeros has to stand in for the rest of
 * the kernel half.  The one thing that gcc does without a call, poisoning the frame of a function with arrays, touches
 * the shadow of a stack only, and each stack has one from its first instruction on: the boot's lie in the image.
 *
 * Order.  sanitize_start, before anything that is checked: the image's shadow, in boot's tables, and the red zones of
 * globals.  mm enters the same array into the final tables as a segment (sanitize_describe).  While mm starts, the
 * direct map is not looked up; sanitize_ram_start gives it a shadow of zeros, and then, as every frame becomes free, it
 * is poisoned.  So what was reserved or taken early is open, and the rest is what the hooks of mm/sanitize.h say.
 *
 * This folder is compiled without any of it; so are main.c, which calls sanitize_start, and probe.c, whose accesses are
 * meant to be wrong.
 *
 * Cost: an eighth of RAM; a call for each access; a byte written for each 8 that are allocated or freed.
 */
#include <kernel/cpu/registers.h>
#include <kernel/sanitize/sanitize.h>
#include <kernel/sanitize/shadow.h>
#include <lib/bits.h>
#include <mm/boot.h>
#include <mm/entry.h>
#include <mm/frame.h>
#include <mm/layout.h>
#include <mm/paging.h>
#include <mm/ram.h>
#include <mm/sanitize.h>
#include <mm/state.h>

#define OWN_FLAGS (PAGE_R_W | PAGE_XD | PAGE_GLOBAL)
#define ALIGN_FROM_BYTES (8 * PAGE_BYTES) /* costs one page at most */

_Static_assert(SHADOW_IMAGE_BYTES / SHADOW_GRAIN <= PAGE_BYTES, "one page table shows the image's shadow");

extern void (*const init_array_start[])(void), (*const init_array_end[])(void);

static u8 image_shadow[SHADOW_IMAGE_BYTES / SHADOW_GRAIN] __attribute__((aligned(4096)));

/* Boot's tables for it, one of each level from 3 on. */
static u64 early_table[3][ENTRIES_PER_TABLE] __attribute__((aligned(4096)));

struct shadow_reach shadow_reach; /* nothing, while mm starts; of the stacks whole frames of shadow */

static u64 image_phys(const void *p)
{
    return (u64)p - MM_IMAGE_START;
}

static u64 shadow_at(u64 at)
{
    return (u64)shadow_of(at);
}

/* ---- asking ---- */

/* True when a grain allows its bytes up to that of `at`. */
static bool grain_allows(u64 at)
{
    s8 value = (s8)*shadow_of(at);

    return value == 0 || (s8)(at % SHADOW_GRAIN) < value;
}

bool shadow_allows(u64 at, u64 bytes)
{
    u64 last = at + bytes - 1;
    const u8 *shadow = shadow_of(at), *end = shadow_of(last);

    if (bytes == 0 || !shadow_covers(at))
        return true;
    if (last < at)
        return false;
    for (; end - shadow >= 8; shadow += 8)
        if (*(const u64 __attribute__((aligned(1))) *)shadow != 0)
            return false;
    for (; shadow < end; shadow++)
        if (*shadow != 0)
            return false;
    return grain_allows(last);
}

u64 shadow_first_bad(u64 at, u64 bytes)
{
    for (u64 end = at + bytes; at < end; at++)
        if (!grain_allows(at))
            return at;
    return at;
}

/* ---- telling ---- */

/* In words, which emulators store seven times as fast; a frame's shadow is 64 of them. */
static void fill(u8 *to, u8 value, u64 n)
{
    u64 n_words = n / 8, n_bytes = n % 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(n_words) : "a"(value * 0x0101010101010101UL) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n_bytes) : "a"(value) : "memory");
}

void shadow_poison(u64 at, u64 bytes, enum shadow why)
{
    if (shadow_covers(at))
        fill(shadow_of(at), (u8)why, bytes >> SHADOW_SHIFT);
}

void shadow_open(u64 at, u64 bytes)
{
    if (!shadow_covers(at))
        return;
    fill(shadow_of(at), 0, bytes >> SHADOW_SHIFT);
    if (bytes % SHADOW_GRAIN != 0)
        *shadow_of(at + bytes) = bytes % SHADOW_GRAIN;
}

void sanitize_stack_left(u64 low, u64 high)
{
    if (low < high)
        shadow_open(align_down(low, SHADOW_GRAIN), align_up(high, SHADOW_GRAIN) - align_down(low, SHADOW_GRAIN));
}

void sanitize_frames_taken(phys_t first, u64 n_frames)
{
    shadow_open(first.addr + PAGE_OFFSET, n_frames * FRAME_BYTES);
}

void sanitize_frames_freed(phys_t first, u64 n_frames)
{
    shadow_poison(first.addr + PAGE_OFFSET, n_frames * FRAME_BYTES, SHADOW_FREE_FRAME);
}

void sanitize_blocks_taken(const phys_t *first, u32 n, u64 n_frames)
{
    for (u32 i = 0; i < n; i++)
        sanitize_frames_taken(first[i], n_frames);
}

void sanitize_blocks_freed(const phys_t *first, u32 n, u64 n_frames)
{
    for (u32 i = 0; i < n; i++)
        sanitize_frames_freed(first[i], n_frames);
}

void sanitize_objects_freed(const void *first, u64 bytes)
{
    shadow_poison((u64)first, bytes, SHADOW_FREE_OBJECT);
}

void sanitize_slot_taken(const void *slot, u64 slot_bytes, const void *object, ul size)
{
    shadow_poison((u64)slot, slot_bytes, SHADOW_RED_ZONE);
    shadow_open((u64)object, size);
}

void sanitize_object_taken(const void *object, ul size)
{
    sanitize_slot_taken(object, 1UL << log2_ceil(sanitize_padded(size)), object, size);
}

u64 sanitize_promised_bytes(phys_t object, u64 class_bytes)
{
    u64 start = object.addr + PAGE_OFFSET, asked = shadow_first_bad(start, class_bytes) - start;

    return 1UL << log2_ceil(max_u64(asked, 32));
}

void sanitize_object_opened(const void *object, ul bytes)
{
    shadow_open((u64)object, bytes);
}

/* ---- starting ---- */

static void enter(u64 *table, unsigned level, u64 at, const void *next)
{
    table[entry_index(entry_linear(virt(at)), level)] = image_phys(next) | ENTRY_P | ENTRY_RW;
}

void sanitize_start(void)
{
    u64 *top = (u64 *)(PAGE_OFFSET + (cr3_read() & ENTRY_ADDRESS));
    u64 start = shadow_at(MM_IMAGE_START);

    enter(top, 4, start, early_table[0]);
    enter(early_table[0], 3, start, early_table[1]);
    enter(early_table[1], 2, start, early_table[2]);
    for (u64 i = 0; i < sizeof image_shadow; i += FRAME_BYTES)
        enter(early_table[2], 1, start + i, image_shadow + i);
    for (u64 i = 0; init_array_start + i < init_array_end; i++)
        init_array_start[i]();
}

static void add_window(struct mm_boot *boot, u64 start, u64 end)
{
    boot->windows[boot->n_windows++] = (struct mm_window){shadow_at(start), shadow_at(end) - shadow_at(start)};
}

void sanitize_describe(struct mm_boot *boot)
{
    add_window(boot, PAGE_OFFSET, PAGE_OFFSET + MM_RAM_LIMIT);
    add_window(boot, MM_STACKS_START, MM_STACKS_END);
    add_window(boot, MM_IMAGE_START, MM_IMAGE_START + SHADOW_IMAGE_BYTES);
    boot->segments[boot->n_segments++] = (struct mm_segment){
        .virt = shadow_at(MM_IMAGE_START),
        .phys = image_phys(image_shadow),
        .bytes = sizeof image_shadow,
        .flags = PAGE_R_W | PAGE_XD,
        .name = "shadow",
    };
}

/* Leaves early frames unused until the next one lies in its page as `start` does: then leaves of 2 MiB fit. */
static void align_early(u64 start)
{
    phys_t first = early_alloc_frame();
    u64 n_unused = (start - first.addr - FRAME_BYTES) % PAGE_BYTES / FRAME_BYTES, n_got;

    if (!phys_is_none(first) && n_unused != 0)
        (void)!phys_is_none(early_alloc_frames(n_unused, &n_got));
}

/* Backs [start, end) of the shadow with early frames, which are clear. */
static bool back_early(u64 start, u64 end)
{
    if (end - start >= ALIGN_FROM_BYTES)
        align_early(start);
    while (start < end) {
        u64 n_got;
        phys_t first = early_alloc_frames((end - start) / FRAME_BYTES, &n_got);

        if (phys_is_none(first) || paging_map_own(virt(start), first, n_got * FRAME_BYTES, OWN_FLAGS, false) != 0)
            return false;
        start += n_got * FRAME_BYTES;
    }
    return true;
}

/* Run by run: two of them may share a frame of shadow. */
const char *sanitize_ram_start(void)
{
    u64 done = 0;
    struct memory_range run;

    for (u64 from = 0; ram_next(from, &run); from = run.end) {
        u64 start = max_u64(align_down(shadow_at(PAGE_OFFSET + run.start), FRAME_BYTES), done);

        done = align_up(shadow_at(PAGE_OFFSET + run.end), FRAME_BYTES);
        if (!back_early(start, done))
            return "no room for the shadow";
    }
    shadow_reach.ram_bytes = mm.ram_end;
    return NULL;
}

bool sanitize_stack_mapped(u64 end)
{
    while (MM_STACKS_START + shadow_reach.stacks_bytes < end) {
        u64 at = shadow_at(MM_STACKS_START + shadow_reach.stacks_bytes);
        phys_t frame = frame_alloc(ZONE_NORMAL, 0);

        if (phys_is_none(frame))
            return false;
        fill(phys_pointer(frame), 0, FRAME_BYTES);
        if (paging_map_own(virt(at), frame, FRAME_BYTES, OWN_FLAGS, true) != 0) {
            frame_free(frame, 0);
            return false;
        }
        shadow_reach.stacks_bytes += FRAME_BYTES << SHADOW_SHIFT;
    }
    return true;
}
