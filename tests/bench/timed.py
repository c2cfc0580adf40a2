# SPDX-License-Identifier: MIT
"""The built kernel, seen from the benches: its functions, its instructions, and where the timed loops read the counter."""
import bisect
import collections
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))

from lib import images  # noqa: E402  (after the path to it)


class Symbols:
    """Functions of the kernel by address."""

    def __init__(self):
        output = subprocess.run(["nm", "-n", images.kernel()], capture_output=True, text=True, check=True).stdout
        words = [line.split() for line in output.splitlines()]
        functions = [(int(at, 16), name) for at, kind, name in words if kind in "tT"]
        self.starts = [at for at, _ in functions]
        self.names = [name for _, name in functions]
        self._at = {name: at for at, name in functions}

    def address(self, name):
        """Where a function begins."""
        return self._at[name]

    def name(self, at):
        """The function that an address lies in."""
        return self.names[max(bisect.bisect_right(self.starts, at) - 1, 0)]


def disassembly():
    """{address: text} of every instruction."""
    output = subprocess.run(["objdump", "-d", "--no-show-raw-insn", images.kernel()], capture_output=True, text=True,
                            check=True).stdout
    return {int(match.group(1), 16): match.group(2)
            for match in re.finditer(r"^\s*([0-9a-f]+):\t(.*)$", output, re.MULTILINE)}


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
