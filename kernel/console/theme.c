/* SPDX-License-Identifier: MIT */
/*
 * The colours of the screen: a dark slate with soft, evenly bright accents.  Each accent keeps a contrast
 * of at least 4.5:1 against the background, so that every colour can carry text.
 */
#include <kernel/console/terminal.h>

#define N_BASIC 16
#define CUBE_FIRST 16
#define CUBE_SIDE 6u
#define GREY_FIRST 232

static const u32 theme[N_BASIC] = {
    0x12161c, 0xe5737b, 0x93c47d, 0xe0b463, 0x6fa8e8, 0xc08bdc, 0x5cc4bd, 0xcdd4dc,
    0x8390a0, 0xff8f95, 0xb3e09b, 0xf7d08a, 0x93c5fd, 0xdcb2f2, 0x86e1d8, 0xf4f7fa,
};

/* One of the six levels of the cube. */
static u32 cube_level(u32 step)
{
    return step == 0 ? 0 : 55 + 40 * step;
}

u32 terminal_colour(u8 index)
{
    u32 cell = (u32)index - CUBE_FIRST;
    u32 grey = 8 + 10 * ((u32)index - GREY_FIRST);

    if (index < CUBE_FIRST)
        return theme[index];
    if (index >= GREY_FIRST)
        return grey << 16 | grey << 8 | grey;
    return cube_level(cell / (CUBE_SIDE * CUBE_SIDE)) << 16 | cube_level(cell / CUBE_SIDE % CUBE_SIDE) << 8 |
           cube_level(cell % CUBE_SIDE);
}

/* Squared distance of two colours, channel by channel. */
static u32 colour_distance(u32 a, u32 b)
{
    u32 sum = 0;

    for (unsigned shift = 0; shift < 24; shift += 8) {
        s32 difference = (s32)(a >> shift & 0xff) - (s32)(b >> shift & 0xff);
        sum += (u32)(difference * difference);
    }
    return sum;
}

u8 terminal_basic_colour(u8 index)
{
    u32 wanted = terminal_colour(index);
    u8 best = 0;

    if (index < N_BASIC)
        return index;
    for (u8 i = 1; i < N_BASIC; i++) {
        if (colour_distance(wanted, theme[i]) < colour_distance(wanted, theme[best]))
            best = i;
    }
    return best;
}
