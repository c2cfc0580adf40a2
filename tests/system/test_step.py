#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benches' figures, counted another way: one instruction after another through QEMU's debugger stub.

`scripts/bench --step` goes through all figures; here are some of each kind.  And the fast paths' machine code is looked at.
"""
import os
import sys

from lib.machine import require_qemu
from lib.report import Suite, check, check_equal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "bench"))

import step     # noqa: E402  (after the path to it)
import timed    # noqa: E402

WANTED = [("kmalloc_pair", 64), ("kmalloc_pair", 65536), ("frame_pair", 0), ("page_pair", 1), ("map4k_map", 64 << 10),
          ("map4k_unmap", 64 << 10), ("mm_stat", 0), ("loop_overhead", 64), ("tsc_overhead", 0)]

# What they may call: before they begin with a CPU's caches, or when they have left them.
CALLS_OUTSIDE = {("kzalloc", "memset"), ("free_pages", "get_CR3")}


def agree(count, figure):
    """Stepping and the machine's clock count the same."""
    check_equal(count.per_operation(), figure, f"instructions of {count.case.name} {count.case.param} by stepping")


def around(counts):
    """All but a few instructions of an operation lie in the functions that it calls."""
    wrong = step.disagreements(counts, {(c.case.name, c.case.param): c.per_operation() for c in counts})
    check(not wrong, "; ".join(wrong))


def noticed(counts):
    """One instruction more or less in a sample is a disagreement."""
    for count in counts:
        for change in [-1, 1]:
            other = step.Count(count.case, count.total + change, count.around)
            figures = {(count.case.name, count.case.param): count.per_operation()}
            check(step.disagreements([other], figures), f"{count.case.name}: {change} instruction is not noticed")


def fast_paths_call_nothing():
    """Who interrupts a fast path knows it by its place (mm/types.h, FAST_PATH): so it must not be elsewhere meanwhile."""
    symbols = timed.Symbols()
    start, end = symbols.address("image_fast_start"), symbols.address("image_fast_end")
    calls = {(symbols.name(at), text.split("<")[-1].rstrip(">")) for at, text in timed.disassembly().items()
             if start <= at < end and text.startswith("call")}
    check_equal(calls - CALLS_OUTSIDE, set(), "what fast paths call while they are in the middle")
    check(any(start <= at < end for at in symbols.starts), "there are no fast paths")


def main():
    suite = Suite(__doc__)
    require_qemu()
    cases = [case for case in step.CASES if (case.name, case.param) in WANTED]
    check_equal(len(cases), len(WANTED), "figures that can be stepped through")
    counts, figures = step.count_all(cases), step.own_figures(cases)
    for count in counts:
        name, param = count.case.name, count.case.param
        suite.run(f"{name}_{param}_is_the_same_by_stepping", agree, count, figures[name, param])
    suite.run("an_operation_is_what_it_calls", around, counts)
    suite.run("a_single_instruction_is_noticed", noticed, counts)
    suite.run("fast_paths_call_nothing", fast_paths_call_nothing)
    suite.finish()


if __name__ == "__main__":
    main()
