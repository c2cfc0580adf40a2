#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/bench/machine.py TRACE OUT.md [--quick]: all benches in a machine whose clock counts instructions.

Under -icount shift=0,sleep=off the time-stamp counter counts guest instructions, and two runs agree to the last digit. A
rep-prefixed string instruction counts one an iteration, so kzalloc is run on a CPU without ERMS too, where mm clears
by eight bytes.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))

from lib.machine import Machine     # noqa: E402  (after the path to it)
from lib.report import Failure, check     # noqa: E402

ICOUNT = ("-icount", "shift=0,sleep=off")
BENCH_SECONDS = 600
GIB = 1 << 30
ROW = re.compile(r"(\S+) +(\d+) +([\d.]+) +([\d.]+|-) +(?:[\d.]+x|-) +(.*?) +(\d+(?:/\d+)?|-)(?: (goal|ok|over))?")

# What a machine that is nearly full still has room for.
CROWDED = ["kmalloc_pair", "batch_random", "frame_pair", "page_pair", "frame_batch512", "map4k", "mixed_server"]
CROWDED_PERCENT = [10, 90, 99]

# Set-up of memory management: machine, million instructions at most.  Where there is no target the figure is shown alone.
SIZES = [("2G", "max", None), ("512M", "max", 0.5), ("64G", "max", 3), ("256G", "max", 10),
         ("1T", "max,phys-bits=48", 40), ("4T", "max,phys-bits=48", None)]
METADATA_TARGETS = {"64G": 0.01}    # % of RAM
TAKEN_TARGETS = {"2G": 4 << 20, "256G": 40 << 20}


def start(mem, cpu="max", extra=()):
    """A stopped machine with the counting clock."""
    return Machine(boot="pvh", machine="pc", cpu=cpu, mem=mem, vga="none", cmdline="console=serial",
                   extra=(*ICOUNT, *extra))


class Row:
    """A line of `bench`'s table."""

    def __init__(self, line):
        match = ROW.fullmatch(line.rstrip())
        check(match, f"bench printed {line!r}")
        self.name, param, ours, self.lean, self.debian, self.target, self.verdict = match.groups()
        self.param, self.ours = int(param), float(ours)

    def ratio(self):
        """How many times as many instructions lean Linux takes."""
        return "-" if self.lean == "-" or not self.ours else f"{float(self.lean) / self.ours:.2f}"

    def markdown(self, least):
        """The line of the report."""
        verdict = f"**{self.verdict}**" if self.verdict == "over" else self.verdict or ""
        return (f"| {self.name} | {self.param} | {self.ours:g} | {least:g} | {self.debian} | {self.lean} | "
                f"{self.ratio()} | {self.target} | {verdict} |")


def csv(shell, command):
    """{(name, param): (least, median)} of a bench with -c."""
    figures = {}
    for line in shell.lines(command, BENCH_SECONDS):
        words = line.split(",")
        if words[0] == "bench" and len(words) == 7:
            figures[words[1], int(words[2])] = float(words[5]), float(words[6])
        else:
            print(f"{command}: {line}", file=sys.stderr)
    return figures


def figures(shell):
    """The main table and the notes of the workloads."""
    before = shell.stat()
    least = csv(shell, "bench -c")
    lines = shell.lines("bench", BENCH_SECONDS)
    notes = [line for line in lines[1:] if re.match(r"\S+: ", line)]
    rows = [Row(line) for line in lines[1:] if line not in notes]
    check(shell.stat() == before, "mm_stat is not what it was before the benches")
    shell.ok("check")
    text = ["| figure | of | Tessera | least | Debian | lean | lean / ours | target/goal | |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|"]
    text += [row.markdown(least[row.name, row.param][0]) for row in rows]
    return text + ["", *(f"- {note}" for note in notes)]


