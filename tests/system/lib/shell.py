# SPDX-License-Identifier: MIT
"""Tessera's shell, seen from the other end of the serial line.

The contract that this rests on: the prompt starts a line and nothing follows it; the typed line is echoed and ended
by one newline.  Both are checked with every command.  On the wire a newline is CR LF.
"""
import io
import json
import time

import pexpect
import pexpect.fdpexpect

from lib.report import Failure, check

PROMPT = "tessera> "
EOL = "\r\n"
COMMAND_SECONDS = 60
CTRL_C = "\x03"


class Shell:
    """One serial line.  `line` is the connected socket; text is Latin-1, so each byte is a character."""

    def __init__(self, line):
        self._line = line
        self._record = io.StringIO()
        self._spawn = pexpect.fdpexpect.fdspawn(line.fileno(), timeout=COMMAND_SECONDS, maxread=65536,
                                                encoding="latin-1")
        self._spawn.logfile_read = self._record
        self._lost = None

    # ---- raw ----

    def transcript(self):
        """Everything that came over the line so far."""
        return self._record.getvalue()

    def tail(self, n_lines=25):
        """The end of the transcript, to be put behind a message."""
        lines = self.transcript().replace("\r", "").split("\n")[-n_lines:]
        return "; the end of the serial output:\n" + "\n".join("    | " + line for line in lines)

    def _lose(self, what):
        self._lost = what
        raise Failure(what + self.tail())

    def send(self, text):
        """Sends text as it is."""
        if self._lost:
            raise Failure(f"the serial line was lost earlier: {self._lost}")
        try:
            self._spawn.send(text)
        except OSError as error:
            self._lose(f"sending {text[:60]!r}: {error}")

    def expect(self, patterns, timeout, what):
        """Waits for one of the exact texts; returns its index.  `before` then holds what came before it."""
        if self._lost:
            raise Failure(f"the serial line was lost earlier: {self._lost}")
        try:
            return self._spawn.expect_exact(patterns, timeout=timeout)
        except pexpect.TIMEOUT:
            self._lose(f"{what}: nothing within {timeout} s")
        except (pexpect.EOF, OSError):
            self._lose(f"{what}: the line was closed")

    def comes(self, text, timeout):
        """Whether the text comes within that time; if so, it and what came before it are taken off the line."""
        try:
            return self._spawn.expect_exact([text], timeout=timeout) == 0
        except pexpect.TIMEOUT:
            return False
        except (pexpect.EOF, OSError):
            return self._lose("the line was closed")

    @property
    def before(self):
        """What came before the text that the last expect() found."""
        return self._spawn.before

    def drain(self, seconds):
        """Whatever comes within that time, taken off the line."""
        end = time.monotonic() + seconds
        text = self._spawn.buffer
        self._spawn.buffer = ""
        while (left := end - time.monotonic()) > 0:
            try:
                text += self._spawn.read_nonblocking(65536, left)
            except pexpect.TIMEOUT:
                break
            except (pexpect.EOF, OSError):
                break
        return text

    # ---- commands ----

    def wait_prompt(self, timeout=COMMAND_SECONDS, what="waiting for the prompt"):
        """Waits for the prompt at the start of a line; returns what came before it."""
        self.expect([EOL + PROMPT], timeout, what)
        return self.before

    def lines(self, line, timeout=COMMAND_SECONDS):
        """Runs a line; returns the lines of its output."""
        check(self._spawn.buffer == "", f"after the prompt came {self._spawn.buffer!r}")
        self.send(line + "\r")
        text = self.wait_prompt(timeout, f"the command {line[:80]!r}")
        echo, newline, output = text.partition(EOL)
        check(echo == line, f"{line!r} was echoed as {echo!r}")
        return output.split(EOL) if newline else []

    def text(self, line, timeout=COMMAND_SECONDS):
        """The output of a line as one text."""
        return "\n".join(self.lines(line, timeout))

    def json(self, line):
        """The object that a command with -j prints: on one line, and nothing else."""
        output = self.lines(line)
        check(len(output) == 1, f"{line}: {len(output)} lines instead of one of JSON: {output}")
        try:
            return json.loads(output[0])
        except ValueError as error:
            raise Failure(f"{line}: no JSON ({error}): {output[0]!r}") from None

    def ok(self, line, timeout=COMMAND_SECONDS):
        """Runs a line whose last line of output must be `ok`; returns those before it."""
        output = self.lines(line, timeout)
        check(output and output[-1] == "ok", f"{line}: expected 'ok' at the end of {output}")
        return output[:-1]

    def error(self, line, timeout=COMMAND_SECONDS):
        """Runs a line whose last line of output must be `error: ...`; returns that line's text behind the colon."""
        output = self.lines(line, timeout)
        check(output and output[-1].startswith("error: ") and len(output[-1]) > 7,
              f"{line}: expected 'error: ...' at the end of {output}")
        return output[-1][7:]

    def one(self, line):
        """Runs a line that must print exactly one line; returns it."""
        output = self.lines(line)
        check(len(output) == 1, f"{line}: expected one line, got {output}")
        return output[0]

    def interrupt(self, timeout=COMMAND_SECONDS):
        """Types Ctrl-C; returns what came up to the next prompt."""
        self.send(CTRL_C)
        return self.wait_prompt(timeout, "after Ctrl-C")

    # ---- what many tests need ----

    def stat(self):
        """mm_stat as a dictionary, its identities checked."""
        stat = self.json("mm_stat -j")
        check(stat["total"] == stat["used"] + stat["free"], f"total is not used + free: {stat}")
        check(stat["available"] == stat["free"] + stat["cache_free"],
              f"available is not free + cache_free: {stat}")
        check(stat["cache_used"] + stat["cache_free"] <= stat["used"], f"the caches exceed what is used: {stat}")
        return stat

    def kmalloc(self, size, command="kmalloc"):
        """The address of a new object."""
        return address(self.one(f"{command} {size}"))

    def alloc_pages(self, zone, n_pages, *flags):
        """The physical address of new pages."""
        words = self.one(" ".join(["alloc_pages", zone, str(n_pages), *flags])).split(" ")
        check(len(words) == 2 and words[1] == str(n_pages), f"alloc_pages {zone} {n_pages} printed {words}")
        return address(words[0])


def address(text):
    """The number of `0x...` in lower-case hex without leading zeros: the form in which addresses are printed."""
    check(text.startswith("0x"), f"{text!r} is no address")
    try:
        value = int(text, 16)
    except ValueError:
        raise Failure(f"{text!r} is no address") from None
    check(text == f"0x{value:x}", f"{text!r} is not written as 0x{value:x}")
    return value
