/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a Multiboot2 loader.
 *
 *      u32 total_size, reserved | tag | tag | ... | end tag        each tag on a multiple of 8:
 *                               u32 type, size | its fields | padding
 *
 * The walk trusts nothing: a tag must lie in the information as a whole, and be as long as its fields, before
 * a handler sees it; handlers read through `field`, which checks once more and gives 0 outside the tag.  A
 * walk that cannot find the next tag ends there.  Modules and sections add up; of any other tag that is there
 * twice the last sound one counts.
 */
#include <kernel/boot/multiboot2.h>
#include <lib/bits.h>
#include <lib/string.h>

#define HEADER_BYTES     8
#define TAG_HEADER_BYTES 8
#define TAG_ALIGNMENT    8

#define TAG_END 0

/* An entry of the memory map has base, length, type and a reserved word. */
#define MAP_ENTRY_BYTES 24

/* ELF-64 section headers (System V ABI, chapter "Sections"). */
#define SECTION_HEADER_BYTES   64
#define SECTION_TYPE_NONE      0
#define SECTION_TYPE_NO_BYTES  8
#define SECTION_FLAG_ALLOCATED 2

#define FRAMEBUFFER_RGB  1
#define FRAMEBUFFER_TEXT 2

/* Larger screens are taken for nonsense. */
#define SCREEN_SIDE_MAX 32768

#define RSDP_OLD_BYTES 20
#define RSDP_NEW_BYTES 36

/* Sections closer together than this become one range: less than a frame between them is of no use. */
#define SECTION_GAP_BYTES 4096

struct parser {
    struct boot_info *out;
    const struct boot_warnings *warnings;
};

struct tag {
    const u8 *bytes; /* its header first */
    u32 size;
    u64 phys;
};

struct tag_kind {
    u32 type, least_bytes;
    const char *name;
    void (*take)(struct parser *parser, const struct tag *tag);
};

/* The little-endian number of n_bytes (at most 8) at an offset into the tag; 0 when it is not all inside. */
static u64 field(const struct tag *tag, u64 offset, size_t n_bytes)
{
    u64 value = 0;

    if (offset <= tag->size && n_bytes <= tag->size - offset)
        for (size_t i = 0; i < n_bytes; i++)
            value |= (u64)tag->bytes[offset + i] << (8 * i);
    return value;
}

static u8 field8(const struct tag *tag, u64 offset)
{
    return (u8)field(tag, offset, 1);
}

static u32 field32(const struct tag *tag, u64 offset)
{
    return (u32)field(tag, offset, 4);
}

static u64 field64(const struct tag *tag, u64 offset)
{
    return field(tag, offset, 8);
}

/* Copies the text from an offset to a zero byte, or to the end of the tag; false when it was cut. */
static bool copy_text(char *to, size_t size, const struct tag *tag, u32 offset)
{
    const char *text = (const char *)tag->bytes + offset;
    size_t length = strnlen(text, tag->size - offset);
    size_t kept = min_u64(length, size - 1);

    memcpy(to, text, kept);
    to[kept] = '\0';
    return kept == length;
}

static void take_command_line(struct parser *parser, const struct tag *tag)
{
    struct boot_info *out = parser->out;

    if (!copy_text(out->command_line, sizeof(out->command_line), tag, 8)) {
        out->command_line_cut = true;
        boot_warn(parser->warnings, "multiboot2: the command line is cut after %zu bytes",
                  sizeof(out->command_line) - 1);
    }
}

static void take_loader(struct parser *parser, const struct tag *tag)
{
    copy_text(parser->out->loader, sizeof(parser->out->loader), tag, 8);
}

static void take_module(struct parser *parser, const struct tag *tag)
{
    struct boot_info *out = parser->out;
    u32 start = field32(tag, 8), end = field32(tag, 12);

    if (end < start) {
        boot_warn(parser->warnings, "multiboot2: module of 0x%x to 0x%x ignored", start, end);
    } else if (out->n_modules == BOOT_N_MODULES) {
        out->n_modules_dropped++;
    } else {
        struct boot_module *module = &out->modules[out->n_modules++];

        module->start = start;
        module->end = end;
        copy_text(module->name, sizeof(module->name), tag, 16);
    }
}

static void take_memory_map(struct parser *parser, const struct tag *tag)
{
    struct boot_info *out = parser->out;
    u32 stride = field32(tag, 8);

    if (stride < MAP_ENTRY_BYTES || !is_aligned(stride, 8)) {
        boot_warn(parser->warnings, "multiboot2: memory map ignored, its entries have %u bytes", stride);
        return;
    }
    out->map_phys = tag->phys + 16;
    out->map_stride_bytes = stride;
    out->n_map_entries = (tag->size - 16) / stride;
}

