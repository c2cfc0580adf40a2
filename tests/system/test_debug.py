#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The boot menu's memory-debug entry: damage is found and told with names, leaks are found, and all else works as ever.

What a report has to say: the address and the offset, what was expected and found, and by name who took the object and
who freed it.
"""
import re

from lib import coverage
from lib.machine import Machine, require_qemu
from lib.report import Suite, check, check_equal, check_in

ENTRY = 3                               # of the boot menu
# Who called.  In the kernel that counts, where no call becomes a jump, mm's own functions are named.
BY = r"run_{}\+0x[0-9a-f]+" if coverage.FOLDER is None else r"[\w.]+\+0x[0-9a-f]+"
EXPECTED = r"expected ed ed ed ed, found 41 ed ed ed"


class Debug:
    """A shell of a machine with the debug mode on."""

    def __init__(self, shell):
        self.shell = shell

    def reports(self, command, last="ok"):
        """Runs a command that ends in `last`; returns the reports that mm made."""
        output = self.shell.lines(command)
        check(output and output[-1].startswith(last), f"{command}: expected {last!r} at the end of {output}")
        return [line.partition("mm: ")[2] for line in output[:-1] if "mm: " in line]

    def one_report(self, command, pattern, last="ok"):
        """The same where exactly one report is made, that matches the pattern as a whole."""
        found = self.reports(command, last)
        check_equal(len(found), 1, f"reports of {command}: {found}")
        check(re.fullmatch(pattern, found[0]), f"{command}: {found[0]!r} does not match {pattern!r}")

    def poke(self, at, force="-f"):
        """Writes one byte, 0x41."""
        self.shell.ok(f"poke {at:#x} 0x41 -w 1 {force}")

    def clean(self):
        """Everything is given back and whole."""
        self.shell.ok("shrink")
        check_equal(self.reports("check"), [], "reports of check")


# ---- red zones ----

def overrun_by_one_byte(debug):
    at = debug.shell.kmalloc(64)
    debug.poke(at + 64)
    debug.one_report(f"kfree {at:#x}", rf"bad write\({at + 64:#x}\): past an object of 64 bytes at {at:#x}: offset 64: "
                     rf"{EXPECTED}; freed by {BY.format('kfree')}, allocated by {BY.format('kmalloc')}")
    debug.clean()


def underrun_by_one_byte(debug):
    at = debug.shell.kmalloc(4096)
    debug.poke(at - 1)
    debug.one_report(f"kfree {at:#x}", rf"bad write\({at - 1:#x}\): before an object of 4096 bytes at {at:#x}: offset -1: "
                     rf"expected ed, found 41; freed by {BY.format('kfree')}, allocated by {BY.format('kmalloc')}")
    debug.clean()


def one_byte_more_than_asked_for(debug):
    """Inside the class it is the caller's, so it is no misuse; it is told all the same."""
    at = debug.shell.kmalloc(100)
    check_equal(at % 128, 0, "the alignment of an object of 100 bytes")
    debug.poke(at + 100, force="")
    debug.one_report(f"kfree {at:#x}", rf"careless write\({at + 100:#x}\): past what was asked for of an object of 100 "
                     rf"bytes at {at:#x}: offset 100: {EXPECTED}; .*allocated by {BY.format('kmalloc')}")
    debug.clean()


def check_finds_damage_in_live_objects_once(debug):
    at = debug.shell.kmalloc(256)
    debug.poke(at + 256)
    debug.one_report("check", rf"bad write\({at + 256:#x}\): past an object of 256 bytes .*; allocated by "
                     rf"{BY.format('kmalloc')}", "error: memory was overwritten in 1 place:")
    debug.shell.ok("check")
    check_equal(debug.reports(f"kfree {at:#x}"), [], "reports of the same damage by kfree")
    debug.clean()


# ---- freed memory ----

def use_after_free(debug):
    """Found when the quarantine ends, here by shrink."""
    at = debug.shell.kmalloc(200)
    debug.shell.ok(f"kfree {at:#x}")
    check_in("df df df df", debug.shell.text(f"peek {at:#x} 16"), "the content of a freed object")
    debug.poke(at + 8)
    debug.one_report("shrink", rf"bad write\({at + 8:#x}\): in a freed object of 200 bytes at {at:#x}: offset 8: expected "
                     rf"df df df df, found 41 df df df; freed by {BY.format('kfree')}, allocated by {BY.format('kmalloc')}")
    debug.clean()


def use_after_free_when_the_frame_is_handed_out_again(debug):
    page = debug.shell.alloc_pages("normal", 1)
    debug.shell.ok(f"free_pages {page:#x} 1")
    debug.shell.ok(f"poke {page + 0x12345:#x} 0x41 -w 1 -f -p")
    pattern = (rf"bad write\(0x[0-9a-f]+{page + 0x12345:x}\): in a free frame {page + 0x12000:#x}: offset 837: expected df "
               rf"df df df, found 41 df df df; freed by {BY.format('free_pages')}, allocated by {BY.format('alloc_pages')}")
    debug.one_report("check", pattern, "error: memory was overwritten in 1 place:")
    debug.clean()


