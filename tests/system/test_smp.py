#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All CPUs: finding and starting them, stress on all of them, mappings shot down under them, the end on any of them.

Every machine ends at a working prompt: `check` says ok, and mm_stat is as before, byte for byte, after a stress.
"""
import json
import re
import time

from lib import ktap
from lib.bochs import Bochs
from lib.machine import Machine, require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in

SHOOTDOWN_SECONDS = 120
STRESS_SLACK_SECONDS = 120              # many CPUs on few: what takes a second may take a minute
SEED = 20
REPLAYS = 6
ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm")

QUICK_COUNTS = {
    "pvh_q35_2": ("2", {}),
    "pvh_pc_8": ("8", {"machine": "pc"}),
}
FULL_COUNTS = QUICK_COUNTS | {
    f"{boot}_{machine}_{n}": (str(n), {"boot": boot, "machine": machine})
    for boot in ("bios", "uefi") for machine in ("pc", "q35") for n in (1, 2, 4, 8, 16)
} | {
    "pvh_q35_16": ("16", {}),
    "pvh_pc_64_in_512M": ("64", {"machine": "pc"}),
    "pvh_qemu64": ("4", {"cpu": "qemu64"}),
    "bios_core2duo": ("2", {"boot": "bios", "cpu": "core2duo"}),
    "bios_q35_64G": ("4", {"boot": "bios", "mem": "64G"}),
}


def machine_of(smp, **options):
    """A machine with QEMU's -smp."""
    extra = options.pop("extra", ())
    return Machine(extra=("-smp", smp, *extra), **options)


def cpus_of(shell):
    """What `cpus -j` says, in exactly the form that scripts rely on, and `cpus` with as many lines."""
    line = shell.one("cpus -j")
    cpus = json.loads(line)
    expected = ",".join(f'{{"cpu":{cpu["cpu"]},"apic":{cpu["apic"]}}}' for cpu in cpus)
    check_equal(line, f"[{expected}]", "the form of cpus -j")
    check_equal([cpu["cpu"] for cpu in cpus], list(range(len(cpus))), "the numbers of the CPUs")
    lines = shell.lines("cpus")
    check_equal([line.split()[0] for line in lines], [str(i) for i in range(len(cpus))], "the first words of cpus")
    return [cpu["apic"] for cpu in cpus]


def stress(shell, arguments, seconds):
    """A stress that must end well and leave nothing behind; returns what it printed."""
    shell.ok("shrink")
    before = shell.one("mm_stat -j")
    lines = shell.ok(f"stress {arguments}", timeout=seconds + STRESS_SLACK_SECONDS)
    check_equal(shell.one("mm_stat -j"), before, f"mm_stat after stress {arguments}")
    shell.ok("check")
    return lines


# ---- starting ----

def starts(smp, options):
    """All of them, with APIC ids counted up; a second of stress."""
    with machine_of(smp, **options) as machine:
        shell = machine.start_shell()
        check_equal(cpus_of(shell), list(range(int(smp))), "the APIC ids")
        shell.ok("check")
        stress(shell, "1 7", 1)


def starts_with_holes_in_the_apic_ids():
    """Three cores in a package take four ids."""
    with machine_of("6,sockets=2,cores=3,threads=1") as machine:
        shell = machine.start_shell()
        check_equal(cpus_of(shell), [0, 1, 2, 4, 5, 6], "the APIC ids")
        stress(shell, "2 7", 2)


def starts_as_many_as_asked():
    for smp, wanted, cmdline in (("8", 3, "smp=3"), ("4", 1, "smp=1"), ("2", 2, "smp=4096"), ("4", 1, "safe")):
        with machine_of(smp, cmdline=cmdline) as machine:
            check_equal(len(cpus_of(machine.start_shell())), wanted, f"CPUs of {smp} with {cmdline}")


def starts_no_more_than_64():
    with machine_of("70") as machine:
        shell = machine.start_shell()
        check_equal(len(cpus_of(shell)), 64, "CPUs of 70")
        shell.ok("check")


