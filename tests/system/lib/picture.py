# SPDX-License-Identifier: MIT
"""Reading text back from a picture of the screen.

The console paints a grid of characters with one of Debian's console fonts, in two colours a cell.  Each cell is
compared with the font's glyphs; the background is the colour that the glyph's unset bits have.
"""
import gzip
import struct
from dataclasses import dataclass

from lib.report import Failure, check

FONT = "/usr/share/consolefonts/Uni2-Terminus16.psf.gz"
GLYPH_WIDTH = 8
UNKNOWN = "\ufffd"
PSF1_MAGIC = b"\x36\x04"
PSF1_512_GLYPHS = 1
PSF1_SEPARATOR = 0xffff
PSF1_SEQUENCE = 0xfffe


@dataclass
class Picture:
    """Pixels, three bytes each (red, green, blue), rows from the top."""
    width: int
    height: int
    pixels: bytes

    def row(self, x, y, n_pixels):
        """The bytes of n_pixels pixels from (x, y) on."""
        start = 3 * (y * self.width + x)
        return self.pixels[start:start + 3 * n_pixels]


def read_ppm(data):
    """A picture of QEMU's plain format: `P6`, width, height, 255, and the pixels."""
    fields = data.split(maxsplit=4)
    check(len(fields) == 5 and fields[0] == b"P6" and fields[3] == b"255", "no PPM picture")
    width, height = int(fields[1]), int(fields[2])
    n_bytes = 3 * width * height
    check(len(data) > n_bytes, "the PPM picture is cut off")
    return Picture(width, height, data[-n_bytes:])


def read_xwd(data):
    """A picture of xwd: a header of 32-bit words, a colour table, pixels of 32 bits, blue first."""
    header = struct.unpack(">25I", data[:100])
    header_bytes, width, height, depth = header[0], header[4], header[5], header[3]
    bits, line_bytes, n_colours = header[11], header[12], header[19]
    check(depth == 24 and bits == 32, f"an X11 picture of depth {depth}, {bits} bits a pixel")
    start = header_bytes + 12 * n_colours
    pixels = bytearray(3 * width * height)
    for y in range(height):
        line = data[start + y * line_bytes:start + y * line_bytes + 4 * width]
        row = slice(3 * y * width, 3 * (y + 1) * width)
        rgb = bytearray(3 * width)
        rgb[0::3], rgb[1::3], rgb[2::3] = line[2::4], line[1::4], line[0::4]
        pixels[row] = rgb
    return Picture(width, height, bytes(pixels))


class Font:
    """A PSF version 1 console font: glyphs of 8 pixels' width, and the characters that they stand for."""

    def __init__(self, path=FONT):
        try:
            with gzip.open(path) as file:
                data = file.read()
        except OSError as error:
            raise Failure(f"the console font {path}: {error}") from None
        check(data[:2] == PSF1_MAGIC, f"{path} is no PSF version 1 font")
        mode, self.height = data[2], data[3]
        n_glyphs = 512 if mode & PSF1_512_GLYPHS else 256
        glyphs = [data[4 + i * self.height:4 + (i + 1) * self.height] for i in range(n_glyphs)]
        self.characters = {}
        self.glyphs = {}
        words = struct.unpack(f"<{(len(data) - 4 - n_glyphs * self.height) // 2}H",
                              data[4 + n_glyphs * self.height:])
        for glyph, codes in zip(glyphs, self._tables(words)):
            for code in codes:
                self.glyphs.setdefault(chr(code), glyph)
            if codes:
                # Several characters may share a glyph; the plainest one is what is meant.
                self.characters.setdefault(glyph, chr(min(codes)))

    @staticmethod
    def _tables(words):
        """For each glyph the single characters that it stands for; sequences are left out."""
        codes, in_sequence = [], False
        for word in words:
            if word == PSF1_SEPARATOR:
                yield codes
                codes, in_sequence = [], False
            elif word == PSF1_SEQUENCE:
                in_sequence = True
            elif not in_sequence:
                codes.append(word)

    def character(self, rows):
        """The character of a cell, given its rows of pixels (bytes, three a pixel)."""
        colours = {row[i:i + 3] for row in rows for i in range(0, len(row), 3)}
        if len(colours) == 1:
            return " "
        if len(colours) > 2:
            return UNKNOWN
        for ink in colours:
            bits = bytes(self._bits(row, ink) for row in rows)
            if bits in self.characters:
                return self.characters[bits]
        return UNKNOWN

    @staticmethod
    def _bits(row, ink):
        value = 0
        for i in range(0, len(row), 3):
            value = value << 1 | (row[i:i + 3] == ink)
        return value


def read_grid(picture, font, left, top, columns, rows):
    """The lines of text in a grid of cells whose upper left corner is at (left, top); blanks at the ends cut off."""
    lines = []
    for row in range(rows):
        y = top + row * font.height
        strips = [picture.row(left, y + i, columns * GLYPH_WIDTH) for i in range(font.height)]
        lines.append(_read_strips(strips, font, columns))
    return lines


def _read_strips(strips, font, columns):
    if all(strip == strips[0][:3] * (columns * GLYPH_WIDTH) for strip in strips):
        return ""
    step = 3 * GLYPH_WIDTH
    cells = ([strip[i * step:(i + 1) * step] for strip in strips] for i in range(columns))
    return "".join(font.character(cell) for cell in cells).rstrip()


def read_framebuffer(picture, font, margin=12):
    """The text on a framebuffer: as many characters as fit between the margins, in the middle."""
    height = picture.height + picture.height % 2        # QEMU's Cirrus leaves the last row out
    columns = (picture.width - 2 * margin) // GLYPH_WIDTH
    rows = (height - 2 * margin) // font.height
    left = (picture.width - columns * GLYPH_WIDTH) // 2
    top = (height - rows * font.height) // 2
    return read_grid(picture, font, left, top, columns, rows)


def read_vga_text(memory, columns=80, rows=25):
    """The text in VGA text memory: a character and its attribute for each cell."""
    characters = memory[0:2 * columns * rows:2].decode("cp437")
    return [characters[i * columns:(i + 1) * columns].replace("\0", " ").rstrip() for i in range(rows)]


def find_text(picture, font, text):
    """Where (x, y) a text is painted, searched by its pixels wherever it may be; None when it is nowhere."""
    glyphs = [font.glyphs[character] for character in text]
    row = next(i for i in range(font.height) if any(glyph[i] for glyph in glyphs))
    for y in range(picture.height - font.height):
        for x in _matches(picture, y + row, [glyph[row] for glyph in glyphs]):
            lines = read_grid(picture, font, x, y, len(text), 1)
            if lines == [text.rstrip()]:
                return x, y
    return None


def _matches(picture, y, row_bits):
    """The columns where a row of pixels shows these bits in one colour before another."""
    line = picture.row(0, y, picture.width)
    bits = "".join(f"{byte:08b}" for byte in row_bits)
    pixels = [line[i:i + 3] for i in range(0, len(line), 3)]
    paper = max(set(pixels), key=pixels.count)
    shown = "".join("0" if pixel == paper else "1" for pixel in pixels)
    at = shown.find(bits)
    while at >= 0:
        yield at
        at = shown.find(bits, at + 1)
