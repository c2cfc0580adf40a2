/* SPDX-License-Identifier: MIT */
/* Giving back what is cached: on demand (mm_shrink), and before an allocation fails. */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include <mm/zone.h>

/* An allocation from this zone is about to fail: gives back what the running context may touch.  Then it is worth another
 * try, whatever became free by it: others may have given back meanwhile. */
void reclaim_for(const struct Zone *zone);

/* Empties the caches of the CPU it runs on: in ordinary code, at a place where these are consistent; or in an interrupt
 * that found ordinary code outside of mm. */
void reclaim_own_caches(void);

#endif
