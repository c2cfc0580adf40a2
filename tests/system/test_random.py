#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Random operations through the shell, checked one by one against a model; then everything is freed and memory must be
as it was at boot, byte for byte.

`check` runs every few hundred operations.  The seed is printed; --seed N repeats a run.
"""
import random
import re
import time

from lib.machine import Machine, require_qemu
from lib.model import FRAME, PAGE, PAGE_OFFSET, ZONE_NAMES, Model, class_of
from lib.report import Failure, Suite, check, check_equal
from lib.shell import address

N_OPERATIONS = {"quick": 500, "full": 10000}
CHECK_EVERY = 500
MAX_OBJECTS = 600
MAX_PAGES = 100
MAX_MAPPED = 6000                       # pieces of 4 KiB in the model
SPECIAL = 0xffffa00000000000
ARENAS = [                              # where mappings go: around borders of every level
    SPECIAL + (1 << 21), SPECIAL + (1 << 30), SPECIAL + (1 << 39), 0x400000, (1 << 30) + (1 << 21), (1 << 39),
    1 << 46,
]
PAGE_ORDER = 9                          # 2^9 frames are a page
DEVICE = 0x8000000000                   # a physical address without RAM, aligned to 512 GiB
REPORT = re.compile(r"^mm: bad (kfree|free_pages|mm_\w+)\(0x[0-9a-f]+\): \S")


class Run:
    """One run of random operations on one machine."""

    def __init__(self, shell, seed, n_operations):
        self.shell = shell
        self.random = random.Random(seed)
        self.n_operations = n_operations
        self.history = []
        shell.ok("shrink")
        self.at_boot_text = shell.one("mm_stat -j")
        self.at_boot = shell.stat()
        zones = shell.json("zones -j")
        self.zones = {name: zone for name in ZONE_NAMES for zone in zones if zone["name"] == ZONE_NAMES[name]}
        self.model = Model(max(zone.get("end", 512 << 20) for zone in zones))

    # ---- what a command says ----

    def lines(self, line):
        self.history.append(line)
        return self.shell.lines(line)

    def refused(self, line, reported=False):
        """Runs what must be refused: an error, and for misuse a report above it."""
        output = self.lines(line)
        check(output and output[-1].startswith("error: "), f"{line} should be refused, but: {output}")
        if reported:
            check(any(REPORT.match(text) for text in output[:-1]), f"{line} was not reported: {output}")

    def accepted(self, line):
        """Runs what must be `ok`."""
        output = self.lines(line)
        check(output and output[-1] == "ok", f"{line} should be ok, but: {output}")

    # ---- objects ----

    def size(self):
        """A size, small ones more often, class borders often."""
        size = int(2 ** self.random.uniform(0, 20))
        return max(0, min(1 << 20, self.random.choice([size, class_of(size), class_of(size) // 2 + 1, 0])))

    def kmalloc(self):
        if len(self.model.objects) >= MAX_OBJECTS:
            return self.kfree()
        command, size = self.random.choice(["kmalloc", "kzalloc"]), self.size()
        output = self.lines(f"{command} {size}")
        if output[-1].startswith("error: "):
            return self.judge_no_memory(size, output)
        check_equal(len(output), 1, f"lines of {command} {size}: {output}")
        at = address(output[0])
        self.model.took_object(at, size)
        if command == "kzalloc" and size <= 256:
            shown = self.lines(f"peek {at:#x} {class_of(size)}")
            digits = "".join(line.split(":")[1].split("|")[0] for line in shown)
            check(set(digits) <= set("0 "), f"kzalloc gave an object that is not cleared: {shown}")
            self.accepted(f"fill {at:#x} {class_of(size)} 0xe7")
        return None

    def judge_no_memory(self, size, output):
        """An object may be refused only when nothing free is large enough, in NORMAL or to be added to it."""
        zones = {zone["name"]: zone["free_blocks"] for zone in self.shell.json("buddy -j")}
        order = max(class_of(size) // FRAME, 1).bit_length() - 1
        room = sum(zones["NORMAL"][order:]) + sum(zones["UNMAPPED"][PAGE_ORDER:])
        check_equal(room, 0, f"free blocks that an object of {size} bytes would fit in, though {output}: blocks")

    def some_object(self):
        return self.random.choice(list(self.model.objects)) if self.model.objects else None

    def kfree(self):
        at = self.some_object()
        if at is None:
            return self.accepted("kfree 0")
        self.accepted(f"kfree {at:#x}")
        del self.model.objects[at]
        if self.random.random() < 0.3:
            self.refused(f"kfree {at:#x}", reported=True)

    def wrong_kfree(self):
        at = self.some_object() or PAGE_OFFSET + 0x1234560
        wrong = [
            at + self.random.randrange(1, 32), self.random.randrange(1, 1 << 47), 1 << 63,
            0x0000800000000000, 0xffff7fffffffffff, 0xffffffff80100000, SPECIAL, PAGE_OFFSET,
            PAGE_OFFSET + self.model.ram_end + FRAME, PAGE_OFFSET + 0x100000, (1 << 64) - 1,
            *(page + PAGE_OFFSET for page in list(self.model.pages)[:1]),
        ]
        self.refused(f"kfree {self.random.choice(wrong):#x}", reported=True)

    def wrong_kmalloc(self):
        self.refused(f"kmalloc {self.random.choice([(1 << 20) + 1, 1 << 21, 1 << 40, (1 << 64) - 1])}")

    # ---- pages ----

    def alloc_pages(self):
        if len(self.model.pages) >= MAX_PAGES:
            return self.free_pages()
        zone = self.random.choice(["dma", "normal", "normal", "unmapped"])
        n_pages = self.random.choice([1, 1, 2, 3, 4, 7, 16, 63])
        shared = self.random.random() < 0.5
        output = self.lines(f"alloc_pages {zone} {n_pages}" + " shared" * shared)
        if output[-1].startswith("error: "):
            free = {z["name"]: z["free"] for z in self.shell.json("zones -j")}[ZONE_NAMES[zone]]
            # A run of pages may be missing though memory is not; one page of many free must be there.
            check(n_pages > 1 or free < 8 * PAGE, f"no page of {zone} with {free} bytes free: {output}")
            return None
        check_equal(len(output), 1, f"lines of alloc_pages: {output}")
        at, n = output[0].split(" ")
        check_equal(int(n), n_pages, "pages that alloc_pages gave")
        self.model.took_pages(address(at), n_pages, shared)
        self.judge_zone(zone, address(at))
        return None

    def judge_zone(self, zone, at):
        """DMA pages are DMA's.  NORMAL may borrow from DMA and grow into UNMAPPED, but never reaches beyond RAM."""
        if zone == "dma":
            check(at < self.zones["dma"]["managed"] + (2 << 20), f"the DMA page {at:#x}")
        if zone == "unmapped":
            check(at >= self.zones["dma"]["managed"], f"the UNMAPPED page {at:#x} is DMA's")

    def free_pages(self):
        """A part of what was allocated, or two allocations that lie side by side."""
        if not self.model.pages:
            return
        at, n_pages = self.random.choice(sorted(self.model.pages)), 1
        while n_pages < self.random.choice([1, 2, 5, 63]) and at + n_pages * PAGE in self.model.pages:
            n_pages += 1
        self.accepted(f"free_pages {at:#x} {n_pages}")
        self.model.freed_pages(at, n_pages)

    def wrong_free_pages(self):
        taken = self.random.choice(sorted(self.model.pages)) if self.model.pages else 0
        at = self.random.choice([taken, taken + FRAME, taken + 1, 0x200000, 1 << 40, self.model.ram_end,
                                 (1 << 64) - PAGE,
                                 self.random.randrange(self.model.ram_end // PAGE) * PAGE])
        n_pages = self.random.choice([1, 2, 0, -1, 64, 63, 1000000])
        if not self.model.may_free_pages(at, n_pages):
            self.refused(f"free_pages {at:#x} {n_pages}")

    # ---- mappings ----

    def place(self):
        """A range of virtual addresses near a border."""
        length = self.random.choice([1, FRAME, 2 * FRAME, 5 * FRAME + 1, PAGE, PAGE + 3 * FRAME,
                                     self.random.randrange(PAGE)])
        start = self.random.choice(ARENAS) + FRAME * self.random.randrange(-16, 16)
        if self.random.random() < 0.4:
            start = (start + PAGE - 1) // PAGE * PAGE
        return start, length

    def map(self):
        if len(self.model.frames) >= MAX_MAPPED:
            return self.unmap()
        virt, length = self.place()
        phys = DEVICE + (virt % (1 << 30)) + FRAME * self.random.choice([0, 0, 0, 1])
        flags = self.random.choice(["", " nx", " ro", " ro nx", " uc", " nx wc", " wt"])
        small = self.random.choice(["", " 4k"])
        line = f"map {virt:#x} {phys:#x} {length:#x}{flags}{small}"
        if self.model.may_map(virt, phys, length, flags):
            self.accepted(line)
            self.model.mapped(virt, phys, length, flags)
        else:
            self.refused(line)
        return self.vtop(virt + self.random.randrange(length))

    def unmap(self):
        if self.model.frames and self.random.random() < 0.8:
            virt, length = self.random.choice(sorted(self.model.frames)), self.place()[1]
        else:
            virt, length = self.place()
        self.accepted(f"unmap {virt:#x} {length:#x}")
        self.model.unmapped(virt, length)
        self.vtop(virt)

    def vtop(self, virt=None):
        if virt is None:
            virt = self.random.choice(sorted(self.model.frames) or [SPECIAL]) + self.random.randrange(-FRAME,
                                                                                                      FRAME)
        last, expected = self.lines(f"vtop {virt:#x}")[-1], self.model.translate(virt)
        if expected is None:
            check_equal(last, f"{virt:#x} not mapped", "vtop of an address that is not mapped")
        else:
            check_equal(last.split(" ")[:3], [f"{virt:#x}", "->", f"{expected:#x}"], f"vtop {virt:#x}")

    def wrong_map(self):
        line = self.random.choice([
            "map 0 0x8000000000 4K", "map 0xffff800000000000 0 4K", "map 0xffffffff80000000 0 4K",
            "map 0x800000000000 0x8000000000 4K", "map 0x7ffffffff000 0x8000000000 8K",
            f"map {SPECIAL:#x} 0x8000000000 4K user",
            "map 0xffffa0fffffff000 0x8000000000 8K", f"map {SPECIAL + 0x70000000:#x} 0xffffffffff000 8K",
            f"map {SPECIAL + 0x70000000:#x} 0x1000000 4K uc", "map 0xfffffffffffff000 0 8K",
        ])
        self.refused(line)

    def wrong_unmap(self):
        self.refused(self.random.choice([
            "unmap 0xffff800000000000 4K", "unmap 0xffffffff80000000 2M", "unmap 0 4K", "unmap 0x800000000000 4K",
            "unmap 0xffffa10000000000 4K", "unmap 0xfffffffffffff000 8K",
        ]))

    # ---- the run ----

    def run(self):
        """All of it."""
        weighted = [(self.kmalloc, 30), (self.kfree, 22), (self.wrong_kfree, 6), (self.wrong_kmalloc, 1),
                    (self.alloc_pages, 7), (self.free_pages, 6), (self.wrong_free_pages, 4), (self.map, 10),
                    (self.unmap, 7), (self.vtop, 4), (self.wrong_map, 2), (self.wrong_unmap, 1)]
        operations, weights = zip(*weighted)
        for i in range(self.n_operations):
            self.random.choices(operations, weights)[0]()
            if i % CHECK_EVERY == CHECK_EVERY - 1:
                self.accepted("check")
                self.model.compare(self.shell.stat(), self.at_boot)
        self.free_everything()
        self.judge_end()

    def free_everything(self):
        """In an order that has nothing to do with how it was taken."""
        rest = [(self.release_object, at) for at in self.model.objects] + [(self.release_page,
                                                                            at) for at in self.model.pages]
        self.random.shuffle(rest)
        for release, at in rest:
            release(at)
        for arena in ARENAS:
            start = max(arena - 16 * PAGE, SPECIAL if arena > SPECIAL else FRAME)
            self.accepted(f"unmap {start:#x} {32 * PAGE:#x}")

    def release_object(self, at):
        self.accepted(f"kfree {at:#x}")
        del self.model.objects[at]

    def release_page(self, at):
        self.accepted(f"free_pages {at:#x} 1")
        del self.model.pages[at]

    def judge_end(self):
        """Everything was freed: memory is as it was at boot."""
        self.accepted("check")
        self.accepted("shrink")
        check_equal(self.shell.one("mm_stat -j"), self.at_boot_text, "mm_stat -j after everything was freed")
        self.accepted("check")


def random_operations(seed, n_operations, options):
    """One machine, one run; a failure names the seed and the last commands."""
    with Machine(**options) as machine:
        shell = machine.start_shell()
        run = Run(shell, seed, n_operations)
        try:
            run.run()
        except Failure as failure:
            last = "\n    ".join(run.history[-8:])
            where = f"with --seed {seed}, after {len(run.history)} commands"
            raise Failure(f"{where}: {failure}\n  last commands:\n    {last}") from None


def main():
    suite = Suite(__doc__)
    require_qemu()
    seed = suite.seed if suite.seed is not None else time.time_ns() % 1000000007
    print(f"# seed {seed}", flush=True)
    n_operations = N_OPERATIONS["full" if suite.full else "quick"]
    suite.run(f"{n_operations}_random_operations_at_512M", random_operations, seed, n_operations,
              {"mem": "512M", "cmdline": "console=serial"})
    if suite.full:
        suite.run("2000_random_operations_at_32M", random_operations, seed, 2000,
                  {"mem": "32M", "machine": "pc", "cpu": "qemu64"})
        suite.run("1000_random_operations_under_bios", random_operations, seed, 1000,
                  {"boot": "bios", "mem": "64M"})
    suite.finish()


if __name__ == "__main__":
    main()
