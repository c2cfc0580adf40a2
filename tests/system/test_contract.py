#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What scripts rely on: the prompt, the echo, Enter and Ctrl-C; the JSON; the forms of what commands print.

One machine with 512 MiB; each test leaves it as it found it.
"""
import re
import time

from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal
from lib.shell import CTRL_C, EOL, PROMPT, address

MIB = 1 << 20
RAM_BYTES = 512 * MIB
STAT_FIELDS = ["total", "used", "free", "shared", "cache_used", "cache_free", "available"]
ZONES = ["DMA", "NORMAL", "UNMAPPED"]
CLASSES = [32 << i for i in range(16)]
SPECIAL = 0xffffa00000000000
LINES_THAT_LOOK = [
    "help", "help mm_stat", "help map", "help selftest", "mm_stat", "mm_stat -h", "free", "zones", "zones -h",
    "buddy", "slabs", "slabs -h", "memmap", "frag", "page 0x1000000", "page 0", "vtop 0xffff800000000000",
    "vtop 0", "ptdump", "peek kernel_main", "xp 0x7c00", "whatis 0x1000000", "whatis kernel_main",
    "whatis 0xfee00000", "history", "log", "about", "time check", "pt list", "xp 0xfee00000",
    "find kernel_main 4K 0x5b7b5b7b",
]


# ---- prompt, echo, Enter, Ctrl-C ----

def nothing_follows_the_prompt(shell):
    shell.lines("about")
    check_equal(shell.drain(0.5), "", "after the prompt")


def an_empty_line_gives_the_prompt_again(shell):
    check_equal(shell.lines(""), [], "output of an empty line")
    check_equal(shell.lines("   "), [], "output of blanks")


def enter_is_cr_or_lf_or_crlf(shell):
    for enter in ("\r", "\n", "\r\n"):
        shell.send("check" + enter)
        shell.wait_prompt(what=f"Enter as {enter!r}")
        check_equal(shell.before, "check" + EOL + "ok", f"Enter as {enter!r}")
        check_equal(shell.drain(0.3), "", f"after the prompt, Enter as {enter!r}")


def lines_sent_at_once_run_one_after_another(shell):
    for enter in ("\r", "\n", "\r\n"):
        shell.send(("check" + enter) * 20)
        for _ in range(20):
            shell.wait_prompt()
            check_equal(shell.before, "check" + EOL + "ok", f"one of many lines, Enter as {enter!r}")
        check_equal(shell.drain(0.3), "", "after the last of many lines")


def a_long_line_is_echoed_as_typed(shell):
    line = "kmalloc " + "0" * 300 + "64"
    shell.lines(line)
    shell.ok("kfree $$")


def ctrl_c_drops_the_line(shell):
    shell.send("kmalloc 64")
    text = shell.interrupt()
    check(text.startswith("kmalloc 64"), f"the dropped line was echoed as {text!r}")
    check("0x" not in text and "error" not in text, f"the dropped line did something: {text!r}")
    check_equal(shell.lines("check"), ["ok"], "the next line")


def ctrl_c_stops_a_command(shell):
    for line in ("watch 1 mm_stat", "mm_stat -w 1", "repeat 1000000000 check",
                 "find 0xffff800001000000 256M 0x123456789"):
        shell.send(line + "\r")
        time.sleep(0.4)
        start = time.monotonic()
        shell.interrupt()
        check(time.monotonic() - start < 5, f"Ctrl-C did not stop {line!r} soon")
        check_equal(shell.lines("check"), ["ok"], f"after {line!r} was stopped")


def ctrl_c_frees_what_the_command_took(shell):
    for line in ("repeat 1000000000 kmalloc 100", "repeat 1000000000 \"kmalloc 5000; watch 1 mm_stat\""):
        before = shell.stat()
        shell.send(line + "\r")
        shell.expect(["0x"], 20, f"the first address of {line!r}")
        time.sleep(0.2)
        shell.interrupt()
        after = shell.stat()
        check_equal(after["cache_used"], before["cache_used"], f"live objects after {line!r} was stopped")


def ctrl_c_frees_pages(shell):
    before = shell.json("zones -j")
    shell.send("repeat 1000000000 \"alloc_pages normal 3 shared; watch 1 check\"\r")
    shell.expect(["0x"], 20, "the first pages")
    shell.interrupt()
    shell.ok("shrink")
    check_equal(shell.stat()["shared"], 0, "shared pages after Ctrl-C")
    used = {zone["name"]: zone["used"] for zone in shell.json("zones -j")}
    for zone in before:
        check(used[zone["name"]] <= zone["used"], f"{zone['name']} keeps pages after Ctrl-C: {used} from {before}")


def ctrl_c_types_ahead(shell):
    shell.send(CTRL_C)
    shell.wait_prompt()
    shell.send("watch 1 check\r" + CTRL_C)
    shell.expect([EOL + PROMPT], 20, "Ctrl-C right behind a line")
    shell.drain(1.2)
    shell.send("\r")
    shell.wait_prompt()


# ---- JSON ----

def json_mm_stat(shell):
    stat = shell.stat()
    check_equal(list(stat), STAT_FIELDS, "the keys of mm_stat -j")
    check_equal(list(shell.json("free -j")), STAT_FIELDS, "the keys of free -j")
    check(all(isinstance(value, int) for value in stat.values()), f"values that are no integers: {stat}")


def json_zones(shell):
    zones, stat = shell.json("zones -j"), shell.stat()
    check_equal([zone["name"] for zone in zones], ZONES, "the zones")
    for zone in zones:
        check_equal(zone["managed"], zone["free"] + zone["used"], f"managed of {zone['name']}")
    check_equal(sum(zone["managed"] for zone in zones), stat["total"], "the sum of managed")
    check_equal(sum(zone["free"] for zone in zones), stat["free"], "the sum of free")


def json_buddy(shell):
    shell.ok("kfree " + hex(shell.kmalloc(4096)))           # so that some frames are in a CPU's stack
    zones = {zone["name"]: zone for zone in shell.json("zones -j")}
    buddy = shell.json("buddy -j")
    check_equal([zone["name"] for zone in buddy], ZONES, "the zones")
    for zone in buddy:
        blocks = sum(n * (4096 << order) for order, n in enumerate(zone["free_blocks"]))
        check_equal(blocks + zone["cached"], zones[zone["name"]]["free"], f"blocks + cached of {zone['name']}")


def json_slabs(shell):
    live = [shell.kmalloc(size) for size in (1, 33, 4096, 70000, 1 << 20)]
    slabs, stat = shell.json("slabs -j"), shell.stat()
    check_equal([slab["size"] for slab in slabs], CLASSES, "the classes")
    check(all("slabs" in slab for slab in slabs), f"no key 'slabs': {slabs}")
    check_equal(sum(slab["size"] * slab["live"] for slab in slabs), stat["cache_used"], "the sum of size * live")
    check_equal(sum(slab["size"] * (slab["objects"] - slab["live"]) for slab in slabs), stat["cache_free"],
                "the sum of size * (objects - live)")
    for at in live:
        shell.ok(f"kfree {at:#x}")


def json_memmap_and_frag(shell):
    shell.json("memmap -j")
    shell.json("frag -j")


def only_json_begins_like_json(shell):
    for line in LINES_THAT_LOOK:
        for output in shell.lines(line, timeout=120):
            check(not output.startswith(("[", "{")), f"{line}: the line {output!r} begins like JSON")
    for output in shell.before.split(EOL):
        check(not output.startswith(("[", "{")), f"the line {output!r} begins like JSON")


def the_terminal_is_never_queried(shell):
    text = shell.transcript()
    queries = ("\x1b[6n", "\x1b[5n", "\x1b[c", "\x1b[0c", "\x1b[>c", "\x1bZ", "\x05")
    queries = [query for query in queries if query in text]
    check(not queries, f"the terminal was asked {queries}")


# ---- numbers that are judged ----

def the_numbers_at_boot(shell):
    stat = shell.stat()
    check(RAM_BYTES - MIB <= stat["total"] <= RAM_BYTES,
          f"total {stat['total']} is not within 1 MiB of {RAM_BYTES}")
    check(stat["free"] >= stat["total"] - 8 * MIB,
          f"free {stat['free']} is less than total - 8 MiB of {stat['total']}")


# ---- what allocation commands print ----

def kmalloc_and_kfree(shell):
    before = shell.stat()
    for command in ("kmalloc", "kzalloc"):
        for size in (0, 1, 80, 4096, 1 << 20):
            at = shell.kmalloc(size, command)
            check_equal(shell.lines(f"kfree {at:#x}"), ["ok"], "kfree")
        shell.error(f"{command} {(1 << 20) + 1}")
    shell.error("kfree 0x1234")
    at = shell.kmalloc(64)
    shell.ok(f"kfree {at:#x}")
    report = shell.lines(f"kfree {at:#x}")
    check(len(report) > 1, f"a double kfree is not reported: {report}")
    check(report[0].startswith(f"mm: bad kfree({at:#x}): "), f"the report of a double kfree: {report}")
    check(report[-1].startswith("error: "), f"the end of a double kfree: {report}")
    check_equal(shell.ok("kfree 0"), [], "kfree of nothing")
    check_equal(shell.stat()["cache_used"], before["cache_used"], "live objects")


def alloc_pages_and_free_pages(shell):
    for zone in ("dma", "normal", "unmapped"):
        for n_pages in (1, 2):
            at = shell.alloc_pages(zone, n_pages)
            check_equal(at % (2 * MIB), 0, f"the alignment of {at:#x}")
            check_equal(shell.lines(f"free_pages {at:#x} {n_pages}"), ["ok"], "free_pages")
            shell.error(f"free_pages {at:#x} {n_pages}")
        for wrong in ("0", "64", "-1", "1000"):
            shell.error(f"alloc_pages {zone} {wrong}")
    for zone in ("3", "0", "8", "high"):
        shell.error(f"alloc_pages {zone} 1")


def shrink_and_check(shell):
    shell.ok("shrink")
    shell.ok("check")


def stress_ends_in_ok(shell):
    shell.ok("stress 1 7", timeout=60)


# ---- mapping ----

def map_vtop_unmap(shell):
    frame = shell.alloc_pages("normal", 1)
    at = SPECIAL + 0x123000
    check_equal(shell.lines(f"vtop {at:#x}")[-1], f"{at:#x} not mapped", "vtop before")
    check_equal(shell.lines(f"map {at:#x} {frame:#x} 8K"), ["ok"], "map")
    last = shell.lines(f"vtop {at + 0x1abc:#x}")[-1]
    match = re.fullmatch(r"(0x[0-9a-f]+) -> (0x[0-9a-f]+) (4K|2M|1G) (\S.*)", last)
    check(match, f"the last line of vtop: {last!r}")
    check_equal(address(match[1]), at + 0x1abc, "the address of vtop")
    check_equal(address(match[2]), frame + 0x1abc, "vtop of that very byte")
    check_equal(match[3], "4K", "the leaf of vtop")
    refused = shell.error(f"map {at:#x} {frame + 4096:#x} 4K")
    check(refused.startswith("EFAULT"), f"a refused map: {refused!r}")
    check_equal(shell.lines(f"unmap {at:#x} 8K"), ["ok"], "unmap")
    check_equal(shell.lines(f"vtop {at:#x}")[-1], f"{at:#x} not mapped", "vtop after")
    check_equal(shell.lines(f"unmap {at:#x} 8K"), ["ok"], "unmap of a hole")
    shell.error("unmap 0xffff800000000000 4K")
    shell.ok(f"free_pages {frame:#x} 1")


def vtop_names_the_leaf(shell):
    at = SPECIAL + (1 << 39)
    for length, size in (("4K", "4K"), ("2M", "2M"), ("1G", "1G")):
        shell.ok(f"map {at:#x} 0x8000000000 {length} nx uc")
        words = shell.lines(f"vtop {at + 5:#x}")[-1].split(" ")
        check_equal(words[:4], [f"{at + 5:#x}", "->", "0x8000000005", size], f"vtop in a mapping of {length}")
        shell.ok(f"unmap {at:#x} {length}")


def pt_commands_end_in_ok(shell):
    table = address(shell.one("pt new"))
    shell.ok(f"pt map {table:#x} 0x400000 0x8000000000 4K user")
    shell.error(f"pt map {table:#x} 0x400000 0x8000001000 4K user")
    check_equal(shell.lines(f"vtop 0x400123 {table:#x}")[-1].split(" ")[:4],
                ["0x400123", "->", "0x8000000123", "4K"],
                "vtop in another table")
    shell.ok(f"pt unmap {table:#x} 0x400000 4K")
    shell.ok(f"pt free {table:#x}")
    shell.error(f"pt free {table:#x}")


TESTS = [
    the_numbers_at_boot, nothing_follows_the_prompt, an_empty_line_gives_the_prompt_again,
    enter_is_cr_or_lf_or_crlf, lines_sent_at_once_run_one_after_another, a_long_line_is_echoed_as_typed,
    ctrl_c_drops_the_line, ctrl_c_stops_a_command, ctrl_c_frees_what_the_command_took, ctrl_c_frees_pages,
    ctrl_c_types_ahead, json_mm_stat, json_zones, json_buddy, json_slabs, json_memmap_and_frag,
    kmalloc_and_kfree, alloc_pages_and_free_pages, shrink_and_check, stress_ends_in_ok, map_vtop_unmap,
    vtop_names_the_leaf, pt_commands_end_in_ok, only_json_begins_like_json, the_terminal_is_never_queried,
]


def main():
    suite = Suite(__doc__)
    require_qemu()
    with Machine(boot="pvh", mem="512M") as machine:
        shell = machine.start_shell()
        for test in TESTS:
            suite.run(test.__name__, test, shell)
    suite.finish()


if __name__ == "__main__":
    main()
