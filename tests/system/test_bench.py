#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benches: that they run, say what they are to say, compute the right sums and leave memory as it was.

How fast mm is is asked only where the clock counts instructions, and then of the figures that are listed here.
"""
import os
import re
import struct
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "bench"))

import machine as bench_machine     # (after the path to it)
from lib import images, process
from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in

ICOUNT = ("-icount", "shift=0,sleep=off")
BENCH_SECONDS = 300
KMALLOC_SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 65536, 1048576]
MIB_64, KIB_64 = 64 << 20, 64 << 10

# Every figure of a run with a trace, by name and param.
FIGURES = {
    *(("kmalloc_pair", size) for size in KMALLOC_SIZES),
    *(("kzalloc_pair", size) for size in [64, 1024, 8192]),
    *((f"batch_{order}_{what}", 64) for order in ["fifo", "lifo", "random"] for what in ["alloc", "free"]),
    ("batch_random_alloc", 4096), ("batch_random_free", 4096),
    ("frame_pair", 0), ("frame_pair", 3), ("page_pair", 1), ("page_pair", 2), ("page_pair", 63),
    *((f"frame_batch{n}_{what}", 0) for n in [512, 4096] for what in ["alloc", "free"]),
    ("page_batch32_alloc", 1), ("page_batch32_free", 1),
    *((f"map4k_{what}", size) for what in ["map", "unmap"] for size in [MIB_64, KIB_64]),
    ("map2m_map", MIB_64), ("map2m_unmap", MIB_64),
    ("mm_stat", 0), ("mixed_server", 100), ("mixed_dry", 100),
    ("tsc_overhead", 0), ("loop_overhead", 64),
    ("replay", 1024), ("replay_2nd", 1024), ("replay_dry", 1024),
}

# Instructions an operation at most: the targets that are met, and are to stay so.
HOLD = {
    ("kmalloc_pair", 65536): 100, ("kmalloc_pair", 1048576): 100, ("map4k_unmap", MIB_64): 3,
    ("mixed_server", 100): 115, ("replay", 1024): 90, ("replay_2nd", 1024): 90,
}

SUMS = "mixed_server: sizes 66971919, live 2578215 in 4096 objects, h 10731487546418258532"
NUMBER = r"\d+(?:\.\d{1,2})?"
JSON = re.compile(r'\[(?:\{"name":"\w+","param":\d+,"min":%s,"median":%s\},?)+\]' % (NUMBER, NUMBER))
CSV = re.compile(rf"bench,(\w+),(\d+),(\d+),(\d+),({NUMBER}),({NUMBER})")
CHURNED = re.compile(r"churn: after 100 rounds .*: (\d+\.\d) %")


def trace_module():
    """The path of the trace as a boot module."""
    folder = os.path.join(images.TOP, "tests", "traces")
    module = os.path.join(images.work_folder(), "trace")
    process.run([os.path.join(folder, "trace-to-module"), os.path.join(folder, "linux-boot-kmem.trace.gz"), module])
    return module


def own_module(name, events):
    """The path of a boot module with a trace of these (operation, id, value)."""
    module = os.path.join(images.work_folder(), name)
    with open(module, "wb") as file:
        file.write(struct.pack("<4s3I", b"KTRC", len(events), 0, 0))
        file.writelines(struct.pack("<2I", operation << 30 | number, value) for operation, number, value in events)
    return module


def keys_of(figures):
    """The (name, param) of each; fails when one is there twice."""
    keys = [(figure["name"], figure["param"]) for figure in figures]
    check_equal(len(keys), len(set(keys)), "figures that are there twice")
    return set(keys)


def all_figures(shell):
    """bench -j says every figure once, in its form."""
    line = shell.lines("bench -j", BENCH_SECONDS)
    check_equal(len(line), 1, f"lines of bench -j ({line[1:]})")
    check(JSON.fullmatch(line[0]), f"bench -j printed {line[0]!r}")
    figures = shell.json("bench -j")
    check_equal(keys_of(figures), FIGURES, "the figures of bench -j")
    for figure in figures:
        check(0 < figure["min"] <= figure["median"], f"{figure}: not 0 < min <= median")


def csv_lines(shell):
    """bench -c prints nothing but a line for each figure."""
    keys = []
    for line in shell.lines("bench -c", BENCH_SECONDS):
        match = CSV.fullmatch(line)
        check(match, f"bench -c printed {line!r}")
        name, param, n_operations, n_ticks = match.group(1), *(int(match.group(i)) for i in (2, 3, 4))
        check(n_ticks / n_operations >= float(match.group(5)) - 0.01, f"{line!r}: a mean below the least")
        keys.append((name, param))
    check_equal(sorted(keys), sorted(FIGURES), "the figures of bench -c")


def sums(shell):
    """mixed_server computes what it must."""
    check_in(SUMS, shell.lines("bench mixed_server"), "bench mixed_server")


def targets(shell):
    """What meets its target goes on meeting it."""
    found = {(figure["name"], figure["param"]): figure["median"] for figure in shell.json("bench -j")}
    slow = [f"{name} {param}: {found[name, param]} instructions, not {most}"
            for (name, param), most in HOLD.items() if found[name, param] > most]
    check(not slow, "; ".join(slow))


def twice_the_same(shell):
    """Where instructions are counted, two runs of a pair agree to the last digit."""
    for name in ["kmalloc_pair", "frame_pair", "page_pair"]:
        check_equal(shell.json(f"bench -j {name}"), shell.json(f"bench -j {name}"), name)


def memory_is_back(shell):
    """After all benches mm_stat is what it was before, and all invariants hold."""
    shell.ok("shrink")
    before = shell.stat()
    shell.lines("bench", BENCH_SECONDS)
    shell.ok("shrink")
    check_equal(shell.stat(), before, "mm_stat")
    shell.ok("check")


def counted(suite, module):
    """In the machine that counts instructions."""
    with Machine(machine="pc", mem="2G", vga="none", extra=(*ICOUNT, "-initrd", module)) as machine:
        shell = machine.start_shell()
        suite.run("bench_json_has_every_figure_once", all_figures, shell)
        suite.run("bench_csv_has_every_figure_once", csv_lines, shell)
        suite.run("bench_mixed_server_computes_the_right_sums", sums, shell)
        suite.run("bench_figures_are_the_same_twice", twice_the_same, shell)
        suite.run("bench_replay_is_shown_beside_linux", beside_linux, shell)
        suite.run("bench_targets_that_held_still_hold", targets, shell)
        suite.run("bench_leaves_memory_as_it_was", memory_is_back, shell)


def beside_linux(shell):
    """The trace that Linux was given is shown beside Linux."""
    lines = shell.lines("replay", BENCH_SECONDS)
    check(lines[0].startswith("ticks an operation") and " 157 " in lines[2] and "target 14150" in lines[-1],
          f"replay printed {lines}")


def not_beside_linux(shell):
    """Another trace is played, and not compared with what Linux takes for its own."""
    lines = shell.lines("replay", BENCH_SECONDS)
    check_equal([line.split()[0] for line in lines[1:]],
                ["replay_dry", "replay", "replay:", "replay_2nd", "replay_2nd:"], "replay")
    for word in ["157", "over", "ok", "goal", "target 14150"]:
        check(not any(re.search(rf"\b{word}\b", line) for line in lines[1:]), f"replay printed {word!r}: {lines}")


def unplayable(shell):
    """What is wrong with a trace is said, and nothing else is printed."""
    for line in ["replay", "replay -j", "replay -c", "bench -j replay"]:
        text = shell.one(line)
        check("event 2047 of the trace: an order above 10" in text, f"{line} printed {text!r}")


def too_short(shell):
    """A trace without two whole samples has no figures: an error, not an empty table."""
    for line in ["replay", "replay -j"]:
        check_in("fewer than 2048 events", shell.one(line), line)


def traces(suite):
    """Traces of our own."""
    pairs = [(i % 2, 0, 64) for i in range(2047)]
    for name, module, test in [
            ("of_another_machine_is_not_compared", own_module("other", [*pairs, (1, 0, 0)]), not_beside_linux),
            ("that_is_wrong_is_refused_with_the_reason", own_module("wrong", [*pairs, (2, 0, 11)]), unplayable),
            ("that_is_too_short_is_refused", own_module("short", pairs), too_short)]:
        with Machine(boot="pvh", machine="pc", mem="64M", vga="none", cmdline="console=serial",
                     extra=(*ICOUNT, "-initrd", module)) as machine:
            suite.run(f"bench_trace_{name}", test, machine.start_shell())


def no_trace(shell):
    """Without a trace the benches do without replay, and replay says why it cannot."""
    figures = shell.json("bench -j")
    check_equal(keys_of(figures), {key for key in FIGURES if not key[0].startswith("replay")}, "the figures")
    check_in("KTRC", shell.error("replay"), "replay without a module")


def some(shell):
    """A name, or its beginning, runs what is called so; another is an error."""
    check_equal(keys_of(shell.json("bench -j frame_pair")), {("frame_pair", 0), ("frame_pair", 3)}, "frame_pair")
    check_equal(keys_of(shell.json("bench -j map2m_unmap")), {("map2m_map", MIB_64), ("map2m_unmap", MIB_64)},
                "map2m_unmap")
    check_in("kmalloc_pair", shell.error("bench kmaloc_pair"), "a mistyped name")
    shell.error("bench -f 100")
    shell.error("bench churn 0")
    for line in ["bench memory -j", "bench memory -c", "bench memory -f 50", "bench churn -j"]:
        check_in("has no -c, -j or -f", shell.error(line), line)
    for line in ["bench -c -j mm_stat", "replay -j -c"]:
        check_in("two forms", shell.one(line), line)


def nearly_full(shell):
    """On a machine that is nearly full, too, everything is given back."""
    before = shell.stat()
    for percent in [10, 90]:
        for name in ["kmalloc_pair", "frame_pair", "batch_random", "map4k"]:
            check(shell.json(f"bench -j -f {percent} {name}"), f"bench -f {percent} {name} has no figures")
    lines = shell.lines("bench -f 99 mm_stat")
    check(re.fullmatch(r"\d+ of \d+ MiB are free, \d+ of them in ZONE_DMA, which is not filled", lines[0]), f"{lines}")
    check_equal(shell.stat(), before, "mm_stat")
    shell.ok("check")


def alone(shell):
    """Where the clock does not count instructions, it says so, and nothing is held against Linux or a target."""
    lines = shell.lines("bench frame_pair")
    check("ticks of the host's clock" in lines[0], f"bench printed {lines}")
    check_equal([len(line.split()) for line in lines[2:]], [3, 3], f"words a row of {lines}")


def churn(shell):
    """After churn at least 90 % of the free memory lies in whole pages."""
    before = shell.stat()
    for seed in ["", " 1", " 0x123456789abcdef"]:
        lines = shell.lines("bench churn" + seed, BENCH_SECONDS)
        match = next((match for line in lines if (match := CHURNED.match(line))), None)
        check(match, f"bench churn{seed} printed {lines}")
        check(float(match.group(1)) >= 90, f"bench churn{seed}: {match.group(0)}")
    check_equal(shell.stat(), before, "mm_stat")


def interrupted(shell):
    """Ctrl-C ends a bench, and what it took is given back."""
    before = shell.stat()
    shell.send("bench churn\r")
    shell.expect(["filled"], BENCH_SECONDS, "bench churn")
    check_in("error: interrupted", shell.interrupt(), "after Ctrl-C")
    check_equal(shell.stat(), before, "mm_stat")
    shell.ok("check")


def ordinary(suite):
    """In an ordinary machine."""
    with Machine(mem="512M") as machine:
        shell = machine.start_shell()
        suite.run("bench_without_a_trace_leaves_replay_out", no_trace, shell)
        suite.run("bench_runs_what_is_named", some, shell)
        suite.run("bench_of_a_host's_clock_is_not_compared", alone, shell)
        suite.run("bench_on_a_nearly_full_machine_gives_everything_back", nearly_full, shell)
        suite.run("bench_churn_leaves_whole_pages", churn, shell)
        suite.run("bench_is_ended_by_ctrl_c", interrupted, shell)


def report_of_memory():
    """scripts/bench's table of memory asks for 4 TiB, and says of each machine whether it meets its targets."""
    check("4T" in [size[0] for size in bench_machine.SIZES], "no machine of 4 TiB")
    for setup, share, taken, verdict in [
            ((1, 0.5), (0.1, None), (5, 9), "**over**"), ((0.4, 0.5), (0.1, 0.01), (5, None), "**over**"),
            ((1, None), (0.1, None), (10, 9), "**over**"), ((0.5, 0.5), (0.1, None), (9, 9), "ok"),
            ((1, None), (0.1, None), (5, None), "")]:
        row = bench_machine.memory_row("1G", setup, share, taken)
        check_equal(row.split("|")[-2].strip(), verdict, row)


def small(suite):
    """In machines that have no room for everything: an error where there is none, never more than that."""
    for mem in ["16M", "64M"]:
        with Machine(machine="pc", mem=mem, cpu="core2duo") as machine:
            suite.run(f"bench_in_{mem}_gives_everything_back", memory_is_back, machine.start_shell())


def main():
    suite = Suite(__doc__)
    require_qemu()
    counted(suite, trace_module())
    traces(suite)
    ordinary(suite)
    suite.run("bench_report_of_memory_has_verdicts", report_of_memory)
    if suite.full:
        small(suite)
    suite.finish()


if __name__ == "__main__":
    main()