def double_free_names_both_sites(debug):
    for size in (32, 5000, 1 << 20):
        at = debug.shell.kmalloc(size)
        debug.shell.ok(f"kfree {at:#x}")
        debug.one_report(f"kfree {at:#x}", rf"bad kfree\({at:#x}\): already free; freed by {BY.format('kfree')}, "
                         rf"allocated by {BY.format('kmalloc')}", "error: ")
    page = debug.shell.alloc_pages("normal", 2)
    debug.shell.ok(f"free_pages {page:#x} 2")
    debug.one_report(f"free_pages {page:#x} 2", rf"bad free_pages\({page:#x}\): already free; freed by "
                     rf"{BY.format('free_pages')}, allocated by {BY.format('alloc_pages')}", "error: ")
    debug.clean()


def wrong_frees_are_told_as_ever(debug):
    at = debug.shell.kmalloc(100)
    debug.one_report(f"kfree {at + 8:#x}", rf"bad kfree\({at + 8:#x}\): inside an object of 128 bytes at {at:#x}; "
                     rf"allocated by {BY.format('kmalloc')}", "error: ")
    debug.one_report(f"kfree {at - 128:#x}", rf"bad kfree\({at - 128:#x}\): allocator metadata, the red zone of an object of "
                     rf"100 bytes at {at:#x}; allocated by {BY.format('kmalloc')}", "error: ")
    debug.one_report("kfree 0x1234", r"bad kfree\(0x1234\): not in the direct map", "error: ")
    debug.shell.ok(f"kfree {at:#x}")
    debug.clean()


# ---- owners ----

def leaks_are_found_by_name(debug):
    shell = debug.shell
    check_in("there is no mark", shell.error("leak check"), "leak check without a mark")
    shell.ok("leak mark")
    kept, given = shell.kmalloc(1000), shell.kmalloc(500)
    page = shell.alloc_pages("normal", 3)
    shell.ok(f"kfree {given:#x}")
    text = shell.text("leak check")
    check(re.search(rf"^ +1 +1,000  {BY.format('kmalloc')} < ", text, re.M), f"no leak of 1000 bytes: {text}")
    check(re.search(rf"^ +1 +6,291,456  {BY.format('alloc_pages')} < ", text, re.M), f"no leak of 3 pages: {text}")
    check(re.search(r"^ +2 +6,292,456  in all", text, re.M), f"the sum: {text}")
    shell.ok(f"kfree {kept:#x}")
    shell.ok(f"free_pages {page:#x} 3")
    check_in("not given back: nothing", shell.one("leak check"), "leak check when all is given back")


def owners_are_told(debug):
    shell = debug.shell
    at = shell.kmalloc(1000)
    for command in (f"owner {at + 999:#x}", f"whatis {at:#x}"):
        text = shell.text(command)
        check(re.search(rf"taken +by {BY.format('kmalloc')}", text), f"{command}: {text}")
        check_in("1,000 bytes, an object of kmalloc, live", text, command)
    text = shell.text(f"whatis {at - 8:#x}")
    check_in("the red zone of an object of kmalloc", text, "whatis of a red zone")
    check_in(f"before the object of 1000 bytes at {at:#x}", text, "whatis of a red zone")
    check_in("lies before it, in its red zone", shell.text(f"owner {at - 8:#x}"), "owner of a red zone")
    check_in("the red zone of an object of 1000 bytes", shell.error(f"poke {at - 8:#x} 1"), "poke into a red zone")
    check(re.search(rf"^ +1 +1,000  {BY.format('kmalloc')}$", shell.text("owner"), re.M), "owner has no line for it")
    shell.ok(f"kfree {at:#x}")
    text = shell.text(f"owner {at:#x}")
    check(re.search(rf"freed +by {BY.format('kfree')}", text), f"owner of a freed object: {text}")
    check_in("in quarantine", text, "owner of a freed object")
    check_in("whatis tells", shell.error("owner 0x1000"), "owner of low memory")
    page = shell.alloc_pages("normal", 7)
    for at in range(page, page + (14 << 20), 1 << 20):
        check_in("14,680,064 bytes, pages of alloc_pages, live", shell.text(f"owner {at:#x}"), "owner of a run of pages")
    shell.ok(f"free_pages {page:#x} 7")


