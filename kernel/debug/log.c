/* SPDX-License-Identifier: MIT */
/*
 * The log ring.
 *
 *     next ──► number of the next line, only ever grows; line n lives in slot n mod LOG_N_LINES
 *     slot.state = 2n + 2   line n stands there, whole
 *                  2n + 1   line n is being written; less: an older line, or none yet
 *
 * A writer formats on its own stack, draws a number, claims the slot by one compare-and-swap from a *whole
 * older* line to "being written", copies, and publishes by a store with release order.  The claim fails only
 * when another writer is still busy in the slot: one that was interrupted LOG_N_LINES lines ago.  Then the
 * line is dropped and counted, as waiting for the interrupted could take for ever.
 *
 * A reader copies and then looks at the state again: equal before and after means that it has the line.  It
 * stops at a line that was begun and not published, since it soon will be, unless half the ring has been
 * written since or log_panic was called.
 *
 * Everything that can fault (a bad pointer for %s) happens before the claim, so that a slot is never left
 * claimed.  Cost: one formatting, two atomic operations, a copy.
 */
#include <kernel/debug/log.h>
#include <lib/printf.h>
#include <lib/string.h>

struct slot {
    u64 state;
    u64 milliseconds;
    u32 length;
    char text[LOG_LINE_BYTES];
};

_Static_assert((LOG_N_LINES & (LOG_N_LINES - 1)) == 0, "a line's slot is found by masking");

static struct slot slots[LOG_N_LINES];
static u64 next;
static u64 n_dropped;
static bool in_panic;
static u64 (*clock)(void);

static u64 state_writing(u64 number)
{
    return 2 * number + 1;
}

static u64 state_whole(u64 number)
{
    return 2 * number + 2;
}

static struct slot *slot_of(u64 number)
{
    return &slots[number & (LOG_N_LINES - 1)];
}

/* True when the slot is ours to write line `number` into. */
static bool claim(struct slot *slot, u64 number)
{
    u64 state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
    bool busy = (state & 1) != 0;
    if (busy || state > state_writing(number))
        return false;
    return __atomic_compare_exchange_n(&slot->state, &state, state_writing(number), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void append(const char *text, size_t length)
{
    u64 number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    struct slot *slot = slot_of(number);
    if (!claim(slot, number)) {
        __atomic_fetch_add(&n_dropped, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_thread_fence(__ATOMIC_RELEASE); /* readers see the claim before any byte of the new text */
    slot->milliseconds = clock != NULL ? clock() : 0;
    slot->length = (u32)length;
    memcpy(slot->text, text, length + 1);
    __atomic_store_n(&slot->state, state_whole(number), __ATOMIC_RELEASE);
}

void kvlog(const char *format, va_list arguments)
{
    char text[LOG_LINE_BYTES];
    size_t length = (size_t)kvsnprintf(text, sizeof text, format, arguments);
    if (length >= sizeof text)
        length = sizeof text - 1;
    if (length > 0 && text[length - 1] == '\n')
        text[--length] = 0;
    append(text, length);
}

void klog(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kvlog(format, arguments);
    va_end(arguments);
}

enum slot_read { SLOT_READ, SLOT_LOST, SLOT_NOT_YET };

static enum slot_read read_slot(u64 number, struct slot *copy)
{
    const struct slot *slot = slot_of(number);
    u64 before = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
    if (before < state_whole(number))
        return SLOT_NOT_YET;
    if (before > state_whole(number))
        return SLOT_LOST;
    copy->milliseconds = slot->milliseconds;
    copy->length = slot->length;
    memcpy(copy->text, slot->text, sizeof copy->text);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == before ? SLOT_READ : SLOT_LOST;
}

static size_t format_line(const struct slot *copy, char *line, size_t size)
{
    int n;
    if (copy->milliseconds == 0)
        n = ksnprintf(line, size, "%s", copy->length > 0 ? copy->text : " ");
    else
        n = ksnprintf(line, size, "[%5u.%03u] %s", (unsigned)(copy->milliseconds / 1000),
                      (unsigned)(copy->milliseconds % 1000), copy->text);
    return (size_t)n < size ? (size_t)n : size - 1;
}

size_t log_read(u64 *cursor, char *line, size_t size)
{
    u64 end = __atomic_load_n(&next, __ATOMIC_ACQUIRE);
    if (*cursor + LOG_N_LINES < end)
        *cursor = end - LOG_N_LINES;
    for (; *cursor < end; ++*cursor) {
        struct slot copy;
        enum slot_read result = read_slot(*cursor, &copy);
        if (result == SLOT_NOT_YET && end - *cursor <= LOG_N_LINES / 2 &&
            !__atomic_load_n(&in_panic, __ATOMIC_RELAXED))
            return 0;
        if (result != SLOT_READ)
            continue;
        ++*cursor;
        return format_line(&copy, line, size);
    }
    return 0;
}

u64 log_count(void)
{
    return __atomic_load_n(&next, __ATOMIC_RELAXED);
}

u64 log_dropped_count(void)
{
    return __atomic_load_n(&n_dropped, __ATOMIC_RELAXED);
}

void log_panic(void)
{
    __atomic_store_n(&in_panic, true, __ATOMIC_RELAXED);
}

void log_set_clock(u64 (*milliseconds)(void))
{
    clock = milliseconds;
}
