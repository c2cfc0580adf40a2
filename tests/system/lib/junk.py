# SPDX-License-Identifier: MIT
"""Lines that a hostile stranger might type: every one must be answered and none may do harm.

Left out is only what a person who types it wants: leaving, faulting on purpose, writing with -f over the kernel.
"""
ADDRESSES = [
    "0", "1", "0x7ff", "0x1000", "0x9fc00", "0xa0000", "0xb8000", "0xf0000", "0x100000", "0x1ffffff",
    "0x1000000", "0x18000000", "0x1ffdf000", "0x1ffe0000", "0x20000000", "0xc0000000", "0xfec00000",
    "0xfee00000", "0xfffffff0", "0xffffffff", "0x100000000", "0xfd00000000", "0xffffffffff", "0x10000000000",
    "0x7fffffffffff", "0x800000000000", "0xffff7fffffffffff", "0xffff800000000000", "0xffff800000100000",
    "0xffff80000009f000", "0xffff800018000000", "0xffff80001ffdf000", "0xffff800020000000",
    "0xffff8000fee00000", "0xffff9fffffffffff", "0xffffa00000000000", "0xffffa0fffffffff8",
    "0xffffa10000000000", "0xffffa1ffffffffff", "0xffffa20000000000", "0xffffc00000000000",
    "0xfffffe0000000000", "0xffffffff7fffffff", "0xffffffff80000000", "0xffffffff80100000",
    "0xffffffff80101001", "0xffffffffc0000000", "0xffffffffffe00000", "0xfffffffffffff000",
    "0xfffffffffffffff8", "0xffffffffffffffff", "0xfffffffffffff", "0x10000000000000", "kernel_main",
    "kernel_main+1", "mm", "$$", "$1", "$1+1",
]
NUMBERS = [
    "0", "1", "2", "63", "64", "65", "511", "512", "4095", "4096", "4097", "1M", "1048577", "2M", "1G", "16E",
    "16T", "18446744073709551615", "18446744073709551616", "99999999999999999999999999", "0xffffffffffffffffff",
    "-1", "-64", "-9223372036854775808", "-9223372036854775809", "0x", "0xg", "08", "1k", "1kk", "K", "1.5",
    "1e3", "+", "-", "--", "1+", "+1", "1-2", "2-1", "1+-1", "$", "$0", "$$$", "$-1", "$99999999999999999999",
    "''", '""', "0x8000000000000000", "2147483648", "4294967296", "4294967297", "\u00e9",
]
WORDS = [
    "a", "ro", "nx", "user", "4k", "uc wc", "wb", "-j", "-h", "-w", "-w 0", "-w x", "-f", "-p", "-t", "-t 1",
    "-z", "--", "-", "dma", "normal", "unmapped", "DMA", "shared", "kernel", "current", "new", "free", "list",
    "%s%s%n", "%p", "\\", "/dev/null",
    "'", '"', "''", ";", ";;", "#", "*", "?", "~", "`id`", "$(id)", "&&", "|", ">x", "a" * 200, "0" * 200,
]
COMMANDS = {                            # name: how many arguments it may have
    "mm_stat": 0, "free": 0, "zones": 0, "buddy": 0, "slabs": 0, "memmap": 0, "frag": 0, "alloc_pages": 3,
    "free_pages": 2, "page": 1, "kmalloc": 1, "kzalloc": 1, "kfree": 1, "shrink": 0, "map": 4, "unmap": 2,
    "pt": 4, "vtop": 2, "ptdump": 2, "peek": 2, "poke": 2, "fill": 3, "find": 3, "xp": 2, "whatis": 1, "owner": 1, "leak": 1, "trace": 2,
    "check": 0, "help": 1, "history": 0, "time": 1, "clear": 0, "about": 0, "log": 0, "cpus": 0,
}
LOOK_AT = [                             # every kind of address goes through each of these
    "peek {}", "peek {} 4096", "peek {} 1", "peek {} -p", "vtop {}", "xp {}", "xp {} 16", "xp {} 4097",
    "whatis {}", "page {}", "owner {}", "trace -a {}", "find {} 4K 0x1122334455667788", "find {} 0xffffffffffffffff 1", "poke {} 1",
    "poke {} 0xff -w 1", "fill {} 16 0x55", "fill {} 0xffffffffffffffff 0", "kfree {}", "free_pages {} 1",
    "free_pages {} 63", "unmap {} 0", "map {} 0x8000000000 0", "ptdump {} {}+4096", "vtop 0x1000 {}",
    "pt map {} 0x400000 0x8000000000 4K", "pt free {}", "pt unmap {} 0x400000 4K",
]
CONTROL = "".join(chr(code) for code in range(32) if chr(code) not in "\r\n\x03")
ESCAPES = [
    "\x1b", "\x1b[", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~", "\x1b[5~",
    "\x1b[999999999999~", "\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19A", "\x1bO", "\x1bOP", "\x1b[[A",
    "\x1b]0;title\x07", "\x1bP", "\x1b\\", "\x1b[?25l", "\x1b[2J", "\x1b[6n", "\x9b", "\x1b\x1b\x1b[", "\xc3",
    "\xe2\x82", "\xff\xfe", "\xf4\x90\x80\x80", "\x00",
]


def wrong_arguments(random, n_wrong):
    """Every command with none, too many, and n_wrong times with wrong arguments."""
    for name, most in COMMANDS.items():
        if most:
            yield name
        yield " ".join([name] + ["1"] * (most + 3))
        for _ in range(n_wrong):
            n = random.randrange(1, most + 3)
            yield " ".join([name] + [random.choice(random.choice([ADDRESSES, NUMBERS, WORDS])) for _ in range(n)])


def every_address(random, share):
    """Every kind of address through every command that takes one; only a share of them all."""
    for address in ADDRESSES:
        for form in LOOK_AT:
            if random.random() < share:
                yield form.replace("{}", address)


def numbers():
    """Odd numbers where numbers belong."""
    for number in NUMBERS:
        yield f"kmalloc {number}"
        yield f"alloc_pages normal {number}"
        yield f"alloc_pages {number} 1"
        yield f"map 0xffffa00000000000 0x8000000000 {number}"
        yield f"unmap 0xffffa00000000000 {number}"
        yield f"peek kernel_main {number}" if not number.endswith(("G", "T", "E")) else f"page {number}"


def grammar():
    """Quotes, separators, comments, nesting, lines that are too long."""
    yield from ["'", '"', '"abc', "kmalloc '64", ";", ";;;;;", "; kmalloc", "check;check;check", "check ; ; check",
                "# check",
                "check # x", "nosuch", "chek", "CHECK", "check check", "''", '""', "'check'", '"check"', "time",
                "time time time", "time check; check", "repeat", "repeat 3", "repeat x check",
                "repeat -1 check", "repeat 0 check", "repeat 99999999999999999999 check", "repeat 2 nosuch",
                "watch", "watch 0 check", "watch x check", "watch 1", "watch 1 nosuch", "mm_stat -w",
                "mm_stat -w 0", "mm_stat -w 99999999999", "selftest nosuch", "fault", "fault nosuch",
                "exit 256", "exit x", "exit 1 2", "exit -1", "poweroff now please", "reboot 1 2", "stress",
                "stress x", "stress -1", "bench nosuch", "help nosuch", "help help help", "pt", "pt nosuch",
                "pt new 1", "pt free", "pt free 99", "pt map 1",
                "pt unmap 1", "replay", "replay x", "memtest x y z"]
    yield "repeat 2 " * 12 + "check"
    yield "time \"" * 5 + "check" + "\"" * 5
    yield "a " * 500
    yield "x" * 1000
    yield "x" * 5000
    yield "kmalloc " + "0" * 3000 + "1"
    yield "check;" * 170
    yield " " * 1000
    yield '"' + "\\" * 900


def bytes_of_all_kinds(random, n_lines):
    """Control bytes, half escape sequences, and what no keyboard has."""
    for escape in ESCAPES:
        yield escape
        yield f"check {escape}"
        yield f"{escape}check"
    for code in CONTROL:
        yield f"check{code}"
        yield code * 20
    for _ in range(n_lines):
        length = random.choice([3, 20, 80, 300])
        codes = [random.randrange(256) for _ in range(length)]
        yield "".join(chr(code) for code in codes if code not in (3, 10, 13))
