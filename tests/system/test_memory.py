#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The memory calls from the shell: each size class, each zone, each wrong free, mappings across every border, and
memory that runs out.  Whatever a test takes it gives back, and then memory must be as it was, byte for byte."""
import json
import random

from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal
from lib.shell import address

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
FRAME, PAGE = 4 * KIB, 2 * MIB
PAGE_OFFSET = 0xffff800000000000
SPECIAL = 0xffffa00000000000
DEVICE = 0x8000000000                   # no RAM there; aligned to 512 GiB
CLASSES = [32 << i for i in range(16)]
ONE_LINE = 20                           # commands that are typed as one line


class Memory:
    """A shell, and what several tests do with it."""

    def __init__(self, shell, full):
        self.shell = shell
        self.full = full
        shell.ok("shrink")
        self.before = shell.one("mm_stat -j")

    def as_before(self):
        """Everything was given back."""
        self.shell.ok("check")
        self.shell.ok("shrink")
        check_equal(self.shell.one("mm_stat -j"), self.before, "mm_stat -j after everything was given back")

    def all_ok(self, lines):
        """Runs many commands that print nothing but `ok`."""
        lines = list(lines)
        for i in range(0, len(lines), ONE_LINE):
            part = lines[i:i + ONE_LINE]
            check_equal(self.shell.lines("; ".join(part)), ["ok"] * len(part),
                        f"{part[0]} and {len(part) - 1} more")

    def unchanged(self, lines, reported=False):
        """Runs commands that must all be refused, with a report if they are misuse, and change nothing."""
        stat = self.shell.one("mm_stat -j")
        for line in lines:
            output = self.shell.lines(line)
            check(output[-1].startswith("error: "), f"{line} should be refused: {output}")
            check(not reported or any(text.startswith("mm: bad ") for text in output),
                  f"{line} is not reported: {output}")
            check_equal(self.shell.one("mm_stat -j"), stat, f"mm_stat -j after the refused {line}")
        self.shell.ok("check")

    def word(self, command):
        """The eight bytes that a command shows, as a number."""
        shown = self.shell.one(command).split(":")[1].split("|")[0].split()
        return int("".join(reversed(shown)), 16)

    def maps_to(self, virt, phys, size=None):
        """vtop agrees."""
        words = self.shell.lines(f"vtop {virt:#x}")[-1].split(" ")
        check_equal(words[:3], [f"{virt:#x}", "->", f"{phys:#x}"], f"vtop {virt:#x}")
        if size:
            check_equal(words[3], size, f"the leaf at {virt:#x}")

    def not_mapped(self, virt):
        """vtop agrees."""
        check_equal(self.shell.lines(f"vtop {virt:#x}")[-1], f"{virt:#x} not mapped", f"vtop {virt:#x}")


# ---- objects ----

def a_thousand_objects_of_each_class(memory):
    """Aligned to their class, distinct, and what is written into one stays there."""
    shell, n = memory.shell, 1000 if memory.full else 100
    live = {}
    for size in CLASSES:
        count = n if memory.full or size < MIB else 20
        for line in shell.lines(f"repeat {count} kmalloc {size}"):
            at = address(line)
            check_equal(at % size, 0, f"{at:#x} modulo its class {size}")
            check(at not in live, f"{at:#x} was given twice")
            live[at] = size
    end = 0
    for at, size in sorted(live.items()):
        check(at >= end, f"the object {at:#x} of {size} bytes lies in the one before it, which ends at {end:#x}")
        end = at + size
    some = random.Random(1).sample(sorted(live), 200)
    memory.all_ok(line for at in some for line in (f"poke {at:#x} {at:#x}",
                                                   f"poke {at + live[at] - 8:#x} {at + 1:#x}"))
    for at in some:
        check_equal(memory.word(f"peek {at:#x} 8"), at, f"the content of {at:#x}")
        check_equal(memory.word(f"peek {at + live[at] - 8:#x} 8"), at + 1, f"the end of the content of {at:#x}")
    order = list(live)
    random.Random(2).shuffle(order)
    memory.all_ok(f"kfree {at:#x}" for at in order)
    memory.as_before()


def sizes_at_the_edges(memory):
    shell = memory.shell
    for size, aligned in ((0, 32), (1, 32), (33, 64), (80, 128), (4097, 8192), (32768, 32768), (MIB - 1, MIB),
                          (MIB, MIB)):
        at = shell.kmalloc(size)
        check_equal(at % aligned, 0, f"the alignment of kmalloc {size}")
        check_equal(shell.stat()["cache_used"] - json.loads(memory.before)["cache_used"], aligned,
                    f"bytes of kmalloc {size}")
        shell.ok(f"kfree {at:#x}")
    memory.unchanged([f"kmalloc {MIB + 1}", f"kzalloc {MIB + 1}", "kmalloc 1G", "kmalloc 0xffffffffffffffff"])
    memory.as_before()


def kzalloc_clears_all_of_it(memory):
    shell = memory.shell
    for size in (32, 100, 4096, 65536):
        dirty = [shell.kmalloc(size) for _ in range(4)]
        memory.all_ok(f"fill {at:#x} {size} 0xff" for at in dirty)
        memory.all_ok(f"kfree {at:#x}" for at in dirty)
        at = shell.kmalloc(size, "kzalloc")
        whole = 1 << (size - 1).bit_length()
        found = shell.lines(f"find {at:#x} {whole} 0xff")
        check_equal(found[-1], "0 found", f"bytes that are not cleared in kzalloc {size}")
        shell.ok(f"kfree {at:#x}")
    memory.as_before()


def every_wrong_kfree(memory):
    shell = memory.shell
    at, page = shell.kmalloc(4096), shell.alloc_pages("normal", 1)
    freed = shell.kmalloc(64)
    shell.ok(f"kfree {freed:#x}")
    free_frame = PAGE_OFFSET + page - FRAME if "free frame" in shell.text(f"whatis {page - FRAME:#x}") else None
    wrong = {
        "double": freed, "interior": at + 64, "last byte": at + 4095, "unaligned": at + 1, "user": 0x400000,
        "one": 1, "not canonical": 0x800000000000, "not canonical either": 1 << 63,
        "the kernel": 0xffffffff80101000, "the kernel's alias": PAGE_OFFSET + 0x101000,
        "a page of alloc_pages": PAGE_OFFSET + page, "inside a page": PAGE_OFFSET + page + FRAME,
        "low memory": PAGE_OFFSET + 0x7000, "past RAM": PAGE_OFFSET + 100 * GIB, "special": SPECIAL,
        "the very end": (1 << 64) - 1,
    }
    if free_frame:
        wrong["a free frame"] = free_frame
    memory.unchanged([f"kfree {value:#x}" for value in wrong.values()], reported=True)
    shell.ok(f"kfree {at:#x}")
    memory.unchanged([f"kfree {at:#x}"], reported=True)
    shell.ok(f"free_pages {page:#x} 1")
    memory.as_before()


# ---- pages ----

def pages_of_each_zone(memory):
    shell = memory.shell
    for zone in ("dma", "normal", "unmapped"):
        for n_pages in (1, 2, 63):
            if (zone, n_pages) == ("dma", 63):
                memory.unchanged(["alloc_pages dma 63"])
                continue
            at = shell.alloc_pages(zone, n_pages)
            mapped = shell.lines(f"vtop {PAGE_OFFSET + at:#x}")[-1].split(" ")[1] == "->"
            check_equal(mapped, zone != "unmapped", f"whether a page of {zone} is in the direct map")
            shell.ok(f"free_pages {at:#x} {n_pages}")
        memory.unchanged([f"alloc_pages {zone} {n}" for n in (0, 64, -1, -2147483648, 2147483647)])
    memory.unchanged(["alloc_pages 3 1", "alloc_pages 0 1", "alloc_pages 8 1", "alloc_pages 0xffffffff 1"])
    memory.as_before()


def until_empty_and_back(memory):
    shell = memory.shell
    for zone in ("dma", "unmapped", "normal"):
        taken = []
        for n_pages in (63, 16, 1):
            output = shell.lines(f"repeat 100000 alloc_pages {zone} {n_pages}")
            check(output[-1].startswith("error: "), f"alloc_pages {zone} never ends: {output[-1]}")
            taken += [line.split(" ") for line in output if line.startswith("0x")]
        check(taken, f"no page in {zone}")
        ends = sorted((address(at), address(at) + int(n) * PAGE) for at, n in taken)
        for (_, end), (start, _) in zip(ends, ends[1:]):
            check(end <= start, f"pages of {zone} at {start:#x} were given twice")
        memory.unchanged([f"alloc_pages {zone} 1"])
        random.Random(3).shuffle(taken)
        memory.all_ok(f"free_pages {at} {n}" for at, n in taken)
        memory.as_before()


def parts_and_neighbours(memory):
    shell = memory.shell
    at = shell.alloc_pages("normal", 8, "shared")
    check_equal(shell.stat()["shared"], 8 * PAGE, "shared bytes")
    shell.ok(f"free_pages {at + 3 * PAGE:#x} 2")
    check_equal(shell.stat()["shared"], 6 * PAGE, "shared bytes after a part was freed")
    memory.unchanged([f"free_pages {at:#x} 8", f"free_pages {at + 3 * PAGE:#x} 1"], reported=True)
    shell.ok(f"free_pages {at:#x} 3")
    shell.ok(f"free_pages {at + 5 * PAGE:#x} 3")
    memory.as_before()


def every_wrong_free_pages(memory):
    shell = memory.shell
    at, other = shell.alloc_pages("normal", 2), shell.kmalloc(4096)
    memory.unchanged([
        f"free_pages {at:#x} 0", f"free_pages {at:#x} -1", f"free_pages {at:#x} 64", f"free_pages {at:#x} 3",
        f"free_pages {at + 64 * PAGE:#x} 1", "free_pages 0 1", "free_pages 0x200000 1",
        "free_pages 0x10000000000 1",
        f"free_pages {(other - PAGE_OFFSET) // PAGE * PAGE:#x} 1", "free_pages 0xffffffffffe00000 1",
        "free_pages 0xc0000000 63",
    ], reported=True)
    memory.unchanged([f"free_pages {at + FRAME:#x} 1"])
    shell.ok(f"kfree {other:#x}")
    shell.ok(f"free_pages {at:#x} 2")
    memory.unchanged([f"free_pages {at:#x} 2", f"free_pages {at:#x} 1"], reported=True)
    memory.as_before()


# ---- mappings ----

def across_every_border(memory):
    """Every byte of the range is reached, with small leaves and with large ones, and nothing beside it."""
    shell = memory.shell
    for border in (2 * MIB, GIB, 512 * GIB):
        for base in (SPECIAL, 0):
            virt = base + border - 3 * FRAME
            for phys, flags in ((DEVICE + border % (512 * GIB) - 3 * FRAME, ""), (DEVICE + 0x5000, ""),
                                (DEVICE, " 4k")):
                length = 4 * MIB + 5 * FRAME
                shell.ok(f"map {virt:#x} {phys:#x} {length}{flags}")
                for offset in (0, 3 * FRAME - 1, 3 * FRAME, 2 * MIB + 123, length - 1):
                    memory.maps_to(virt + offset, phys + offset)
                memory.not_mapped(virt - 1)
                memory.not_mapped(virt + length)
                shell.ok(f"unmap {virt:#x} {length}")
                memory.not_mapped(virt)
    memory.as_before()


def the_largest_leaves_that_fit(memory):
    shell = memory.shell
    virt = SPECIAL + GIB
    shell.ok(f"map {virt - 2 * MIB - FRAME:#x} {DEVICE + GIB - 2 * MIB - FRAME:#x} {GIB + 4 * MIB + 2 * FRAME}")
    for offset, size in ((-2 * MIB - FRAME, "4K"), (-2 * MIB, "2M"), (0, "1G"), (GIB - 1, "1G"), (GIB, "2M"),
                         (GIB + 2 * MIB, "4K")):
        memory.maps_to(virt + offset, DEVICE + GIB + offset, size)
    shell.ok(f"unmap {virt - 2 * MIB - FRAME:#x} {GIB + 4 * MIB + 2 * FRAME}")
    memory.as_before()


def low_bits_of_the_physical_address_do_not_count(memory):
    """As drivers pass them."""
    memory.shell.ok(f"map {SPECIAL + 0xfee00000:#x} 0xfee00900 2M uc")
    memory.maps_to(SPECIAL + 0xfee00030, 0xfee00030)
    memory.shell.ok(f"unmap {SPECIAL + 0xfee00000:#x} 2M")
    memory.as_before()


def the_middle_of_a_large_leaf(memory):
    shell = memory.shell
    for size, name in ((2 * MIB, "2M"), (GIB, "1G")):
        shell.ok(f"map {SPECIAL:#x} {DEVICE:#x} {name}")
        memory.maps_to(SPECIAL + size // 2, DEVICE + size // 2, name)
        hole = SPECIAL + size // 2 + 3 * FRAME
        shell.ok(f"unmap {hole:#x} 8K")
        memory.not_mapped(hole)
        memory.not_mapped(hole + 2 * FRAME - 1)
        for at in (SPECIAL, hole - 1, hole + 2 * FRAME, SPECIAL + size - 1):
            memory.maps_to(at, DEVICE + at - SPECIAL)
        shell.ok(f"unmap {hole:#x} 8K")
        shell.ok(f"unmap {SPECIAL:#x} {name}")
        memory.as_before()


def overlaps_are_refused_whole(memory):
    shell = memory.shell
    shell.ok(f"map {SPECIAL + 2 * MIB:#x} {DEVICE:#x} 4K")
    memory.unchanged([
        f"map {SPECIAL:#x} {DEVICE:#x} 4M", f"map {SPECIAL + 2 * MIB:#x} {DEVICE:#x} 4K ro",
        f"map {SPECIAL + 2 * MIB:#x} {DEVICE:#x} 4K nx", f"map {SPECIAL + 2 * MIB:#x} {DEVICE:#x} 4K uc",
        f"map {SPECIAL + 2 * MIB - FRAME:#x} {DEVICE:#x} 8K",
    ])
    memory.not_mapped(SPECIAL)
    memory.not_mapped(SPECIAL + 2 * MIB - FRAME)
    shell.ok(f"map {SPECIAL:#x} {DEVICE - 2 * MIB:#x} 4M")      # agrees with what is there
    shell.ok(f"map {SPECIAL:#x} {DEVICE - 2 * MIB:#x} 4M")
    shell.ok(f"unmap {SPECIAL:#x} 4M")
    memory.as_before()


def wrong_ranges(memory):
    memory.unchanged([
        "map 0 0x8000000000 4K", "map 0xfff 0x8000000000 4K", "map 0x7ffffffff000 0x8000000000 8K",
        "map 0x800000000000 0 4K",
        "map 0xffff800000000000 0 4K", f"map {SPECIAL - FRAME:#x} 0x8000000000 8K",
        "map 0xffffa0fffffff000 0x8000000000 8K",
        "map 0xffffa10000000000 0x8000000000 4K", "map 0xfffffffffffff000 0x8000000000 8K",
        "map 0xffffffff80000000 0 4K",
        f"map {SPECIAL:#x} 0x8000000000 4K user", f"map {SPECIAL:#x} 0xfffffffff000 8K",
        f"map {SPECIAL:#x} 0x1000000 4K uc",
        f"map {SPECIAL:#x} 0x1000000 4K wc", f"map {SPECIAL:#x} 0x8000000000 0xffffffffffffffff",
    ])
    memory.unchanged(["unmap 0xffff800000000000 4K", "unmap 0xffffffff80000000 4K", "unmap 0x800000000000 4K",
                      "unmap 0 4K",
                      "unmap 0xfffffffffffff000 8K"], reported=True)
    memory.as_before()


def what_is_written_through_a_mapping(memory):
    """The same byte through three addresses: the mapping, the direct map, physically."""
    shell = memory.shell
    page = shell.alloc_pages("normal", 1)
    for virt, flags in ((SPECIAL + 5 * MIB, "nx"), (0x12345000, "user nx")):
        shell.ok(f"map {virt:#x} {page:#x} 12K {flags}")
        shell.ok(f"poke {virt + 4100:#x} {virt:#x}")
        for command in (f"peek {PAGE_OFFSET + page + 4100:#x} 8", f"xp {page + 4100:#x} 8",
                        f"peek {virt + 4100:#x} 8"):
            check_equal(memory.word(command), virt, command)
        shell.ok(f"unmap {virt:#x} 12K")
        shell.error(f"peek {virt + 4100:#x} 8")
    shell.ok(f"map {SPECIAL:#x} {page:#x} 4K ro")
    shell.error(f"poke {SPECIAL:#x} 1")
    shell.error(f"poke {SPECIAL:#x} 1 -f")
    shell.ok(f"unmap {SPECIAL:#x} 4K")
    unmapped = shell.alloc_pages("unmapped", 1)
    shell.error(f"peek {PAGE_OFFSET + unmapped:#x}")
    check_equal(len(shell.lines(f"xp {unmapped:#x} 64")), 4, "rows of xp in a page without a mapping")
    shell.ok(f"free_pages {unmapped:#x} 1")
    shell.ok(f"free_pages {page:#x} 1")
    memory.as_before()


def no_memory_for_tables(memory):
    """A mapping that runs out of memory half way leaves nothing behind."""
    shell = memory.shell
    taken = []
    for zone in ("normal", "dma", "unmapped"):
        for n_pages in (63, 1):
            output = shell.lines(f"repeat 100000 alloc_pages {zone} {n_pages}")
            taken += [line for line in output if line.startswith("0x")]
    objects = [line for size in (MIB, 64 * KIB, 4 * KIB) for line in shell.lines(f"repeat 100000 kmalloc {size}")
               if line.startswith("0x")]
    memory.unchanged(["kmalloc 4096", "kmalloc 1M", "alloc_pages normal 1"])
    memory.unchanged([f"map {SPECIAL + GIB:#x} {DEVICE:#x} {64 * MIB} 4k",
                      f"map {SPECIAL + 5 * GIB:#x} {DEVICE:#x} {64 * GIB} 4k"])
    memory.not_mapped(SPECIAL + GIB)
    memory.all_ok(f"kfree {at}" for at in objects)
    memory.all_ok("free_pages " + line for line in taken)
    memory.as_before()


def other_address_spaces(memory):
    shell = memory.shell
    tables = [address(shell.one("pt new")) for _ in range(3)]
    for i, table in enumerate(tables):
        shell.ok(f"pt map {table:#x} 0x40000000 {DEVICE + i * GIB:#x} 1G user")
        shell.ok(f"pt map {table:#x} 0x7fffff000000 {DEVICE + i * FRAME:#x} 4K user nx")
    for i, table in enumerate(tables):
        last = shell.lines(f"vtop 0x40000123 {table:#x}")[-1].split(" ")
        check_equal(last[:4], ["0x40000123", "->", f"{DEVICE + i * GIB + 0x123:#x}", "1G"], "vtop in a table")
    memory.not_mapped(0x40000123)
    shell.ok(f"map {SPECIAL:#x} {DEVICE:#x} 4K")
    check_equal(shell.lines(f"vtop {SPECIAL:#x} {tables[1]:#x}")[-1].split(" ")[1], "->",
                "the kernel half in another table")
    shell.ok(f"unmap {SPECIAL:#x} 4K")
    check_equal(shell.lines(f"vtop {SPECIAL:#x} {tables[1]:#x}")[-1], f"{SPECIAL:#x} not mapped", "and gone again")
    shell.ok(f"pt unmap {tables[0]:#x} 0x40001000 4K")
    check_equal(shell.lines(f"vtop 0x40001000 {tables[0]:#x}")[-1], "0x40001000 not mapped", "a hole in one table")
    check_equal(shell.lines(f"vtop 0x40001000 {tables[1]:#x}")[-1].split(" ")[1], "->",
                "the same place in another")
    for table in tables:
        shell.ok(f"pt free {table:#x}")
    memory.as_before()


TESTS = [
    sizes_at_the_edges, kzalloc_clears_all_of_it, a_thousand_objects_of_each_class, every_wrong_kfree,
    pages_of_each_zone, until_empty_and_back, parts_and_neighbours, every_wrong_free_pages, across_every_border,
    the_largest_leaves_that_fit, low_bits_of_the_physical_address_do_not_count, the_middle_of_a_large_leaf,
    overlaps_are_refused_whole, wrong_ranges, what_is_written_through_a_mapping, other_address_spaces,
    no_memory_for_tables,
]


def main():
    suite = Suite(__doc__)
    require_qemu()
    with Machine(mem="4G" if suite.full else "512M", cmdline="console=serial") as machine:
        memory = Memory(machine.start_shell(), suite.full)
        for test in TESTS:
            suite.run(test.__name__, test, memory)
    suite.finish()


if __name__ == "__main__":
    main()
