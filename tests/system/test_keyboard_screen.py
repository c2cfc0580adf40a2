#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Keyboard and screen: commands typed on the PS/2 keyboard, their output read back from a picture of the screen.

Both faces show the same, so what the picture says is compared with what came over the serial line.
"""
import time

from lib import picture
from lib.machine import Machine, require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import EOL, PROMPT

COMMANDS = ["mm_stat", "kmalloc 0x1000", "kfree $1", "zones", "check", "help kmalloc"]
EVERY_KEY = "help ~!@#$%^&*()_+{}|:<>?`1234567890-=[]\\,./QWERTYUIOPASDFGHJKLZXCVBNMqwertyuiopasdfghjklzxcvbnm"
PAINT_SECONDS = 10
COMMAND_SECONDS = 60


class Desk:
    """A machine with its screen, and the text on it."""

    def __init__(self, machine):
        self.machine = machine
        self.shell = machine.shell
        self.font = picture.Font()

    def screen(self):
        """The lines on the screen, up to the last that is not empty."""
        shot = self.machine.picture()
        if (shot.width, shot.height) == (720, 400):
            lines = picture.read_vga_text(self.machine.physical(0xb8000, 4000))
        else:
            lines = picture.read_framebuffer(shot, self.font)
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def wait_screen(self, expected):
        """Waits until the screen ends with these lines."""
        end = time.monotonic() + PAINT_SECONDS
        while True:
            lines = self.screen()
            if lines[-len(expected):] == expected:
                return
            if time.monotonic() > end:
                kept = self.machine.keep_picture("failed-keyboard-screen")
                raise Failure("the screen does not show what the serial line says:\n  serial: "
                              + "\n          ".join(expected) + "\n  screen: "
                              + "\n          ".join(lines[-len(expected):]) + f"\n  picture: {kept}")
            time.sleep(0.2)

    def type_command(self, line):
        """Types a line on the keyboard; returns the lines of its output on the serial line."""
        self.machine.type_line(line)
        self.shell.expect([PROMPT], COMMAND_SECONDS, f"the prompt after {line!r}")
        return self.shell.before.split(EOL)[:-1]

    def wrapped(self, lines):
        """The lines as a screen of this width shows them."""
        shot = self.machine.picture()
        columns = 80 if shot.width == 720 else (shot.width - 24) // picture.GLYPH_WIDTH
        return [line[i:i + columns].rstrip() for line in lines for i in range(0, max(len(line), 1), columns)]


def the_banner_is_on_the_screen(desk):
    lines = desk.screen()
    check([line for line in lines if "Tessera" in line], f"no banner on the screen: {lines}")
    check_equal(lines[-1], PROMPT.rstrip(), "the last line on the screen")


def typed_commands_show_on_both_faces(desk):
    for command in COMMANDS:
        output = desk.type_command(command)
        check(output and not output[0].startswith("error"), f"{command} typed on the keyboard: {output}")
        desk.wait_screen(desk.wrapped([PROMPT + command, *output, PROMPT.rstrip()]))


def serial_commands_show_on_the_screen(desk):
    output = desk.shell.lines("mm_stat -j")
    desk.wait_screen(desk.wrapped([PROMPT + "mm_stat -j", *output, PROMPT.rstrip()]))


def every_key_gives_its_character(desk):
    for i in range(0, len(EVERY_KEY), 40):
        line = "# " + EVERY_KEY[i:i + 40].strip()
        desk.type_command(line)
        desk.wait_screen([PROMPT + line, PROMPT.rstrip()])


def keys_edit_the_line(desk):
    machine = desk.machine
    machine.type("xcheck3")
    machine.press("backspace")
    machine.press("home")
    machine.press("delete")
    machine.press("end")
    machine.press("left")
    machine.press("right")
    desk.wait_screen([PROMPT + "check"])
    machine.press("ret")
    desk.shell.wait_prompt()
    desk.wait_screen([PROMPT + "check", "ok", PROMPT.rstrip()])
    machine.press("up")
    desk.wait_screen([PROMPT + "check"])
    machine.press("ctrl", "u")
    desk.wait_screen([PROMPT.rstrip()])
    machine.type("mm_st")
    machine.press("tab")
    desk.wait_screen([PROMPT + "mm_stat"])
    machine.press("ctrl", "c")
    desk.shell.wait_prompt()
    desk.shell.drain(0.2)


def caps_lock_and_keypad(desk):
    machine = desk.machine
    machine.press("caps_lock")
    machine.type("# abcd1")
    machine.press("caps_lock")
    machine.type("ef")
    for key in ("kp_add", "kp_subtract", "kp_multiply", "kp_divide"):
        machine.press(key)
    machine.press("kp_enter")
    desk.shell.wait_prompt()
    desk.wait_screen([PROMPT + "# ABCD1ef+-*/", PROMPT.rstrip()])


def ctrl_c_on_the_keyboard_stops_a_command(desk):
    desk.machine.type("find 0xffff800001000000 256M 0x123456789\n")
    time.sleep(0.5)
    desk.machine.press("ctrl", "c")
    desk.shell.wait_prompt(20, "Ctrl-C on the keyboard")
    check_in("error: interrupted", desk.shell.before, "the output of the stopped command")
    check_equal(desk.type_command("check"), ["ok"], "the next command")


def long_output_waits_for_a_key(desk):
    """Only what was entered at the keyboard is paged."""
    machine, shell = desk.machine, desk.shell
    check(len(shell.lines("ptdump")) > 0, "no output of ptdump")
    machine.type("repeat 100 mm_stat\n")
    text = shell.drain(3)
    check(PROMPT not in text, "700 lines entered at the keyboard were not paged")
    lines = desk.screen()
    check("more" in lines[-1], f"no pager prompt on the screen: {lines[-1]!r}")
    machine.press("spc")
    check(PROMPT not in shell.drain(1), "a second page goes on to the end")
    machine.press("q")
    shell.expect([PROMPT], 20, "q in the pager")
    shell.drain(0.2)
    check_equal(desk.type_command("check"), ["ok"], "the command after the pager")
    desk.wait_screen([PROMPT + "check", "ok", PROMPT.rstrip()])
    check_equal(len(shell.lines("repeat 100 mm_stat")), 700, "lines of the same command from the serial line")


def the_screen_is_1024_by_768(desk):
    shot = desk.machine.picture()
    check_equal((shot.width, shot.height), (1024, 768), "the size of the screen")


def clear_clears_the_screen(desk):
    desk.type_command("clear")
    end = time.monotonic() + PAINT_SECONDS
    while (lines := [line for line in desk.screen() if line]) != [PROMPT.rstrip()]:
        check(time.monotonic() < end, f"after clear the screen shows {lines}")
        time.sleep(0.2)


TESTS = [
    the_banner_is_on_the_screen, typed_commands_show_on_both_faces, serial_commands_show_on_the_screen,
    every_key_gives_its_character, keys_edit_the_line, caps_lock_and_keypad,
    ctrl_c_on_the_keyboard_stops_a_command, long_output_waits_for_a_key, clear_clears_the_screen,
]


def sit_down(suite, name, options, tests):
    """Boots a machine and runs tests at its keyboard and screen."""
    wanted = [test for test in tests if suite.wants(f"{name}_{test.__name__}")]
    if not wanted:
        return
    try:
        with Machine(**options) as machine:
            machine.start_shell()
            desk = Desk(machine)
            for test in wanted:
                suite.run(f"{name}_{test.__name__}", test, desk)
    except Failure as failure:
        suite.fail(f"{name}_boots", failure)


def main():
    suite = Suite(__doc__)
    require_qemu()
    sit_down(suite, "bios", {"boot": "bios"}, [the_screen_is_1024_by_768, *TESTS] if suite.full else TESTS[:4])
    if suite.full:
        sit_down(suite, "uefi", {"boot": "uefi"}, [the_screen_is_1024_by_768, *TESTS])
        sit_down(suite, "vga_text", {"boot": "bios", "entry": 4}, TESTS)
        sit_down(suite, "cirrus_24_bits", {"boot": "bios", "vga": "cirrus"}, TESTS[:4])
    suite.finish()


if __name__ == "__main__":
    main()