def little_memory_means_fewer_cpus():
    with machine_of("64", mem="16M") as machine:
        shell = machine.start_shell()
        check(1 < len(cpus_of(shell)) < 64, "CPUs of 64 in 16 MiB")
        stat = shell.stat()
        check(stat["free"] > stat["total"] // 3, f"the CPUs left too little: {stat}")
        stress(shell, "1 7", 1)


def reaches_the_prompt_without_an_apic(boot):
    with machine_of("2", boot=boot, machine="pc", cpu="qemu64,-apic") as machine:
        shell = machine.start_shell()
        check_equal(cpus_of(shell), [0], "the CPUs")
        stress(shell, "-i 2 7", 2)


def starts_in_bochs(n):
    with Bochs(n_cpus=n) as machine:
        shell = machine.start_shell()
        check_equal(len(cpus_of(shell)), n, "CPUs in Bochs")
        stress(shell, "1 7", 1)
        shoots_down(shell)          # Bochs keeps global translations as a CPU does, QEMU does not


# ---- stress ----

def stress_on(smp, arguments, seconds, extra):
    """A minute of everything; elsewhere seconds.  More is for scripts/soak."""
    with machine_of(smp, extra=extra) as machine:
        stress(machine.start_shell(), f"{arguments} {seconds} {SEED}", seconds)


def stress_of_one_part(smp):
    """Each part alone, and wrong names refused."""
    with machine_of(smp) as machine:
        shell = machine.start_shell()
        for part in ("objects", "blocks", "pages", "mappings", "objects,shrink", "objects,blocks,shortage",
                     "crowd", "objects,mappings,faults"):
            stress(shell, f"-p {part} 1 5", 1)
        shell.error("stress -p nonsense 1")
        shell.error("stress -p spoil 1")
        shell.error("stress -p faults,spoil 1")
        shell.error("stress 0")
        shell.error("stress")


def mappings_are_shot_down_under_seven_cpus(extra):
    """One CPU maps and unmaps, seven read and write what it mapped: none reaches it after an unmap."""
    with machine_of("8", extra=extra) as machine:
        lines = stress(machine.start_shell(), "-p shoot 10 3", 10)
        n_mappings = int(lines[-1].split(" mappings")[0].split()[-1])
        check(n_mappings > 20, f"only {n_mappings} mappings were shot down: {lines[-1]}")


def shoots_down(shell):
    """The suite of the unmaps that every CPU must hear of."""
    report = ktap.read(shell.lines("selftest shootdown", timeout=SHOOTDOWN_SECONDS))
    check(report.names, "there are no tests")
    check_equal(report.failed + report.skipped, [], "failed or skipped tests")
    shell.ok("check")


def caches_are_emptied_under_their_owners(smp):
    """The suite of the caches that one CPU empties while all use them."""
    with machine_of(smp) as machine:
        shell = machine.start_shell()
        report = ktap.read(shell.lines("selftest crowd", timeout=SHOOTDOWN_SECONDS))
        check(report.names, "there are no tests")
        check_equal(report.failed + report.skipped, [], "failed or skipped tests")
        shell.ok("check")


def every_cpu_hears_of_an_unmap(smp, extra):
    with machine_of(smp, extra=extra) as machine:
        shoots_down(machine.start_shell())


def ctrl_c_ends_a_stress():
    with machine_of("4") as machine:
        shell = machine.start_shell()
        shell.ok("shrink")
        before = shell.one("mm_stat -j")
        shell.send("stress 600 1\r")
        time.sleep(3)
        text = shell.interrupt(STRESS_SLACK_SECONDS)
        check_equal(text.rstrip().split("\r\n")[-1], "error: interrupted", "the last line after Ctrl-C")
        check("\r\nok\r\n" not in text, f"ok of a stress that did not end by itself: {text[-200:]!r}")
        check_equal(shell.one("mm_stat -j"), before, "mm_stat after Ctrl-C")
        shell.ok("check")


def two_alike(run):
    """What two of at most six runs agree on.

    CPUs in turns, time by instructions: the same seed does the same. But QEMU's main loop runs a timer that is due when
    it wakes up before the CPUs' thread does, and then ends the turn of a CPU early: on a busy machine about one run in
    four departs from the others. What departs on its own never meets another run, so two alike are the proof; a
    kernel that does not replay has none.
    """
    seen = []
    for _ in range(REPLAYS):
        found = run()
        if found in seen:
            return found
        seen.append(found)
    raise Failure(f"no two of {REPLAYS} runs with one seed are alike; they end with {[str(found)[-200:] for found in seen]}")


def a_seed_replays_under_icount():
    """Report by report, interrupts included."""
    def run():
        with machine_of("4", cmdline='autorun="stress -i 1 11; exit"', extra=("-icount", "shift=0,sleep=off")) as machine:
            machine.wait_exit(STRESS_SLACK_SECONDS)
            lines = machine.shell.transcript().split("\r\n")
        check_in("ok", lines, "the result")
        return lines[lines.index("autorun: stress -i 1 11"):]

    check([line for line in two_alike(run) if " steps: " in line], "there is no report")


def reports_of(arguments, smp="4"):
    """The reports, the failure's trace and the last line of a stress at boot; CPUs in turns, time by instructions."""
    with machine_of(smp, cmdline=f'autorun="stress {arguments}; exit"', extra=ICOUNT) as machine:
        machine.wait_exit(STRESS_SLACK_SECONDS)
        lines = machine.shell.transcript().split("\r\n")
    end = [line for line in lines if line == "ok" or line.startswith("error: ")]
    check(end, f"no result of stress {arguments}: {lines[-5:]}")
    return [line for line in lines if " steps: " in line], [line for line in lines if " us  CPU " in line], end[-1]


def a_failure_replays_under_icount():
    """Something is spoiled on purpose: the error names seed, CPU and step, what came last on each CPU stands above it, and
    the same seed brings all of it back."""
    first = two_alike(lambda: reports_of("-p objects,blocks,spoil -i 3 7"))
    check(re.fullmatch(r"error: CPU \d+( in an interrupt)?, step \d+: word 0 of the object .* \(seed 7\)", first[2]), first[2])
    for number in range(4):
        n_events = len([line for line in first[1] if f"CPU {number} " in line])
        check(n_events >= 16, f"{n_events} events of CPU {number}: {first[1]}")


def interrupts_come_by_thousands():
    """Where time is counted by instructions, so that a busy host does not matter; on every CPU, and without an APIC."""
    for smp, least in (("1", 3000), ("4", 2000)):
        report = reports_of("-i 2 5", smp)[0][-1]
        check(int(re.search(r"(\d+) a second on a CPU", report)[1]) >= least, f"with {smp} CPUs: {report}")


# ---- the end ----

def panic_on_another_cpu(kind, report):
    """The report is of the CPU that faulted; the panic shell runs there, and nothing else does."""
    with machine_of("4") as machine:
        shell = machine.start_shell()
        shell.send(f"fault -c 2 {kind}\r")
        shell.expect(["panic> "], 30, f"the panic shell after fault -c 2 {kind}")
        for text in ("panic: " + report, "on CPU 2", "CPU 0 was in ", "backtrace:"):
            check_in(text, shell.before, f"the report of fault -c 2 {kind}")
        for command, answer in (("cpus", "works"), ("check", "ok"), ("mm_stat", "total")):
            shell.send(command + "\r")
            shell.expect(["panic> "], 30, f"{command} in the panic shell")
            check_in(answer, shell.before, f"{command} in the panic shell")
        shell.send("poweroff\r")
        check_equal(machine.wait_exit(), 0, "QEMU's exit status")
        check_equal(machine.shutdown_reason(), "guest-shutdown", "the reason")


def breakpoint_on_another_cpu():
    with machine_of("2") as machine:
        shell = machine.start_shell()
        check_in("trap: breakpoint", "\n".join(shell.ok("fault -c 1 int3")), "the report")
        shell.error("fault -c 2 null")
        shell.error("fault -c 0 null")
        shell.ok("check")


def panic_on_another_cpu_does(action, status, reason):
    with machine_of("4", cmdline=f"panic={action}") as machine:
        machine.start_shell().send("fault -c 3 null\r")
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after panic={action}")
        check_equal(machine.shutdown_reason(), reason, f"the reason after panic={action}")


def leaves(command, status, reason, options):
    with machine_of("4", **options) as machine:
        machine.start_shell().send(command + "\r")
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after {command}")
        check_equal(machine.shutdown_reason(), reason, f"QEMU's reason for the end after {command}")


def main():
    suite = Suite(__doc__)
    require_qemu()
    for name, (smp, options) in (FULL_COUNTS if suite.full else QUICK_COUNTS).items():
        suite.run("starts_" + name, starts, smp, options)
    suite.run("starts_with_holes_in_the_apic_ids", starts_with_holes_in_the_apic_ids)
    suite.run("reaches_the_prompt_without_an_apic_pvh", reaches_the_prompt_without_an_apic, "pvh")
    suite.run("stress_4_in_turns", stress_on, "4", "", 2, ("-accel", "tcg,thread=single"))
    suite.run("every_cpu_of_4_hears_of_an_unmap", every_cpu_hears_of_an_unmap, "4", ())
    suite.run("panic_on_another_cpu_null", panic_on_another_cpu, "null", "page fault")
    if suite.full:
        run_full(suite)
    suite.finish()


def run_full(suite):
    """What takes longer."""
    for test in (starts_as_many_as_asked, starts_no_more_than_64, little_memory_means_fewer_cpus, ctrl_c_ends_a_stress,
                 a_seed_replays_under_icount, a_failure_replays_under_icount, interrupts_come_by_thousands,
                 breakpoint_on_another_cpu):
        suite.run(test.__name__, test)
    suite.run("reaches_the_prompt_without_an_apic_bios", reaches_the_prompt_without_an_apic, "bios")
    for n in (2, 4):
        suite.run(f"starts_in_bochs_{n}", starts_in_bochs, n)
    suite.run("stress_4_for_a_minute", stress_on, "4", "-i", 60, ())
    for smp in ("1", "8"):
        suite.run(f"stress_{smp}", stress_on, smp, "", 4, ())
        suite.run(f"stress_{smp}_with_interrupts", stress_on, smp, "-i", 4, ())
    suite.run("stress_8_icount", stress_on, "8", "-i", 2, ICOUNT)
    for smp in ("1", "4"):
        suite.run(f"stress_{smp}_of_one_part", stress_of_one_part, smp)
    suite.run("mappings_are_shot_down_under_seven_cpus", mappings_are_shot_down_under_seven_cpus, ())
    suite.run("mappings_are_shot_down_under_seven_cpus_in_turns", mappings_are_shot_down_under_seven_cpus,
              ("-accel", "tcg,thread=single"))
    for kind, report in (("panic", "asked for"), ("stack", "page fault"), ("divide", "divide error"),
                         ("ud", "invalid opcode")):
        suite.run(f"panic_on_another_cpu_{kind}", panic_on_another_cpu, kind, report)
    for action, status, reason in (("exit", 67, None), ("poweroff", 0, "guest-shutdown"), ("reboot", 0, "guest-reset")):
        suite.run(f"panic_on_another_cpu_does_{action}", panic_on_another_cpu_does, action, status, reason)
    for boot in ("pvh", "bios", "uefi"):
        suite.run(f"poweroff_{boot}", leaves, "poweroff", 0, "guest-shutdown", {"boot": boot})
        suite.run(f"reboot_{boot}", leaves, "reboot", 0, "guest-reset", {"boot": boot, "machine": "pc"})


if __name__ == "__main__":
    main()
