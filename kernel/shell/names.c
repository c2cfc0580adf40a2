/* SPDX-License-Identifier: MIT */
/* Words and the bits that they stand for. */
#include <kernel/shell/names.h>

#include <lib/printf.h>
#include <lib/string.h>

const struct choice names_zones[] = {
    {"dma", "the lowest RAM, for devices that reach no further"},
    {"normal", "RAM in the direct map"},
    {"unmapped", "RAM in no page table"},
    {NULL, NULL},
};

static const unsigned zone_bits[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};

const struct choice names_attributes[] = {
    {"shared", "PAGE_SHARED: counted in the field shared of mm_stat"},
    {"kernel", "PAGE_KERNEL"},
    {"device", "PAGE_DEVICE"},
    {"kernel-init", "PAGE_KERNEL_INIT"},
    {"mapped", "PAGE_PGT_MAPPED: set by the zone anyway"},
    {NULL, NULL},
};

static const ul attribute_bits[] = {PAGE_SHARED, PAGE_KERNEL, PAGE_DEVICE, PAGE_KERNEL_INIT, PAGE_PGT_MAPPED};

const struct choice names_map_flags[] = {
    {"ro", "read only"},
    {"nx", "no execute"},
    {"user", "ring 3 may use it (lower half only)"},
    {"uc", "uncached"},
    {"wt", "write-through"},
    {"wc", "write-combining"},
    {"4k", "4 KiB pages only"},
    {NULL, NULL},
};

const struct choice names_sizes[] = {
    {"32", "the smallest class"},
    {"64", "a cache line"},
    {"128", "32 in a frame"},
    {"256", "16 in a frame"},
    {"512", "8 in a frame"},
    {"1K", "4 in a frame"},
    {"2K", "2 in a frame"},
    {"4K", "one frame"},
    {"8K", "2 frames"},
    {"16K", "4 frames"},
    {"32K", "8 frames"},
    {"64K", "16 frames"},
    {"128K", "32 frames"},
    {"256K", "64 frames"},
    {"512K", "128 frames"},
    {"1M", "the largest class"},
    {NULL, NULL},
};

static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char lower = *a >= 'A' && *a <= 'Z' ? (char)(*a + 'a' - 'A') : *a;
        if (lower != *b)
            return false;
    }
    return !*a && !*b;
}

/* The place of a word in a list, in either case; -1 when it is not there. */
static int place_of(const struct choice *list, const char *word)
{
    for (int i = 0; list[i].word; i++) {
        if (same_word(word, list[i].word))
            return i;
    }
    return -1;
}

bool names_zone(const char *word, unsigned *zone)
{
    int place = place_of(names_zones, word);
    if (place >= 0)
        *zone = zone_bits[place];
    return place >= 0;
}

bool names_attribute(const char *word, ul *attribute)
{
    int place = place_of(names_attributes, word);
    if (place >= 0)
        *attribute = attribute_bits[place];
    return place >= 0;
}

bool names_map_flag(const char *word, struct map_flags *flags)
{
    /* In the order of names_map_flags. */
    static const ul set[] = {0, PAGE_XD, 0, PAGE_PCD | PAGE_PWT, PAGE_PWT, PAGE_WC, 0};
    int place = place_of(names_map_flags, word);
    if (place < 0)
        return false;
    flags->flags |= set[place];
    if (place == 0)
        flags->flags &= ~PAGE_R_W;
    flags->user = flags->user || place == 2;
    flags->use4k = flags->use4k || place == 6;
    return true;
}

static const char *cache_name(ul flags)
{
    if (flags & PAGE_WC)
        return "wc";
    switch (flags & (PAGE_PWT | PAGE_PCD)) {
    case PAGE_PWT:
        return "wt";
    case PAGE_PCD:
        return "uc-";
    case PAGE_PWT | PAGE_PCD:
        return "uc";
    default:
        return "wb";
    }
}

struct flags_text names_mapping(ul flags)
{
    struct flags_text text;
    ksnprintf(text.s, sizeof text.s, "%s %s %s %s%s", flags & PAGE_R_W ? "rw" : "ro",
              flags & PAGE_XD ? "nx" : "x", flags & PAGE_U_S ? "user" : "kernel", cache_name(flags),
              flags & PAGE_GLOBAL ? " global" : "");
    return text;
}

const char *names_leaf(u64 leaf_bytes)
{
    return leaf_bytes == PAGE_1G_SIZE ? "1G" : leaf_bytes == PAGE_2M_SIZE ? "2M" : "4K";
}
