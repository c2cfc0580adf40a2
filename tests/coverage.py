#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/coverage.py COVERAGE.json COVERAGE.md: what scripts/coverage found, a line for each file, and whether it is enough.

What did not run is to have its reason in COVERAGE.md, in a line `| file | function | reason |`; what has none is named, and
makes this fail.
"""
import bisect
import collections
import json
import re
import sys

LEAST_LINES, LEAST_BRANCHES = 95.0, 90.0    # per cent of mm/
REASON = re.compile(r"\| *([\w/]+\.[ch]) *\| *(\w+) *\|")


class Tally:
    """Lines and branches, and how many of them ran."""

    def __init__(self):
        self.n_lines = self.n_lines_run = self.n_branches = self.n_branches_run = 0

    def add(self, line):
        """Counts a line of gcovr's."""
        self.n_lines += 1
        self.n_lines_run += line["count"] > 0
        self.n_branches += len(line["branches"])
        self.n_branches_run += sum(branch["count"] > 0 for branch in line["branches"])

    def percents(self):
        """Of the lines, of the branches."""
        return 100 * self.n_lines_run / max(self.n_lines, 1), 100 * self.n_branches_run / max(self.n_branches, 1)

    def row(self, name):
        """The line of the table."""
        lines, branches = self.percents()
        return (f"{name:24} {self.n_lines:6} {self.n_lines_run:6} {lines:6.1f} %  {self.n_branches:6} "
                f"{self.n_branches_run:6} {branches if self.n_branches else 100:6.1f} %")


def counted(line):
    """Whether gcovr counts a line."""
    return not line.get("gcovr/noncode") and not line.get("gcovr/excluded")


def is_left(line):
    """Whether a line, or one of its branches, did not run."""
    return line["count"] == 0 or any(branch["count"] == 0 for branch in line["branches"])


def left_of(file):
    """{function: [lines]} of what did not run in a file."""
    starts = sorted((function["lineno"], function["name"]) for function in file["functions"])
    left = collections.defaultdict(list)
    for line in file["lines"]:
        if counted(line) and is_left(line):
            before = bisect.bisect_right(starts, (line["line_number"], "\uffff"))
            name = starts[before - 1][1] if before else "?"
            left[name].append(f"{line['line_number']}{'' if line['count'] == 0 else 'b'}")
    return left


def main():
    found, reasons_path = sys.argv[1:]
    with open(found, encoding="utf-8") as file:
        files = json.load(file)["files"]
    with open(reasons_path, encoding="utf-8") as file:
        reasons = set(REASON.findall(file.read()))
    totals, missing, left = collections.defaultdict(Tally), [], set()
    print(f"{'':24} {'lines':>6} {'run':>6} {'':8}  {'branch':>6} {'run':>6}")
    for file in sorted(files, key=lambda file: file["file"]):
        name, tally = file["file"], Tally()
        for line in filter(counted, file["lines"]):
            tally.add(line)
            totals[name.split("/")[0]].add(line)
        print(tally.row(name))
        for function, lines in left_of(file).items():
            left.add((name, function))
            if (name, function) not in reasons:
                missing.append(f"{name} {function}: {' '.join(lines)}")
    for folder, tally in sorted(totals.items()):
        print(tally.row(folder + "/"))
    if missing:
        print("\nWithout a reason in COVERAGE.md (b: a branch of the line):\n" + "\n".join(missing))
    for file, function in sorted(reasons - left):
        print(f"COVERAGE.md explains {file} {function}, which ran as a whole")
    lines, branches = totals["mm"].percents()
    if lines < LEAST_LINES or branches < LEAST_BRANCHES:
        sys.exit(f"error: {lines:.1f} % of mm's lines and {branches:.1f} % of its branches ran, not {LEAST_LINES:g} % and "
                 f"{LEAST_BRANCHES:g} %")
    if missing:
        sys.exit(f"error: {len(missing)} functions were not run as a whole, and nothing says why")


if __name__ == "__main__":
    main()