def a_page_table_says_what_it_serves(debug):
    """A frame that nobody took by name: which addresses it translates, for whom, and who mapped there."""
    shell = debug.shell
    shell.ok("map 0xffffa00000200000 0x1000000 4K")
    table = re.search(r"^PT +(0x[0-9a-f]+)", shell.text("vtop 0xffffa00000200000"), re.M).group(1)
    text = shell.text(f"whatis {table}")
    check_in("serves     0xffffa00000200000-0xffffa00000400000, in the kernel's tables", text, "whatis of a page table")
    check(re.search(rf"mapped +by {BY.format('map')}", text), f"who mapped: {text}")
    shell.ok("unmap 0xffffa00000200000 4K")
    space = int(shell.one("pt new"), 16)
    shell.ok(f"pt map {space:#x} 0x400000 0x1000000 4K")
    table = re.search(r"^PT +(0x[0-9a-f]+)", shell.text(f"vtop 0x400000 {space:#x}"), re.M).group(1)
    check_in("0x400000-0x600000, in table 1 of 'pt list'", shell.text(f"whatis {table}"), "whatis of another space's table")
    shell.ok(f"pt free {space:#x}")


def a_free_on_another_cpu_names_it(debug):
    shell = debug.shell
    at = shell.kmalloc(100)
    shell.ok(f"kfree {at:#x} -c 2")
    check(re.search(r"freed +by free_there\+.*\n +call \d+, at [\d.]+ s, on CPU 2$", shell.text(f"whatis {at:#x}"), re.M),
          "whatis does not name the CPU that freed it")
    debug.one_report(f"kfree {at:#x} -c 3", r"bad kfree.*already free; freed by .*", "error: ")
    shell.error("kfree 0 -c 9")


def the_trace_tells_the_last_calls(debug):
    shell = debug.shell
    at = shell.kmalloc(777)
    shell.ok(f"kfree {at:#x}")
    for command in ("trace 2", f"trace -a {at + 5:#x} 2"):
        lines = shell.lines(command)[1:]
        check_equal(len(lines), 2, f"lines of {command}")
        for line, call in zip(lines, ("kmalloc", "kfree")):
            pattern = rf" *\d+ +\d+\.\d+ +\d+  {call} +{at:#x} +777  {BY.format(call)}"
            check(re.fullmatch(pattern, line), f"{command}: {line!r} does not match {pattern!r}")


def the_trace_tells_what_was_refused(debug):
    """And why, in the words of the report."""
    shell = debug.shell
    at = shell.kmalloc(777)
    page = shell.alloc_pages("normal", 1)
    cases = [
        (f"kfree {at + 8:#x}", "kfree", at + 8, "-", "inside an object"),
        (f"kfree {at - 8:#x}", "kfree", at - 8, "-", "allocator metadata, the red zone of an object"),
        (f"free_pages {page:#x} 64", "free_pages", page, "-", "a page of alloc_pages, but the number of pages is not 1 to 63"),
        ("free_pages 0x40000000 2", "free_pages", 0x40000000, "4,194,304", "no RAM there"),
        ("map 0x800000000000 0 4K", "map", 0x800000000000, "4,096", "-EFAULT"),
        ("unmap 0xffff800000000000 4K", "unmap", 0xffff800000000000, "4,096", "-EFAULT"),
    ]
    for command, call, address, n_bytes, why in cases:
        shell.error(command)
        line = shell.lines("trace 1")[-1]
        pattern = rf" *\d+ +\d+\.\d+ +\d+  {call} +{address:#x} +{n_bytes}  {BY.format(call)}; refused: {re.escape(why)}"
        check(re.fullmatch(pattern, line), f"trace after {command}: {line!r} does not match {pattern!r}")
    shell.ok(f"kfree {at:#x}")
    shell.ok(f"free_pages {page:#x} 1")
    shell.error(f"kfree {at:#x} -c 2")
    line = shell.lines(f"trace 1 -a {at:#x}")[-1]
    check(re.search(r"  2  kfree .*; refused: already free$", line), f"a free refused on another CPU: {line}")


def the_trace_can_be_stopped(debug):
    """So that what it has is not overwritten; and goes on."""
    shell = debug.shell
    shell.ok("trace off")
    before = shell.lines("trace 3")
    check_in("'trace on' goes on", before[-1], "trace when it is off")
    at = shell.kmalloc(99)
    shell.error(f"kfree {at + 1:#x}")
    shell.error(f"unmap {0xffff800000000000:#x} 4K")
    shell.ok(f"kfree {at:#x}")
    check_equal(shell.lines("trace 3"), before, "the trace while it is off")
    shell.ok("trace on")
    shell.ok(f"kfree {shell.kmalloc(99):#x}")
    check_equal([line.split()[3] for line in shell.lines("trace 2")[1:]], ["kmalloc", "kfree"], "the trace when it is on again")
    check_in("takes no -a", shell.error("trace off -a 5"), "trace off -a")


