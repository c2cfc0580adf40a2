/* SPDX-License-Identifier: MIT */
/*
 * Requests for memory that fail on purpose, while all CPUs work: one in so many, of all CPUs together, with the CPUs'
 * caches in use or not, as the slice's number says.  What a worker is refused it does without; half-done calls must have
 * undone what they did, which the checks of content, mappings and mm_stat would see.
 */
#include <kernel/stress/worker.h>
#include <mm/fail.h>

#define ONE_IN_LEAST 2
#define ONE_IN_MOST  97

void faults_begin(u64 slice)
{
    u64 mix = slice * 0x9e3779b97f4a7c15UL >> 32;
    bool armed = fail_arm(FAIL_EVERY, ONE_IN_LEAST + mix % (ONE_IN_MOST - ONE_IN_LEAST + 1), (mix >> 16 & 1) != 0);

    STRESS_EXPECT(NULL, armed, "requests cannot be made to fail");
}

void faults_end(void)
{
    struct fail_info info;

    fail_info(&info);
    stress.n_faults += info.n_failed;
    STRESS_EXPECT(NULL, fail_disarm(), "requests go on failing");
}
