# SPDX-License-Identifier: MIT
"""QEMU's machine protocol: one JSON object a line, commands and answers, and events in between."""
import json
import socket
import time

from lib.report import Failure

ANSWER_SECONDS = 30


class Ended(Failure):
    """QEMU is gone."""


class Qmp:
    """A connection to the monitor at a Unix socket."""

    def __init__(self, path, process):
        self.events = []
        self._pending = b""
        self._socket = connect(path, process)
        self._socket.settimeout(ANSWER_SECONDS)
        self._receive()             # the greeting
        self.execute("qmp_capabilities")

    def _receive(self):
        """The next object; None when QEMU has hung up."""
        while b"\n" not in self._pending:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            except TimeoutError:
                raise Failure("QEMU's monitor does not answer") from None
            if not data:
                return None
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def execute(self, command, **arguments):
        """Runs a command; returns its result."""
        request = {"execute": command, "arguments": arguments}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            raise Ended(f"QEMU ended before {command}") from None
        while (answer := self._receive()) is not None:
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure(f"QEMU refuses {command}: {answer['error']['desc']}")
            else:
                return answer["return"]
        raise Ended(f"QEMU ended during {command}")

    def monitor(self, line):
        """The output of a command of the human monitor."""
        return self.execute("human-monitor-command", **{"command-line": line})

    def finish(self):
        """Reads events until QEMU hangs up."""
        while (answer := self._receive()) is not None:
            if "event" in answer:
                self.events.append(answer)

    def shutdown_reason(self):
        """Why the guest stopped, of the SHUTDOWN event; None when there was no such event."""
        for event in self.events:
            if event["event"] == "SHUTDOWN":
                return event["data"]["reason"]
        return None

    def close(self):
        """Hangs up."""
        self._socket.close()


def connect(path, process, seconds=20):
    """A connection to the Unix socket that a process that just started will open."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(path)
            return line
        except OSError:
            line.close()
            time.sleep(0.02)
    raise Failure(f"QEMU did not open {path} (its status: {process.poll()})")
