# SPDX-License-Identifier: MIT
"""Running tests one after another and saying how they went.

A test is a function that returns when all is well and raises Failure (or anything else) when not.  A program is a
Suite: it prints `ok NAME` or `not ok NAME: why` for each and `N passed, N failed` at the end.
"""
import argparse
import sys
import time
import traceback


class Failure(AssertionError):
    """What was expected did not happen; the text says what did."""


def check(condition, message):
    """Fails with the message unless the condition holds."""
    if not condition:
        raise Failure(message)


def check_equal(found, expected, what):
    """Fails unless the two are equal."""
    if found != expected:
        raise Failure(f"{what}: expected {expected!r}, found {found!r}")


def check_in(part, whole, what):
    """Fails unless `part` is in `whole`."""
    if part not in whole:
        raise Failure(f"{what}: no {part!r} in {whole!r}")


class Suite:
    """The tests of one program.

    Command line: `[quick|full] [--seed N] [--only TEXT]`; --only runs the tests with TEXT in their names.
    """

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("mode", nargs="?", choices=["quick", "full"], default="full")
        parser.add_argument("--seed", type=lambda text: int(text, 0), help="of the random tests")
        parser.add_argument("--only", default="", metavar="TEXT", help="run only tests whose name has TEXT in it")
        arguments = parser.parse_args()
        self.full = arguments.mode == "full"
        self.seed = arguments.seed
        self.only = arguments.only
        self.n_passed = 0
        self.n_failed = 0

    def wants(self, name):
        """Whether --only lets a test of that name run."""
        return self.only in name

    def run(self, name, function, *arguments):
        """Runs one test.  True when it passed (or was not asked for)."""
        if not self.wants(name):
            return True
        start = time.monotonic()
        why = None
        try:
            function(*arguments)
        except Failure as failure:
            why = str(failure)
        except Exception:       # a broken test is a failed test, and the others go on
            why = traceback.format_exc()
        seconds = time.monotonic() - start
        if why is not None:
            self.fail(name, why)
            return False
        self.n_passed += 1
        print(f"ok {name}   ({seconds:.1f} s)", flush=True)
        return True

    def fail(self, name, why):
        """Counts a test that failed."""
        self.n_failed += 1
        print(f"not ok {name}: {why}", flush=True)

    def finish(self):
        """Prints the sum and ends the program."""
        print(f"{self.n_passed} passed, {self.n_failed} failed", flush=True)
        sys.exit(1 if self.n_failed or not self.n_passed else 0)