/* True when `bits` bits at `shift` are a colour of a pixel. */
static bool colour_fits(u8 shift, u8 bits, u8 bits_per_pixel)
{
    return bits >= 1 && bits <= 16 && shift + bits <= bits_per_pixel;
}

/* Direct colour of whole bytes a pixel, in lines that hold their pixels. */
static bool pixels_are_sound(const struct boot_framebuffer *f)
{
    u32 pixel_bytes = f->bits_per_pixel / 8u;

    return (f->bits_per_pixel == 16 || f->bits_per_pixel == 24 || f->bits_per_pixel == 32) &&
           f->width <= SCREEN_SIDE_MAX && f->height <= SCREEN_SIDE_MAX &&
           f->pitch_bytes >= f->width * pixel_bytes && f->pitch_bytes <= SCREEN_SIDE_MAX * 8u &&
           colour_fits(f->red_shift, f->red_bits, f->bits_per_pixel) &&
           colour_fits(f->green_shift, f->green_bits, f->bits_per_pixel) &&
           colour_fits(f->blue_shift, f->blue_bits, f->bits_per_pixel);
}

static bool screen_is_sound(const struct boot_framebuffer *f)
{
    u64 most_bytes = (u64)SCREEN_SIDE_MAX * SCREEN_SIDE_MAX * 8;

    if (f->phys == 0 || f->phys > ((u64)1 << 52) - most_bytes || f->width == 0 || f->height == 0)
        return false;
    if (f->kind == BOOT_SCREEN_TEXT)
        return f->width <= 255 && f->height <= 255 && f->pitch_bytes >= f->width * 2 &&
               f->pitch_bytes <= 1024;
    return f->kind == BOOT_SCREEN_PIXELS && pixels_are_sound(f);
}

static enum boot_screen screen_kind(u8 type)
{
    switch (type) {
    case FRAMEBUFFER_RGB:
        return BOOT_SCREEN_PIXELS;
    case FRAMEBUFFER_TEXT:
        return BOOT_SCREEN_TEXT;
    default:
        return BOOT_SCREEN_NONE; /* indexed colour, or unknown */
    }
}

static void take_framebuffer(struct parser *parser, const struct tag *tag)
{
    u8 type = field8(tag, 29);
    struct boot_framebuffer f = {
        .kind = screen_kind(type),
        .phys = field64(tag, 8),
        .pitch_bytes = field32(tag, 16),
        .width = field32(tag, 20),
        .height = field32(tag, 24),
        .bits_per_pixel = field8(tag, 28),
    };

    if (f.kind == BOOT_SCREEN_PIXELS) {
        f.red_shift = field8(tag, 32);
        f.red_bits = field8(tag, 33);
        f.green_shift = field8(tag, 34);
        f.green_bits = field8(tag, 35);
        f.blue_shift = field8(tag, 36);
        f.blue_bits = field8(tag, 37);
    }
    if (!screen_is_sound(&f)) {
        boot_warn(parser->warnings,
                  "multiboot2: screen of type %u, %ux%ux%u, %u bytes a line, at 0x%llx not used", type,
                  f.width, f.height, f.bits_per_pixel, f.pitch_bytes, (unsigned long long)f.phys);
        return;
    }
    parser->out->framebuffer = f;
}

/* Adds a section's range: to a neighbour, as a new one, or, when there is no room, by stretching the last. */
static void add_section(struct boot_info *out, u64 start, u64 end)
{
    u32 i = 0;

    while (i < out->n_sections && (start > out->sections[i].end + SECTION_GAP_BYTES ||
                                   end + SECTION_GAP_BYTES < out->sections[i].start))
        i++;
    if (i == ARRAY_LENGTH(out->sections))
        i--;
    if (i == out->n_sections) {
        out->sections[i].start = start;
        out->sections[i].end = end;
        out->n_sections++;
        return;
    }
    out->sections[i].start = min_u64(out->sections[i].start, start);
    out->sections[i].end = max_u64(out->sections[i].end, end);
}

/* Sections that are no part of the image (symbols and the like) but that the loader put into RAM. */
static void take_sections(struct parser *parser, const struct tag *tag)
{
    u64 n_sections = field32(tag, 8), header_bytes = field32(tag, 12);

    if (n_sections == 0)
        return;
    if (header_bytes != SECTION_HEADER_BYTES || n_sections > (tag->size - 20) / header_bytes) {
        boot_warn(parser->warnings, "multiboot2: %llu ELF sections of %llu bytes ignored",
                  (unsigned long long)n_sections, (unsigned long long)header_bytes);
        return;
    }
    for (u64 i = 0; i < n_sections; i++) {
        u64 at = 20 + i * header_bytes;
        u32 type = field32(tag, at + 4);
        u64 start = field64(tag, at + 16), bytes = field64(tag, at + 32);
        bool is_loaded =
            type != SECTION_TYPE_NONE && type != SECTION_TYPE_NO_BYTES && start != 0 && bytes != 0;

        /* GRUB loads below 4 GiB; what claims otherwise was not loaded. */
        if (is_loaded && (field64(tag, at + 8) & SECTION_FLAG_ALLOCATED) == 0 && start <= UINT32_MAX &&
            bytes <= UINT32_MAX)
            add_section(parser->out, start, start + bytes);
    }
}

