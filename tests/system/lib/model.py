# SPDX-License-Identifier: MIT
"""What memory management should believe, in Python: objects, pages and mappings, and an answer for every command.

The model does not predict addresses; it knows what is taken, so it can say whether an address that was handed out may
have been, and whether a command must succeed or be refused.
"""
from lib.report import check, check_equal

PAGE_OFFSET = 0xffff800000000000
FRAME, PAGE = 1 << 12, 1 << 21
CLASS_LEAST, CLASS_MOST = 32, 1 << 20
ZONE_NAMES = {"dma": "DMA", "normal": "NORMAL", "unmapped": "UNMAPPED"}


def class_of(size):
    """The bytes that an object of that size has."""
    return max(CLASS_LEAST, 1 << max(size - 1, 0).bit_length())


class Model:
    """The memory of one machine.  `ram_end` is one past its last byte."""

    def __init__(self, ram_end):
        self.ram_end = ram_end
        self.objects = {}           # address -> bytes
        self.pages = {}             # physical address of each page -> shared?
        self.frames = {}            # virtual address of each mapped 4 KiB -> (physical address, flags)

    # ---- objects ----

    def overlaps_object(self, start, end):
        """A live object in [start, end), or None."""
        return next((at for at, size in self.objects.items() if at < end and start < at + size), None)

    def took_object(self, at, size):
        """kmalloc gave this address."""
        size = class_of(size)
        check_equal(at % size, 0, f"the alignment of the object {at:#x} of {size} bytes")
        check(PAGE_OFFSET <= at and at + size <= PAGE_OFFSET + self.ram_end, f"{at:#x} is not in the direct map")
        other = self.overlaps_object(at, at + size)
        check(other is None, f"the object {at:#x} of {size} bytes overlaps the live one at {other or 0:#x}")
        physical = at - PAGE_OFFSET
        check(physical // PAGE * PAGE not in self.pages, f"the object {at:#x} lies in a page of alloc_pages")
        self.objects[at] = size

    # ---- pages ----

    def took_pages(self, at, n_pages, shared):
        """alloc_pages gave these."""
        check_equal(at % PAGE, 0, f"the alignment of the page {at:#x}")
        check(at + n_pages * PAGE <= self.ram_end, f"the pages at {at:#x} are not all RAM")
        for page in range(at, at + n_pages * PAGE, PAGE):
            check(page not in self.pages, f"the page {page:#x} was taken already")
            start = page + PAGE_OFFSET
            other = self.overlaps_object(start, start + PAGE)
            check(other is None, f"the page {page:#x} holds the live object {other or 0:#x}")
            self.pages[page] = shared

    def may_free_pages(self, at, n_pages):
        """Whether free_pages must succeed."""
        if not 1 <= n_pages <= 63 or at % PAGE:
            return False
        return all(page in self.pages for page in range(at, at + n_pages * PAGE, PAGE))

    def freed_pages(self, at, n_pages):
        """free_pages took them back."""
        for page in range(at, at + n_pages * PAGE, PAGE):
            del self.pages[page]

    # ---- mappings ----

    @staticmethod
    def pieces(virt, length):
        """The 4 KiB pieces that a range touches."""
        if not length:
            return range(0)
        return range(virt // FRAME * FRAME, (virt + length - 1) // FRAME * FRAME + FRAME, FRAME)

    def may_map(self, virt, phys, length, flags):
        """Whether map must succeed: nothing of the range is mapped differently."""
        shift = phys // FRAME * FRAME - virt // FRAME * FRAME
        pieces = self.pieces(virt, length)
        return all(self.frames.get(at, (at + shift, flags)) == (at + shift, flags) for at in pieces)

    def mapped(self, virt, phys, length, flags):
        """map said ok."""
        shift = phys // FRAME * FRAME - virt // FRAME * FRAME
        for at in self.pieces(virt, length):
            self.frames[at] = (at + shift, flags)

    def unmapped(self, virt, length):
        """unmap said ok."""
        for at in self.pieces(virt, length):
            self.frames.pop(at, None)

    def translate(self, virt):
        """The physical address of a byte, or None."""
        frame = self.frames.get(virt // FRAME * FRAME)
        return None if frame is None else frame[0] + virt % FRAME

    # ---- what mm_stat must say ----

    def compare(self, stat, at_boot):
        """Fails unless mm_stat agrees; at_boot is what it said before anything was taken."""
        check_equal(stat["total"], at_boot["total"], "total")
        live = sum(self.objects.values())
        check_equal(stat["cache_used"] - at_boot["cache_used"], live, "bytes of live objects (cache_used)")
        shared = PAGE * sum(self.pages.values())
        check_equal(stat["shared"], shared, "bytes of shared pages")
        least = live + PAGE * len(self.pages)
        check(stat["used"] - at_boot["used"] >= least - at_boot["cache_free"],
              f"used {stat['used']} is less than was taken")
