"""Compiles src/khien/locale/*/LC_MESSAGES/*.po to the .mo files beside them, as gettext reads them.

Only what our catalogues use is understood: msgctxt, msgid, msgstr and comments, strings in double quotes.

    python3 generate/catalogues.py
"""

import ast
import struct
from pathlib import Path

LOCALE = Path(__file__).parent.parent / "src/khien/locale"
MAGIC = 0x950412DE  # little-endian, GNU gettext manual section 10.3


def read(text: str) -> dict[tuple[str, str], str]:
    """The entries of a .po text by (context, code); the header is under ("", "")."""
    entries: dict[tuple[str, str], str] = {}
    entry: dict[str, str] = {}
    keyword = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if entry:
                key = entry.get("msgctxt", ""), entry["msgid"]
                if key in entries:
                    raise ValueError(f"{key} is there twice")
                entries[key] = entry["msgstr"]
            entry = {}
            continue
        if not line.startswith('"'):
            keyword, _, line = line.partition(" ")
        entry[keyword] = entry.get(keyword, "") + ast.literal_eval(line)
    return entries


def compiled(entries: dict[tuple[str, str], str]) -> bytes:
    """The .mo file: two tables of (length, offset), sorted by what is looked up, then the strings."""
    pairs = sorted(
        ((f"{context}\4{code}" if context else code).encode(), sentence.encode())
        for (context, code), sentence in entries.items()
    )
    count = len(pairs)
    offset = 28 + 16 * count
    tables, strings = b"", b""
    for each in (*(key for key, _ in pairs), *(sentence for _, sentence in pairs)):
        tables += struct.pack("<2I", len(each), offset + len(strings))
        strings += each + b"\0"
    header = struct.pack("<7I", MAGIC, 0, count, 28, 28 + 8 * count, 0, 28 + 16 * count)
    return header + tables + strings


def main() -> None:
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        entries = read(source.read_text(encoding="utf-8"))
        source.with_suffix(".mo").write_bytes(compiled(entries))
        print(f"{source.parent.parent.name} {source.stem}: {len(entries) - 1} sentences")


if __name__ == "__main__":
    main()
