#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Booting: firmware, media, chipsets, CPUs, sizes of RAM, missing devices, the menu, the command line, the ways to leave.

Every boot must end at a working prompt on what there is: the identities of mm_stat hold and `check` says ok.
"""
import subprocess
import time

from lib import images, picture
from lib.machine import EXIT_OK, MENU, Machine, require_qemu
from lib.report import Failure, Suite, check, check_equal, check_in
from lib.shell import EOL, PROMPT

MIB, GIB = 1 << 20, 1 << 30
UNITS = {"M": MIB, "G": GIB}
SCREEN_SECONDS = 60
PAGE_ORDER = 9                          # a block of 2^9 frames is a page
EXIT_PANIC = 67                         # the debug-exit port's value 0x21

QUICK_BOOTS = {
    "pvh_q35": {"boot": "pvh"},
    "pvh_pc_16M_core2duo": {"boot": "pvh", "machine": "pc", "mem": "16M", "cpu": "core2duo"},
    "bios_q35": {"boot": "bios"},
}
FULL_BOOTS = QUICK_BOOTS | {
    "bios_pc": {"boot": "bios", "machine": "pc"},
    "bios_q35_usb_disk": {"boot": "bios-usb"},
    "bios_pc_usb_disk": {"boot": "bios-usb", "machine": "pc"},
    "uefi_q35": {"boot": "uefi"},
    "uefi_pc": {"boot": "uefi", "machine": "pc"},
    "uefi_q35_usb_disk": {"boot": "uefi-usb"},
    "bios_pc_16M": {"boot": "bios", "machine": "pc", "mem": "16M"},
    "bios_q35_64M": {"boot": "bios", "mem": "64M"},
    "bios_pc_6G": {"boot": "bios", "machine": "pc", "mem": "6G"},
    "bios_q35_64G": {"boot": "bios", "mem": "64G"},
    "uefi_q35_64M": {"boot": "uefi", "mem": "64M"},
    "uefi_q35_6G": {"boot": "uefi", "mem": "6G"},
    "uefi_pc_64G": {"boot": "uefi", "machine": "pc", "mem": "64G"},
    "bios_qemu64": {"boot": "bios", "cpu": "qemu64"},
    "bios_core2duo": {"boot": "bios", "cpu": "core2duo"},
    "bios_without_nx": {"boot": "bios", "cpu": "qemu64,nx=off"},
    "bios_pc_without_screen": {"boot": "bios", "machine": "pc", "vga": "none"},
    "uefi_without_screen": {"boot": "uefi", "vga": "none"},
    "bios_cirrus": {"boot": "bios", "vga": "cirrus"},
    "uefi_virtio_vga": {"boot": "uefi", "vga": "virtio"},
    "bios_pc_without_keyboard": {"boot": "bios", "machine": "pc", "keyboard": False},
    "uefi_without_keyboard": {"boot": "uefi", "keyboard": False},
    "pvh_without_screen_and_keyboard": {"boot": "pvh", "vga": "none", "keyboard": False},
    "pvh_pc_1000G": {"boot": "pvh", "machine": "pc", "mem": "1000G", "cpu": "max,vendor=GenuineIntel"},
}


def ram_bytes(size):
    """The bytes of QEMU's -m."""
    return int(size[:-1]) * UNITS[size[-1]]


def judge_prompt(shell, config):
    """A prompt that works, with the memory that was plugged in."""
    stat = shell.stat()
    ram = ram_bytes(config.mem)
    # UEFI keeps some tens of megabytes for itself, and is free to.
    taken = 64 * MIB if config.boot.startswith("uefi") else MIB
    check(ram - taken <= stat["total"] <= ram, f"total is {stat['total']} of {ram} bytes of RAM")
    check(stat["free"] >= stat["total"] - 8 * MIB - stat["total"] // 1000, f"little is free: {stat}")
    zones = shell.json("zones -j")
    check_equal(sum(zone["managed"] for zone in zones), stat["total"], "the sum of managed")
    for size in (64, 4096, MIB):
        at = shell.kmalloc(size)
        shell.ok(f"fill {at:#x} {size} 0xa5")
        shell.ok(f"kfree {at:#x}")
    for zone in shell.json("buddy -j"):
        name = zone["name"].lower()
        if any(zone["free_blocks"][PAGE_ORDER:]):
            shell.ok(f"free_pages {shell.alloc_pages(name, 1):#x} 1")
        else:                           # on the smallest machine the kernel itself lies in DMA's pages
            shell.error(f"alloc_pages {name} 1")
    shell.ok("check")


def boots(options):
    """To a working prompt, and out again with the agreed status."""
    with Machine(**options) as machine:
        shell = machine.start_shell()
        check("panic" not in shell.transcript(), "there was a panic")
        judge_prompt(shell, machine.config)
        shell.send("exit\r")
        check_equal(machine.wait_exit(), EXIT_OK, "QEMU's exit status after exit")


# ---- without a serial line: judged by the screen ----

def screen_lines(machine, font):
    """The text on the screen, of pixels or of VGA text."""
    shot = machine.picture()
    if (shot.width, shot.height) == (720, 400):
        return picture.read_vga_text(machine.physical(0xb8000, 4000))
    return picture.read_framebuffer(shot, font)


def top_line(machine, font):
    """The line in the upper left corner, where a start that failed says why."""
    shot = machine.picture()
    if (shot.width, shot.height) == (720, 400):
        return screen_lines(machine, font)[:1]
    return picture.read_grid(shot, font, 0, 0, shot.width // picture.GLYPH_WIDTH, 1)


def wait_screen(machine, font, wanted, seconds=SCREEN_SECONDS, read=screen_lines):
    """Waits until a line of the screen satisfies `wanted`; returns the lines."""
    end = time.monotonic() + seconds
    lines = []
    while time.monotonic() < end:
        lines = read(machine, font)
        if any(wanted(line) for line in lines):
            return lines
        time.sleep(0.3)
    machine.keep_picture("failed-screen")
    raise Failure("what was waited for did not appear on the screen:\n    " + "\n    ".join(filter(None, lines)))


def boots_without_serial(options):
    """The shell is on screen and keyboard alone."""
    font = picture.Font()
    with Machine(serial=False, **options) as machine:
        wait_screen(machine, font, lambda line: line == PROMPT.rstrip(), machine.boot_seconds())
        machine.type("check\n")
        lines = wait_screen(machine, font, lambda line: line == "ok")
        check_in(PROMPT + "check", lines, "the echo on the screen")
        machine.type("exit\n")
        check_equal(machine.wait_exit(), EXIT_OK, "QEMU's exit status after exit")


# ---- the menu ----

def menu_entry(entry, arrives):
    """Chosen over the serial line."""
    with Machine(boot="bios", entry=entry) as machine:
        arrives(machine, machine.start_shell())


def arrives_serial_only(machine, shell):
    shell.ok("check")
    check_equal([line for line in screen_lines(machine, picture.Font()) if line.startswith(PROMPT.rstrip())], [],
                "prompts on the screen of the entry for the serial line only")


def arrives_memory_debug(_, shell):
    shell.ok("check")
    check_in("mm.debug=on", shell.text("about"), "the command line")


def arrives_safe_mode(machine, shell):
    shell.ok("check")
    shot = machine.picture()
    check_equal((shot.width, shot.height), (720, 400), "the screen of safe mode")
    check_in(PROMPT + "check", screen_lines(machine, picture.Font()), "the text on the screen")


def menu_by_keyboard():
    """Chosen with the arrow keys: what is chosen is seen by the kernel's command line."""
    with Machine(boot="bios") as machine:
        machine.shell.expect([MENU[-1]], machine.boot_seconds(), "waiting for the menu")
        time.sleep(0.3)
        for _ in range(3):
            machine.press("down")
        machine.press("ret")
        machine.shell.wait_prompt(machine.boot_seconds(), "booting the entry chosen by keyboard")
        check_in("mm.debug=on", machine.shell.text("about"), "the command line")


def menu_by_itself():
    """After two seconds the first entry starts, with no extra options."""
    with Machine(boot="bios") as machine:
        shell = machine.shell
        shell.expect([MENU[-1]], machine.boot_seconds(), "waiting for the menu")
        start = time.monotonic()
        shell.wait_prompt(machine.boot_seconds(), "booting without a choice")
        seconds = time.monotonic() - start
        check(1 <= seconds < 30, f"the menu waited {seconds:.1f} s")
        check_in("options    none", shell.lines("about"), "the command line")


# ---- the command line ----

def autorun_runs_commands(boot):
    with Machine(boot=boot, cmdline='autorun="kmalloc 64; kfree $1; mm_stat -j"') as machine:
        shell = machine.start_shell()
        lines = shell.before.split(EOL)
        check("ok" in lines, f"no 'ok' of kfree among {lines[-12:]}")
        check(lines[-1].startswith('{"total":'), f"no mm_stat -j at the end of {lines[-12:]}")


def autorun_ends_in_poweroff():
    with Machine(cmdline='autorun="check; poweroff"') as machine:
        check_equal(machine.wait_exit(), 0, "QEMU's exit status")
        check_equal(machine.shutdown_reason(), "guest-shutdown", "the reason")


def unknown_option_is_named(boot):
    with Machine(boot=boot, cmdline="nosuchoption=5 panic=perhaps zone_dma=8M") as machine:
        shell = machine.start_shell()
        lines = shell.before.split(EOL)
        for name in ("nosuchoption", "perhaps"):
            check([line for line in lines if name in line], f"{name!r} is named in no line before the prompt")
        check(not [line for line in lines if "zone_dma" in line], "a good option is warned about")
        shell.ok("check")


def sizes_are_obeyed():
    with Machine(cmdline="mem=200M zone_dma=32M direct_map=100M") as machine:
        shell = machine.start_shell()
        total = shell.stat()["total"]
        check(199 * MIB <= total <= 200 * MIB, f"total is {total} with mem=200M")
        zones = {zone["name"]: zone["managed"] for zone in shell.json("zones -j")}
        check(31 * MIB <= zones["DMA"] <= 32 * MIB, f"DMA has {zones['DMA']} bytes with zone_dma=32M")
        mapped = zones["DMA"] + zones["NORMAL"]
        check(98 * MIB <= mapped <= 102 * MIB, f"{mapped} bytes are in the direct map with direct_map=100M")
        shell.ok("check")


def direct_map_all():
    with Machine(cmdline="direct_map=all") as machine:
        shell = machine.start_shell()
        zones = {zone["name"]: zone["managed"] for zone in shell.json("zones -j")}
        check_equal(zones["UNMAPPED"], 0, "bytes of UNMAPPED with direct_map=all")
        shell.error("alloc_pages unmapped 1")
        shell.ok("check")


def console_serial():
    with Machine(cmdline="console=serial") as machine:
        shell = machine.start_shell()
        machine.type("check\n")
        check_equal(shell.drain(1), "", "what a key did with console=serial")
        shell.ok("check")


def onbug_panic():
    with Machine(cmdline="mm.onbug=panic panic=exit") as machine:
        machine.start_shell().send("kfree 0x1234\r")
        status = machine.wait_exit()
        check(status not in (0, EXIT_OK), f"QEMU's status {status} after a misuse with mm.onbug=panic panic=exit")
        check_in("mm: bad kfree(0x1234)", machine.shell.transcript(), "the report")


# ---- the ways to leave ----

def leaves(command, status, reason, options):
    with Machine(**options) as machine:
        machine.start_shell().send(command + "\r")
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after {command}")
        check_equal(machine.shutdown_reason(), reason, f"QEMU's reason for the end after {command}")


def exit_without_the_port():
    """Never unasked on a machine that may be real; and where there is no port, `exit` says so."""
    with Machine(debug_exit=False) as machine:
        shell = machine.start_shell()
        shell.error("exit")
        shell.ok("check")


def what_is_typed_ahead_is_not_lost():
    """Bytes wait in the UART before the kernel has set it up: all of them count, and they do not look like a broken chip."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "64M", "-kernel", images.kernel(), "-append", "console=serial",
               "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    for _ in range(4):
        ended = subprocess.run(command, input=b"check\rexit\r", capture_output=True, timeout=60, check=False)
        check_equal(ended.returncode, EXIT_OK, "exit status")
        check_in("tessera> check\nok\n", ended.stdout.decode("latin-1").replace("\r", ""), "serial output")


def panic_does(action, status, reason):
    with Machine(cmdline=f"panic={action}") as machine:
        machine.start_shell().send("fault null\r")
        check_equal(machine.wait_exit(), status, f"QEMU's exit status after panic={action}")
        check_equal(machine.shutdown_reason(), reason, f"the reason after panic={action}")
        check_in("panic: page fault", machine.shell.transcript(), "the report")


# ---- what cannot be booted ----

def says_why_not(options, reason):
    """A machine that cannot run the kernel is told why, on the serial line and on the screen."""
    font = picture.Font()
    with Machine(**options) as machine:
        machine.choose_entry()
        machine.shell.expect(["Tessera cannot start: "], machine.boot_seconds(), f"the reason why {options} fails")
        machine.shell.expect([EOL], 10, "the end of the reason")
        check_in(reason, machine.shell.before, "the reason")
        wait_screen(machine, font, lambda line: reason in line, 10, top_line)


def main():
    suite = Suite(__doc__)
    require_qemu()
    for name, options in (FULL_BOOTS if suite.full else QUICK_BOOTS).items():
        suite.run("boots_" + name, boots, options)
    suite.run("autorun_runs_commands", autorun_runs_commands, "pvh")
    suite.run("unknown_option_is_named", unknown_option_is_named, "pvh")
    suite.run("poweroff_powers_off", leaves, "poweroff", 0, "guest-shutdown", {"machine": "q35"})
    suite.run("reboot_resets", leaves, "reboot", 0, "guest-reset", {"machine": "pc"})
    suite.run("what_is_typed_ahead_is_not_lost", what_is_typed_ahead_is_not_lost)
    suite.run("panic_exit", panic_does, "exit", EXIT_PANIC, None)
    if suite.full:
        run_full(suite)
    suite.finish()


def run_full(suite):
    """What takes longer."""
    for name in ("bios", "uefi"):
        suite.run(f"boots_{name}_without_serial", boots_without_serial, {"boot": name})
        suite.run(f"autorun_through_grub_{name}", autorun_runs_commands, name)
        for machine in ("pc", "q35"):
            options = {"boot": name, "machine": machine}
            suite.run(f"poweroff_{name}_{machine}", leaves, "poweroff", 0, "guest-shutdown", options)
            suite.run(f"reboot_{name}_{machine}", leaves, "reboot", 0, "guest-reset", options)
    suite.run("reboot_without_keyboard_controller", leaves, "reboot", 0, "guest-reset",
              {"machine": "pc", "keyboard": False})
    suite.run("unknown_option_through_grub", unknown_option_is_named, "bios")
    suite.run("menu_serial_only", menu_entry, 2, arrives_serial_only)
    suite.run("menu_memory_debug", menu_entry, 3, arrives_memory_debug)
    suite.run("menu_safe_mode", menu_entry, 4, arrives_safe_mode)
    for test in (menu_by_keyboard, menu_by_itself, autorun_ends_in_poweroff, sizes_are_obeyed, direct_map_all,
                 console_serial, onbug_panic, exit_without_the_port):
        suite.run(test.__name__, test)
    suite.run("exit_with_another_code", leaves, "exit 5", 11, None, {})
    suite.run("panic_poweroff", panic_does, "poweroff", 0, "guest-shutdown")
    suite.run("panic_reboot", panic_does, "reboot", 0, "guest-reset")
    suite.run("says_why_not_on_a_32_bit_cpu", says_why_not, {"boot": "bios", "cpu": "qemu32"}, "long mode")
    suite.run("says_why_not_on_a_32_bit_cpu_pvh", says_why_not, {"boot": "pvh", "cpu": "qemu32"}, "long mode")


if __name__ == "__main__":
    main()
