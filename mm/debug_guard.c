/* SPDX-License-Identifier: MIT */
/*
 * Guarded bytes and filled memory, and what is said when they are not as they were left.
 *
 * An object of n bytes, class S >= n, lies in its slot like this:
 *
 *      slot                 slot + S                  + n               + S
 *      [ free ..... | guard | the n bytes asked for   | slack | free ... | guard | free ... ]
 *                    <= 512                            <= 512             <= 512
 *
 * So it has the alignment of its class; below it are S bytes that are nobody's, above it as many or none:
 * debug_object.c chooses the slot.  The slack between n and S is the caller's by mm.h, and kzalloc clears it.
 * Whoever writes there wrote more than was asked for, most likely by mistake: that is told, byte by byte (in
 * a cleared object as far as zeros can show it), but it is no misuse.
 *
 * A report is one line, made where the damage is found (by kfree, at the end of the quarantine, when memory
 * is handed out, by mm_debug_check):
 *
 *      mm: bad write(0x...): past an object of 128 bytes at 0x...: offset 128: expected ed ed ed ed, found
 *          41 ed ed ed; allocated by NAME
 *      mm: careless write(0x...): past what was asked for of an object of 100 bytes at ...
 *
 * The address is that of the first wrong byte.  Then the bytes are mended, so that one damage is one report.
 */
#include <lib/bits.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug_state.h>
#include <mm/misuse.h>
#include <mm/slab.h>
#include <mm/state.h>

#define GUARD_MAX_BYTES 512
#define SHOWN_BYTES     4
#define WHO_BYTES       120
#define LINE_BYTES      224

/* ---- who ---- */

static size_t append(char *text, size_t size, size_t length, const char *words, u64 address)
{
    char name[48];

    if (address == 0 || length + 1 >= size)
        return length;
    if (mm.debug.name != NULL)
        mm.debug.name(address, name, sizeof name);
    else
        ksnprintf(name, sizeof name, "0x%lx", address);
    ksnprintf(text + length, size - length, "%s%s", words, name);
    return strlen(text);
}

static void record_who(const struct debug_record *record, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    if (record->freed.sequence != 0 && record->state != RECORD_LIVE)
        length = append(text, size, length, "; freed by ", record->freed.caller[0]);
    append(text, size, length, length != 0 ? ", allocated by " : "; allocated by ", record->taken.caller[0]);
}

/* The record around a place, copied; state RECORD_FREE when there is none. */
static struct debug_record record_copy(phys_t at)
{
    struct debug_record copy = {.state = RECORD_FREE};
    ul flags = platform_lock(&mm.debug.lock);
    const struct debug_record *record = at.addr < mm.ram_end ? record_around(at.addr) : NULL;

    if (record != NULL)
        copy = *record;
    platform_unlock(&mm.debug.lock, flags);
    return copy;
}

size_t debug_who_text(phys_t at, char *text, size_t size)
{
    struct debug_record was;

    text[0] = '\0';
    if (mm.debug.features == 0)
        return 0;
    was = record_copy(at);
    if (was.state != RECORD_FREE)
        record_who(&was, text, size);
    return strlen(text);
}

/* ---- bytes ---- */

/* How many bytes from p on are `byte`, up to n. */
static u64 count_same(const u8 *p, u64 n, u8 byte)
{
    u64 word = byte * 0x0101010101010101UL, i = 0;

    while (i < n && ((u64)(p + i) & 7) != 0 && p[i] == byte)
        i++;
    for (const u64 *at = (const void *)(p + i); i + 32 <= n && ((u64)at & 7) == 0; at += 4, i += 32)
        if (((at[0] ^ word) | (at[1] ^ word) | (at[2] ^ word) | (at[3] ^ word)) != 0)
            break;
    while (i < n && p[i] == byte)
        i++;
    return i;
}

/* Bytes that should all be `byte`, and what they belong to. */
struct range {
    u8 *at;
    u64 bytes;
    u8 byte;
    const char *words;                 /* "past", ... */
    const struct debug_record *record; /* NULL: a free frame that nobody is known to have had */
};

static u64 range_n_right(const struct range *range)
{
    return count_same(range->at, range->bytes, range->byte);
}

static void bytes_text(char *text, size_t size, const u8 *bytes, u64 n)
{
    for (u64 i = 0, length = 0; i < n; i++)
        length += (u64)ksnprintf(text + length, size - length, "%s%02x", i != 0 ? " " : "", bytes[i]);
}

/* "past an object of 100 bytes at 0x...: offset 100"; offsets count from the object. */
static void place_text(const struct range *range, const u8 *wrong, char *text, size_t size)
{
    const struct debug_record *record = range->record;
    u64 start;

    if (record == NULL || record->kind != MM_OWNER_OBJECT) {
        start = align_down((u64)wrong, FRAME_BYTES);
        ksnprintf(text, size, "%s frame 0x%lx: offset %lu", range->words, start - PAGE_OFFSET,
                  (u64)wrong - start);
        return;
    }
    start = record_object(record) + PAGE_OFFSET;
    ksnprintf(text, size, "%s object of %u bytes at 0x%lx: offset %ld", range->words, record->asked, start,
              (s64)((u64)wrong - start));
}

