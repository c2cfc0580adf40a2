#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/bench/profile.py NAME [options]: where the instructions of a workload go.

Boots build/tessera.elf, runs `bench NAME` with QEMU logging every instruction, and counts those between the two
reads of the counter in each timed loop: a sample's instructions by function, and one function's by address.
"""
import argparse
import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))

from lib import images  # noqa: E402  (after the path to it)
from lib.machine import Machine     # noqa: E402
from timed import Symbols, disassembly, timed_loops     # noqa: E402

TRACED = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
BENCH_SECONDS = 600


def record(name, path):
    """Runs the workload with every instruction logged to `path`; the lines that it prints."""
    extra = ("-icount", "shift=0,sleep=off", "-D", path)
    with Machine(machine="pc", mem="2G", vga="none", extra=extra) as machine:
        shell = machine.start_shell()
        shell.lines(f"bench -c {name}", BENCH_SECONDS)
        machine.qmp.execute("human-monitor-command", **{"command-line": "singlestep on"})
        machine.qmp.execute("human-monitor-command", **{"command-line": "log exec,nochain"})
        lines = shell.lines(f"bench -c {name}", BENCH_SECONDS)
        machine.qmp.execute("human-monitor-command", **{"command-line": "log none"})
    return lines


def count(path, loops, wanted):
    """{timed function: [samples, {address: count}]}: the instructions between two reads of the counter in it.

    `wanted` is the range of samples that count, [first, end)."""
    timed, here, n_samples = {}, None, collections.Counter()
    with open(path, encoding="ascii", errors="replace") as log:
        for line in log:
            match = TRACED.search(line)
            if not match:
                continue
            at = int(match.group(1), 16)
            name, begins = loops.get(at, (None, None))
            if name:
                here = None
            if begins:
                n_samples[name] += 1
            if begins and wanted[0] < n_samples[name] <= wanted[1]:
                here = timed.setdefault(name, [0, collections.Counter()])
                here[0] += 1
            if here:
                here[1][at] += 1
    return timed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--function", help="show this function's instructions")
    parser.add_argument("--samples", default="0:1000000", metavar="FIRST:END", help="only these samples of each loop")
    arguments = parser.parse_args()
    wanted = [int(number) for number in arguments.samples.split(":")]
    path = os.path.join(images.work_folder(), "instructions")
    code, symbols = disassembly(), Symbols()
    print("\n".join(record(arguments.name, path)))
    for name, (n_samples, counts) in count(path, timed_loops(code, symbols), wanted).items():
        by_function = collections.Counter()
        for at, n in counts.items():
            by_function[symbols.name(at)] += n
        print(f"{name}: {n_samples} samples, {sum(counts.values()) / n_samples:.2f} instructions each")
        for function, n in by_function.most_common():
            print(f"    {n / n_samples:12.2f}  {function}")
        for at in sorted(at for at in counts if symbols.name(at) == arguments.function):
            print(f"    {counts[at] / n_samples:12.2f}  {at:x}  {code.get(at, '?')}")


if __name__ == "__main__":
    main()
