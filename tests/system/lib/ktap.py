# SPDX-License-Identifier: MIT
"""Reading the report of `selftest`, strictly: KTAP version 1, a plan, numbered results, nested suites."""
import re
from dataclasses import dataclass, field

from lib.report import Failure, check, check_equal

VERSION = re.compile(r"^( *)KTAP version 1$")
PLAN = re.compile(r"^( *)1\.\.(\d+)$")
RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: (?:- )?([^#]*?))?(?: *# *([A-Za-z]+)?(.*))?$")


@dataclass
class Level:
    """One list of results: what its plan promised and what came."""
    indent: int
    plan: int = None
    n_results: int = 0


@dataclass
class Report:
    """What a run of the tests said."""
    n_suites: int = 0
    names: list = field(default_factory=list)       # of the tests without tests of their own, with their suites
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)


class _Reader:
    def __init__(self):
        self.report = Report()
        self.levels = []
        self.pending = []           # names of tests of a nested list, until the suite's own result names it

    def close_deeper(self, indent, line):
        """Ends the lists that are further in than `indent`: each must have kept its plan."""
        while self.levels and self.levels[-1].indent > indent:
            level = self.levels.pop()
            check(level.plan is not None, f"KTAP: a list of tests without a plan before {line!r}")
            check_equal(level.n_results, level.plan, f"KTAP: results of a list with a plan, before {line!r}")

    def result(self, match, line):
        indent = len(match[1])
        is_suite = bool(self.levels) and self.levels[-1].indent > indent
        self.close_deeper(indent, line)
        check(self.levels and self.levels[-1].indent == indent, f"KTAP: a result outside of any list: {line!r}")
        level = self.levels[-1]
        level.n_results += 1
        check_equal(int(match[3]), level.n_results, f"KTAP: the number of {line!r}")
        name = (match[4] or "").strip()
        check(name, f"KTAP: a test without a name: {line!r}")
        if match[2] == "not ok":
            self.report.failed.append(line.strip())
        if match[5] and match[5].lower() == "skip":
            self.report.skipped.append(line.strip())
        if is_suite:
            self.report.n_suites += 1
            self.report.names += [f"{name}.{test}" for test in self.pending]
            self.pending = []
        elif len(self.levels) > 1:
            self.pending.append(name)
        else:
            self.report.names.append(name)

    def line(self, line):
        if match := VERSION.match(line):
            indent = len(match[1])
            self.close_deeper(indent, line)
            check(not self.levels or self.levels[-1].indent < indent, f"KTAP: a second version line: {line!r}")
            self.levels.append(Level(indent))
        elif match := PLAN.match(line):
            check(self.levels and self.levels[-1].indent == len(match[1]),
                  f"KTAP: a plan outside of any list: {line!r}")
            check(self.levels[-1].plan is None, f"KTAP: a second plan: {line!r}")
            self.levels[-1].plan = int(match[2])
        elif match := RESULT.match(line):
            self.result(match, line)
        elif re.match(r"^ *(not )?ok\b", line) or line.startswith("Bail out"):
            raise Failure(f"KTAP: a malformed result: {line!r}")


def read(lines):
    """The Report in the lines of a run, which begin with the version line and end with the last result."""
    reader = _Reader()
    lines = list(lines)
    start = next((i for i, line in enumerate(lines) if VERSION.match(line)), None)
    check(start is not None, "KTAP: there is no version line")
    for line in lines[start:]:
        reader.line(line)
    reader.close_deeper(-1, "the end")
    return reader.report
