# SPDX-License-Identifier: MIT
"""Which keys of a US keyboard give a character, by the names that QEMU and X11 have for them."""
from lib.report import Failure

QEMU_NAMES = {
    "\n": "ret", " ": "spc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
    "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash", "\t": "tab",
}
X11_NAMES = {
    "\n": "Return", " ": "space", "-": "minus", "=": "equal", "[": "bracketleft", "]": "bracketright",
    ";": "semicolon", "'": "apostrophe", "`": "grave", "\\": "backslash", ",": "comma", ".": "period", "/": "slash",
    "\t": "Tab",
}
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))


def _keys(character, names, shift):
    prefix = []
    if character in SHIFTED or character.isupper():
        prefix = [shift]
        character = SHIFTED.get(character, character.lower())
    if character.isalnum() and character.isascii():
        return [*prefix, character]
    if character not in names:
        raise Failure(f"no key gives {character!r}")
    return [*prefix, names[character]]


def qemu_keys(character):
    """The keys to press together, as QMP's send-key names them."""
    return _keys(character, QEMU_NAMES, "shift")


def x11_keys(character):
    """The same for xdotool, joined by a plus."""
    return "+".join(_keys(character, X11_NAMES, "shift"))
