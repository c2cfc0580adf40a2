#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults on purpose: the report names what happened and where, with registers, names of functions and the walk of the
address; the panic shell looks and does nothing else; screen and keyboard work in it."""
import re
import time

from lib import picture
from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in
from lib.shell import EOL

PANIC_PROMPT = "panic> "
PAINT_SECONDS = 10
REPORT_SECONDS = 30
REGISTERS = ["rax", "rbx", "rsp", "rip", "r15", "cr0", "cr2", "cr3", "cr4"]
KINDS = {                               # kind: what its report must say
    "null": ["panic: page fault", "read", "at address 0x0000000000000008", "NULL", "0x8 not mapped"],
    "write-ro": ["panic: page fault", "write", " ro "],
    "exec-nx": ["panic: page fault", "instruction fetch", " nx "],
    "unmapped": ["panic: page fault", "read", "not mapped"], "canonical": ["panic: general protection"],
    "divide": ["panic: divide error"], "ud": ["panic: invalid opcode"],
    "stack": ["panic: page fault", "write", "stack"], "rsp": ["panic: invalid opcode", "stack pointer"],
    "panic": ["panic: asked for by the command fault"],
    "locked": ["panic: asked for by the command fault, with a lock held"],   # which `check` then takes
}
SANITIZED = ["freed", "overrun", "shift"]    # test_sanitize.py: only that build reports them
LOOKS = ["mm_stat", "zones", "buddy", "slabs", "memmap", "vtop 0xffff800000000000", "peek kernel_main",
         "xp 0x7c00",
         "whatis kernel_main", "page 0x1000000", "help", "log", "about"]
ACTS = ["kmalloc 64", "alloc_pages normal 1", "map 0xffffa00000000000 0x8000000000 4K", "shrink",
        "poke kernel_main 1 -f"]


def report_of(machine, kind):
    """Makes a fault of that kind; returns the report."""
    machine.shell.send(f"fault {kind}\r")
    machine.shell.expect([EOL + PANIC_PROMPT], REPORT_SECONDS, f"the panic shell after fault {kind}")
    return machine.shell.before


def in_panic(machine, line):
    """Runs a line in the panic shell; returns its output."""
    machine.shell.send(line + "\r")
    machine.shell.expect([EOL + PANIC_PROMPT], REPORT_SECONDS, f"{line} in the panic shell")
    echo, _, output = machine.shell.before.partition(EOL)
    check_equal(echo, line, "the echo in the panic shell")
    return output.split(EOL)


def fault(kind, expected):
    with Machine() as machine:
        machine.start_shell()
        report = report_of(machine, kind)
        for text in expected:
            check_in(text, report, f"the report of fault {kind}")
        check_equal(report.count("panic: "), 1, f"panics after fault {kind}")
        check(re.search(r"^ +[0-9a-f]{16} \w*fault\w*\+0x", report, re.M) or kind == "stack",
              f"no caller is named in {report}")
        check_in("shell_run", report, "the backtrace")
        if kind not in ("panic", "locked"):
            for register in REGISTERS:
                check(re.search(rf"\b{register} +[0-9a-f]{{16}}\b", report), f"no register {register} in {report}")
        check_equal(in_panic(machine, "check"), ["ok"], "check in the panic shell")
        machine.shell.send("poweroff\r")
        check_equal(machine.wait_exit(), 0, "QEMU's exit status after poweroff in the panic shell")
        check_equal(machine.shutdown_reason(), "guest-shutdown", "the reason")


def a_breakpoint_goes_on():
    """It is reported, and is no reason to stop."""
    with Machine() as machine:
        report = machine.start_shell().ok("fault int3")
        check_in("breakpoint", report[0], "the report")
        check([line for line in report if "fault_int3+0x" in line], f"the place is not named in {report}")
        machine.shell.ok("check")


def every_kind_is_known():
    """What `help fault` lists is what is tested here."""
    with Machine() as machine:
        listed = re.findall(r"^  +([\w-]+) {2,}\S", machine.start_shell().text("help fault"), re.M)
        check_equal(sorted(listed), sorted([*KINDS, *SANITIZED, "int3"]), "the kinds that help fault lists")
        machine.shell.error("fault nosuch")
        machine.shell.error("fault")


def the_panic_shell_only_looks():
    with Machine() as machine:
        machine.start_shell()
        report_of(machine, "null")
        stat = in_panic(machine, "mm_stat -j")
        for line in LOOKS:
            output = in_panic(machine, line)
            check(not output[-1].startswith("error: "), f"{line} in the panic shell: {output}")
        for line in ACTS:
            output = in_panic(machine, line)
            check(output[-1].startswith("error: "), f"{line} is done in the panic shell: {output}")
        check_equal(in_panic(machine, "mm_stat -j"), stat, "mm_stat -j in the panic shell")


def screen_with_prompt(machine):
    """The lines of the screen, which may be painted later than the serial line is written to."""
    end = time.monotonic() + PAINT_SECONDS
    while True:
        lines = picture.read_framebuffer(machine.picture(), picture.Font())
        if PANIC_PROMPT.rstrip() in lines or time.monotonic() > end:
            return lines
        time.sleep(0.2)


def the_report_is_on_the_screen():
    with Machine(boot="bios") as machine:
        machine.start_shell()
        report_of(machine, "write-ro")
        lines = screen_with_prompt(machine)
        check_in(PANIC_PROMPT.rstrip(), lines, "the prompt on the screen")
        check([line for line in lines if line.startswith("backtrace")], f"no backtrace on the screen: {lines}")
        machine.type_line("mm_stat")
        machine.shell.expect([EOL + PANIC_PROMPT], REPORT_SECONDS, "mm_stat typed in the panic shell")
        check_in("cache_used", machine.shell.before, "the output of mm_stat")


def a_wrong_address_is_a_message():
    """peek and its kin never fault."""
    with Machine() as machine:
        shell = machine.start_shell()
        for line in ("peek 0", "peek 0x800000000000", "peek 0xffffffffffffffff", "poke 0 1 -f",
                     "fill 0xffff7fffffffffff 2 0 -f",
                     "xp 0x10000000000", "find 0 4K 1", "peek 0xffff8000fee00000", "poke 0xffffffff80101000 1 -f"):
            shell.error(line)
        shell.ok("check")


def main():
    suite = Suite(__doc__)
    require_qemu()
    kinds = KINDS if suite.full else {kind: KINDS[kind] for kind in ("null", "exec-nx", "stack")}
    for kind, expected in kinds.items():
        suite.run(f"fault_{kind}", fault, kind, expected)
    suite.run("the_panic_shell_only_looks", the_panic_shell_only_looks)
    suite.run("a_wrong_address_is_a_message", a_wrong_address_is_a_message)
    suite.run("a_breakpoint_goes_on", a_breakpoint_goes_on)
    if suite.full:
        suite.run("every_kind_is_known", every_kind_is_known)
        suite.run("the_report_is_on_the_screen", the_report_is_on_the_screen)
    suite.finish()


if __name__ == "__main__":
    main()
