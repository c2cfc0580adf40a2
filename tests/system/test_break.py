#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Failures and shortage on purpose: `fail` and `oom` at the prompt, on machines from 16 MiB to 6 GiB.  Whatever fails,
memory is afterwards what it was, byte for byte."""
import re

from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in
from lib.shell import CTRL_C, EOL

OOM_SECONDS = 60                        # the 6 GiB machine's memory is touched for the first time


class Memory:
    """A shell, and memory as it was."""

    def __init__(self, shell):
        self.shell = shell
        shell.ok("shrink")
        self.before = shell.one("mm_stat -j")

    def as_before(self):
        """Nothing was lost, and all is sound."""
        self.shell.ok("check")
        self.shell.ok("shrink")
        check_equal(self.shell.one("mm_stat -j"), self.before, "mm_stat -j")


# ---- fail ----

def requests(shell):
    """(requests, failed) as `fail` tells them."""
    match = re.search(r": (\d+) requests so far, (\d+) failed$", shell.lines("fail")[0])
    check(match, "fail tells nothing of requests")
    return int(match[1]), int(match[2])


def nth_fails_once(memory):
    """Only that request: the next call succeeds."""
    shell = memory.shell
    shell.ok("fail nth 1")
    check_in("no memory", shell.error("kmalloc 1M"), "the first kmalloc")
    check_equal(requests(shell), (1, 1), "requests")
    check_equal(shell.lines("fail")[1], "the last to fail wanted 256 frames of zone NORMAL", "fail")
    at = shell.kmalloc("1M")
    check_equal(requests(shell)[1], 1, "requests that failed")
    shell.ok(f"kfree {at:#x}")
    shell.ok("fail off")
    check_equal(shell.lines("fail")[0], "off", "fail")
    memory.as_before()


def every_call_is_refused_in_its_way(memory):
    """With nothing to be had, each command says so in one line, and takes nothing."""
    shell = memory.shell
    shell.ok("fail from 1")
    for command in ["kmalloc 16K", "kmalloc 4096", "kzalloc 1M", "alloc_pages normal 1", "alloc_pages dma 1",
                    "alloc_pages unmapped 2", "pt new"]:
        shell.error(command)
        shell.ok("check")
    check_in("EFAULT", shell.error("map 0x400000 0x8000000000 64M uc 4k"), "map")
    shell.lines("vtop 0x400000")
    check(requests(shell)[1] >= 7, "not every call made a request that failed")
    shell.ok("fail off")
    memory.as_before()


def every_second_fails_and_what_succeeds_is_sound(memory):
    """A mixture of calls some of which fail."""
    shell = memory.shell
    shell.ok("fail every 2")
    for size in [32, 2048, 4096, 1 << 20]:
        shell.lines(f"repeat 10 kmalloc {size}")
    n, failed = requests(shell)
    check(n // 2 == failed > 0, f"{failed} of {n} requests failed")
    shell.ok("fail off")
    shell.ok("check")
    free_all(shell)
    memory.as_before()


def free_all(shell):
    """Frees what live objects the results still name: those of this test."""
    for number in range(1, 200):
        word = f"${number}"
        if "error" in shell.lines(f"whatis {word}")[-1]:
            break
        if any("live object" in line for line in shell.lines(f"whatis {word}")):
            shell.lines(f"kfree {word}")


def fail_wants_sense(memory):
    """Wrong arguments are named, and nothing is armed by them."""
    shell = memory.shell
    for line, part in [("fail sometimes 3", "sometimes"), ("fail nth", "number"), ("fail every 0", "from 1"),
                       ("fail off 3", "no number"), ("fail nth x", "x")]:
        check_in(part, shell.error(line), line)
        check_equal(shell.lines("fail")[0], "off", "fail")


def oom_says_what_fail_had_to_do_with_it(memory):
    """Not that memory was at its end."""
    shell = memory.shell
    for line in ("fail from 3", "fail nth 5"):
        shell.ok(line)
        text = "\n".join(shell.ok("oom", OOM_SECONDS))
        check_in("'fail' is set", text, line)
        found = re.findall(r"([\d,]+) of its ([\d,]+) requests for memory failed on purpose", text)
        check_equal(len(found), 3, f"{line}: ways that tell how many failed: {text}")
        n_failed = sum(int(failed.replace(",", "")) for failed, _ in found)
        check_equal(n_failed, requests(shell)[1], f"{line}: requests that failed")
        check("DMA keeps" not in text, f"{line}: {text}")
        shell.ok("fail off")
        memory.as_before()
    check("'fail'" not in shell.text("oom", OOM_SECONDS), "oom speaks of fail when it is off")


def with_several_cpus(_unused):
    """Each CPU's caches are out of use, and in use again: stress with failing requests, and all comes back."""
    with Machine(boot="pvh", extra=("-smp", "4")) as machine:
        shell = machine.start_shell()
        memory = Memory(shell)
        shell.ok("fail every 7")
        shell.ok("stress -p objects,blocks,pages,shrink 2 7", 120)
        n, failed = requests(shell)
        check(failed > 10 and n // 7 == failed, f"{failed} of {n} requests failed")
        shell.ok("fail off")
        shell.ok("fail from 1000000000000")
        check_in("the part faults, which would set its own, is left out", shell.text("stress 1 7", 120), "stress with fail set")
        check_in("from 1000000000000", shell.lines("fail")[0], "fail after a stress")
        shell.ok("fail off")
        shell.ok("stress -p objects,blocks,pages,shrink 1 7", 120)
        memory.as_before()


# ---- oom ----

def oom_takes_all_and_gives_it_back(shell):
    """Each way takes nearly all, and all comes back."""
    memory = Memory(shell)
    output = shell.ok("oom", OOM_SECONDS)
    took = [line for line in output if " took " in line]
    check_equal([line.split()[0] for line in took], ["kmalloc", "alloc_pages", "mapping"], "the ways")
    check_equal(len([line for line in output if "given back, and all is as before" in line]), 3, "ways given back")
    for line, end in zip(took, ["NULL", "NULL", "-EFAULT"]):
        check(line.endswith(f"and then {end}"), line)
    memory.as_before()


def a_command_with_nothing_left(shell):
    """It is refused or works, and then all comes back."""
    memory = Memory(shell)
    check_in("no memory", shell.error("oom kmalloc 1M", OOM_SECONDS), "kmalloc")
    check_in("no room", shell.error("oom -w alloc_pages alloc_pages normal 1", OOM_SECONDS), "alloc_pages")
    check_in("left free", " ".join(shell.ok("oom -w mapping check", OOM_SECONDS)), "oom -w mapping")
    shell.error("oom no_such_command", OOM_SECONDS)
    check_in("kmalloc, alloc_pages, mapping", shell.error("oom -w magic"), "a wrong way")
    memory.as_before()


def ctrl_c_ends_it(shell):
    """At any time, and what was taken comes back."""
    memory = Memory(shell)
    for line in ["oom", "oom -w mapping", "oom watch 1 check"]:
        shell.send(line + "\r")
        shell.expect([EOL], 20, f"the echo of {line}")
        shell.send(CTRL_C)
        check_in("error: interrupted", shell.wait_prompt(OOM_SECONDS, "after Ctrl-C"), line)
        memory.as_before()


MACHINES = {"16M": {"machine": "pc", "mem": "16M"}, "64M_4_cpus": {"mem": "64M", "extra": ("-smp", "4")},
            "512M": {}}
FULL = MACHINES | {"6G": {"mem": "6G"}}


def main():
    suite = Suite(__doc__)
    require_qemu()
    with Machine(boot="pvh") as machine:
        memory = Memory(machine.start_shell())
        for test in [nth_fails_once, every_call_is_refused_in_its_way, every_second_fails_and_what_succeeds_is_sound,
                     fail_wants_sense, oom_says_what_fail_had_to_do_with_it]:
            suite.run(test.__name__, test, memory)
    suite.run("fail_with_several_cpus", with_several_cpus, None)
    for name, options in (FULL if suite.full else MACHINES).items():
        with Machine(boot="pvh", **options) as machine:
            shell = machine.start_shell()
            for test in [oom_takes_all_and_gives_it_back, a_command_with_nothing_left, ctrl_c_ends_it]:
                suite.run(f"{test.__name__}_{name}", test, shell)
    suite.finish()


if __name__ == "__main__":
    main()
