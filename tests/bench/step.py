#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/bench/step.py [NAME...]: counts the instructions of the benches' operations one by one.

Runs the benches twice.  In a machine whose clock counts instructions they say their own figures.  In an ordinary one
QEMU's debugger stub stops at the timed loops of the same workloads and goes through one sample each, instruction by
instruction.  The two must agree: a sample's instructions between its two reads of the counter are the figure, to its last
digit.  What of them lies in the loop itself, outside of the calls, is shown apart.

A repeated string instruction takes a step a round; the counter counts one more for each, and so does this.
"""
import argparse
import os
import sys
from dataclasses import dataclass

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))

from lib.machine import Machine     # noqa: E402  (after the path to it)
from lib.report import Failure, check   # noqa: E402
from timed import Symbols, disassembly, timed_loops     # noqa: E402

ICOUNT = ("-icount", "shift=0,sleep=off")
SETTLED = 3     # the first sample is thrown away by the bench, too; by the third all caches are as they stay


@dataclass(frozen=True)
class Case:
    """One figure.  `bench` runs it; `function` times it, a sample of so many operations at each call.  Its calls are those
    with `param` in the register `told_by`, or those after the first `skip` ones."""
    bench: str
    name: str
    param: int
    function: str
    operations: int
    told_by: str = ""
    skip: int = 0


def pairs(name, function, operations, params):
    """The figures of a loop whose first argument is their param."""
    return [Case(name, name, param, function, operations, told_by="rdi") for param in params]


MIB, KIB = 1 << 20, 1 << 10
CASES = [
    *pairs("kmalloc_pair", "time_kmalloc_pairs", 64, [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]),
    *pairs("kmalloc_pair", "time_kmalloc_pairs", 4, [65536, 1048576]),
    *pairs("kzalloc_pair", "time_kzalloc_pairs", 64, [64]),
    *pairs("frame_pair", "time_frame_pairs", 64, [0, 3]),
    *pairs("page_pair", "time_page_pairs", 4, [1, 2, 63]),
    Case("map4k", "map4k_map", 64 * KIB, "time_map", 1, skip=16),
    Case("map4k", "map4k_unmap", 64 * KIB, "time_unmap", 1, skip=16),
    Case("map2m", "map2m_map", 64 * MIB, "time_map", 32),
    Case("map2m", "map2m_unmap", 64 * MIB, "time_unmap", 32),
    Case("mm_stat", "mm_stat", 0, "time_stats", 16),
    Case("loop_overhead", "loop_overhead", 64, "time_loop", 64),
    Case("tsc_overhead", "tsc_overhead", 0, "time_nothing", 1),
]

# What a call may cost outside of the called functions: arguments, the calls themselves, the loop, the counter's reads.
MOST_AROUND = 20


@dataclass
class Count:
    """The instructions of one sample: all of them, and those of the timed loop itself."""
    case: Case
    total: int
    around: int

    def per_operation(self):
        """As the bench computes it, in hundredths."""
        return (self.total * 100 + self.case.operations // 2) // self.case.operations / 100


class Stepper:
    """A machine with the debugger at it."""

    def __init__(self, machine):
        self.shell = machine.start_shell()
        self.stub = machine.debugger()
        self.symbols = Symbols()
        self.code = disassembly()
        loops = timed_loops(self.code, self.symbols)
        self.reads = {name: {} for name, _ in loops.values()}
        for at, (name, begins) in loops.items():
            self.reads[name]["begin" if begins else "end"] = at

    def _run_to_sample(self, case):
        """Runs the bench up to a sample of the figure that is as all the others will be."""
        entry, n_left = self.symbols.address(case.function), case.skip + SETTLED
        self.stub.set_breakpoint(entry)
        self.shell.send(f"bench -c {case.bench}\r")
        while n_left > 0:
            check(self.stub.run_to_breakpoint() == entry, f"{case.name}: stopped elsewhere")
            if not case.told_by or self.stub.register(case.told_by) == case.param:
                n_left -= 1
        self.stub.clear_breakpoint(entry)

    def _step(self, case):
        """Goes through the sample."""
        begin, end = self.reads[case.function]["begin"], self.reads[case.function]["end"]
        at, total, around = self.stub.register("rip"), 0, 0
        while at != begin:
            at = self.stub.step()
        while at != end:
            before, at = at, self.stub.step()
            total += 1 + (at != before and self.code[before].startswith("rep"))
            around += self.symbols.name(before) == case.function
        return Count(case, total, around)

    def count(self, case):
        """Counts one sample of a figure, and lets the bench come to its end."""
        self._run_to_sample(case)
        count = self._step(case)
        self.stub.resume()
        self.shell.wait_prompt(what=f"the end of bench {case.bench}")
        self.stub.interrupt()
        return count


def count_all(cases):
    """A Count for each case."""
    with Machine(machine="pc", mem="2G", vga="none", cmdline="console=serial", stub=True) as machine:
        stepper = Stepper(machine)
        return [stepper.count(case) for case in cases]


def own_figures(cases):
    """{(name, param): median} as the benches say it where instructions are counted."""
    found = {}
    with Machine(machine="pc", mem="2G", vga="none", cmdline="console=serial", extra=ICOUNT) as machine:
        shell = machine.start_shell()
        for bench in dict.fromkeys(case.bench for case in cases):
            for figure in shell.json(f"bench -j {bench}"):
                found[figure["name"], figure["param"]] = figure["median"]
    return found


def disagreements(counts, figures):
    """A line for each figure that stepping does not confirm."""
    wrong = []
    for count in counts:
        case, figure = count.case, figures[count.case.name, count.case.param]
        if count.per_operation() != figure:
            wrong.append(f"{case.name} {case.param}: {count.per_operation():g} by stepping, {figure:g} by the bench")
        if count.around > MOST_AROUND * case.operations:
            wrong.append(f"{case.name} {case.param}: {count.around} instructions of {count.total} are the loop's own")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name", nargs="*", help="figures to be counted; all when none is named")
    arguments = parser.parse_args()
    unknown = set(arguments.name) - {case.name for case in CASES}
    if unknown:
        sys.exit(f"error: no such figure: {', '.join(sorted(unknown))}")
    cases = [case for case in CASES if not arguments.name or case.name in arguments.name]
    try:
        counts, figures = count_all(cases), own_figures(cases)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    print(f"{'figure':14} {'of':>9}  {'bench':>9}  {'stepped':>9}  {'in calls':>9}  {'loop':>6}")
    for count in counts:
        case, n = count.case, count.case.operations
        print(f"{case.name:14} {case.param:9}  {figures[case.name, case.param]:9g}  {count.per_operation():9g}  "
              f"{(count.total - count.around) / n:9.2f}  {count.around / n:6.2f}")
    wrong = disagreements(counts, figures)
    if wrong:
        sys.exit("error: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