def the_largest_object_with_one_red_zone_has_it_behind(debug):
    at = debug.shell.kmalloc(512 << 10)
    debug.poke(at + (512 << 10))
    debug.one_report(f"kfree {at:#x}", rf"bad write\({at + (512 << 10):#x}\): past an object of 524288 bytes at {at:#x}: "
                     rf"offset 524288: {EXPECTED}; freed by {BY.format('kfree')}, allocated by {BY.format('kmalloc')}")
    debug.clean()


def the_tests_inside_pass(debug):
    suites_pass(debug, ("debug", "kmalloc", "misuse"))


def misuse_from_other_cpus_is_told_as_ever(debug):
    """The suites that free, map and load on another CPU, and those that look at what a failed request leaves."""
    suites_pass(debug, ("sweep", "misuse", "misuse_maps", "refusals", "user", "debug"))


def suites_pass(debug, suites):
    for suite in suites:
        last = debug.shell.lines(f"selftest {suite}", 120)[-1]
        check(re.fullmatch(r"# selftest: [1-9]\d* passed, 0 failed", last), f"selftest {suite}: {last}{debug.shell.tail()}")


def stress_passes(debug):
    debug.shell.ok("stress 2 5", 120)
    debug.clean()


TESTS = [
    overrun_by_one_byte, underrun_by_one_byte, one_byte_more_than_asked_for, check_finds_damage_in_live_objects_once,
    use_after_free, use_after_free_when_the_frame_is_handed_out_again, double_free_names_both_sites,
    wrong_frees_are_told_as_ever, leaks_are_found_by_name, owners_are_told, a_page_table_says_what_it_serves,
    a_free_on_another_cpu_names_it, the_trace_tells_the_last_calls, the_trace_tells_what_was_refused,
    the_trace_can_be_stopped, the_largest_object_with_one_red_zone_has_it_behind, stress_passes, misuse_from_other_cpus_is_told_as_ever,
]


if coverage.FOLDER is not None:     # these name more than one caller
    TESTS = [test for test in TESTS if test not in (owners_are_told, a_free_on_another_cpu_names_it)]


def without_the_mode():
    """One line says how to get it."""
    with Machine(cmdline="console=serial") as machine:
        shell = machine.start_shell()
        for command in ("owner", "owner 0x1000", "leak mark", "leak check", "trace", "trace 5", "trace on"):
            check_in("mm.debug=on", shell.error(command), command)
        check_equal(shell.text("whatis 0x1000000").count("taken"), 0, "owners told by whatis")


def features_by_a_list():
    """Those named are on, the others off; an unknown word is a warning."""
    with Machine(cmdline="console=serial mm.debug=owner,redzone", mem="32M") as machine:
        debug = Debug(machine.start_shell())
        at = debug.shell.kmalloc(64)
        debug.poke(at + 64)
        debug.one_report("check", r"bad write.*past an object of 64 bytes.*", "error: ")
        debug.shell.ok(f"kfree {at:#x}")
        check_in("mm.debug=trace", debug.shell.error("trace"), "the trace that was not asked for")
    with Machine(cmdline="console=serial mm.debug=owner,nonsense", mem="32M") as machine:
        shell = machine.start_shell()
        check_in("mm.debug=owner,nonsense", shell.text("log"), "the warning")
        check_in("nothing is noted", shell.error("owner"), "owner after a wrong option")


def the_panic_shell_shows_what_was_refused():
    """When a wrong free ends in a panic, the trace has that free, too."""
    with Machine(cmdline="console=serial mm.debug=on mm.onbug=panic", mem="32M") as machine:
        shell = machine.start_shell()
        shell.send("kfree 0x1234\r")
        shell.expect(["panic> "], 20, "waiting for the panic shell")
        shell.send("trace 1\r")
        shell.expect(["; refused: not in the direct map"], 20, "trace in the panic shell")


def small_machine():
    """16 MiB: everything there is, with less room for it."""
    with Machine(boot="bios", machine="pc", mem="16M", entry=ENTRY) as machine:
        debug = Debug(machine.start_shell())
        for test in (overrun_by_one_byte, double_free_names_both_sites, leaks_are_found_by_name, the_tests_inside_pass):
            test(debug)
        debug.clean()


def main():
    suite = Suite(__doc__)
    require_qemu()
    with Machine(boot="bios", entry=ENTRY, extra=("-smp", "4")) as machine:
        debug = Debug(machine.start_shell())
        for test in TESTS:
            suite.run(test.__name__, test, debug)
    suite.run("without_the_mode", without_the_mode)
    suite.run("features_by_a_list", features_by_a_list)
    suite.run("the_panic_shell_shows_what_was_refused", the_panic_shell_shows_what_was_refused)
    if suite.full:
        suite.run("small_machine", small_machine)
    suite.finish()


if __name__ == "__main__":
    main()
