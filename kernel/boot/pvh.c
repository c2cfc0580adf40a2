/* SPDX-License-Identifier: MIT */
/*
 * The start information of a PVH loader: one structure with addresses of the others.
 *
 *      start information --+--> command line (text)
 *                          +--> modules: address, size, address of a text each
 *                          +--> memory map: address, size, type, reserved each, as in Multiboot2
 *                          +--> RSDP
 *
 * The structures lie wherever the loader likes, so all is read through the caller's `boot_reader`.  Texts
 * have no known length and are read byte by byte: nothing behind their end is touched.
 */
#include <kernel/boot/pvh.h>
#include <lib/bits.h>
#include <lib/string.h>

/* The layouts; natural alignment leaves no padding. */
struct start_info {
    u32 magic;
    u32 version;
    u32 flags;
    u32 n_modules;
    u64 modules_phys;
    u64 command_line_phys;
    u64 rsdp_phys;
    u64 map_phys; /* from here on only from version 1 on */
    u32 n_map_entries;
    u32 reserved;
};

#define START_INFO_0_BYTES offsetof(struct start_info, map_phys)

struct module_entry {
    u64 phys;
    u64 bytes;
    u64 command_line_phys;
    u64 reserved;
};

#define MAP_ENTRY_BYTES 24

struct parser {
    const struct boot_reader *reader;
    struct boot_info *out;
    const struct boot_warnings *warnings;
};

static bool read_bytes(const struct parser *parser, u64 phys, void *to, size_t n_bytes)
{
    const void *from = parser->reader->at(parser->reader->context, phys, n_bytes);

    if (from == NULL)
        return false;
    memcpy(to, from, n_bytes);
    return true;
}

/* Copies a text; address 0 is an empty one.  False when it was cut, by `size` or where memory ends. */
static bool read_text(const struct parser *parser, u64 phys, char *to, size_t size)
{
    bool readable = true;
    size_t n = 0;
    char c = '\0';

    while (phys != 0 && (readable = read_bytes(parser, phys + n, &c, 1)) && c != '\0' && n < size - 1)
        to[n++] = c;
    to[n] = '\0';
    return readable && c == '\0';
}

static void take_command_line(struct parser *parser, u64 phys)
{
    struct boot_info *out = parser->out;

    if (!read_text(parser, phys, out->command_line, sizeof(out->command_line))) {
        out->command_line_cut = true;
        boot_warn(parser->warnings, "pvh: the command line is cut after %zu bytes",
                  strlen(out->command_line));
    }
}

static void take_module(struct parser *parser, const struct module_entry *entry)
{
    struct boot_info *out = parser->out;

    if (entry->bytes > ~entry->phys) {
        boot_warn(parser->warnings, "pvh: module of 0x%llx bytes at 0x%llx ignored",
                  (unsigned long long)entry->bytes, (unsigned long long)entry->phys);
        return;
    }

    struct boot_module *module = &out->modules[out->n_modules++];

    module->start = entry->phys;
    module->end = entry->phys + entry->bytes;
    read_text(parser, entry->command_line_phys, module->name, sizeof(module->name));
}

static void take_modules(struct parser *parser, u64 phys, u32 n_modules)
{
    struct boot_info *out = parser->out;
    struct module_entry entry;

    if (n_modules > BOOT_N_MODULES) {
        out->n_modules_dropped = n_modules - BOOT_N_MODULES;
        boot_warn(parser->warnings, "pvh: %u modules more than %u ignored", out->n_modules_dropped,
                  BOOT_N_MODULES);
        n_modules = BOOT_N_MODULES;
    }
    for (u32 i = 0; i < n_modules; i++) {
        if (!read_bytes(parser, phys + i * sizeof(entry), &entry, sizeof(entry))) {
            boot_warn(parser->warnings, "pvh: the list of modules cannot be read");
            return;
        }
        take_module(parser, &entry);
    }
}

static bool take_memory_map(struct parser *parser, const struct start_info *info)
{
    struct boot_info *out = parser->out;

    if (info->version == 0) {
        boot_warn(parser->warnings, "pvh: start information of version 0 has no memory map");
        return false;
    }
    if (info->n_map_entries == 0 || info->map_phys == 0) {
        boot_warn(parser->warnings, "pvh: no memory map");
        return false;
    }
    if (parser->reader->at(parser->reader->context, info->map_phys,
                           (u64)info->n_map_entries * MAP_ENTRY_BYTES) == NULL) {
        boot_warn(parser->warnings, "pvh: the memory map cannot be read");
        return false;
    }
    out->map_phys = info->map_phys;
    out->map_stride_bytes = MAP_ENTRY_BYTES;
    out->n_map_entries = info->n_map_entries;
    return true;
}

/* Reads the structure itself, as much of it as its version has. */
static bool read_start_info(const struct parser *parser, u64 phys, struct start_info *info)
{
    *info = (struct start_info){0};
    if (!read_bytes(parser, phys, info, START_INFO_0_BYTES) || info->magic != PVH_MAGIC)
        return false;
    return info->version == 0 || read_bytes(parser, phys, info, sizeof(*info));
}

bool pvh_parse(const struct boot_reader *reader, u64 info_phys, struct boot_info *out,
               const struct boot_warnings *warnings)
{
    struct parser parser = {reader, out, warnings};
    struct start_info info;

    *out = (struct boot_info){.info_phys = info_phys};
    str_copy(out->loader, sizeof(out->loader), "PVH");
    if (!read_start_info(&parser, info_phys, &info)) {
        boot_warn(warnings, "pvh: no start information");
        return false;
    }
    out->info_bytes = info.version == 0 ? START_INFO_0_BYTES : sizeof(info);
    out->rsdp_phys = info.rsdp_phys;
    take_command_line(&parser, info.command_line_phys);
    take_modules(&parser, info.modules_phys, info.n_modules);
    return take_memory_map(&parser, &info);
}