def cleared_by_words(trace):
    """kzalloc on a CPU without ERMS."""
    text = ["", "## kzalloc without ERMS", "", "| of | instructions |", "|---:|---:|"]
    with start("2G", cpu="max,-erms", extra=trace) as machine:
        for (_, param), (_, median) in csv(machine.start_shell(), "bench -c kzalloc_pair").items():
            text.append(f"| {param} | {median:g} |")
    return text


def crowded():
    """The same operations on machines that are more or less full, and on a large one."""
    columns, keys = [], []
    with start("2G") as machine:
        shell = machine.start_shell()
        for percent in [0, *CROWDED_PERCENT]:
            column = {}
            for name in CROWDED:
                column.update(csv(shell, f"bench -c {f'-f {percent} ' if percent else ''}{name}"))
            columns.append(column)
    with start("256G") as machine:
        shell, column = machine.start_shell(), {}
        for name in CROWDED:
            column.update(csv(shell, f"bench -c {name}"))
        columns.append(column)
    keys = columns[0].keys()
    heads = ["2 GiB", *(f"{percent} % full" for percent in CROWDED_PERCENT), "256 GiB"]
    text = ["", "## Full machines, large machines", "",
            "Percent of what lies above ZONE_DMA; half of what is free of it lies scattered in single frames; `-`: no room.",
            "",
            "| figure | of | " + " | ".join(heads) + " |", "|---|---:|" + "---:|" * len(heads)]
    for key in keys:
        cells = [f"{column[key][1]:g}" if key in column else "-" for column in columns]
        text.append(f"| {key[0]} | {key[1]} | " + " | ".join(cells) + " |")
    return text


def churn():
    """The last words of `bench churn`."""
    with start("2G") as machine:
        lines = machine.start_shell().lines("bench churn", BENCH_SECONDS)
    return ["", "## Fragmentation (target 90 %)", "", *(f"- {line}" for line in lines)]


def metadata(shell):
    """Bytes by kind, as `bench memory` prints them."""
    words = shell.one("bench memory").split()
    return {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}


def memory_row(mem, setup, share, taken):
    """A line of the report; setup, share and taken are each a figure and its target or None."""
    targets = [pair for pair in (setup, share, taken) if pair[1] is not None]
    verdict = "**over**" if any(ours > most for ours, most in targets) else "ok" if targets else ""
    return (f"| {mem} | {setup[0]:.3f} | {setup[1] or ''} | {share[0]:.4f} | {share[1] or ''} | {taken[0] >> 10} | "
            f"{taken[1] >> 10 if taken[1] else ''} | {verdict} |")


def memory():
    """What memory management takes: instructions to set it up, metadata, and all else that is not free."""
    text = ["", "## Memory", "",
            "| machine | set-up, million | target | metadata, % of RAM | target | taken, KiB | target | |",
            "|---|---:|---:|---:|---:|---:|---:|---|"]
    for mem, cpu, most in SIZES:
        with start(mem, cpu=cpu) as machine:
            shell = machine.start_shell()
            setup = re.search(r"set up in (\d+) TSC ticks", shell.transcript())
            stat, kinds = shell.stat(), metadata(shell)
        check(setup, "the boot log does not say what the set-up took")
        text.append(memory_row(mem, (int(setup.group(1)) / 1e6, most),
                               (100 * kinds["metadata"] / stat["total"], METADATA_TARGETS.get(mem)),
                               (stat["used"], TAKEN_TARGETS.get(mem))))
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("out")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    module = ("-initrd", arguments.trace)
    text = ["# Tessera beside Linux", "",
            "Instructions an operation, median of the samples (`least`: the smallest), in QEMU with 2 GiB and one CPU that",
            "counts instructions; Linux 6.1 in the same machine, as Debian builds it and lean.", ""]
    try:
        with start("2G", extra=module) as machine:
            text += figures(machine.start_shell())
        if not arguments.quick:
            text += cleared_by_words(module) + crowded() + churn() + memory()
    except Failure as failure:
        sys.exit(f"error: {failure}")
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
