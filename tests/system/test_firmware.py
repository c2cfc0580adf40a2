#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Firmware's memory maps, booted: those of machines out there, and such as no machine should have.

Each map of tests/maps, and of ../shared/maps where that is there, is cut to the RAM that QEMU has, and the kernel is
started with it by a loader of our own (lib/firmware.py), by Multiboot2 or PVH in turn.  It comes to its shell with exactly
the usable bytes that tessera-map finds in the map, is sound, and passes a few of its own tests; or, when the map leaves
no room for it, says so on the serial line and on the screen, and does what panic= says.
"""
import glob
import json
import os
import random
import re
import struct
import time

from lib import firmware, images
from lib.firmware import GIB, USABLE, Loader
from lib.machine import EXIT_OK, Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in

MIB = 1 << 20
EXIT_PANIC = 67                         # the debug-exit port's value 0x21
SELFTESTS = ("pages", "frames", "map", "misuse")
COMMANDS = ["mm_stat -j", "check", *(f"selftest {name}" for name in SELFTESTS), "shrink", "check", "mm_stat -j", "exit"]
CMDLINE = 'console=serial panic=exit "autorun=' + "; ".join(COMMANDS) + '"'
ENOUGH = 16 * MIB                       # that much below 4 GiB is certainly room for the kernel and its tables
MAPS = ("tests/maps", "../shared/maps/own", "../shared/maps/field")
QUICK = ("real-bochs-32m", "torture-shuffled", "hostile-kernel-reserved", "hostile-sieve")
REFUSED = "panic: memory: "
VGA_TEXT, VGA_ROWS, VGA_COLUMNS = 0xb8000, 25, 80
SCREEN_SECONDS = 60
MANY_SECONDS = 20                       # for a whole machine with 40000 entries; it takes less than 1


def maps(full):
    """{name: path}; each once."""
    found = {}
    for folder in MAPS:
        for path in sorted(glob.glob(os.path.join(images.TOP, folder, "*.map"))):
            found.setdefault(os.path.basename(path)[:-len(".map")], path)
    return found if full else {name: found[name] for name in QUICK}


def covers(ranges, start, end):
    """Whether one of the ranges holds all of [start, end)."""
    return any(first <= start and end <= last for first, last in ranges)


def room_below_4g(ranges, image_end):
    return sum(max(0, min(end, 4 * GIB) - max(start, image_end)) for start, end in ranges)


def stats(output):
    return [json.loads(line) for line in output.split("\n") if line.startswith('{"total"')]


def judge_started(output, ranges):
    """What the autorun commands printed."""
    first, last = stats(output)[0], stats(output)[-1]
    total = sum(end - start for start, end in ranges)
    check_equal(first["total"], total, "total, against the usable bytes of the map")
    for stat in (first, last):
        check_equal(stat["total"], stat["used"] + stat["free"], "used + free")
        check_equal(stat["available"], stat["free"] + stat["cache_free"], "free + cache_free")
    check_equal(last, first, "mm_stat after the tests and shrink")
    check_equal(len(re.findall(r"^autorun: check\nok$", output, re.M)), 2, "checks that say ok")
    check_equal(len(re.findall(r"^# selftest: [1-9]\d* passed, 0 failed$", output, re.M)), len(SELFTESTS), "good selftests")
    check("panic" not in output and "not ok" not in output, "there is a panic or a failed test in the output")


def judge_refused(status, output):
    """A start that ended in words."""
    check_equal(status, EXIT_PANIC, "exit status of a start that must end in a message")
    check_in(REFUSED, output, "serial output")
    check("panic during panic" not in output, "the panic failed")


def boots_or_says_why(loader, kind, path):
    """One map."""
    entries = firmware.cut(firmware.read_map(path))
    ranges = firmware.usable_ranges(entries)
    start, end = loader.kernel.range()
    has_place = covers(ranges, start, end)
    must_start = has_place and room_below_4g(ranges, end) >= ENOUGH
    status, output = loader.run(kind, firmware.INFORMATION[kind](entries, CMDLINE))
    try:
        check(not must_start or status == EXIT_OK, f"there is room, and the exit status is {status}")
        check(has_place or status != EXIT_OK, "it started where the map has no place for it")
        if status == EXIT_OK:
            judge_started(output, ranges)
        else:
            judge_refused(status, output)
    except Exception:
        print("\n".join("    | " + line for line in output.split("\n")[-60:]))
        raise


# ---- maps of any length ----

def forty_thousand_entries(loader):
    """Shuffled, overlapping, of all types, most of them no whole frames: a start takes a second, not a day."""
    generator = random.Random(40000)
    entries = [(0, 0x9f000, USABLE), (MIB, 63 * MIB, USABLE)]
    while len(entries) < 40000:
        base = generator.randrange(64 * MIB, 3 * GIB - 2 * MIB)
        length = generator.randrange(1, 1 << generator.randrange(4, 18))
        entries.append((base, min(length, 3 * GIB - 2 * MIB - base), generator.choice((1, 1, 1, 1, 2, 3, 4, 5, 7))))
    generator.shuffle(entries)
    begin = time.monotonic()
    status, output = loader.run("multiboot2", firmware.multiboot2_information(
        entries, 'console=serial panic=exit "autorun=mm_stat -j; check; exit"'))
    took = time.monotonic() - begin
    check_equal(status, EXIT_OK, f"exit status; the output ends with {output[-1000:]!r}")
    total = sum(end - start for start, end in firmware.usable_ranges(entries))
    check_equal(stats(output)[0]["total"], total, "total, against the usable bytes of the map")
    check_in("autorun: check\nok\n", output, "output")
    check(took < MANY_SECONDS, f"the machine took {took:.0f} s")


# ---- refusals that a person sees ----

def vga_text(machine):
    """The characters of the VGA text screen, without blanks: its rows break lines anywhere."""
    cells = machine.physical(VGA_TEXT, 2 * VGA_ROWS * VGA_COLUMNS)[::2].decode("latin-1")
    return "".join(cells.split())


def refusal_is_on_the_screen(loader, entries, words):
    """panic=shell, the default: the words are on both faces, and the panic shell answers."""
    information = firmware.multiboot2_information(entries, "")
    with Machine(boot="pvh", machine="pc", mem=firmware.RAM_SIZE, medium_arguments=loader.arguments("multiboot2", information)) \
            as machine:
        machine.shell.expect(["panic> "], machine.boot_seconds(), "the panic shell")
        said = machine.shell.before
        check_in(words, said, "serial output")
        check_in("".join(words.split()), vga_text(machine), "VGA text")
        machine.shell.send("memmap\r")
        machine.shell.expect(["panic> "], SCREEN_SECONDS, "an answer in the panic shell")


def no_usable_entry_at_all(loader):
    refusal_is_on_the_screen(loader, [(0, 4 * GIB, 2)], "no room for the kernel at 0x100000-")


def no_entry_at_all(loader):
    refusal_is_on_the_screen(loader, [], "the loader gave no memory map")


def kernel_in_a_reserved_range(loader):
    refusal_is_on_the_screen(loader, [(0, 512 * MIB, 1), (0x123000, 1, 4)], "0x123000 is ACPI NVS (type 4)")


def no_room_for_tables(loader):
    _, end = loader.kernel.range()
    end = (end + 0xfff) & ~0xfff
    refusal_is_on_the_screen(loader, [(0, end + 0x4000, 1)], "panic: memory: no ")


# ---- information that lies ----

GOOD_MAP = [(0, 0xa0000, 1), (0x100000, 511 * MIB, 1)]


def framebuffer(at, kind=1, pitch=4096, width=1024, height=768, bits=32):
    """The framebuffer tag."""
    colours = bytes([16, 8, 8, 8, 0, 8]) if kind == 1 else b""
    return firmware.tag(8, struct.pack("<QIIIBBH", at, pitch, width, height, bits, kind, 0) + colours)


def module(start, end):
    return firmware.tag(3, struct.pack("<II", start, end) + b"a lie\0")


LIES = {
    "a_screen_in_the_kernel": framebuffer(0x140000),
    "a_text_screen_in_the_kernel": framebuffer(0x140000, kind=2, pitch=160, width=80, height=25, bits=16),
    "a_text_screen_across_4_GiB": framebuffer(4 * GIB - 2000, kind=2, pitch=160, width=80, height=25, bits=16),
    "a_screen_in_RAM": framebuffer(0x8000000),
    "a_module_over_the_kernel": module(0x100000, 0x200000),
    "a_module_over_low_memory": module(0, 0x100000),
    "modules_over_each_other": module(0x2000000, 0x3000000) + module(0x2800000, 0x3800000),
    "an_RSDP_that_leads_nowhere": firmware.tag(14, b"RSD PTR " + b"\xbd" + b"LIARS \0" + struct.pack("<I", 0xfffffff0)),
    "sections_over_everything": firmware.tag(9, struct.pack("<IIII", 1, 64, 0, 0) +
                                             struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0x300000, 0, 0x10000000, 0, 0, 0, 0)),
}


def lie_is_survived(loader, more):
    """A start all the same, with all of the RAM, and sound."""
    status, output = loader.run("multiboot2", firmware.multiboot2_information(
        GOOD_MAP, 'console=both panic=exit "autorun=mm_stat -j; check; selftest frames; exit"', more))
    check_equal(status, EXIT_OK, f"exit status; the output ends with {output[-1000:]!r}")
    total = sum(length for _, length, kind in GOOD_MAP if kind == USABLE)
    check_equal(stats(output)[0]["total"], total, "total")
    check_in("autorun: check\nok\n", output, "output")


def main():
    suite = Suite(__doc__)
    require_qemu()
    loader = Loader()
    for number, (name, path) in enumerate(maps(suite.full).items()):
        kind = ("multiboot2", "pvh")[number % 2]
        suite.run(f"{name}_by_{kind}", boots_or_says_why, loader, kind, path)
    suite.run("forty_thousand_entries", forty_thousand_entries, loader)
    for test in (no_usable_entry_at_all, no_entry_at_all, kernel_in_a_reserved_range, no_room_for_tables):
        suite.run(test.__name__, test, loader)
    for name, more in LIES.items():
        if suite.full:
            suite.run(name, lie_is_survived, loader, more)
    suite.finish()


if __name__ == "__main__":
    main()
