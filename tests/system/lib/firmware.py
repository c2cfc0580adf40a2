# SPDX-License-Identifier: MIT
"""A loader of our own: the kernel is started as a Multiboot2 or a PVH loader would start it, with any memory map.

QEMU loads an ELF file that holds the kernel's segments and a few instructions, to which its PVH note leads.  They put
the loader's magic and the address of its information into registers and jump to the kernel's entry.  The information
lies in low memory, behind what SeaBIOS clears before it leaves.
"""
import collections
import os
import struct
import subprocess
from dataclasses import dataclass

from lib import images
from lib.report import Failure

MULTIBOOT2_MAGIC = 0x36d76289
PVH_MAGIC = 0x336ec578
STUB_AT = 0x90000
INFORMATION_AT = 0x91000
INFORMATION_END = 0x9f000
LARGE_INFORMATION_AT = 48 << 20         # what is too large for low memory
PT_LOAD, PT_NOTE = 1, 4
NOTE = struct.pack("<III4s", 4, 8, 18, b"Xen")
STUB_BYTES = 64

USABLE = 1
FRAME = 4096
GIB = 1 << 30
ADDRESS_END = 1 << 52                   # there are no addresses from here on
WRAP = 1 << 64
REACH_END = 1 << 40                     # QEMU's CPUs have 40 address bits: what is said to lie beyond is no RAM

# QEMU's pc with 4 GiB: 3 below the hole, 1 above; without the end of the 3, where its ACPI tables lie.
RAM_SIZE = "4G"
RAM = [(0, 0xa0000), (0x100000, 3 * GIB - 0x200000), (4 * GIB, 5 * GIB)]


def read_map(path):
    """The entries (base, length, type) of a map in text form."""
    with open(path, encoding="ascii") as file:
        words = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return [(int(base, 16), int(length, 16), int(kind)) for base, length, kind in words]


def cut(entries, ram=None):
    """The map with usable memory only where there is RAM, or where the kernel must see that it cannot be.  What is
    wrong with an entry stays wrong with it."""
    places = (ram or RAM) + [(REACH_END, ADDRESS_END)]
    result = []
    for base, length, kind in entries:
        if kind != USABLE or length == 0 or base + length > WRAP:
            result.append((base, length, kind))
            continue
        for start, end in places:
            if max(base, start) < min(base + length, end):
                result.append((max(base, start), min(base + length, end) - max(base, start), kind))
    return result


def usable_ranges(entries):
    """[(start, end)] of the usable memory that the CPU reaches: whole frames in which some entry says of every byte that
    it is usable, and none says anything else.  From the map alone: nothing of the kernel's code has a part in it."""
    sound = [(base, min(base + length, ADDRESS_END), kind) for base, length, kind in entries
             if length != 0 and base + length <= WRAP and base < ADDRESS_END]
    borders = sorted({at for start, end, _ in sound for at in (start, end)})
    changes = collections.defaultdict(lambda: [0, 0])       # where entries begin and end: usable ones, others
    for start, end, kind in sound:
        changes[start][kind != USABLE] += 1
        changes[end][kind != USABLE] -= 1
    ranges, n_usable, n_other = [], 0, 0
    for at, following in zip(borders, borders[1:]):
        n_usable += changes[at][0]
        n_other += changes[at][1]
        if n_usable == 0 or n_other != 0:
            continue
        if ranges and ranges[-1][1] == at:
            at = ranges.pop()[0]
        ranges.append((at, following))
    frames = [(-(-start // FRAME) * FRAME, min(end // FRAME * FRAME, REACH_END)) for start, end in ranges]
    return [(start, end) for start, end in frames if start < end]


# ---- the file that QEMU loads ----

@dataclass
class Kernel:
    """What of the kernel's ELF file matters here."""
    segments: list                      # (physical address, bytes in the file, size in memory)
    multiboot2_entry: int
    pvh_entry: int

    def range(self):
        """Where it lies."""
        return min(at for at, _, _ in self.segments), max(at + size for at, _, size in self.segments)


def read_kernel():
    """The kernel as it was built."""
    with open(images.kernel(), "rb") as file:
        data = file.read()
    entry, table = struct.unpack_from("<QQ", data, 24)
    size, count = struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, table + i * size) for i in range(count)]
    segments = [(physical, data[offset:offset + n_bytes], in_memory)
                for kind, _, offset, _, physical, n_bytes, in_memory, _ in headers if kind == PT_LOAD]
    notes = [data[offset:offset + n_bytes] for kind, _, offset, _, _, n_bytes, _, _ in headers if kind == PT_NOTE]
    pvh_entry, = struct.unpack_from("<I", notes[0], len(NOTE))
    return Kernel(segments, entry, pvh_entry)


def _stub(magic, entry, at):
    """mov eax, magic; mov ebx, information; mov ecx, entry; jmp ecx"""
    return b"\xb8" + struct.pack("<I", magic) + b"\xbb" + struct.pack("<I", at) \
        + b"\xb9" + struct.pack("<I", entry) + b"\xff\xe1"


def write_loader(path, kernel, loader, at=INFORMATION_AT):
    """Writes the ELF file; `loader` is multiboot2 or pvh, and its information lies at `at`."""
    is_pvh = loader == "pvh"
    stub = _stub(0 if is_pvh else MULTIBOOT2_MAGIC, kernel.pvh_entry if is_pvh else kernel.multiboot2_entry,
                 at)
    stub = stub.ljust(STUB_BYTES, b"\x90") + NOTE + struct.pack("<Q", STUB_AT)
    parts = [(PT_LOAD, at, content, size) for at, content, size in kernel.segments]
    parts.append((PT_LOAD, STUB_AT, stub, len(stub)))
    parts.append((PT_NOTE, STUB_AT + STUB_BYTES, stub[STUB_BYTES:], len(stub) - STUB_BYTES))
    header = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1, STUB_AT, 64, 0, 0, 64, 56, len(parts),
                         0, 0, 0)
    offset = 64 + 56 * len(parts)
    table, body = b"", b""
    for kind, at, content, size in parts:
        table += struct.pack("<IIQQQQQQ", kind, 7, offset + len(body), at, at, len(content), size, 4)
        body += content
    with open(path, "wb") as file:
        file.write(header + table + body)


