# SPDX-License-Identifier: MIT
"""QEMU's debugger stub: breakpoints, registers, and one instruction at a time.

The remote protocol of GDB, as far as that needs it: a packet is `$TEXT#SUM`, answered by `+`.  While a debugger is
connected the machine stands still until it is told to go on.  Stepping takes no interrupts (QEMU's default), and has
nothing to do with -icount: it is another way to count what the machine's clock counts there.
"""
from lib.qmp import connect
from lib.report import Failure, check

ANSWER_SECONDS = 60
REGISTERS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip"]
DIGITS = 16     # of a register: eight bytes, the lowest first


class Stub:
    """A connection to the stub at a Unix socket, of a machine that runs: it stops (Machine.debugger)."""

    def __init__(self, path, process):
        self._socket = connect(path, process)
        self._socket.settimeout(ANSWER_SECONDS)
        self._pending = b""
        self._breakpoints = set()
        self.receive()              # the machine has stopped

    def _read(self):
        """More bytes from the stub."""
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Failure("QEMU's debugger stub does not answer") from None
        if not data:
            raise Failure("QEMU's debugger stub hung up")
        self._pending += data

    def send(self, text):
        """Sends a packet."""
        self._socket.sendall(f"${text}#{sum(text.encode()) & 0xff:02x}".encode())

    def receive(self):
        """The text of the next packet, whose sum is right."""
        while True:
            start = self._pending.find(b"$")
            end = self._pending.find(b"#", start)
            if 0 <= start < end and len(self._pending) >= end + 3:
                break
            self._read()
        text, found = self._pending[start + 1:end], int(self._pending[end + 1:end + 3], 16)
        self._pending = self._pending[end + 3:]
        check(sum(text) & 0xff == found, f"the debugger stub sent {text!r} with the sum {found}")
        self._socket.sendall(b"+")
        return text.decode()

    def ask(self, text):
        """Sends a packet; returns the answer, which is no error."""
        self.send(text)
        answer = self.receive()
        check(not answer.startswith("E"), f"the debugger stub answers {text!r} with {answer}")
        return answer

    def register(self, name):
        """The value of a register."""
        return self._value(self.ask("g"), name)

    @staticmethod
    def _value(registers, name):
        start = REGISTERS.index(name) * DIGITS
        return int.from_bytes(bytes.fromhex(registers[start:start + DIGITS]), "little")

    def step(self):
        """Runs one instruction, or one round of a repeated one; returns the address of the next.  Now and then QEMU stops
        before it has run any: then no register has changed, not even the address, and it is asked again."""
        before = after = self.ask("g")
        while after == before:
            self.ask("s")
            after = self.ask("g")
        return self._value(after, "rip")

    def set_breakpoint(self, at):
        """The machine is to stop before the instruction at an address."""
        check(self.ask(f"Z0,{at:x},1") == "OK", f"no breakpoint at 0x{at:x}")
        self._breakpoints.add(at)

    def clear_breakpoint(self, at):
        """Not any more."""
        check(self.ask(f"z0,{at:x},1") == "OK", f"the breakpoint at 0x{at:x} stays")
        self._breakpoints.discard(at)

    def resume(self):
        """Lets the machine run."""
        self.send("c")

    def interrupt(self):
        """Stops the machine, which runs."""
        self._socket.sendall(b"\x03")
        self.receive()

    def run_to_breakpoint(self):
        """Lets the machine run until it stops; returns where.  A breakpoint where it stands would stop it at once."""
        if self.register("rip") in self._breakpoints:
            self.step()
        self.ask("c")
        return self.register("rip")

    def close(self):
        """Hangs up: the machine runs on, without breakpoints."""
        self.ask("D")
        self._socket.close()
