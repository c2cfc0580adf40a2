# SPDX-License-Identifier: MIT
"""A machine in QEMU: how it is built, how it is booted, what is typed at it, how it ends.

    with Machine(boot="bios", mem="64M") as machine:
        shell = machine.start_shell()
        shell.ok("check")

The CPU is always emulated (TCG).  The machine starts stopped and goes on when serial line and monitor are connected,
so nothing that it says is missed.
"""
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass

from lib import coverage, images, keys, picture, process
from lib.gdb import Stub
from lib.qmp import Ended, Qmp, connect
from lib.report import Failure, check, check_equal
from lib.shell import EOL, Shell

EXIT_OK = 33                            # the debug-exit port's value 0x10: 2 * 0x10 + 1
OVMF = "/usr/share/ovmf/OVMF.fd"
MENU = ["Tessera", "self-test", "serial console only", "memory debug", "safe mode"]
BOOT_SECONDS = {"pvh": 60, "bios": 90, "bios-usb": 120, "uefi": 180, "uefi-usb": 180}
MENU_DOWN = "\x1b[B"
ECHO_SECONDS = 20
KEY_SECONDS = 0.05                      # between keys: QEMU's keyboard holds 16 bytes, and drops the rest


@dataclass
class Config:
    """What is plugged together.  `boot` is pvh (QEMU loads the kernel), or the firmware and, after a dash, usb for
    the ISO as a raw disk instead of a CD."""
    boot: str = "pvh"
    machine: str = "q35"
    cpu: str = "max"
    mem: str = "512M"
    vga: str = "std"
    serial: bool = True
    keyboard: bool = True               # the i8042 controller
    cmdline: str = ""
    entry: int = 0                      # of the boot menu; chosen over the serial line
    debug_exit: bool = True
    stub: bool = False                  # the debugger's (Machine.debugger)
    medium_arguments: tuple = ()        # boots these instead of what `boot` says
    extra: tuple = ()

    def medium(self):
        """QEMU's arguments for what is booted."""
        if self.medium_arguments:
            return list(self.medium_arguments)
        if self.boot == "pvh":
            return ["-kernel", images.kernel(), "-append", self.cmdline]
        iso = images.iso(self.cmdline)
        firmware = ["-bios", OVMF] if self.boot.startswith("uefi") else []
        if self.boot.endswith("-usb"):
            drive = f"if=none,id=stick,format=raw,readonly=on,file={iso}"
            return [*firmware, "-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=stick,bootindex=0"]
        return [*firmware, "-cdrom", iso, "-boot", "d"]

    def arguments(self, folder):
        """QEMU's arguments."""
        switches = "" if self.keyboard else ",i8042=off"
        serial = ["-chardev", f"socket,id=com1,path={folder}/com1,server=on,wait=off", "-serial", "chardev:com1"]
        return [
            "-accel", "tcg", "-machine", f"{self.machine},memory-backend=ram{switches}", "-cpu", self.cpu,
            "-m", self.mem, *coverage.memory_arguments(folder, self.mem),
            "-vga", self.vga, "-display", "none", "-net", "none", "-no-reboot", "-S",
            "-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-monitor", "none",
            *(serial if self.serial else ["-serial", "none"]),
            *(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"] if self.debug_exit else []),
            *(["-chardev", f"socket,id=stub,path={folder}/stub,server=on,wait=off", "-gdb", "chardev:stub"]
              if self.stub else []),
            *self.medium(), *self.extra,
        ]


class Machine:
    """One QEMU.  A context manager: the machine is gone at the end of the block."""

    def __init__(self, **options):
        self.config = Config(**options)
        self.shell = None
        self.qmp = None
        self._line = None
        self._process = None
        self._folder = tempfile.mkdtemp(prefix="qemu-", dir=images.work_folder())
        self._log = open(os.path.join(self._folder, "log"), "w+", encoding="utf-8")

    def __enter__(self):
        command = ["qemu-system-x86_64", *self.config.arguments(self._folder)]
        self._process = process.start(command, self._log)
        try:
            self.qmp = Qmp(os.path.join(self._folder, "qmp"), self._process)
            if self.config.serial:
                self._line = connect(os.path.join(self._folder, "com1"), self._process)
                self.shell = Shell(self._line)
        except Failure as failure:
            self.__exit__()
            raise Failure(f"{failure}\n{' '.join(command)}\n{self._output()}") from None
        self.qmp.execute("cont")
        return self

    def __exit__(self, *_):
        process.end(self._process)
        coverage.save(self._folder, images.kernel())
        for thing in (self.qmp, self._line):
            if thing:
                thing.close()
        if not self._log.closed:
            self._log.flush()

    def _output(self):
        with open(self._log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    # ---- booting ----

    def boot_seconds(self):
        """How long booting may take."""
        return BOOT_SECONDS[self.config.boot]

    def choose_entry(self):
        """Waits for the boot menu on the serial line and chooses config.entry.  Nothing to do under PVH."""
        if self.config.boot == "pvh":
            return
        self.shell.expect([MENU[-1]], self.boot_seconds(), "waiting for the boot menu")
        time.sleep(0.3)                 # the menu asks for keys after it has drawn its last entry
        self.shell.send(MENU_DOWN * self.config.entry + "\r")

    def start_shell(self):
        """Boots to the prompt; returns the shell.  What was said before the prompt is then in shell.before."""
        self.choose_entry()
        self.shell.wait_prompt(self.boot_seconds(), f"booting {self.config}")
        return self.shell

    def debugger(self):
        """Stops the machine, and connects a debugger to it."""
        check(self.config.stub, "the machine was started without the debugger's stub")
        return Stub(os.path.join(self._folder, "stub"), self._process)

    # ---- the end ----

    def wait_exit(self, timeout=60):
        """Waits for QEMU to end by itself; returns its status."""
        end = time.monotonic() + timeout
        while self._process.poll() is None and time.monotonic() < end:
            if self.shell:
                self.shell.drain(0.1)   # a full line would hold the machine up
            else:
                time.sleep(0.1)
        status = self._process.poll()
        said = self.shell.tail() if self.shell else ""
        check(status is not None, f"the machine did not end within {timeout} s{said}")
        self.qmp.finish()
        if self.shell:
            self.shell.drain(0.1)
        return status

    def shutdown_reason(self):
        """Why the guest stopped, in QEMU's words; None when the debug-exit port ended it."""
        return self.qmp.shutdown_reason()

    # ---- screen and keyboard ----

    def press(self, *names):
        """Presses keys together, by QEMU's names, and lets them go.  The machine may end by it."""
        codes = [{"type": "qcode", "data": name} for name in names]
        try:
            self.qmp.execute("send-key", keys=codes, **{"hold-time": 10})
        except Ended:
            return
        time.sleep(KEY_SECONDS)

    def type(self, text):
        """Types text on the keyboard; a newline is Enter."""
        for character in text:
            self.press(*keys.qemu_keys(character))

    def type_line(self, line):
        """Types a line and Enter, each key when the one before has been echoed on the serial line: QEMU's keyboard
        holds few keys, and drops the rest."""
        for character in line:
            self.press(*keys.qemu_keys(character))
            self.shell.expect([character], ECHO_SECONDS, f"the echo of the key for {character!r}")
            check_equal(self.shell.before, "", f"what came before the echo of {character!r}")
        self.press("ret")
        self.shell.expect([EOL], ECHO_SECONDS, f"the echo of Enter behind {line!r}")
        check_equal(self.shell.before, "", f"what came before the echo of Enter behind {line!r}")

    def picture(self):
        """What is on the screen."""
        path = os.path.join(self._folder, "screen.ppm")
        self.qmp.execute("screendump", filename=path)
        with open(path, "rb") as file:
            return picture.read_ppm(file.read())

    def keep_picture(self, name):
        """Leaves a PNG of the screen for a person to look at; returns its path."""
        path = images.on_paper(name + ".png")
        self.qmp.execute("screendump", filename=path, format="png")
        return path

    def physical(self, address, n_bytes):
        """Bytes of the guest's physical memory."""
        path = os.path.join(self._folder, "memory")
        self.qmp.execute("pmemsave", val=address, size=n_bytes, filename=path)
        with open(path, "rb") as file:
            return file.read()


def require_qemu():
    """Fails early, and in words, when QEMU or its firmware is missing."""
    process.run(["qemu-system-x86_64", "--version"])
    check(os.path.isfile(OVMF), f"{OVMF} is missing")
    try:
        images.kernel(), images.iso()
    except subprocess.TimeoutExpired as error:
        raise Failure(str(error)) from None
