#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The shell's manners over the serial line: line editing, history, TAB, numbers, results, names that are nearly right.

What the line editor draws is followed by a small terminal, so that what counts is what a person would see.
"""
import re
import time

from lib.machine import Machine, require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import CTRL_C, EOL, PROMPT, address

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE = "\x1b[H", "\x1b[F", "\x1b[3~"
COLUMNS = 80
SETTLE_SECONDS = 0.25
SEEN_SECONDS = 10
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Row:
    """The row of a terminal that the cursor is on."""

    def __init__(self):
        self.cells = []
        self.column = 0

    def feed(self, text):
        """Text and control sequences, as a terminal takes them."""
        at = 0
        while at < len(text):
            match = SEQUENCE.match(text, at)
            if match:
                self.sequence(match[1], match[2])
                at = match.end()
                continue
            self.character(text[at])
            at += 1

    def character(self, character):
        if character == "\n":
            self.cells, self.column = [], 0
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            self.cells += [" "] * (self.column + 1 - len(self.cells))
            self.cells[self.column] = character
            self.column += 1

    def sequence(self, parameters, final):
        n = int(parameters or 1) if parameters.isdigit() or not parameters else 1
        if final == "C":
            self.column += n
        elif final == "D":
            self.column = max(0, self.column - n)
        elif final == "G":
            self.column = n - 1
        elif final == "K":
            del self.cells[self.column:]
        elif final in "HJ":
            self.cells, self.column = [], 0
        else:
            raise Failure(f"the line editor sends CSI {parameters} {final}")

    def text(self):
        """What is written there."""
        return "".join(self.cells).rstrip()


def edits(shell, keys, line, cursor=None):
    """Types keys; the row must then show the prompt and the line, with the cursor there (counted from the line's start)."""
    row = Row()
    row.feed(PROMPT)
    shell.send(keys)
    end = time.monotonic() + SEEN_SECONDS
    wanted = (PROMPT + line).rstrip()
    while row.text() != wanted and time.monotonic() < end:
        row.feed(shell.drain(SETTLE_SECONDS))
    check_equal(row.text(), wanted, f"the row after {keys!r}")
    if cursor is not None:
        check_equal(row.column - len(PROMPT), cursor, f"the cursor after {keys!r}")
    shell.send(CTRL_C)
    shell.expect([EOL + PROMPT], SEEN_SECONDS, "the prompt after Ctrl-C")


def runs(shell, keys, output):
    """Types keys and Enter; the last line of the output must be that."""
    shell.send(keys + "\r")
    shell.wait_prompt()
    check_equal(shell.before.split(EOL)[-1], output, f"what {keys!r} does")


def arrows_and_their_control_keys(shell):
    edits(shell, "abc" + LEFT, "abc", 2)
    edits(shell, "abc\x02\x02X", "aXbc", 2)
    edits(shell, "abc" + HOME + "X", "Xabc", 1)
    edits(shell, "abc\x01" + RIGHT + "X", "aXbc", 2)
    edits(shell, "abc\x01\x06X\x05Y", "aXbcY", 5)
    edits(shell, "abc" + HOME + END + "Y", "abcY", 4)
    edits(shell, LEFT * 3 + "abc" + RIGHT * 9 + LEFT * 99, "abc", 0)


def removing(shell):
    edits(shell, "abcd\b", "abc", 3)
    edits(shell, "abcd\x7f\x7f", "ab", 2)
    edits(shell, "abcd" + HOME + DELETE, "bcd", 0)
    edits(shell, "abcd" + LEFT + LEFT + "\x0b", "ab", 2)
    edits(shell, "abcd" + LEFT + LEFT + "\x15", "cd", 0)
    edits(shell, "one two three\x17\x17", "one", 4)
    edits(shell, "abc\x15\b\x7f" + DELETE, "", 0)


def what_is_edited_is_what_runs(shell):
    runs(shell, "eck" + HOME + "ch", "ok")
    runs(shell, "checkxx\b\b", "ok")
    runs(shell, "nonsense\x15check", "ok")
    runs(shell, "che\x0cck", "ok")


def a_long_line_can_be_edited(shell):
    """Longer than the terminal: the editor shows a part of it, and draws the prompt again as often as it likes."""
    line = "kmalloc " + "0" * 200 + "64"
    for keys in (line + HOME + "# " + END + "x", line + "9" * 30 + "\b" * 30 + LEFT * 100 + RIGHT * 100):
        shell.send(keys + "\r")
        text = ""
        while part := shell.drain(0.5):
            text += part
        check(text.endswith(EOL + PROMPT), f"no prompt after a long line was edited: {text[-200:]!r}")
        output = text.split(EOL)[-2]
        if "#" in keys:
            check("0xffff" not in output, f"a long line that became a comment was run: {output!r}")
        else:
            shell.ok(f"kfree {address(output):#x}")


def history(shell):
    for line in ("# one", "# two", "# three"):
        shell.lines(line)
    edits(shell, UP, "# three")
    edits(shell, UP + UP, "# two")
    edits(shell, "\x10\x10\x10", "# one")
    edits(shell, UP + UP + DOWN, "# three")
    edits(shell, "mine" + UP + DOWN, "mine")
    edits(shell, "mine" + UP + "\x0e", "mine")
    runs(shell, "check", "ok")
    runs(shell, UP, "ok")


def history_has_64_and_no_duplicates(shell):
    for i in range(70):
        shell.lines(f"# line {i}")
    shell.lines("# line 69")
    listed = [line.split(None, 1)[1] for line in shell.lines("history")]
    check_equal(len(listed), 64, "lines of history")
    check_equal(len(set(listed)), 64, "different lines of history")
    check_equal(listed[-2:], ["# line 69", "history"], "the newest lines of history")


def tab_completes(shell):
    edits(shell, "mm_st\t", "mm_stat")
    edits(shell, "alloc_pages unm\t", "alloc_pages unmapped")
    edits(shell, "pt li\t", "pt list")
    edits(shell, "help kmal\t", "help kmalloc")


def tab_shows_what_each_is_for(shell):
    shell.send("k\t\t")
    text = shell.drain(1)
    for name in ("kmalloc", "kzalloc", "kfree"):
        check_in(name, text, "what TAB shows")
    shell.send(CTRL_C)
    shell.drain(0.3)
    shell.send("\r")
    shell.wait_prompt()


def the_nearest_name(shell):
    for wrong, right in (("kmaloc 4", "kmalloc"), ("mmstat", "mm_stat"), ("chekc", "check"),
                         ("free_page 0 1", "free_pages")):
        check_in(right, shell.error(wrong), f"the error of {wrong!r}")
    check_in("unmapped", shell.error("alloc_pages unmaped 1"), "the error of a wrong zone")


def numbers(shell):
    for text, size in (("0x40", 64), ("64", 64), ("4K", 4096), ("4k", 4096), ("0x1000", 4096), ("2K+2K", 4096),
                       ("0X10", 16),
                       ("1M-1", (1 << 20) - 1), ("010", 10), ("1K-1K+1", 1)):
        before = shell.stat()["cache_used"]
        at = shell.kmalloc(text)
        expected = max(32, 1 << (size - 1).bit_length())
        check_equal(shell.stat()["cache_used"] - before, expected, f"bytes of kmalloc {text}")
        shell.ok(f"kfree {at:#x}")
    for text in ("18446744073709551616", "0x10000000000000000", "16777216T", "1-2", "4Q", "0x", "x", "1K1", "",
                 "$0"):
        shell.error(f"kmalloc {text}")


def results(shell):
    first = shell.kmalloc(64)
    check_equal(shell.lines("vtop $$")[-1].split(" ")[0], f"{first:#x}", "$$")
    second = shell.kmalloc(64)
    check_equal(shell.lines("vtop $$+8")[-1].split(" ")[0], f"{second + 8:#x}", "$$+8")
    shell.ok("kfree $$")
    shell.ok(f"kfree {first:#x}")
    with_numbers = shell.error("kfree $99999")
    check_in("$99999", with_numbers, "the error of a result that is not there")


def several_commands_on_a_line(shell):
    output = shell.lines("kmalloc 4K; fill $$ 4K 0x5a; find $$ 4K 0x5a5a5a5a5a5a5a5b; kfree $$")
    check_equal([output[1], output[3]], ["ok", "ok"], f"the commands of a line: {output}")
    check_equal(shell.lines("nosuch; check")[-1], "ok", "a command behind one that fails")
    check_equal(shell.lines("check # nosuch"), ["ok"], "a comment")


def help_helps(shell):
    listed = [line.split()[0] for line in shell.lines("help") if line.startswith("  ")]
    for command in ("mm_stat", "zones", "buddy", "slabs", "memmap", "frag", "alloc_pages", "free_pages", "page",
                    "kmalloc", "kzalloc", "kfree", "shrink", "map", "unmap", "pt", "vtop", "ptdump", "peek",
                    "poke", "fill", "find", "xp", "whatis", "selftest", "check", "help", "history", "watch",
                    "repeat", "time", "clear", "about", "log", "reboot",
                    "poweroff", "exit"):
        check_in(command, listed, "the commands that help lists")
    for command in listed:
        text = shell.text(f"help {command}")
        check_in(command, text, f"help {command}")
        check(len(text.splitlines()) >= 3, f"help {command} tells little: {text}")
        check(all(len(line) < COLUMNS + 60 for line in text.splitlines()), f"help {command} has very long lines")


def human_sizes(shell):
    check(re.search(r"total +\d[\d.]* [KMG]iB", shell.text("mm_stat -h")), "mm_stat -h has no sizes for people")


def watch_repeats(shell):
    shell.send("watch 1 mm_stat -j\r")
    start = time.monotonic()
    for _ in range(3):
        shell.expect(['"available":'], 10, "a line of watch")
    check(1.5 <= time.monotonic() - start <= 6, f"three lines of watch 1 took {time.monotonic() - start:.1f} s")
    shell.interrupt()


def what_was_interrupted_has_not_failed(shell):
    """Ctrl-C during the tests: they bail out, the rest of the line does not run, and nothing is called a failure."""
    shell.send("selftest; kmalloc 32\r")
    shell.expect(["Subtest: "], 10, "the first tests")
    shell.interrupt()
    check_in("Bail out! interrupted", shell.before, "interrupted tests")
    check("not ok" not in shell.before and "error: interrupted" in shell.before, f"interrupted: {shell.before[-500:]}")
    check(not re.search(r"^0x", shell.before, re.M), "the rest of the line was run")


def time_goes_by(shell):
    up = [int(re.search(r"^up +(\d+) s", shell.text("about"), re.M)[1])]
    start = time.monotonic()
    time.sleep(2.2)
    up.append(int(re.search(r"^up +(\d+) s", shell.text("about"), re.M)[1]))
    passed = time.monotonic() - start
    check(1 <= up[1] - up[0] <= passed + 2, f"{passed:.1f} s went by, and {up[1] - up[0]} s in the machine")


def whatis_knows(shell):
    live, page = shell.kmalloc(4096), shell.alloc_pages("normal", 1)
    freed = shell.kmalloc(64)
    shell.kmalloc(64)
    shell.ok(f"kfree {freed:#x}")
    for at, said in ((f"{live:#x}", "live object"), (f"{live + 5:#x}", "live object"),
                     (f"{freed:#x}", "free object"),
                     (f"{page:#x}", "alloc_pages"), ("kernel_main", "kernel_main"),
                     ("0xffffffffffffffff", "0xffffffffffffffff"),
                     ("0x4000000000000000", "canonical"), ("0xfee00000", "no RAM"),
                     ("0x1000", "reserved|low memory|in use")):
        check(re.search(said, shell.text(f"whatis {at}")),
              f"whatis {at} does not say {said!r}: {shell.text(f'whatis {at}')}")
    shell.ok("kfree $$")
    shell.ok(f"kfree {live:#x}")
    shell.ok(f"free_pages {page:#x} 1")


def tables_are_known_for_what_they_are(shell):
    root = re.search(r"^PML4 (0x[0-9a-f]+) ", shell.text("vtop 0"), re.M)[1]
    check_in("page table", shell.text(f"whatis {root}"), "whatis of the top level")
    shell.error(f"kfree {address(root) + 0xffff800000000000:#x}")


def errors_name_what_was_typed(shell):
    """And what there is instead."""
    for line, parts in (
            ("peek foo", ["'foo'", "no symbol foo"]), ("whatis kernel_mian+4", ["no symbol kernel_mian"]),
            ("selftest foo", ["'foo'", "kmalloc", "misuse_maps", "debug"]), ("selftest kmaloc", ["did you mean 'kmalloc'"]),
            ("peek 0x800000000000", ["0x800000000000 is not canonical"]),
            ("poke 0x8000000000000000 1 -f", ["0x8000000000000000 is not canonical"]),
            ("find 0xffff800000100000 4K 0x1ff -w 1", ["'0x1ff' does not fit a width of 1"]),
            ("find 0xffff800000100000 4K \"x\" -w 1", ["-w is for numbers"]), ("bench foo", ["'foo'", "help bench"]),
            ("free_pages 0x40000000 1", ["free_pages(0x40000000, 1)"]),
            ("free_pages 0xffff800001000000 1", ["free_pages(0xffff800001000000, 1) was refused: RAM ends at 0x"])):
        said = shell.error(line)
        for part in parts:
            check_in(part, said, line)
    for line in ("peek 0xffff800000000000 0", "xp 0 0", "repeat 0 foo"):
        check_equal(shell.lines(line), ["ok"], line)
    check_in("bad free_pages(0x40000000): no RAM there", shell.text("free_pages 0x40000000 1"), "the report")
    check_in("not canonical", shell.text("vtop 0x800000000000"), "vtop of what is not canonical")
    check_equal(shell.lines("vtop 0x800000000000")[-1], "0x800000000000 not mapped", "its last line")


def exit_tells_of_its_line(line, status):
    """A script learns from QEMU's status whether what it asked for went well."""
    with Machine(cmdline=f'autorun="{line}"') as machine:
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after {line}")
    with Machine() as machine:
        machine.start_shell().error("kfree 1")
        machine.shell.send(line + "\r")
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after an error and then {line}")


TESTS = [
    arrows_and_their_control_keys, removing, what_is_edited_is_what_runs, a_long_line_can_be_edited, history,
    history_has_64_and_no_duplicates, tab_completes, tab_shows_what_each_is_for, the_nearest_name, numbers,
    results, several_commands_on_a_line, help_helps, human_sizes, watch_repeats, what_was_interrupted_has_not_failed, time_goes_by,
    whatis_knows, errors_name_what_was_typed,
    tables_are_known_for_what_they_are,
]
SLOW = [history_has_64_and_no_duplicates, watch_repeats, time_goes_by, arrows_and_their_control_keys, removing]


def main():
    suite = Suite(__doc__)
    require_qemu()
    with Machine() as machine:
        shell = machine.start_shell()
        for test in TESTS:
            if suite.full or test not in SLOW:
                suite.run(test.__name__, test, shell)
        suite.run("check_is_ok_at_the_end", shell.ok, "check")
    for line, status in (("check; exit", 33), ("kfree 1; check; exit", 35), ("repeat 2 kfree 1; exit", 35), ("kfree 1; exit 16", 33)):
        suite.run(f"exit_tells_of_the_line_{line}", exit_tells_of_its_line, line, status)
    suite.finish()


if __name__ == "__main__":
    main()
