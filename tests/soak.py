#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/soak.py [-k] [-t MINUTES] [-s SEED] [NAME...]: what scripts/soak runs once the kernels are built."""
import argparse
import os
import re
import secrets
import sys
import time
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))

# pylint: disable=wrong-import-position
from lib import images
from lib.machine import Machine, require_qemu
from lib.report import Failure

LOGS = os.path.join(TOP, "build", "soak")
SLACK_SECONDS = 300                     # many CPUs on few: what takes a second may take a minute
OVERHEAD_SECONDS = 9                    # booting, shrinking and checking; what comes after the stress
FAIL_ONE_IN = 40                        # or up to twice as many: the workers themselves want some
FAIL_PARTS = "objects,blocks,pages,mappings,shrink"
ICOUNT_SLOWNESS = 5                     # a second of 10^9 instructions takes about as many
LEAST_SECONDS = 2


@dataclass
class Configuration:
    """A machine, and what differs from `stress -i SECONDS SEED` in the ordinary kernel."""
    name: str
    smp: str = "1"
    options: dict = field(default_factory=dict)
    extra: tuple = ()
    arguments: str = "-i"
    slowness: int = 1
    build: str = "kernel"


CONFIGURATIONS = [
    Configuration("1-cpu"),
    Configuration("4-cpus", "4"),
    Configuration("8-cpus-1G", "8", {"mem": "1G"}),
    Configuration("1-cpu-64M-core2duo", "1", {"mem": "64M", "cpu": "core2duo", "machine": "pc"}),
    Configuration("8-cpus-96M", "8", {"mem": "96M"}),
    Configuration("2-cpus-qemu64-bios", "2", {"cpu": "qemu64", "boot": "bios", "mem": "256M"}),
    Configuration("4-cpus-6G-uefi", "4", {"mem": "6G", "boot": "uefi"}),
    Configuration("1-cpu-without-apic", "1", {"cpu": "qemu64,-apic", "machine": "pc"}),
    Configuration("4-cpus-in-turns", "4", extra=("-accel", "tcg,thread=single")),
    Configuration("4-cpus-icount", "4", extra=("-icount", "shift=0,sleep=off"), slowness=ICOUNT_SLOWNESS),
    Configuration("8-cpus-shoot-duels-crowd", "8", arguments="-p shoot,duels,crowd"),
    Configuration("2-cpus-memory-debug", "2", {"cmdline": "mm.debug=on"}),
    Configuration("1-cpu-sanitized", "1", build="kernel-sanitize"),
    Configuration("4-cpus-sanitized", "4", build="kernel-sanitize"),
]


@dataclass
class Result:
    """How one went."""
    configuration: Configuration
    seed: int
    seconds: int
    problem: str = ""
    took: float = 0.0
    report: str = ""

    def row(self):
        """A line of the table."""
        steps = re.search(r"(\d+) steps", self.report)
        return (f"{self.configuration.name:26} {self.seed:>10} {self.seconds:5} s {self.took:6.0f} s "
                f"{steps[1] if steps else '-':>10}  {self.problem or 'ok'}")


HEAD = f"{'configuration':26} {'seed':>10} {'stress':>7} {'took':>8} {'steps':>10}  result"


def soak(shell, configuration, result):
    """The stress; all memory taken in each way; a second of stress while one request in some fails from the prompt.  Each
    leaves nothing behind."""
    shell.ok("shrink")
    before = shell.one("mm_stat -j")
    commands = [f"stress {configuration.arguments} {result.seconds} {result.seed}",
                "oom", "oom check",
                f"fail every {FAIL_ONE_IN + result.seed % FAIL_ONE_IN}", f"stress -p {FAIL_PARTS} 1 {result.seed}", "fail off"]
    for command in commands:
        lines = shell.ok(command, result.seconds * configuration.slowness + SLACK_SECONDS)
        result.report = result.report or next((line for line in reversed(lines) if " steps: " in line), "")
        if not command.startswith("fail every"):
            shell.ok("check")
        shell.ok("shrink")
        if shell.one("mm_stat -j") != before:
            raise Failure(f"error: mm_stat is not what it was after {command}")


def run(configuration, seconds, seed):
    """One configuration; never fails, but says so."""
    images.BUILD = os.path.join(TOP, "build", configuration.build)
    result = Result(configuration, seed, max(LEAST_SECONDS, seconds // configuration.slowness))
    start = time.monotonic()
    with Machine(extra=("-smp", configuration.smp, *configuration.extra), **configuration.options) as machine:
        try:
            soak(machine.start_shell(), configuration, result)
        except Failure as failure:
            result.problem = why(str(failure))
        with open(os.path.join(LOGS, configuration.name + ".log"), "w", encoding="utf-8") as log:
            log.write(machine.shell.transcript().replace("\r\n", "\n"))
    result.took = time.monotonic() - start
    return result


def why(text):
    """The error of stress, or the first line of whatever else went wrong."""
    errors = re.findall(r"error: [^']*|panic: [^\n]*", text)
    return errors[-1] if errors else text.split("\n")[0][:200]


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak", description="The stress of everything, in many machines.")
    parser.add_argument("-k", action="store_true", dest="keep_going", help="go on after a failure")
    parser.add_argument("-t", type=float, default=10, metavar="MINUTES", help="in all (10)")
    parser.add_argument("-s", type=int, default=secrets.randbelow(10 ** 8) + 1, metavar="SEED", help="of the first one")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only configurations with this in their names")
    options = parser.parse_args()
    chosen = [one for one in CONFIGURATIONS if not options.names or any(name in one.name for name in options.names)]
    if not chosen:
        parser.error("there is no such configuration; there are: " + " ".join(one.name for one in CONFIGURATIONS))
    images.BUILD = os.path.join(TOP, "build", "kernel")
    require_qemu()
    seconds = max(LEAST_SECONDS, int(options.t * 60 / len(chosen)) - OVERHEAD_SECONDS)

    print(f"{len(chosen)} configurations, {seconds} s each, seed {options.s}\n{HEAD}", flush=True)
    results = []
    for number, configuration in enumerate(chosen):
        results.append(run(configuration, seconds, options.s + CONFIGURATIONS.index(configuration)))
        print(results[number].row(), flush=True)
        if results[number].problem and not options.keep_going:
            break
    n_failed = sum(bool(result.problem) for result in results)
    print(f"{len(results) - n_failed} clean, {n_failed} failed, {len(chosen) - len(results)} not run; logs in build/soak/")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
