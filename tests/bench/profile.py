#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/bench/profile.py NAME [options]: where the instructions of a workload go.

Boots build/tessera.elf, runs `bench NAME` with QEMU logging every instruction, and counts those between the two
reads of the counter in each timed loop: a sample's instructions by function, and one function's by address.
"""
import argparse
import bisect
import collections
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))

from lib import images  # noqa: E402  (after the path to it)
from lib.machine import Machine     # noqa: E402

TRACED = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
BENCH_SECONDS = 600


class Symbols:
    """Functions of the kernel by address."""

    def __init__(self):
        output = subprocess.run(["nm", "-n", images.kernel()], capture_output=True, text=True, check=True).stdout
        words = [line.split() for line in output.splitlines()]
        functions = [(int(at, 16), name) for at, kind, name in words if kind in "tT"]
        self.starts = [at for at, _ in functions]
        self.names = [name for _, name in functions]

    def name(self, at):
        """The function that an address lies in."""
        return self.names[max(bisect.bisect_right(self.starts, at) - 1, 0)]


def disassembly():
    """{address: text} of every instruction."""
    output = subprocess.run(["objdump", "-d", "--no-show-raw-insn", images.kernel()], capture_output=True, text=True,
                            check=True).stdout
    return {int(match.group(1), 16): match.group(2)
            for match in re.finditer(r"^\s*([0-9a-f]+):\t(.*)$", output, re.MULTILINE)}


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


def timed_functions():
    """The names of the functions that time a sample."""
    names = set()
    for path in glob.glob(os.path.join(images.TOP, "kernel", "bench", "*.c")):
        with open(path, encoding="utf-8") as source:
            names.update(re.findall(r"^static TIMED u64 (\w+)", source.read(), re.MULTILINE))
    return names


def timed_loops(code, symbols):
    """{address: (function, begins)} of the two reads of the counter in each function that times a sample."""
    reads = collections.defaultdict(list)
    for at in sorted(at for at, text in code.items() if text.startswith("rdtsc")):
        reads[symbols.name(at)].append(at)
    loops = {}
    for name in timed_functions() & reads.keys():
        loops[reads[name][0]] = name, True
        loops[reads[name][-1]] = name, False
    return loops


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
