/* SPDX-License-Identifier: MIT */
/* Tests inside the running kernel, reported as KTAP (the Kernel Test Anything Protocol, version 1). */
#ifndef KERNEL_SELFTEST_SELFTEST_H
#define KERNEL_SELFTEST_SELFTEST_H

#define SELFTEST_UNKNOWN     (-1) /* there is no such suite */
#define SELFTEST_INTERRUPTED (-2) /* by Ctrl-C, and nothing had failed so far */

/*
 * Runs the suite of that name, or all of them for NULL, and prints KTAP.  Returns the number of tests that
 * failed, or one of the above.  Ctrl-C ends it after the test under way, with KTAP's "Bail out!".
 */
int selftest_run(const char *name);

/* The name of suite i = 0, 1, ..., NULL after the last; and what it is about, in one line. */
const char *selftest_name(unsigned i);
const char *selftest_summary(unsigned i);

#endif
