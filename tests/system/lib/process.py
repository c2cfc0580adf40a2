# SPDX-License-Identifier: MIT
"""Child processes that never outlive their parent, ended one by one through their own handle."""
import ctypes
import shutil
import signal
import subprocess

from lib.report import Failure

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, log, **options):
    """Starts a command whose output goes to the open file `log`."""
    if shutil.which(command[0]) is None:
        raise Failure(f"{command[0]} is not installed")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                            preexec_fn=_die_with_parent, **options)


def end(process):
    """Ends a process, gently first.  Nothing happens to one that is gone."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def run(command, timeout=30, **options):
    """The output of a command that must succeed."""
    if shutil.which(command[0]) is None:
        raise Failure(f"{command[0]} is not installed")
    result = subprocess.run(command, capture_output=True, timeout=timeout, **options)
    if result.returncode != 0:
        raise Failure(f"{' '.join(command)} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout
