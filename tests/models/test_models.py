#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The protocols between CPUs, as models that spin goes through in every order of their steps (tests/PROOFS.md).

Each model holds as it is, and fails in each of its mutants, in which one thing is done wrong.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))

from lib import images, process     # noqa: E402  (after the path to it)
from lib.report import Suite, check     # noqa: E402

MODELS = os.path.join(TOP, "tests", "models")
CHECKER = ["gcc", "-O1", "-w", "-DSAFETY", "-DNOREDUCE", "-DCOLLAPSE", "-DVECTORSZ=1024", "-o", "pan", "pan.c"]
MAX_DEPTH = 10000
SECONDS = 300

# Model, CPUs, operations of each; the mutants that must fail, and those that must not.
CASES = [
    ("shootdown", 2, 2, range(1, 10), []),
    ("synchronize", 2, 2, [1, 2, 3, 4, 5, 6, 7, 9, 13], [8]),
    ("live", 2, 4, range(1, 8), []),
    ("live", 3, 2, range(1, 8), []),
    ("homes", 2, 5, range(1, 7), []),
]
CASES_FULL = [
    ("shootdown", 3, 1, range(1, 10), []),
    ("synchronize", 3, 1, [7, 10, 11, 12, 13], []),
    ("homes", 3, 2, [1, 3, 4, 5], []),
]


def compile_model(name, n_cpus, n_operations):
    """The folder with the checker of a model."""
    folder = os.path.join(images.work_folder(), f"{name}-{n_cpus}-{n_operations}")
    os.makedirs(folder)
    defines = [f"-DN={n_cpus}", f"-DOPERATIONS={n_operations}"]
    process.run(["spin", *defines, "-a", os.path.join(MODELS, name + ".pml")], cwd=folder)
    process.run(CHECKER, timeout=SECONDS, cwd=folder)
    return folder


def explore(folder, mutant):
    """(errors, states) of all orders of steps."""
    output = process.run([os.path.join(folder, "pan"), "-E", f"-m{MAX_DEPTH}"], timeout=SECONDS, cwd=folder,
                         env={**os.environ, "MUTANT": str(mutant)}).decode()
    errors = re.search(r"errors: (\d+)", output)
    states = re.search(r"(\d+) states, stored", output)
    check(errors and states and "max search depth too small" not in output, f"pan did not come to its end:\n{output}")
    return int(errors.group(1)), int(states.group(1)), output


def holds(name, folder, mutant):
    """No order of steps breaks a property."""
    errors, states, output = explore(folder, mutant)
    why = re.search(r"^pan:.*$", output, re.MULTILINE)
    check(errors == 0, f"{name}: {why.group(0) if why else output} (tests/PROOFS.md says how to see the way there)")
    print(f"# {name}: {states} states, all of them")


def fails(name, folder, mutant):
    """Some order of steps breaks a property."""
    errors, states, _ = explore(folder, mutant)
    check(errors > 0, f"{name}: mutant {mutant} is not noticed in {states} states")


def run_case(suite, case):
    """A model and its mutants."""
    name, n_cpus, n_operations, wrong, right = case
    title = f"{name}_with_{n_cpus}_cpus"
    try:
        folder = compile_model(name, n_cpus, n_operations)
    except Exception as error:      # pylint: disable=broad-except  (a model that does not compile is a failed test)
        suite.fail(title, str(error))
        return
    suite.run(f"{title}_holds", holds, title, folder, 0)
    for mutant in right:
        suite.run(f"{title}_holds_as_mutant_{mutant}", holds, title, folder, mutant)
    for mutant in wrong:
        suite.run(f"{title}_fails_as_mutant_{mutant}", fails, title, folder, mutant)


def main():
    suite = Suite(__doc__)
    for case in CASES + (CASES_FULL if suite.full else []):
        run_case(suite, case)
    suite.finish()


if __name__ == "__main__":
    main()
