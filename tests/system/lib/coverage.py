# SPDX-License-Identifier: MIT
"""What ran in a kernel that counts (preset coverage-kernel): from the memory of machines to files for gcov.

    $ TESSERA_COVERAGE=FOLDER TESSERA_BUILD=build/coverage-kernel /usr/bin/python3 tests/system/test_memory.py
    $ /usr/bin/python3 tests/system/lib/coverage.py build/coverage-kernel/tessera.elf FOLDER

gcc keeps a counter for each arc of a function's flow.  The kernel does nothing with them.  The machine's memory is a
file (memory_arguments), which is still there when the machine is gone, however it went: the segment that the counters
lie in is copied out of it (save), and at the end the sums of all copies are written as .gcda files beside the compiler's
.gcno files (main).  Where the counters are is read from the ELF:

    gcov_info_start .. gcov_info_end -> struct gcov_info, a source file -> struct gcov_fn_info, a function -> its counters

Structures: gcc 12, libgcc/libgcov.h.  Files: gcc 12, gcc/gcov-io.h.
"""
import collections
import glob
import os
import struct
import subprocess
import sys
import tempfile

FOLDER = os.environ.get("TESSERA_COVERAGE")

MAGIC, TAG_FUNCTION, TAG_ARCS, TAG_SUMMARY = 0x67636461, 0x01000000, 0x01a10000, 0xa1000000
INFO = struct.Struct("<I4x8xII8x64xI4xQ")   # version; next; stamp, checksum; file; kinds of counters; functions
INFO_FILE = 24                              # where the address of the .gcda file's name is in it
FUNCTION = struct.Struct("<8xIII4xI4xQ")     # the file; ident, two checksums; arcs, their counters

Segment = collections.namedtuple("Segment", "virtual physical offset file_bytes memory_bytes")


class Elf:
    """A linked kernel."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        headers, = struct.unpack_from("<Q", self.bytes, 32)
        size, n = struct.unpack_from("<HH", self.bytes, 54)
        self.segments = []
        for i in range(n):
            kind, _, offset, virtual, physical, file_bytes, memory_bytes = struct.unpack_from(
                "<IIQQQQQ", self.bytes, headers + i * size)
            if kind == 1:
                self.segments.append(Segment(virtual, physical, offset, file_bytes, memory_bytes))

    def data(self):
        """The segment that can be written, the last one."""
        return max(self.segments, key=lambda segment: segment.virtual)

    def read(self, at, n_bytes):
        """Bytes as they were linked."""
        for segment in self.segments:
            if segment.virtual <= at and at + n_bytes <= segment.virtual + segment.file_bytes:
                start = at - segment.virtual + segment.offset
                return self.bytes[start:start + n_bytes]
        raise ValueError(f"nothing lies at 0x{at:x} in the ELF")

    def pointers(self, start, n):
        """Addresses in a row."""
        return struct.unpack(f"<{n}Q", self.read(start, 8 * n))

    def text(self, at):
        """A string that ends in 0."""
        end = at
        while self.read(end, 1) != b"\0":
            end += 1
        return self.read(at, end - at).decode()


def memory_arguments(folder, size):
    """QEMU's arguments for the memory `ram` of a machine."""
    if FOLDER is None:
        return ["-object", f"memory-backend-ram,id=ram,size={size},reserve=off"]
    return ["-object", f"memory-backend-file,id=ram,size={size},mem-path={folder}/ram,share=on"]


def save(folder, elf_path):
    """Copies the counters out of the memory of a machine that is gone, if they are wanted."""
    if FOLDER is None:
        return
    segment, path = Elf(elf_path).data(), os.path.join(folder, "ram")
    with open(path, "rb") as memory, tempfile.NamedTemporaryFile(dir=FOLDER, delete=False) as copy:
        memory.seek(segment.physical)
        copy.write(memory.read(segment.memory_bytes))
    os.unlink(path)


class Sums:
    """The counters, summed over all copies."""

    def __init__(self, segment, paths):
        self.start = segment.virtual
        self.copies = []
        for path in paths:
            with open(path, "rb") as file:
                self.copies.append(file.read())

    def at(self, address, n):
        """n counters in a row."""
        columns = [struct.unpack_from(f"<{n}Q", copy, address - self.start) for copy in self.copies]
        return [sum(column) for column in zip(*columns)]


def function_records(elf, sums, at):
    """A function, and the counters of its arcs."""
    ident, checksum, flow_checksum, n, counters = FUNCTION.unpack(elf.read(at, FUNCTION.size))
    return (struct.pack("<IIIII", TAG_FUNCTION, 12, ident, checksum, flow_checksum) +
            struct.pack(f"<Ii{n}Q", TAG_ARCS, 8 * n, *sums.at(counters, n)))


def write_file(elf, sums, at):
    """The .gcda file of one source file."""
    version, stamp, checksum, n, functions = INFO.unpack(elf.read(at, INFO.size))
    path = elf.text(*elf.pointers(at + INFO_FILE, 1))
    with open(path, "wb") as file:
        file.write(struct.pack("<IIII", MAGIC, version, stamp, checksum))
        file.write(struct.pack("<IIII", TAG_SUMMARY, 8, len(sums.copies), 0))
        for function in elf.pointers(functions, n):
            if function:
                file.write(function_records(elf, sums, function))
        file.write(struct.pack("<I", 0))


def main():
    elf_path, folder = sys.argv[1:]
    elf = Elf(elf_path)
    sums = Sums(elf.data(), glob.glob(os.path.join(folder, "*")))
    if not sums.copies:
        sys.exit("error: no machine left its counters")
    names = subprocess.run(["nm", elf_path], capture_output=True, text=True, check=True).stdout.split("\n")
    ends = {words[2]: int(words[0], 16) for line in names if len(words := line.split()) == 3}
    start, end = ends["gcov_info_start"], ends["gcov_info_end"]
    for info in elf.pointers(start, (end - start) // 8):
        write_file(elf, sums, info)
    print(f"{len(sums.copies)} machines, {(end - start) // 8} files")


if __name__ == "__main__":
    main()
