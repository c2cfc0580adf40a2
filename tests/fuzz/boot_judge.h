/* SPDX-License-Identifier: MIT */
/* What must hold of a struct boot_info, whoever filled it and from whatever bytes. */
#ifndef TESTS_FUZZ_BOOT_JUDGE_H
#define TESTS_FUZZ_BOOT_JUDGE_H

#include <kernel/boot/boot_info.h>

/* The listener: one harmless line. */
void boot_judge_warning(void *context, const char *line);

/* All but the memory map is in bounds; has_map is what the parser returned. */
void boot_judge_info(const struct boot_info *info, bool has_map);

/* Walks the memory map, which lies at `entries` for the test, as the kernel would. */
void boot_judge_map(const void *entries, const struct boot_info *info);

#endif
