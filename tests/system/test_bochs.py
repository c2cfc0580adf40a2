#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ISO in Bochs, which is stricter than QEMU: text mode driven by the serial line, and the framebuffer in a window with
keys and a screenshot."""
import time

from lib import ktap, picture
from lib.bochs import BOOT_SECONDS, Bochs
from lib.machine import require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import EOL, PROMPT

SELFTEST_SECONDS = 240
MIB = 1 << 20
SPECIAL = 0xffffa00000000000


def boots(machine):
    shell = machine.start_shell()
    stat = shell.stat()
    check(126 * MIB <= stat["total"] <= 128 * MIB, f"total is {stat['total']} of 128 MiB")
    check_equal(shell.lines("check"), ["ok"], "check")


def memory_works(machine):
    shell = machine.shell
    shell.ok("shrink")
    before = shell.one("mm_stat -j")
    objects = [shell.kmalloc(size) for size in (1, 80, 4096, 70000, MIB)]
    for at in objects:
        shell.ok(f"fill {at:#x} 32 0x5a")
    page = shell.alloc_pages("normal", 2, "shared")
    shell.ok(f"map {SPECIAL:#x} {page:#x} 4M nx")
    shell.ok(f"poke {SPECIAL + 0x234560:#x} 0x1122334455667788")
    check_in("88 77 66 55 44 33 22 11", shell.text(f"xp {page + 0x234560:#x} 8"),
             "what was written through the mapping")
    shell.ok(f"unmap {SPECIAL + 0x200000:#x} 4K")
    check_equal(shell.lines(f"vtop {SPECIAL + 0x200000:#x}")[-1], f"{SPECIAL + 0x200000:#x} not mapped",
                "the hole")
    shell.ok("check")
    shell.ok(f"unmap {SPECIAL:#x} 4M")
    shell.ok(f"free_pages {page:#x} 2")
    for at in objects:
        shell.ok(f"kfree {at:#x}")
        shell.error(f"kfree {at:#x}")
    shell.ok("shrink")
    check_equal(shell.one("mm_stat -j"), before, "mm_stat -j after everything was freed")


def selftest_passes(machine):
    report = ktap.read(machine.shell.lines("selftest", timeout=SELFTEST_SECONDS))
    check_equal(report.failed, [], "failed tests")
    check(len(report.names) > 60, f"only {len(report.names)} tests")
    machine.shell.ok("check")


def exit_is_refused(machine):
    """There is no debug-exit port."""
    machine.shell.error("exit")


def reboot_starts_again(machine):
    shell = machine.shell
    shell.kmalloc(4096)
    shell.send("reboot\r")
    shell.wait_prompt(BOOT_SECONDS, "booting again after reboot")
    check_equal(shell.lines("check"), ["ok"], "check after reboot")
    shell.error("kfree $1")


def poweroff_powers_off(machine):
    machine.shell.send("poweroff\r")
    check_in("power off", machine.wait_exit(), "Bochs' log")


WINDOW_SECONDS = 30     # the window is painted after the serial line has spoken, on a busy host much later


class Window:
    """What the console shows in Bochs' window."""

    def __init__(self, machine):
        self.machine = machine
        self.font = picture.Font()
        self.origin = None

    def lines(self, n_rows=3):
        """Some lines of text from the one with the wanted prompt on; where it is, is found by its pixels once."""
        shot = self.machine.picture()
        until = time.monotonic() + WINDOW_SECONDS
        while self.origin is None:
            self.origin = picture.find_text(shot, self.font, "Tessera 0.")
            check(self.origin or time.monotonic() < until, "no banner in Bochs' window")
            if self.origin is None:
                time.sleep(1)
                shot = self.machine.picture()
        x, y = self.origin
        # The banner's text begins in column 16 of the row that it is in.
        left, top = x - 16 * picture.GLYPH_WIDTH, y % self.font.height
        rows = (shot.height - top) // self.font.height
        columns = min(125, (shot.width - left) // picture.GLYPH_WIDTH)
        return picture.read_grid(shot, self.font, left, top, columns, rows)

    def wait(self, expected, seconds=20):
        """Waits until these lines follow one another on the screen."""
        end = time.monotonic() + seconds
        while True:
            lines = self.lines()
            if any(lines[i:i + len(expected)] == expected for i in range(len(lines))):
                return
            if time.monotonic() > end:
                shown = "\n    ".join(filter(None, lines))
                raise Failure(f"not in Bochs' window: {expected}; there is:\n    {shown}")
            time.sleep(0.5)


def window_shows_what_is_typed(machine):
    """The framebuffer of 32 bits a pixel, and the keyboard."""
    shell = machine.start_shell()
    window = Window(machine)
    for command in ("check", "kmalloc 4096", "kfree $1", "mm_stat"):
        machine.type(command + "\n")
        echo, _, output = shell.wait_prompt().partition(EOL)
        check_equal(echo, command, "what was typed in the window, echoed on the serial line")
        window.wait([PROMPT + command, *output.split(EOL)])
    output = shell.lines("mm_stat -j")
    window.wait([PROMPT + "mm_stat -j", *output])


def main():
    suite = Suite(__doc__)
    require_qemu()
    tests = [boots, memory_works, exit_is_refused, poweroff_powers_off]
    if suite.full:
        tests[2:2] = [selftest_passes, reboot_starts_again]
    try:
        with Bochs("text") as machine:
            for test in tests:
                suite.run(test.__name__, test, machine)
    except Failure as failure:
        suite.fail("bochs_starts", failure)
    if suite.full:
        other_machines(suite)
    suite.finish()


def on_little(machine):
    """Bochs' default CPU, which has next to nothing, and 16 MiB."""
    shell = machine.start_shell()
    check(15 * MIB <= shell.stat()["total"] <= 16 * MIB, "total of 16 MiB")
    selftest_passes(machine)


def other_machines(suite):
    """With the framebuffer; and on the smallest machine."""
    try:
        with Bochs("text", mib=16, cpu="bx_generic") as machine:
            suite.run("on_a_generic_cpu_with_16M", on_little, machine)
    except Failure as failure:
        suite.fail("bochs_starts_with_16M", failure)
    try:
        with Bochs("pixels") as machine:
            suite.run(window_shows_what_is_typed.__name__, window_shows_what_is_typed, machine)
    except Failure as failure:
        suite.fail("bochs_starts_in_a_window", failure)


if __name__ == "__main__":
    main()
