/* SPDX-License-Identifier: MIT */
/*
 *     text ──► serial line    \n becomes \r\n, colours (CSI ... m) are left out, other sequences pass
 *          └─► screen         lines are coloured by what they begin with (highlight.h)
 *
 * The screen goes through three stages: boot's tables map it at PAGE_OFFSET (used for VGA text at once, for
 * pixels only if the kernel panics); from the moment mm loads its own tables it is out of reach, which is
 * seen by CR3; then faces_start_screen maps it.  What is written before is kept in `early`.
 */
#include <kernel/boot/boot_info.h>
#include <kernel/console/faces.h>
#include <kernel/console/framebuffer.h>
#include <kernel/console/highlight.h>
#include <kernel/console/screen.h>
#include <kernel/console/serial.h>
#include <kernel/console/vga_text.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/layout.h>
#include <mm/mmio.h>

#define EARLY_BYTES 8192u
#define BOOT_MAPPED_BYTES (4ull << 30) /* what boot's tables show at PAGE_OFFSET */
#define SEQUENCE_BYTES 32u
#define LEAST_CELL_PIXELS 128u /* 8 * 16 */

static struct {
    bool serial, screen;            /* take text */
    struct boot_framebuffer glass;
    u64 boot_cr3;                   /* the tables that show physical memory at PAGE_OFFSET */
    bool mapped;                    /* the screen is mapped by mm */
    bool line_start;
    bool line_coloured;
    char early[EARLY_BYTES];        /* what the screen has not been told yet */
    size_t n_early;
    char sequence[SEQUENCE_BYTES];  /* on its way to the serial line */
    size_t n_sequence;
} faces;

static void *boot_pointer(u64 phys)
{
    return (void *)(PAGE_OFFSET + phys);
}

/* ---- serial line ---- */

static void serial_flush_sequence(void)
{
    serial_write(faces.sequence, faces.n_sequence);
    faces.n_sequence = 0;
}

static void serial_begin_sequence(void)
{
    faces.sequence[0] = '\033';
    faces.n_sequence = 1;
}

/* A byte of a control sequence: kept until its end tells whether it is a colour. */
static void serial_sequence(char byte)
{
    bool csi = faces.n_sequence == 1 ? byte == '[' : byte < 0x40;

    faces.sequence[faces.n_sequence++] = byte;
    if (csi && faces.n_sequence < SEQUENCE_BYTES)
        return;
    if (byte == 'm')
        faces.n_sequence = 0;
    else
        serial_flush_sequence();
}

static void serial_text(const char *text, size_t n)
{
    size_t done = 0;

    for (size_t i = 0; i < n; i++) {
        bool sequence = faces.n_sequence > 0 || text[i] == '\033';

        if (!sequence && text[i] != '\n')
            continue;
        serial_write(text + done, i - done);
        done = i + 1;
        if (text[i] == '\n')
            serial_write("\r\n", 2);
        else if (text[i] == '\033')
            serial_begin_sequence();
        else
            serial_sequence(text[i]);
    }
    serial_write(text + done, n - done);
}

/* ---- screen ---- */

/* Keeps text for later; when there is too much, the oldest half goes. */
static void early_keep(const char *text, size_t n)
{
    if (n > EARLY_BYTES / 2) {
        text += n - EARLY_BYTES / 2;
        n = EARLY_BYTES / 2;
    }
    if (faces.n_early + n > EARLY_BYTES) {
        memmove(faces.early, faces.early + EARLY_BYTES / 2, faces.n_early - EARLY_BYTES / 2);
        faces.n_early -= EARLY_BYTES / 2;
    }
    memcpy(faces.early + faces.n_early, text, n);
    faces.n_early += n;
}

static void screen_text(const char *text, size_t n)
{
    if (!screen_present() || (!faces.mapped && cr3_read() != faces.boot_cr3))
        early_keep(text, n);
    else
        screen_write(text, n);
}

/* Text up to and with the end of a line, coloured as the line's beginning says. */
static void screen_line(const char *text, size_t n)
{
    const char *colour = faces.line_start ? highlight_line(text, n) : NULL;
    bool ends = text[n - 1] == '\n';

    if (colour) {
        screen_text(colour, strlen(colour));
        faces.line_coloured = true;
    }
    screen_text(text, n - ends);
    if (ends && faces.line_coloured) {
        screen_text("\033[0m", 4);
        faces.line_coloured = false;
    }
    if (ends)
        screen_text("\n", 1);
}

void faces_write(const char *text, size_t n)
{
    if (n == 0)
        return;
    if (faces.serial)
        serial_text(text, n);
    if (faces.screen)
        screen_line(text, n);
    faces.line_start = text[n - 1] == '\n';
}

void faces_restart_line(void)
{
    faces.line_start = true;
}

/* ---- start ---- */

