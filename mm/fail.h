/* SPDX-License-Identifier: MIT */
/* Failures on purpose: requests for memory that find none, so that what follows can be seen and tested. */
#ifndef MM_FAIL_H
#define MM_FAIL_H

#include <mm/state.h>

/* Which requests fail, of those counted from fail_arm on. */
enum fail_mode {
    FAIL_OFF,
    FAIL_NTH,   /* the n-th, and no other */
    FAIL_EVERY, /* the n-th, the 2n-th, ... */
    FAIL_FROM,  /* the n-th and all after it, as if memory were exhausted from there on */
};

/*
 * What is a request, and so counted, is said on top of fail.c.  Counting begins at 1 again.
 * @n: 1 ..
 * @with_caches: the CPUs' caches stay in use, so that only what they cannot serve is counted.  Otherwise they
 * are taken out of use (cpu.h), and requests are counted alike whatever is cached. False, and nothing armed,
 * for n 0, and where mm_caches_off and mm_caches_on may not be called.  One call at a time.
 */
MUST_USE bool fail_arm(enum fail_mode mode, u64 n, bool with_caches);

/* Nothing fails any more; what was counted is still told by fail_info. */
MUST_USE bool fail_disarm(void);

/* What is armed, what was counted since that, and what the last request to fail wanted. */
struct fail_info {
    enum fail_mode mode;
    u64 n;
    bool with_caches;
    u64 n_requests, n_failed;
    const char *last_zone; /* NULL: none failed yet */
    u64 last_frames;
};
void fail_info(struct fail_info *out);

/* Counts a request for n_frames of a zone, and says whether it is to fail. */
bool fail_count(const struct Zone *zone, u64 n_frames);

/* The same, where requests are made: a load and a test while nothing is armed. */
static inline bool fail_wanted(const struct Zone *zone, u64 n_frames)
{
    return UNLIKELY(mm.fail.mode != FAIL_OFF) && fail_count(zone, n_frames);
}

#endif
