#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tests/bench/host.py PROGRAM TRACE OUT.md [--rounds N]: mm as a process beside other allocators.

Every allocator is timed in a process of its own, all of them in turn, so many rounds; of each figure the best round
counts, since whatever else the machine does only makes it slower.  What is told is ratios: theirs / ours.
"""
import argparse
import glob
import os
import subprocess
import sys

LIBRARIES = {"mimalloc": "libmimalloc.so.2", "jemalloc": "libjemalloc.so.2"}
LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"]
THREADS = [1, 2]
RUN_SECONDS = 300


def library(name):
    """The path of a shared library to put in malloc's place."""
    for folder in LIBRARY_FOLDERS:
        found = sorted(glob.glob(os.path.join(folder, LIBRARIES[name] + "*")))
        if found:
            return found[0]
    sys.exit(f"error: {LIBRARIES[name]} is missing")


def time_once(program, trace, allocator, n_threads):
    """{(name, param): nanoseconds} of one process."""
    environment = dict(os.environ)
    if allocator in LIBRARIES:
        environment["LD_PRELOAD"] = library(allocator)
    kind = "tessera" if allocator == "tessera" else "malloc"
    result = subprocess.run([program, kind, str(n_threads), trace], env=environment, capture_output=True, text=True,
                            timeout=RUN_SECONDS)
    if result.returncode != 0:
        sys.exit(f"error: {allocator}, {n_threads} threads: {result.stderr.strip() or result.returncode}")
    figures = {}
    for line in result.stdout.splitlines():
        name, param, nanoseconds = line.split(",")
        figures[name, int(param)] = float(nanoseconds)
    return figures


def time_all(program, trace, n_threads, n_rounds):
    """The best of all rounds: {allocator: {(name, param): nanoseconds}}."""
    best = {}
    for _ in range(n_rounds):
        for allocator in ["tessera", "glibc", *LIBRARIES]:
            figures = time_once(program, trace, allocator, n_threads)
            old = best.setdefault(allocator, figures)
            best[allocator] = {key: min(value, old[key]) for key, value in figures.items()}
    return best


def table(best):
    """Lines of Markdown."""
    others = ["glibc", *LIBRARIES]
    lines = ["| workload | of | Tessera, ns | " + " | ".join(others) + " |", "|---|---:|---:|" + "---:|" * len(others)]
    for key, ours in best["tessera"].items():
        ratios = [f"{best[other][key] / ours:.2f}" for other in others]
        lines.append(f"| {key[0]} | {key[1]} | {ours:.1f} | " + " | ".join(ratios) + " |")
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("trace")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    arguments = parser.parse_args()
    n_rounds = 1 if arguments.quick else arguments.rounds
    text = ["# mm as a process, beside other allocators", "",
            "Nanoseconds an operation, and how many times as long the others take (above 1: Tessera is faster).", ""]
    for n_threads in THREADS:
        text += [f"## {n_threads} thread{'s' if n_threads > 1 else ''}", ""]
        text += table(time_all(arguments.program, arguments.trace, n_threads, n_rounds)) + [""]
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
