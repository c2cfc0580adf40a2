/* SPDX-License-Identifier: MIT */
/* Linux's figures and our targets, as a table. */
#include <kernel/bench/linux.h>

#include <lib/string.h>

#define LEAN(instructions)  ((instructions)*100UL) /* in hundredths */
#define LEAN_TENTHS(tenths) ((tenths)*10UL)

static const struct linux_figure figures[] = {
    {"kmalloc_pair", 32, "313", LEAN(163), 70, 50},
    {"kmalloc_pair", 64, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 128, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 256, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 512, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 1024, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 2048, "313..4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 4096, "4380", LEAN(163), 70, 50},
    {"kmalloc_pair", 8192, "8476", LEAN(162), 70, 50},
    {"kmalloc_pair", 65536, "67552", LEAN(1420), 100, 60},
    {"kmalloc_pair", 1048576, "1063564", LEAN(11332), 100, 60},
    {"kzalloc_pair", 64, "295", LEAN(188), 90, 0},
    {"kzalloc_pair", 1024, "416", LEAN(307), 210, 0},
    {"kzalloc_pair", 8192, "1314", LEAN(1203), 1110, 0},
    {"batch_fifo_alloc", 64, "339", LEAN(107), 55, 40},
    {"batch_fifo_free", 64, "190", LEAN(122), 60, 40},
    {"batch_lifo_alloc", 64, "339", LEAN(107), 55, 40},
    {"batch_lifo_free", 64, "190", LEAN(122), 60, 40},
    {"batch_random_alloc", 64, "339", LEAN(107), 55, 40},
    {"batch_random_free", 64, "190", LEAN(122), 60, 40},
    {"batch_random_alloc", 4096, "8405", LEAN(168), 90, 0},
    {"batch_random_free", 4096, "276", LEAN(183), 90, 0},
    {"frame_pair", 0, "4814", LEAN(397), 65, 45},
    {"frame_pair", 3, "33767", LEAN(594), 150, 0},
    {"page_pair", 1, "2.1 M", LEAN(9966), 120, 80},
    {"page_pair", 2, "-", LEAN(33330), 400, 0},
    {"page_pair", 63, "-", 0, 2000, 0},
    {"frame_batch512_alloc", 0, "4556", LEAN(229), 55, 0},
    {"frame_batch512_free", 0, "266", LEAN(176), 70, 0},
    {"frame_batch4096_alloc", 0, "4556", LEAN(324), 55, 0},
    {"frame_batch4096_free", 0, "266", LEAN(351), 90, 0},
    {"page_batch32_alloc", 1, "2.1 M", LEAN(7537), 120, 0},
    {"page_batch32_free", 1, "9694", LEAN(9468), 150, 0},
    {"map4k_map", 64 << 20, "28.3", LEAN_TENTHS(192), 3, 2},
    {"map4k_unmap", 64 << 20, "10.3", LEAN_TENTHS(103), 3, 2},
    {"map2m_map", 64 << 20, "385", LEAN(325), 30, 0},
    {"map2m_unmap", 64 << 20, "120", LEAN(88), 30, 0},
    {"map4k_map", 64 << 10, "3912", LEAN(2970), 500, 0},
    {"map4k_unmap", 64 << 10, "1690", LEAN(1347), 500, 0},
    {"mm_stat", 0, "62", LEAN(21), 60, 0},
    {"mixed_server", 100, "1388", LEAN(289), 115, 90},
    {"replay", 1024, "1197", LEAN(157), 90, 70},
    {"replay_2nd", 1024, "1197", LEAN(157), 90, 70},
};

const struct linux_figure *linux_find(const char *name, u64 param)
{
    for (unsigned i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (figures[i].param == param && !strcmp(figures[i].name, name))
            return &figures[i];
    }
    return NULL;
}
