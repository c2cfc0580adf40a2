#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tests inside the kernel, run at boot in several machines.

Each run must end with the expected exit status, must have printed its end marker, and must have run the expected number
of tests: a machine that falls over half way fails all three.
"""
import re

from lib import ktap
from lib.machine import EXIT_OK, Machine, require_qemu
from lib.report import Suite, check, check_equal
from lib.shell import EOL

AUTORUN = 'autorun="selftest; exit" '
END_MARKER = re.compile(r"^# selftest: (\d+) passed, (\d+) failed$")
RUN_SECONDS = 120
N_TESTS_LEAST = 60

# What the suite `paging` says it tried; a CPU without SMEP, SMAP and leaves of 1 GiB leaves the fewest.
CASES = re.compile(r"^ *# (\d+) cases, (\d+) of them allowed; ")
N_CASES_LEAST = 1500

# Of the table of wrong frees each row is tried, but for a page of a hole and the last page of RAM; on an odd machine also
# but for those with pages in a row, and with UNMAPPED's.
ROWS = re.compile(r"^ *# (\d+) of (\d+) rows tried$")
N_ROWS_LACKING, N_ROWS_LACKING_ON_ODD = 2, 12

QUICK = {
    "pvh_q35_512M_2_cpus": {"boot": "pvh", "extra": ("-smp", "2")},
    "pvh_pc_64M_core2duo": {"boot": "pvh", "machine": "pc", "mem": "64M", "cpu": "core2duo"},
}
FULL = QUICK | {
    "bios_q35_512M": {"boot": "bios"},
    "bios_pc_16M": {"boot": "bios", "machine": "pc", "mem": "16M"},
    "bios_q35_qemu64": {"boot": "bios", "cpu": "qemu64"},
    "bios_q35_without_nx": {"boot": "bios", "cpu": "qemu64,nx=off"},
    "bios_pc_6G": {"boot": "bios", "machine": "pc", "mem": "6G"},
    "bios_64G": {"boot": "bios", "mem": "64G"},
    "bios_la57_capable_without_1g_pages": {"boot": "bios", "cpu": "max,pdpe1gb=off"},
    "uefi_q35_512M": {"boot": "uefi"},
    "uefi_pc_6G": {"boot": "uefi", "machine": "pc", "mem": "6G"},
}

# The least RAM that there may be, and zones that the command line made odd: tests leave out what is not to be had.
ODD = {
    "8M": ("", {"machine": "pc", "mem": "8M"}),
    "normal_of_nothing_but_grown_pages": ("direct_map=4M", {"machine": "pc", "mem": "16M"}),
    "dma_of_all": ("zone_dma=4G", {}),
    "small_dma_and_normal": ("zone_dma=2M direct_map=4M", {}),
}


class Counts:
    """The names of the tests of the first run: every other run must have the same."""

    def __init__(self):
        self.names = None

    def compare(self, names):
        """Fails unless the names are those of the first run."""
        if self.names is None:
            self.names = names
        missing, new = sorted(set(self.names) - set(names)), sorted(set(names) - set(self.names))
        check(not missing and not new, f"other tests than in the first run: missing {missing}, new {new}")
        check_equal(len(names), len(self.names), "the number of tests")


def judge(lines, counts, n_rows_lacking=N_ROWS_LACKING):
    """Fails unless the lines are those of a run without fault."""
    report = ktap.read(lines)
    check(not report.failed, "failed tests:\n    " + "\n    ".join(explain(lines, report.failed)))
    check(len(report.names) > N_TESTS_LEAST, f"only {len(report.names)} tests")
    check_equal(len(set(report.names)), len(report.names), "the number of different names of tests")
    counts.compare(report.names)
    judge_cases(lines)
    judge_rows(lines, n_rows_lacking)
    ends = [match for line in lines if (match := END_MARKER.match(line))]
    check_equal(len(ends), 1, "end markers")
    check_equal(int(ends[0][2]), 0, "failed tests, says the end marker")
    check_equal(int(ends[0][1]), len(report.names) - len(report.skipped), "passed tests, says the end marker")


def judge_cases(lines):
    """Fails unless rights were tried in many cases, some of them allowed and some not."""
    cases = [(int(match[1]), int(match[2])) for line in lines if (match := CASES.match(line))]
    check(sum(n for n, _ in cases) >= N_CASES_LEAST, f"only these cases of rights: {cases}")
    for n, n_allowed in cases:
        check(0 < n_allowed < n, f"{n_allowed} of {n} cases allowed")


def judge_rows(lines, n_lacking):
    """Fails unless wrong frees were tried, and only those left out that a machine may lack."""
    rows = [(int(match[1]), int(match[2])) for line in lines if (match := ROWS.match(line))]
    check(rows, "no rows of wrong frees")
    for n, n_all in rows:
        check(n >= n_all - n_lacking, f"only {n} of {n_all} rows of wrong frees were tried")


def explain(lines, failed):
    """The failed results, each behind the notes above it."""
    notes = []
    for line in lines:
        line = line.strip()
        if line in failed:
            yield from notes
            yield line
        notes = notes + [line] if line.startswith("#") else []


def run(options, counts, words="", n_rows_lacking=N_ROWS_LACKING):
    """One machine that runs the tests by itself, with some more words on its command line."""
    with Machine(cmdline=AUTORUN + words, **options) as machine:
        machine.choose_entry()
        status = machine.wait_exit(machine.boot_seconds() + RUN_SECONDS)
        text = machine.shell.transcript()
        judge(text.split(EOL), counts, n_rows_lacking)
        check_equal(status, EXIT_OK, "QEMU's exit status")
        check_equal(machine.shutdown_reason(), None, "QEMU's reason for a shutdown")
        check("panic" not in text.split("autorun:")[-1].split("KTAP")[0], "the kernel panicked")


def from_the_menu(counts):
    """The boot menu's entry, which goes on to the prompt."""
    with Machine(boot="bios", entry=1) as machine:
        machine.choose_entry()
        machine.shell.wait_prompt(machine.boot_seconds() + RUN_SECONDS, "the self-test entry of the menu")
        judge(machine.shell.before.split(EOL), counts)
        machine.shell.ok("check")


