/* SPDX-License-Identifier: MIT */
/* The tests of suite `sweep` that deal with mappings. */
#ifndef KERNEL_SELFTEST_SWEEP_MAPS_H
#define KERNEL_SELFTEST_SWEEP_MAPS_H

void mapping_calls(void);
void mapping_calls_with_the_kept_frames_in_use(void);
void unmapping_calls_that_split(void);
void address_spaces_and_device_memory(void);

#endif
