#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The rules of the source tree that a machine can check.  Run from the top of the checkout; each rule is one test.

A rule is a function whose docstring is its sentence and that yields `place: what is wrong there`.
"""
import collections
import os
import re
import shutil
import subprocess
import sys

ALLOWED_ARROWS = {
    "lib": {"lib"},
    "mm": {"mm", "lib"},
    "kernel": {"kernel", "mm", "lib"},
}
FREESTANDING_HEADERS = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h"}
PLATFORM_HEADER = "platform_cpu.h"      # the door out of mm/, found by the include path
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500
MAX_WIDTH = 140
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SOURCE_ENDINGS = (".c", ".h", ".asm", ".inc", ".ld", ".py", ".sh", ".cfg", "CMakeLists.txt")


def source_files():
    """Every file of the tree that people write, as paths from the top: git's, or else all but build/."""
    if shutil.which("git"):
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, capture_output=True, text=True)
        if listing.returncode == 0:     # else this is no checkout, or somebody else's
            return sorted(path for path in set(listing.stdout.splitlines()) if os.path.isfile(path))
    found = []
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name)) for name in names]
    return sorted(found)


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


FILES = source_files()
C_FILES = [path for path in FILES if path.endswith((".c", ".h"))]
SCRIPTS = [path for path in FILES if path.startswith(("scripts/", ".ci/"))]


def functions_of(path):
    """(line, lines) of each function body of a C file: from a `{` in the first column to the next `}` there."""
    start = None
    for number, line in enumerate(lines_of(path), 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            yield start, number - start - 1
            start = None


def arrows_run_from_kernel_to_mm_to_lib():
    """includes run lib <- mm <- kernel and never back"""
    for path in C_FILES:
        allowed = ALLOWED_ARROWS.get(path.split("/")[0])
        if allowed is None:
            continue
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
            if not match:
                continue
            target = match.group(2)
            known = target in FREESTANDING_HEADERS or (target == PLATFORM_HEADER and "mm" in allowed)
            if not known and (match.group(1) == '"' or target.split("/")[0] not in allowed or "/" not in target):
                yield f"{path}:{number}: includes {target}"


def mm_is_pure_c():
    """mm/ has no assembly and prints nothing"""
    for path in C_FILES:
        if path.startswith("mm/"):
            for number, line in enumerate(lines_of(path), 1):
                if re.search(r"\b(__asm__|asm)\s*(volatile)?\s*\(", line) or re.search(r"\bk?printf\s*\(", line):
                    if not re.search(r"format\s*\(\s*printf", line):
                        yield f"{path}:{number}: {line.strip()}"


def files_name_their_licence():
    """every source file begins with its SPDX line"""
    for path in FILES:
        if path.endswith(SOURCE_ENDINGS) or path in SCRIPTS:
            head = lines_of(path)[:2]
            if not any("SPDX-License-Identifier: MIT" in line for line in head):
                yield path


def functions_are_short():
    """no function is longer than 60 lines"""
    for path in C_FILES:
        for line, length in functions_of(path):
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{line}: {length} lines"


def files_are_short():
    """no file of the kernel is longer than 500 lines"""
    for path in C_FILES:
        length = len(lines_of(path))
        if length > MAX_FILE_LINES and not path.startswith("tests/"):
            yield f"{path}: {length} lines"


def lines_are_short():
    """no line is wider than 140 columns, ends in a blank or has a tab"""
    for path in FILES:
        if path.endswith(SOURCE_ENDINGS) or path in SCRIPTS:
            for number, line in enumerate(lines_of(path), 1):
                if len(line) > MAX_WIDTH or line != line.rstrip() or "\t" in line:
                    yield f"{path}:{number}"


def functions_have_no_ifdef():
    """no preprocessor condition stands inside a function"""
    for path in C_FILES:
        lines = lines_of(path)
        for start, length in functions_of(path):
            for number in range(start, start + length):
                if re.match(r"\s*#\s*(if|ifdef|ifndef|else|elif)\b", lines[number]):
                    yield f"{path}:{number + 1}: {lines[number].strip()}"


def nothing_is_marked_unfinished():
    """no source file has a mark of unfinished work"""
    for path in FILES:
        if path != "tests/house/tree.py" and (path.endswith(SOURCE_ENDINGS) or path in SCRIPTS):
            for number, line in enumerate(lines_of(path), 1):
                if UNFINISHED.search(line):
                    yield f"{path}:{number}: {line.strip()}"


def numbers_in(folder, pattern):
    """How often each invariant's number is matched in the C files of a folder."""
    text = "\n".join("\n".join(lines_of(path)) for path in C_FILES if os.path.dirname(path) == folder)
    return collections.Counter(int(number) for number in re.findall(pattern, text))


def checks_are_seen_to_fail():
    """every check of mm_check has an invariant written down, and a test that breaks it and sees its number"""
    checks = numbers_in("mm", r"check_(?:failed|equal)\(\s*\w+,\s*(\d+)")
    written = numbers_in("mm", r"\n \*   I(\d{3})  ")
    seen = numbers_in("tests/host", r"\b(?:BREAK|assert_broken|break_entry|assert_int_equal)\(\s*(?:found\.number,\s*)?"
                                    r"(\d{3})\b")
    if not checks:
        yield "mm/: no check was found"
    for number in sorted(checks | written):
        if not written[number]:
            yield f"I{number} is checked, and not written down on top of one of mm/'s files"
        if not checks[number]:
            yield f"I{number} is written down, and not checked"
        if not seen[number]:
            yield f"I{number} is not seen to fail by any test of tests/host/"


def shell_scripts_pass_shellcheck():
    """shellcheck finds nothing in the shell scripts"""
    shell = [path for path in SCRIPTS if path.endswith(".sh") or re.match(r"#!.*\b(ba)?sh$", lines_of(path)[0])]
    result = subprocess.run(["shellcheck", "-x", *shell], capture_output=True, text=True)
    if result.returncode != 0:
        yield result.stdout + result.stderr


RULES = [
    arrows_run_from_kernel_to_mm_to_lib, mm_is_pure_c, files_name_their_licence, functions_are_short, files_are_short,
    lines_are_short, functions_have_no_ifdef, nothing_is_marked_unfinished, checks_are_seen_to_fail,
    shell_scripts_pass_shellcheck,
]


def main():
    failed = 0
    for rule in RULES:
        try:
            places = list(rule())
        except OSError as error:        # a missing tool is a failure
            places = [str(error)]
        print(("not ok - " if places else "ok - ") + rule.__doc__)
        for place in places:
            print("    " + place)
        failed += bool(places)
    print(f"{len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
