/* SPDX-License-Identifier: MIT */
/*
 * The worlds: machines of 10 MiB, so five pages.
 *
 *      0            1 MiB        2          4          6          8          10 MiB
 *      [ low memory | image, mm ][ DMA     ][ NORMAL  ][ NORMAL  ][ UNMAPPED ]
 *                      DMA
 */
#include <explore.h>

#include <mm/frame.h>
#include <mm/page.h>

#define RAM   MIB(10)
#define N_RAM (RAM / FRAME_BYTES)

#define OP(...) {__VA_ARGS__} /* name, what runs, zone, size, which thing, in an interrupt */

#define FRAMES(z, k)      OP("frame_alloc(" #z ", " #k ")", operation_frames, z, k, 0, false)
#define PAGES(z, n)       OP("alloc_pages(" #z ", " #n ")", operation_pages, z, n, 0, false)
#define OBJECT(s)         OP("kmalloc(1 << " #s ")", operation_object, ZONE_NORMAL, s, 0, false)
#define FREE(i)           OP("free of the thing " #i, operation_free, 0, 0, i, false)
#define FREE_PART(i)      OP("free of part of the thing " #i, operation_free_part, 0, 0, i, false)
#define WRONG(i, how)     OP("wrong free " #how " at the thing " #i, operation_wrong_free, 0, how, i, false)
#define WRONGS(i)         WRONG(i, 0), WRONG(i, 1), WRONG(i, 2), WRONG(i, 3)
#define SHRINK            OP("mm_shrink()", operation_shrink, 0, 0, 0, false)
#define OBJECT_IN_IRQ(s)  OP("kmalloc(1 << " #s ") in an interrupt", operation_object, ZONE_NORMAL, s, 0, true)
#define FREE_IN_IRQ(i)    OP("free of the thing " #i " in an interrupt", operation_free, 0, 0, i, true)
#define END               OP(NULL, NULL, 0, 0, 0, false)

/* Takes every frame there is, then gives some of them back. */
static void take_all(u8 *taken, unsigned zone)
{
    for (phys_t at = frame_alloc(zone, 0); !phys_is_none(at); at = frame_alloc(zone, 0))
        taken[at.addr / FRAME_BYTES] = 1;
}

static void give(u8 *taken, u64 start, u64 n)
{
    for (u64 i = start; i < start + n && i < N_RAM; i++)
        if (taken[i] && frame_free(phys(i * FRAME_BYTES), 0) == 0)
            taken[i] = 0;
}

/* Nothing is left but seven frames of NORMAL, in four runs, three that DMA may lend, and UNMAPPED's page. */
static void prepare_scarce(void)
{
    static u8 taken[N_RAM];
    u64 n_dma, page = PAGE_FRAMES;

    for (u64 i = 0; i < N_RAM; i++)
        taken[i] = 0;
    take_all(taken, ZONE_NORMAL);
    take_all(taken, ZONE_DMA);
    give(taken, 2 * page + 256, 4);
    give(taken, 2 * page + 261, 1);
    give(taken, 3 * page + 100, 1);
    give(taken, 3 * page + 102, 1);
    give(taken, 4 * page, page);
    mm_shrink();
    n_dma = mm.zone[0].managed_frames / 4 + 3;
    for (u64 i = 2 * page - 1; i > 0 && n_dma > 0; i--)
        if (taken[i] && frame_free(phys(i * FRAME_BYTES), 0) == 0) {
            taken[i] = 0;
            n_dma--;
        }
}

/* The same without the page and without two of the frames: DMA is soon to lend. */
static void prepare_dry(void)
{
    prepare_scarce();
    if (alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0) == NULL || phys_is_none(frame_alloc(ZONE_NORMAL, 0)) ||
        phys_is_none(frame_alloc(ZONE_NORMAL, 0)))
        complain("what is to be taken is not there");
}

static const struct operation frames[] = {
    FRAMES(ZONE_NORMAL, 0), FRAMES(ZONE_NORMAL, 1), FRAMES(ZONE_NORMAL, 4), FRAMES(ZONE_NORMAL, 8),
    FRAMES(ZONE_NORMAL, 9), FRAMES(ZONE_DMA, 6), FRAMES(ZONE_UNMAPPED_IN_PGT, 0),
    FRAMES(ZONE_UNMAPPED_IN_PGT, 9), FREE(0), FREE(1), FREE(2), FREE(3), FREE_PART(0), FREE_PART(2),
    WRONGS(0), WRONGS(2),
    SHRINK, END,
};

static const struct operation scarce_frames[] = {
    FRAMES(ZONE_NORMAL, 0), FRAMES(ZONE_NORMAL, 1), FRAMES(ZONE_NORMAL, 2), FRAMES(ZONE_DMA, 0),
    FRAMES(ZONE_UNMAPPED_IN_PGT, 9), FREE(0), FREE(1), FREE(2), FREE(3), FREE_PART(1), WRONGS(0), WRONGS(2),
    SHRINK, END,
};

static const struct operation dry_frames[] = {
    FRAMES(ZONE_NORMAL, 0), FRAMES(ZONE_NORMAL, 1), FRAMES(ZONE_NORMAL, 2), FRAMES(ZONE_DMA, 1),
    FREE(0), FREE(1), FREE(2), FREE(3), FREE(4), WRONGS(1), SHRINK, END,
};

static const struct operation pages[] = {
    PAGES(ZONE_NORMAL, 1), PAGES(ZONE_NORMAL, 2), PAGES(ZONE_NORMAL, 3), PAGES(ZONE_DMA, 1),
    PAGES(ZONE_UNMAPPED_IN_PGT, 1), FRAMES(ZONE_NORMAL, 0), FRAMES(ZONE_NORMAL, 9), FRAMES(ZONE_NORMAL, 10),
    FREE(0), FREE(1), FREE(2), FREE_PART(0), FREE_PART(1), WRONGS(0), WRONGS(1), SHRINK, END,
};

static const struct operation objects[] = {
    OBJECT(11), OBJECT(12), OBJECT(13), OBJECT_IN_IRQ(11), FREE(0), FREE(1), FREE(2), FREE(3), FREE_IN_IRQ(0),
    WRONGS(0), WRONGS(2), SHRINK, END,
};

static const struct operation mixture[] = {
    OBJECT(11), OBJECT(12), OBJECT(14), FRAMES(ZONE_NORMAL, 0), FRAMES(ZONE_NORMAL, 1), PAGES(ZONE_NORMAL, 1),
    PAGES(ZONE_UNMAPPED_IN_PGT, 1), FREE(0), FREE(1), FREE(2), FREE(3), WRONGS(0), WRONGS(3), SHRINK, END,
};

const struct world worlds[] = {
    {"frames", RAM, 4, NULL, frames},
    {"scarce_frames", RAM, 4, prepare_scarce, scarce_frames},
    {"dry_frames", RAM, 5, prepare_dry, dry_frames},
    {"pages", RAM, 3, NULL, pages},
    {"objects", RAM, 4, NULL, objects},
    {"scarce_objects", RAM, 4, prepare_dry, objects},
    {"scarce_mixture", RAM, 4, prepare_scarce, mixture},
    {NULL, 0, 0, NULL, NULL},
};
