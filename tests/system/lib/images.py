# SPDX-License-Identifier: MIT
"""What is booted: the kernel and its ISO as scripts/build left them, and ISOs with another command line.

TESSERA_BUILD in the environment names another folder than build/ that holds tessera.elf and tessera.iso.
"""
import atexit
import os
import shutil
import subprocess
import tempfile

from lib.report import Failure

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("TESSERA_BUILD", os.path.join(TOP, "build")))

_folder = None
_isos = {}


def work_folder():
    """A temporary folder of this process, gone when it ends."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="tessera-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def _built(name):
    path = os.path.join(BUILD, name)
    if not os.path.isfile(path):
        raise Failure(f"{path} is missing: run scripts/build first")
    return path


def kernel():
    """The path of the kernel ELF."""
    return _built("tessera.elf")


def iso(cmdline="", text=False):
    """The path of the ISO; one made for the purpose when words are added to its command lines or text mode is wanted."""
    if not cmdline and not text:
        return _built("tessera.iso")
    key = (cmdline, text)
    if key not in _isos:
        path = os.path.join(work_folder(), f"{len(_isos)}.iso")
        command = [os.path.join(TOP, "scripts", "make-iso"), "--cmdline", cmdline, *(["--text"] if text else []),
                   kernel(), path]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            raise Failure(f"scripts/make-iso failed:\n{result.stdout}{result.stderr}")
        _isos[key] = path
    return _isos[key]


def on_paper(name):
    """Where to leave something for a person to look at after a failure."""
    folder = os.path.join(BUILD, "test")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)