# ---- the information ----

def tag(kind, body):
    """A tag of Multiboot2, padded."""
    return (struct.pack("<II", kind, 8 + len(body)) + body).ljust((8 + len(body) + 7) & ~7, b"\0")


def _raw(entries):
    return b"".join(struct.pack("<QQII", base, length, kind, 0) for base, length, kind in entries)


def multiboot2_information(entries, cmdline, more=b""):
    """The boot information of Multiboot2; `more` are further tags."""
    tags = tag(1, cmdline.encode() + b"\0") + tag(2, b"a test\0") + more
    tags += tag(6, struct.pack("<II", 24, 0) + _raw(entries)) + struct.pack("<II", 0, 8)
    return struct.pack("<II", 8 + len(tags), 0) + tags


def pvh_information(entries, cmdline, _more=b""):
    """hvm_start_info, the command line and the map behind it."""
    text = (cmdline.encode() + b"\0").ljust((len(cmdline) + 8) & ~7, b"\0")
    at = INFORMATION_AT + 56
    return struct.pack("<IIIIQQQQII", PVH_MAGIC, 1, 0, 0, 0, at, 0, at + len(text), len(entries), 0) + text + _raw(entries)


INFORMATION = {"multiboot2": multiboot2_information, "pvh": pvh_information}


class Loader:
    """Both ways to start the kernel with a map."""

    def __init__(self):
        self.kernel = read_kernel()
        self._n = 0
        self._files = {}
        for loader in INFORMATION:
            self._files[loader] = os.path.join(images.work_folder(), f"{loader}.elf")
            write_loader(self._files[loader], self.kernel, loader)
        self._large = os.path.join(images.work_folder(), "large.elf")
        write_loader(self._large, self.kernel, "multiboot2", LARGE_INFORMATION_AT)

    def arguments(self, loader, information):
        """QEMU's arguments that start the kernel with this information."""
        is_large = len(information) > INFORMATION_END - INFORMATION_AT
        if is_large and loader != "multiboot2":
            raise Failure(f"{len(information)} bytes of information are too much for low memory")
        file, at = (self._large, LARGE_INFORMATION_AT) if is_large else (self._files[loader], INFORMATION_AT)
        self._n += 1
        path = os.path.join(images.work_folder(), f"information{self._n}")
        with open(path, "wb") as written:
            written.write(information)
        return ["-kernel", file, "-device", f"loader,file={path},addr={at:#x},force-raw=on"]

    def run(self, loader, information, size=RAM_SIZE, timeout=60):
        """Boots a bare machine that ends by itself; returns QEMU's status and what came over the serial line."""
        command = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc,memory-backend=ram", "-cpu", "max", "-m", size,
                   "-object", f"memory-backend-ram,id=ram,size={size},reserve=off", "-nodefaults", "-display", "none",
                   "-serial", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   *self.arguments(loader, information)]
        try:
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"").decode("latin-1").replace("\r", "")
            raise Failure(f"the machine did not end within {timeout} s; the end of the serial output:\n{said[-1500:]}") \
                from None
        return ended.returncode, ended.stdout.decode("latin-1").replace("\r", "")
