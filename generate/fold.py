"""Makes src/khien/data/fold.bin: what each non-ASCII character of a domain name looks like in ASCII.

Sources: Unicode Technical Standard 39 confusables by way of ICU's skeleton function (libicui18n, Unicode licence), and
the character database of the running Python. Rows are (code point, up to three ASCII letters, kind), little-endian
``u4 u4``: the second word holds the letters in its low three bytes and the kind in the highest.
Kind 1: a Latin letter with marks (a person may just write Vietnamese); kind 2: a look-alike from elsewhere.

    python3 generate/fold.py            # on Debian: apt-get install libicu72
"""

import ctypes
import ctypes.util
import re
import struct
import sys
import unicodedata
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/khien/data/fold.bin"
MARKED = {"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ħ": "h", "ŧ": "t", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
ALIKE = dict(zip("ıĸмктнвгшпωκτηπνυα", "ikmkthbrwnwktnnvua", strict=True))  # small capitals ICU keeps apart
PLAIN = re.compile(r"[a-z0-9-]{1,3}")


class Skeletons:
    """ICU's UTS 39 skeleton transform."""

    def __init__(self) -> None:
        path = ctypes.util.find_library("icui18n")
        if path is None:
            sys.exit("ICU is not here: apt-get install libicu72")
        self.library = ctypes.CDLL(path)
        version = re.search(r"so\.(\d+)", path)
        self.suffix = f"_{version[1]}" if version else ""
        status = ctypes.c_int(0)
        opener = getattr(self.library, "uspoof_open" + self.suffix)
        opener.restype = ctypes.c_void_p
        self.checker = ctypes.c_void_p(opener(ctypes.byref(status)))
        self.transform = getattr(self.library, "uspoof_getSkeletonUTF8" + self.suffix)

    def __call__(self, text: str) -> str:
        raw, room, status = text.encode(), ctypes.create_string_buffer(256), ctypes.c_int(0)
        length = self.transform(self.checker, 0, raw, len(raw), room, 256, ctypes.byref(status))
        return room.raw[:length].decode() if status.value <= 0 else text


def bare(text: str) -> str:
    """Without marks, in lower case."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()


def row(character: str, skeleton: Skeletons) -> tuple[str, int] | None:
    latin = "LATIN" in unicodedata.name(character, "")
    if character in MARKED:
        return MARKED[character], 1
    if character in ALIKE:
        return ALIKE[character], 2
    plain = bare(character)
    if PLAIN.fullmatch(plain):
        return plain, 1 if latin and not unicodedata.decomposition(character).startswith("<") else 2
    seen = bare(skeleton(character)).replace("rn", "m")
    return (seen, 2) if PLAIN.fullmatch(seen) else None


def main() -> None:
    skeleton = Skeletons()
    rows = []
    for point in range(0x80, 0x20000):
        character = chr(point)
        if unicodedata.category(character)[0] not in "LMN" or character.lower() != character:
            continue
        if unicodedata.combining(character):
            rows.append((point, "", 1))
        elif found := row(character, skeleton):
            rows.append((point, *found))
    packed = b"".join(
        struct.pack("<II", point, int.from_bytes(letters.encode().ljust(3, b"\0"), "little") | kind << 24)
        for point, letters, kind in rows
    )
    TARGET.write_bytes(packed)
    print(f"{len(rows)} characters, {len(packed)} bytes, Unicode {unicodedata.unidata_version}")


if __name__ == "__main__":
    main()
