#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A hostile stranger at the prompt: hundreds of lines of junk, of every kind.

Each line is answered by output and a new prompt; the machine never panics, nothing is broken, and after everything is
freed memory is as it was.  The seed is printed; --seed N repeats a run.
"""
import random
import re
import time

from lib import junk
from lib.machine import Machine, require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import CTRL_C, EOL, PROMPT

LINE_SECONDS = 30
SLOW_SECONDS = 1.5                      # a line that takes longer is stopped, as the stranger would
CHECK_EVERY = 100
MARK = "# still here"
CTRL_U = "\x15"


class Stranger:
    """Types junk, and sees to it that the shell is still there."""

    def __init__(self, machine):
        self.machine = machine
        self.shell = machine.start_shell()
        self.shell.ok("shrink")
        self.before = self.shell.one("mm_stat -j")
        self.n_lines = 0

    def answered(self, line):
        """Types a line, then one that must come back whole: so the prompt after the first had come, however odd."""
        self.n_lines += 1
        self.shell.send(line + "\r")
        if not self.shell.comes(PROMPT, SLOW_SECONDS):
            self.shell.send(CTRL_C)
        self.settle(line)
        if self.n_lines % CHECK_EVERY == 0:
            check_equal(self.shell.lines("check"), ["ok"], f"check after {line[:200]!r}")

    def settle(self, line):
        """Empties the line, whatever is in it, and asks for a sign of life."""
        try:
            self.shell.send(CTRL_U + MARK + "\r")
            self.shell.expect([MARK + EOL + PROMPT], LINE_SECONDS, f"a sign of life after {line[:200]!r}")
        except Failure:
            check("panic" not in self.shell.transcript()[-20000:], f"the kernel panics after {line[:200]!r}")
            raise

    def judge(self):
        """Nothing is broken yet."""
        check_equal(self.shell.lines("check"), ["ok"], "check")
        check("panic" not in self.shell.transcript(), "there was a panic")

    def give_back(self):
        """Frees what the junk took, as far as it shows in the answers: then memory must be as it was."""
        text = self.shell.transcript().replace("\r", "")
        for at in sorted(set(re.findall(r"^(0xffff[0-9a-f]{12})$", text, re.M))):
            if self.shell.lines(f"kfree {at}")[-1] != "ok":
                self.shell.lines(f"pt free {at}")
        for at, n_pages in sorted(set(re.findall(r"^(0x[0-9a-f]+) (\d+)$", text, re.M))):
            for i in range(int(n_pages)):
                self.shell.lines(f"free_pages {int(at, 16) + (i << 21):#x} 1")
        for start in ("0xffffa00000000000 1T", "0x1000 127T"):
            self.shell.ok(f"unmap {start}")
        self.shell.ok("shrink")
        check_equal(self.shell.one("mm_stat -j"), self.before, "mm_stat -j after all was given back")


def strict_errors(stranger, lines):
    """Lines without control bytes: each is answered by at least a line, and errors say what is wrong."""
    for line in lines:
        output = stranger.shell.lines(line, LINE_SECONDS)
        stranger.n_lines += 1
        check(output, f"{line!r} is not answered at all")
        check(all("panic" not in text for text in output), f"{line!r} makes the kernel panic: {output}")
        check(not any(text.startswith(("[", "{")) for text in output) or "-j" in line, f"{line!r} prints {output}")
        for text in output:
            check(not text.startswith("error:") or len(text) > 7, f"{line!r} gives an empty error: {output}")
        if stranger.n_lines % CHECK_EVERY == 0:
            check_equal(stranger.shell.lines("check"), ["ok"], f"check after {line[:200]!r}")


def wrong_arguments(stranger, generator, share):
    for line in junk.wrong_arguments(generator, 8 if share == 1 else 2):
        stranger.answered(line)


def every_address(stranger, generator, share):
    for line in junk.every_address(generator, share):
        stranger.answered(line)


def odd_numbers(stranger, generator, share):
    strict_errors(stranger, [line for line in junk.numbers() if line.isascii() and not line.startswith("peek")])
    for line in junk.numbers():
        if not line.isascii() or (line.startswith("peek") and generator.random() < share):
            stranger.answered(line)


def grammar(stranger, *_):
    for line in junk.grammar():
        stranger.answered(line)


def bytes_of_all_kinds(stranger, generator, share):
    for line in junk.bytes_of_all_kinds(generator, int(200 * share)):
        stranger.answered(line)


def too_long_a_line_is_not_run(stranger, *_):
    shell = stranger.shell
    before = shell.stat()["cache_used"]
    shell.send("kmalloc 64;" * 100 + "x" * 2000 + "\r")
    shell.wait_prompt(LINE_SECONDS, "a line that is too long")
    check_in("error: ", shell.before, "the answer to a line that is too long")
    check_equal(shell.stat()["cache_used"], before, "live objects after a line that is too long")


def errors_change_nothing(stranger, *_):
    """Every refusal leaves mm_stat as it was."""
    shell = stranger.shell
    before = shell.one("mm_stat -j")
    for line in ("kmalloc 1048577", "kfree 0x1234", "kfree 0xffff800000100000", "alloc_pages normal 64",
                 "alloc_pages 3 1", "free_pages 0x200000 1", "free_pages 0xffffffffffe00000 63", "map 0 0 4K",
                 "unmap 0xffffffff80000000 2M", "map 0xffffa00000000000 0xfffffffffffff000 4K",
                 "map 0x400000 0x1000000 4K uc", "poke kernel_main 1",
                 "fill kernel_main 16 0", "poke 0xffffa00000000000 1", "kmalloc", "kmalloc x", "pt free 5"):
        shell.error(line)
        check_equal(shell.one("mm_stat -j"), before, f"mm_stat after the refused {line!r}")


def a_flood_is_survived(stranger, _, share):
    """Thousands of lines whose answers nobody reads in between."""
    shell = stranger.shell
    for _ in range(5 if share < 1 else 40):
        shell.send("kmalloc x\r" * 100)
        shell.drain(0.02)
    while shell.drain(0.5):
        pass
    stranger.settle("the flood")


def a_break_and_silence(stranger, *_):
    """A line that is begun, left alone, and ended later."""
    stranger.shell.send("che")
    time.sleep(1)
    stranger.shell.send("ck\r")
    stranger.shell.wait_prompt()
    check_in("ok", stranger.shell.before, "a line typed in two parts")


TESTS = [too_long_a_line_is_not_run, errors_change_nothing, grammar, odd_numbers, wrong_arguments, every_address,
         bytes_of_all_kinds, a_flood_is_survived, a_break_and_silence]


def main():
    suite = Suite(__doc__)
    require_qemu()
    seed = suite.seed if suite.seed is not None else time.time_ns() % 1000000007
    print(f"# seed {seed}", flush=True)
    with Machine(boot="pvh") as machine:
        stranger = Stranger(machine)
        for test in TESTS:
            suite.run(test.__name__, test, stranger, random.Random(seed), 1.0 if suite.full else 0.05)
            suite.run(f"after_{test.__name__}_all_is_well", stranger.judge)
        suite.run("what_was_taken_can_be_given_back", stranger.give_back)
        print(f"# {stranger.n_lines} lines", flush=True)
    suite.finish()


if __name__ == "__main__":
    main()
