/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a Multiboot2 loader.  Input: the information as it lies in memory, of which not a byte
 * behind the end may be read, whatever total_size and the tags say.  What comes out is used as the kernel uses it.
 */
#include <boot_judge.h>
#include <fuzz.h>

#include <kernel/boot/multiboot2.h>

#include <stdlib.h>
#include <string.h>

#define INFO_PHYS 0x9f000UL

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct boot_info info;
    struct boot_warnings warnings = {boot_judge_warning, NULL};
    u8 *copy = fuzz_copy(data, n);

    memset(&info, 0xa5, sizeof(info));
    bool has_map = multiboot2_parse(copy, n, INFO_PHYS, &info, &warnings);

    boot_judge_info(&info, has_map);
    if (has_map) {
        u64 end = info.map_phys + (u64)info.n_map_entries * info.map_stride_bytes;

        expect(info.map_phys >= INFO_PHYS + 16 && end <= INFO_PHYS + info.info_bytes);
        expect(info.info_bytes <= n);
        boot_judge_map(copy + (info.map_phys - INFO_PHYS), &info);
    }
    free(copy);
    return 0;
}

#ifdef TESSERA_FUZZ

size_t LLVMFuzzerMutate(u8 *data, size_t n, size_t n_max);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t n, size_t n_max, unsigned seed);

/* Mostly the length in the header is put right, or all that was added would be cut off again. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t n, size_t n_max, unsigned seed)
{
    n = LLVMFuzzerMutate(data, n, n_max);
    if (n >= 8 && seed % 8 != 0) {
        u32 total_bytes = (u32)n;

        memcpy(data, &total_bytes, sizeof(total_bytes));
    }
    return n;
}

#endif
