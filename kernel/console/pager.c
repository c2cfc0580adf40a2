/* SPDX-License-Identifier: MIT */
/*
 * The prompt is shown on the screen only, in the row below the page, and wiped out afterwards.  Only the
 * keyboard turns pages: a key from the serial line means that somebody there wants the shell, so the output
 * runs on to its end.
 */
#include <kernel/console/input.h>
#include <kernel/console/pager.h>
#include <kernel/console/screen.h>
#include <lib/string.h>

#define PAGER_PROMPT "\033[7m -- more --  Space: page  Enter: line  q: quit \033[0m"
#define PAGER_WIPE "\r\033[K"

static struct {
    bool on;
    bool dropping;
    bool quit;      /* not yet told */
    u64 pause_at;   /* of screen_rows_passed */
} pager;

void pager_begin(void)
{
    pager.on = screen_present();
    pager.dropping = pager.quit = false;
    pager.pause_at = screen_rows_passed() + screen_rows() - 1;
}

void pager_end(void)
{
    pager.on = pager.dropping = false;
}

bool pager_take_quit(void)
{
    bool quit = pager.quit;

    pager.quit = false;
    return quit;
}

/* What a key does; false: nothing, keep waiting. */
static bool pager_key(struct input_key key)
{
    if (!key.from_keyboard) {
        pager.on = false;
        return true;
    }
    input_take();
    switch (key.key) {
    case ' ': case KEY_PGDN: pager.pause_at += screen_rows() - 1; return true;
    case KEY_ENTER: case KEY_DOWN: pager.pause_at++; return true;
    case 'q': case 'Q': case KEY_ESCAPE: case KEY_CTRL('C'): pager.dropping = pager.quit = true; return true;
    case 'G': case KEY_END: pager.on = false; return true;
    default: return false;
    }
}

static void pager_pause(void)
{
    struct input_key key;

    pager.pause_at = screen_rows_passed();
    screen_write(PAGER_PROMPT, strlen(PAGER_PROMPT));
    screen_refresh();
    for (;;) {
        key = input_peek();
        if (key.key != KEY_NONE && pager_key(key))
            break;
        if (key.key == KEY_NONE)
            input_wait();
    }
    screen_write(PAGER_WIPE, strlen(PAGER_WIPE));
}

bool pager_line(void)
{
    if (pager.on && !pager.dropping && screen_rows_passed() >= pager.pause_at)
        pager_pause();
    return !pager.dropping;
}