static void take_efi_system_table(struct parser *parser, const struct tag *tag)
{
    parser->out->efi_system_table_phys = field64(tag, 8);
}

static void take_rsdp(struct boot_info *out, const struct tag *tag, u8 n_bytes)
{
    if (out->rsdp_bytes >= n_bytes)
        return;
    memcpy(out->rsdp, tag->bytes + 8, n_bytes);
    out->rsdp_bytes = n_bytes;
}

static void take_old_rsdp(struct parser *parser, const struct tag *tag)
{
    take_rsdp(parser->out, tag, RSDP_OLD_BYTES);
}

static void take_new_rsdp(struct parser *parser, const struct tag *tag)
{
    take_rsdp(parser->out, tag, RSDP_NEW_BYTES);
}

/* The tags we read; the others (APM, VBE, EFI's map, addresses of network cards...) tell nothing we need. */
static const struct tag_kind tag_kinds[] = {
    {1, 8, "command line", take_command_line},
    {2, 8, "loader name", take_loader},
    {3, 16, "module", take_module},
    {6, 16, "memory map", take_memory_map},
    {8, 32, "framebuffer", take_framebuffer},
    {9, 20, "ELF sections", take_sections},
    {12, 16, "EFI system table", take_efi_system_table},
    {14, 8 + RSDP_OLD_BYTES, "old RSDP", take_old_rsdp},
    {15, 8 + RSDP_NEW_BYTES, "new RSDP", take_new_rsdp},
};

static void take_tag(struct parser *parser, const struct tag *tag)
{
    u32 type = field32(tag, 0);

    for (size_t i = 0; i < ARRAY_LENGTH(tag_kinds); i++) {
        const struct tag_kind *kind = &tag_kinds[i];

        if (kind->type != type)
            continue;
        if (tag->size < kind->least_bytes)
            boot_warn(parser->warnings, "multiboot2: %s ignored, it has only %u bytes", kind->name,
                      tag->size);
        else
            kind->take(parser, tag);
        return;
    }
}

/* Goes from tag to tag through `bytes`, the whole information. */
static void walk_tags(struct parser *parser, const u8 *bytes, u64 total_bytes, u64 phys)
{
    u64 at = HEADER_BYTES;

    while (at + TAG_HEADER_BYTES <= total_bytes) {
        struct tag tag = {bytes + at, TAG_HEADER_BYTES, phys + at};
        u32 type = field32(&tag, 0);

        tag.size = field32(&tag, 4);
        if (type == TAG_END)
            return;
        if (tag.size < TAG_HEADER_BYTES || tag.size > total_bytes - at) {
            boot_warn(parser->warnings, "multiboot2: tag %u at offset %llu has %u bytes; the rest is ignored",
                      type, (unsigned long long)at, tag.size);
            return;
        }
        take_tag(parser, &tag);
        at += align_up(tag.size, TAG_ALIGNMENT);
    }
    boot_warn(parser->warnings, "multiboot2: the end tag is missing");
}

bool multiboot2_parse(const void *info, size_t max_bytes, u64 info_phys, struct boot_info *out,
                      const struct boot_warnings *warnings)
{
    struct parser parser = {out, warnings};
    struct tag header = {info, (u32)min_u64(max_bytes, HEADER_BYTES), info_phys};
    u64 total_bytes = field32(&header, 0);

    *out = (struct boot_info){.info_phys = info_phys};
    if (total_bytes < HEADER_BYTES) {
        boot_warn(warnings, "multiboot2: no boot information");
        return false;
    }
    if (total_bytes > max_bytes) {
        boot_warn(warnings, "multiboot2: information of %llu bytes, only %zu can be read",
                  (unsigned long long)total_bytes, max_bytes);
        total_bytes = max_bytes;
    }
    out->info_bytes = total_bytes;
    walk_tags(&parser, info, total_bytes, info_phys);
    if (out->n_modules_dropped != 0)
        boot_warn(warnings, "multiboot2: %u modules more than %u ignored", out->n_modules_dropped,
                  BOOT_N_MODULES);
    if (out->n_map_entries == 0)
        boot_warn(warnings, "multiboot2: no memory map");
    return out->n_map_entries != 0;
}
