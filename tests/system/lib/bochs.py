# SPDX-License-Identifier: MIT
"""A machine in Bochs, in text mode behind its VNC server, or with the framebuffer in a window of a virtual X server.

Bochs has no monitor to ask: it is driven through its serial port (a TCP socket that it waits at), its window gets keys
from xdotool, and how it ended is read in its log.
"""
import os
import re
import socket
import tempfile
import time

from lib import images, keys, picture, process
from lib.report import Failure, check
from lib.shell import Shell

BOOT_SECONDS = 120
START_SECONDS = 30
DISPLAYS = range(90, 190)
KEY_SECONDS = 0.05

CONFIGURATION = """
plugin_ctrl: serial=1, unmapped=1, biosdev=1, speaker=0
config_interface: textconfig
display_library: {display}
memory: guest={mib}, host={mib}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
cpu: model={cpu}, count={n_cpus}, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=0
clock: sync=none, time0=utc
com1: enabled=1, mode=socket-server, dev=localhost:{port}
log: {folder}/log
panic: action=fatal
"""


def free_port():
    """A TCP port of this host that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Xvfb:
    """A virtual X server of our own."""

    def __init__(self, folder):
        with open(os.path.join(folder, "xvfb.log"), "w", encoding="utf-8") as log:
            for number in DISPLAYS:
                if os.path.exists(f"/tmp/.X{number}-lock"):
                    continue
                command = ["Xvfb", f":{number}", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
                self._process = process.start(command, log)
                if self._comes_up(number):
                    self.environment = os.environ | {"DISPLAY": f":{number}"}
                    return
                process.end(self._process)
        raise Failure("Xvfb does not start")

    def _comes_up(self, number):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            if os.path.exists(f"/tmp/.X11-unix/X{number}"):
                time.sleep(0.3)         # one that found the number taken ends now
                return self._process.poll() is None
            time.sleep(0.05)
        return False

    def run(self, *command):
        """The output of an X program."""
        return process.run(list(command), env=self.environment)

    def close(self):
        """Ends the server."""
        process.end(self._process)


class Bochs:
    """One Bochs.  A context manager.  `screen` is "text" or "pixels"."""

    def __init__(self, screen="text", mib=128, cpu="corei7_skylake_x", n_cpus=1):
        self.shell = None
        self._screen = screen
        self._xvfb = self._process = self._line = None
        self._folder = tempfile.mkdtemp(prefix="bochs-", dir=images.work_folder())
        self._port = free_port()
        display = "x" if screen == "pixels" else 'rfb, options="timeout=0"'
        iso = images.iso(text=screen == "text")
        self._write("rc", CONFIGURATION.format(display=display, mib=mib, iso=iso, cpu=cpu, n_cpus=n_cpus, port=self._port,
                                               folder=self._folder))
        self._write("commands", "c\n")

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _read(self, name):
        try:
            with open(self._path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def __enter__(self):
        try:
            if self._screen == "pixels":
                self._xvfb = Xvfb(self._folder)
            environment = self._xvfb.environment if self._xvfb else os.environ
            with open(self._path("out"), "w", encoding="utf-8") as out:
                command = ["bochs-bin", "-q", "-f", self._path("rc"), "-rc", self._path("commands")]
                self._process = process.start(command, out, env=environment)
            self._line = self._connect()
            self.shell = Shell(self._line)
        except Failure:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        process.end(self._process)
        if self._line:
            self._line.close()
        if self._xvfb:
            self._xvfb.close()

    def _connect(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                time.sleep(0.1)
        raise Failure(f"Bochs does not open its serial port:\n{self._read('out')[-2000:]}{self.panics()}")

    def panics(self):
        """What Bochs itself complained about."""
        return "\n".join(line for line in self._read("log").splitlines() if ">>PANIC<<" in line or "exception" in line)

    def start_shell(self):
        """Boots to the prompt."""
        try:
            self.shell.wait_prompt(BOOT_SECONDS, f"booting in Bochs, {self._screen}")
        except Failure as failure:
            raise Failure(f"{failure}\n{self.panics()}") from None
        return self.shell

    def wait_exit(self, timeout=60):
        """Waits for Bochs to end by itself; returns its log."""
        end = time.monotonic() + timeout
        while self._process.poll() is None and time.monotonic() < end:
            self.shell.drain(0.1)
        check(self._process.poll() is not None, f"Bochs did not end within {timeout} s")
        return self._read("log")

    # ---- the window ----

    def type(self, text):
        """Types text into the window."""
        # Without a window manager the keys go where the pointer is.
        self._xvfb.run("xdotool", "mousemove", "500", "500")
        for character in text:
            self._xvfb.run("xdotool", "key", keys.x11_keys(character))
            time.sleep(KEY_SECONDS)

    def picture(self):
        """What the X server shows."""
        return picture.read_xwd(self._xvfb.run("xwd", "-root", "-silent"))

    def title(self):
        """The titles of the windows."""
        return re.findall(r'"([^"]*Bochs[^"]*)"', self._xvfb.run("xwininfo", "-root", "-tree").decode(errors="replace"))