def twice_and_nothing_is_lost(counts):
    """At the prompt, twice: memory is as before, byte for byte, and one suite can be run by name."""
    with Machine(boot="pvh") as machine:
        shell = machine.start_shell()
        before = shell.one("mm_stat -j")
        for _ in range(2):
            judge(shell.lines("selftest", timeout=RUN_SECONDS), counts)
            shell.ok("shrink")
            check_equal(shell.one("mm_stat -j"), before, "mm_stat after a run")
            shell.ok("check")
        suite = counts.names[-1].split(".")[0]
        report = ktap.read(shell.lines(f"selftest {suite}", timeout=RUN_SECONDS))
        check_equal(report.names, [name for name in counts.names if name.startswith(suite + ".")],
                    "the suite's tests")
        shell.error("selftest no_such_suite")


def a_users_state_fails_nothing():
    """What somebody took, mapped and made at the prompt before is not the tests' affair."""
    with Machine(boot="pvh") as machine:
        shell = machine.start_shell()
        shell.kmalloc(64)
        shell.alloc_pages("normal", 1, "shared")
        shell.one("pt new")
        shell.ok("map 0xffffa00000000000 0x1000000 4K")
        for suite in ("stat", "kmalloc", "pages", "map", "kernel", "patterns"):
            report = ktap.read(shell.lines(f"selftest {suite}", timeout=RUN_SECONDS))
            check(report.names and not report.failed, f"{suite}: failed tests: {report.failed}{shell.tail()}")


def main():
    suite = Suite(__doc__)
    require_qemu()
    counts = Counts()
    for name, options in (FULL if suite.full else QUICK).items():
        suite.run("selftest_" + name, run, options, counts)
    suite.run("selftest_a_users_state_fails_nothing", a_users_state_fails_nothing)
    if suite.full:
        for name, (words, options) in ODD.items():
            suite.run("selftest_odd_" + name, run, options, counts, words, N_ROWS_LACKING_ON_ODD)
        suite.run("selftest_from_the_boot_menu", from_the_menu, counts)
        suite.run("selftest_twice_and_nothing_is_lost", twice_and_nothing_is_lost, counts)
    suite.finish()


if __name__ == "__main__":
    main()
