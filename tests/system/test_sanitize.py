#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The sanitized kernel (preset kernel-sanitize): every access and every operation is checked as it is made.

Nothing that the self-tests and a stress do is wrong; what is wrong on purpose ends in a report that names it.
"""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["TESSERA_BUILD"] = os.path.join(TOP, "build", "kernel-sanitize")     # before lib looks for it

# pylint: disable=wrong-import-position
from lib import ktap
from lib.machine import EXIT_OK, Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in
from lib.shell import EOL

PANIC_EXIT = 67
SELFTEST_SECONDS = 600
STRESS_SLACK_SECONDS = 120
N_SANITIZE_TESTS = 10                   # of the suite that makes each mistake on purpose

FAULTS = {                              # kind: what its report must say
    "freed": [r"sanitizer: read of 8 bytes at 0xffff8[0-9a-f]{11} by fault_freed\+0x[0-9a-f]+: an object that is free",
              r"^  what       already free", r"^  shadow .*\[fb\]"],
    "overrun": [r"sanitizer: write of 1 bytes at 0xffff8[0-9a-f]{9}64 by fault_overrun\+0x[0-9a-f]+: "
                r"behind what was asked for of an object",
                r"^  object     100 of its 128 bytes were asked for; this is byte 100",
                r"^  shadow     00 00 00 00 00 00 00 00 00 00 00 00\[04\]fc fc fc fc"],
    "shift": [r"sanitizer: shift: 1 \('unsigned int'\) by 32 places",
              r"^  at         kernel/shell/fault\.c:[0-9]+:[0-9]+"],
}


def the_selftests_do_nothing_wrong(smp):
    """All of them pass, and each mistake of the suite `sanitize` is seen."""
    with Machine(cmdline='panic=exit autorun="selftest; exit"', extra=("-smp", smp)) as machine:
        status = machine.wait_exit(machine.boot_seconds() + SELFTEST_SECONDS)
        text = machine.shell.transcript()
        report = ktap.read(text.split(EOL))
        check(not report.failed, f"failed tests: {report.failed}{machine.shell.tail()}")
        n_sanitize = len([name for name in report.names if name.startswith("sanitize.")])
        check(n_sanitize >= N_SANITIZE_TESTS, f"only {n_sanitize} tests of the sanitizers{machine.shell.tail()}")
        check_equal(status, EXIT_OK, f"QEMU's exit status{machine.shell.tail()}")


def the_debug_mode_is_at_home_here():
    """Two that look after memory at a time: names are the callers', and neither takes the other's mistakes for its own."""
    with Machine(cmdline="console=serial panic=exit mm.debug=on", extra=("-smp", "2")) as machine:
        shell = machine.start_shell()
        for suite in ("debug", "sanitize"):
            last = shell.lines(f"selftest {suite}", SELFTEST_SECONDS)[-1]
            check(re.fullmatch(r"# selftest: [1-9]\d* passed, 0 failed", last), f"selftest {suite}: {last}{shell.tail()}")
        at = shell.kmalloc(100)
        check(re.search(r"taken +by run_kmalloc\+", shell.text(f"owner {at:#x}")), f"owner names another{shell.tail()}")
        shell.ok(f"kfree {at:#x}")
        shell.ok("check")


def a_stress_does_nothing_wrong(smp, seconds):
    with Machine(cmdline="panic=exit", extra=("-smp", smp)) as machine:
        shell = machine.start_shell()
        shell.ok(f"stress -i {seconds} 42", seconds + STRESS_SLACK_SECONDS)
        shell.ok("check")


def a_mistake_is_reported(kind, patterns):
    """At the instruction, with the reason, and the kernel ends there."""
    with Machine(cmdline="panic=exit") as machine:
        machine.start_shell().send(f"fault {kind}\r")
        check_equal(machine.wait_exit(), PANIC_EXIT, "QEMU's exit status")
        report = machine.shell.transcript().split("panic: ", 1)[-1].replace("\r", "")
        for pattern in patterns:
            check(re.search(pattern, report, re.M), f"no {pattern!r} in the report:\n{report}")
        check_in(f"fault_{kind}+0x", report.split("backtrace:")[-1], "the backtrace")
        check_in("call_run", report.split("backtrace:")[-1], "the backtrace")


def boots(options):
    """The image is larger than the ordinary one; firmware and GRUB must cope with it."""
    with Machine(cmdline="panic=exit", **options) as machine:
        shell = machine.start_shell()
        shell.ok("check")
        shell.ok("kfree " + hex(shell.kmalloc(100)))


def main():
    suite = Suite(__doc__)
    require_qemu()
    suite.run("the_selftests_do_nothing_wrong", the_selftests_do_nothing_wrong, "2")
    suite.run("the_debug_mode_is_at_home_here", the_debug_mode_is_at_home_here)
    for kind, patterns in FAULTS.items():
        suite.run(f"a_mistake_is_reported_{kind}", a_mistake_is_reported, kind, patterns)
    for smp in ("1", "4"):
        suite.run(f"a_stress_does_nothing_wrong_{smp}", a_stress_does_nothing_wrong, smp, 10)
    suite.run("boots_bios", boots, {"boot": "bios", "mem": "64M", "cpu": "core2duo"})
    suite.run("boots_uefi", boots, {"boot": "uefi"})
    suite.finish()


if __name__ == "__main__":
    main()
