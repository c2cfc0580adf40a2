#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""scripts/run as a person starts it: how to leave is said first, keys reach the shell, options are obeyed, and the exit
status is the machine's.

scripts/run builds before it boots; after scripts/build that is a matter of a second.
"""
import os
import re
import subprocess

import pexpect

from lib import images
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import PROMPT

RUN = os.path.join(images.TOP, "scripts", "run")
RUN_SECONDS = 300
PROMPT_SECONDS = 240
CTRL_C, CTRL_RIGHT_BRACKET = "\x03", "\x1d"


def piped(lines, *options, status=0):
    """Runs with input from a pipe; returns what came out."""
    typed = "".join(line + "\n" for line in lines)
    try:
        result = subprocess.run([RUN, *options], input=typed, capture_output=True, text=True, timeout=RUN_SECONDS,
                                errors="replace")
    except subprocess.TimeoutExpired as late:
        said = str(late.stdout)[-1500:]
        raise Failure(f"scripts/run {' '.join(options)} did not end; its output: {said}") from None
    check_equal(result.returncode, status,
                f"the status of scripts/run {' '.join(options)}; its messages: {result.stderr[-1500:]}")
    check_in("To leave:", result.stderr, "what is said first")
    return result.stdout.replace("\r", "")


def total_of(output):
    """The field total of mm_stat -j in the output."""
    match = re.search(r'"total":(\d+)', output)
    check(match, f"no mm_stat -j in {output[-1500:]}")
    return int(match[1])


def exit_gives_33():
    check_in("\nok\n", piped(["check", "exit"], status=33), "the output")


def poweroff_gives_0():
    check_in("511 MiB", piped(["about", "poweroff"]), "the output")


def input_that_ends_ends_it():
    check_in("\nok\n", piped(["check"]), "the output")


def mem_and_cmdline():
    total = total_of(piped(["mm_stat -j", "exit"], "--mem", "64M", status=33))
    check(63 << 20 <= total <= 64 << 20, f"total is {total} with --mem 64M")
    output = piped(["poweroff"], "--cmdline", 'autorun="mm_stat -j" mem=100M')
    check(99 << 20 <= total_of(output) <= 100 << 20, f"total is {total_of(output)} with mem=100M")


def uefi():
    check_in("UEFI", piped(["about", "exit"], "--uefi", status=33), "the output of about")


def bochs():
    check_in("\nok\n", piped(["check", "poweroff"], "--bochs"), "the output")


def wrong_options():
    for options in (["--nosuch"], ["--mem"], ["--mem", "lots"], ["--smp", "0"], ["--bochs", "--uefi"]):
        result = subprocess.run([RUN, *options], capture_output=True, text=True, timeout=60)
        check(result.returncode != 0, f"scripts/run {options} succeeds")
        check_in("error: ", result.stderr, f"what scripts/run {options} says")


def at_a_terminal():
    """Ctrl-C and Ctrl-A reach the shell; Ctrl-] and x leave."""
    terminal = pexpect.spawn(RUN, timeout=PROMPT_SECONDS, encoding="latin-1", dimensions=(40, 120))
    try:
        terminal.expect_exact("To leave: Ctrl-]")
        terminal.expect_exact("\n" + PROMPT)
        terminal.send("kmalloc 64" + CTRL_C)
        terminal.expect_exact("\n" + PROMPT, timeout=20)
        terminal.send("eck\x01ch\r")
        terminal.expect(r"ok\r+\n" + PROMPT, timeout=20)
        terminal.send("repeat 1000000000 check\r")
        terminal.expect(r"ok\r+\nok", timeout=20)
        terminal.send(CTRL_C)
        terminal.expect_exact("\n" + PROMPT, timeout=20)
        terminal.send(CTRL_RIGHT_BRACKET + "x")
        terminal.expect(pexpect.EOF, timeout=20)
    except (pexpect.TIMEOUT, pexpect.EOF) as missed:
        raise Failure(f"scripts/run at a terminal: {missed}") from None
    finally:
        terminal.close(force=True)
    check_equal(terminal.exitstatus, 0, "the status after Ctrl-] x")


def main():
    suite = Suite(__doc__)
    tests = [exit_gives_33, wrong_options]
    if suite.full:
        tests += [poweroff_gives_0, input_that_ends_ends_it, mem_and_cmdline, uefi, bochs, at_a_terminal]
    for test in tests:
        suite.run("run_" + test.__name__, test)
    suite.finish()


if __name__ == "__main__":
    main()
