/* SPDX-License-Identifier: MIT */
/*
 * The start information of a PVH loader.  Input: a piece of physical memory that begins with it; there is no other.
 * Every read gets bytes of its own, so that one past what was asked for is seen.
 */
#include <boot_judge.h>
#include <fuzz.h>

#include <kernel/boot/pvh.h>

#include <stdlib.h>
#include <string.h>

#define MEMORY_PHYS 0x10000UL

struct memory {
    const u8 *data;
    size_t n;
    u8 *given; /* the last answer: gone with the next */
};

static const void *at(void *context, u64 phys, u64 n_bytes)
{
    struct memory *memory = context;

    expect(n_bytes >= 1);
    free(memory->given);
    memory->given = NULL;
    if (phys < MEMORY_PHYS || phys - MEMORY_PHYS > memory->n || n_bytes > memory->n - (phys - MEMORY_PHYS))
        return NULL;
    memory->given = fuzz_copy(memory->data + (phys - MEMORY_PHYS), n_bytes);
    return memory->given;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct boot_info info;
    struct memory memory = {data, n, NULL};
    struct boot_reader reader = {at, &memory};
    struct boot_warnings warnings = {boot_judge_warning, NULL};

    memset(&info, 0xa5, sizeof(info));
    bool has_map = pvh_parse(&reader, MEMORY_PHYS, &info, &warnings);

    boot_judge_info(&info, has_map);
    if (has_map) {
        const void *map = at(&memory, info.map_phys, (u64)info.n_map_entries * info.map_stride_bytes);

        expect(map != NULL);
        boot_judge_map(map, &info);
    }
    free(memory.given);
    return 0;
}