/* VGA text can be used at once; it also stands for "no screen" on a PC that was left in text mode. */
static void faces_start_vga(void)
{
    struct boot_framebuffer *glass = &faces.glass;

    if (glass->kind == BOOT_SCREEN_NONE && vga_text_probe(boot_pointer(VGA_TEXT_PHYS))) {
        *glass = (struct boot_framebuffer){
            .kind = BOOT_SCREEN_TEXT, .phys = VGA_TEXT_PHYS,
            .width = VGA_TEXT_COLUMNS, .height = VGA_TEXT_ROWS, .pitch_bytes = 2 * VGA_TEXT_COLUMNS,
        };
    }
    if (glass->kind != BOOT_SCREEN_TEXT || !faces.screen)
        return;
    if (glass->width == 0 || glass->height == 0 || (u64)glass->width * glass->height > screen_n_cells() ||
        glass->phys + (u64)glass->pitch_bytes * glass->height > BOOT_MAPPED_BYTES) {
        glass->kind = BOOT_SCREEN_NONE;
        return;
    }
    screen_start(vga_text_start(boot_pointer(glass->phys), glass->pitch_bytes, glass->width),
                 glass->width, glass->height);
}

static void faces_drop_screen(const char *why)
{
    klog("console: no screen: %s", why);
    faces.screen = false;
    if (!faces.serial)
        faces.serial = serial_start();
}

void faces_start(const struct boot_info *info, bool want_serial, bool want_screen)
{
    faces.glass = info->framebuffer;
    faces.boot_cr3 = cr3_read();
    faces.line_start = true;
    faces.serial = want_serial && serial_start();
    faces.screen = want_screen || !faces.serial;
    faces_start_vga();
    if (faces.glass.kind == BOOT_SCREEN_PIXELS && framebuffer_bytes(&faces.glass) == 0)
        faces.glass.kind = BOOT_SCREEN_NONE;
    if (faces.screen && faces.glass.kind == BOOT_SCREEN_NONE)
        faces_drop_screen("the loader left none that can be used");
}

static void screen_tell_early(void)
{
    screen_write(faces.early, faces.n_early);
    faces.n_early = 0;
}

/* Paints on pixels at `memory`; false when they are of no use. */
static bool faces_start_pixels(void *memory)
{
    unsigned columns, rows;
    const struct screen_face *face = framebuffer_start(&faces.glass, memory, screen_n_cells(), &columns, &rows);

    if (!face)
        return false;
    screen_start(face, columns, rows);
    klog("console: screen of %u x %u pixels, %u columns, %u rows", faces.glass.width, faces.glass.height,
         columns, rows);
    return true;
}

static void faces_map_text(void)
{
    const struct boot_framebuffer *glass = &faces.glass;
    u16 *memory = mmio_map((phys_t){glass->phys}, (u64)glass->pitch_bytes * glass->height, MMIO_UNCACHED);

    screen_set_face(memory ? vga_text_start(memory, glass->pitch_bytes, glass->width) : NULL);
    if (!memory)
        faces_drop_screen("no room to map it");
}

/* A large screen gets memory for more cells than the image has.  Without it gets larger characters. */
static void faces_lend_cells(void)
{
    u64 n = min_u64((u64)faces.glass.width * faces.glass.height / LEAST_CELL_PIXELS, SCREEN_N_CELLS);
    phys_t memory;

    if (n <= screen_n_cells())
        return;
    memory = frame_alloc(ZONE_NORMAL, log2_ceil((2 * n * sizeof(struct terminal_cell) + FRAME_BYTES - 1) / FRAME_BYTES));
    if (!phys_is_none(memory))
        screen_lend(phys_pointer(memory), (unsigned)n);
}

static void faces_map_pixels(void)
{
    u8 *memory = mmio_map((phys_t){faces.glass.phys}, framebuffer_bytes(&faces.glass), MMIO_WRITE_COMBINING);

    faces_lend_cells();
    if (!memory || !faces_start_pixels(memory))
        faces_drop_screen(memory ? "too small, or the font is broken" : "no room to map it");
}

void faces_start_screen(void)
{
    if (!faces.screen || faces.mapped)
        return;
    if (faces.glass.kind == BOOT_SCREEN_TEXT)
        faces_map_text();
    else
        faces_map_pixels();
    faces.mapped = faces.screen;
    if (faces.mapped)
        screen_tell_early();
}

bool faces_serial(void)
{
    return faces.serial;
}

bool faces_screen(void)
{
    return faces.screen;
}

bool faces_at_line_start(void)
{
    return faces.line_start;
}

void faces_panic(void)
{
    u64 end = faces.glass.phys + framebuffer_bytes(&faces.glass);
    bool reachable = cr3_read() == faces.boot_cr3 && end <= BOOT_MAPPED_BYTES;

    faces.n_sequence = 0;
    faces.line_coloured = false;
    if (!faces.screen)
        return;
    if (!screen_present() && reachable && faces_start_pixels(boot_pointer(faces.glass.phys)))
        screen_tell_early();
    screen_panic();
}