/* Tells of the first wrong byte, and mends them all. */
static void report(const struct range *range, enum mm_severity severity)
{
    char text[LINE_BYTES], place[96], who[WHO_BYTES] = "", expected[3 * SHOWN_BYTES], found[3 * SHOWN_BYTES];
    u64 n_right = range_n_right(range), n = min_u64(range->bytes - n_right, SHOWN_BYTES);
    u8 *wrong = range->at + n_right, should[SHOWN_BYTES];

    memset(should, range->byte, sizeof should);
    bytes_text(expected, sizeof expected, should, n);
    bytes_text(found, sizeof found, wrong, n);
    place_text(range, wrong, place, sizeof place);
    if (range->record != NULL)
        record_who(range->record, who, sizeof who);
    ksnprintf(text, sizeof text, "%s: expected %s, found %s%s", place, expected, found, who);
    __atomic_fetch_add(&mm.debug.n_damages, 1, __ATOMIC_RELAXED);
    if (severity == MM_MISUSE)
        mm_misuse("write", (ul)wrong, text);
    else
        platform_report(severity, "mm: careless write(0x%lx): %s", (ul)wrong, text);
    memset(wrong, range->byte, range->bytes - n_right);
}

/* ---- guards ---- */

/* The guarded ranges of an object.  Some may be empty. */
enum { BELOW, SLACK, ABOVE, N_GUARDS };

static void guards_of(const struct debug_record *record, struct range range[N_GUARDS])
{
    u64 object = record_object(record) + PAGE_OFFSET, end = object + record->asked;
    u64 slot = record->base + PAGE_OFFSET, slot_end = slot + record_bytes(record);
    u64 class_end = object + (1UL << (record_object_class(record) + CLASS_MIN_SHIFT));
    u64 below = min_u64(object - slot, GUARD_MAX_BYTES), slack = min_u64(class_end - end, GUARD_MAX_BYTES);
    u64 above = min_u64(slot_end - class_end, GUARD_MAX_BYTES);

    range[BELOW] = (struct range){(u8 *)(object - below), below, MM_DEBUG_GUARD, "before an", record};
    range[SLACK] = (struct range){(u8 *)end, slack, record->is_cleared ? 0 : MM_DEBUG_GUARD,
                                  "past what was asked for of an", record};
    range[ABOVE] = (struct range){(u8 *)class_end, above, MM_DEBUG_GUARD, "past an", record};
}

void guards_fill(const struct debug_record *record)
{
    struct range range[N_GUARDS];

    guards_of(record, range);
    for (unsigned i = 0; i < N_GUARDS; i++)
        debug_fill(range[i].at, range[i].byte, range[i].bytes);
}

/* Who went past the class came through the slack: that is one damage, and its first byte is the one to name.
 */
bool guards_check(const struct debug_record *record)
{
    struct range range[N_GUARDS];
    bool wrong[N_GUARDS];

    guards_of(record, range);
    for (unsigned i = 0; i < N_GUARDS; i++)
        wrong[i] = range_n_right(&range[i]) != range[i].bytes;
    if (wrong[BELOW])
        report(&range[BELOW], MM_MISUSE);
    if (wrong[SLACK] && wrong[ABOVE])
        range[SLACK].words = range[ABOVE].words;
    if (wrong[SLACK])
        report(&range[SLACK], wrong[ABOVE] ? MM_MISUSE : MM_NOTE);
    else if (wrong[ABOVE])
        report(&range[ABOVE], MM_MISUSE);
    if (wrong[SLACK] && wrong[ABOVE])
        memset(range[ABOVE].at, MM_DEBUG_GUARD, range[ABOVE].bytes);
    return !wrong[BELOW] && !wrong[SLACK] && !wrong[ABOVE];
}

/* ---- free memory ---- */

/* By a call: what the compiler makes of it in place, compiled for size, goes byte by byte. */
void *debug_fill(void *at, u8 byte, u64 bytes)
{
    return (memset)(at, byte, bytes);
}

void poison_fill(phys_t at, u64 bytes)
{
    debug_fill(phys_pointer(at), MM_DEBUG_FREE, bytes);
}

bool poison_check(phys_t at, u64 bytes)
{
    struct range range = {phys_pointer(at), bytes, MM_DEBUG_FREE, "in a free", NULL};
    u64 n = range_n_right(&range);
    struct debug_record was;

    if (n == bytes)
        return true;
    was = record_copy(phys_add(at, n));
    if (was.state != RECORD_FREE)
        range.record = &was;
    if (was.state != RECORD_FREE && was.kind == MM_OWNER_OBJECT)
        range.words = "in a freed";
    report(&range, MM_MISUSE);
    return false;
}
