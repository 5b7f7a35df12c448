"""What the benches of names read and make: real lists from ../shared, rows repeated, a register of so many words."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from khien.app import registers
from khien.model import ProtectedName, Record, Register
from khien.names.register import folded

ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT.parent / "shared" / "data" / "names"  # only evaluation reads it
STREAM = ("ct_stream.tsv.zst", "nrd_newest.txt.zst")  # what a scan meets in a day
POPULAR = ROOT / "src" / "khien" / "data" / "popular.tsv.zst"
BRAND_LIKE = re.compile(r"([a-z]{6,12})\.[a-z]+")  # a registrable name that might be a brand's


class Labelled(NamedTuple):
    """A host that a list says imitates a brand (a register's id)."""

    host: str
    brand: str


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file, packed or not, without those that are empty."""
    packed = {".zst": "zstd", ".gz": "gzip"}.get(path.suffix)
    with pa.input_stream(path, compression=packed) as stream:
        yield from filter(None, stream.read().decode().splitlines())


def names(path: Path) -> list[str]:
    """The first column of a list without a header."""
    return [line.partition("\t")[0] for line in lines(path)]


def labelled(path: Path, label: str | None = None) -> list[Labelled]:
    """Rows of a TSV whose header names ``host`` or ``domain``, and ``brand``; ``-`` imitates none and is left out.

    label: only rows whose column ``label`` says so.
    """
    header, *rows = (line.split("\t") for line in lines(path))
    host = header.index("host" if "host" in header else "domain")
    brand = header.index("brand")
    if label is not None:
        rows = [row for row in rows if row[header.index("label")] == label]
    return [Labelled(row[host], row[brand]) for row in rows if row[brand] != "-"]


def stream(folder: Path) -> list[str]:
    """Certificate names and new registrations, one after the other."""
    return [name for each in STREAM for name in names(folder / each)]


def repeat(once: Sequence[str], rows: int) -> Iterator[bytes]:
    """So many rows as text, a line each, the whole list again and again."""
    whole, rest = divmod(rows, len(once))
    text = "".join(f"{name}\n" for name in once).encode()
    for _ in range(whole):
        yield text
    yield "".join(f"{name}\n" for name in once[:rest]).encode()


def array(once: Sequence[str], rows: int) -> pa.StringArray:
    """So many rows as one Arrow array, the whole list again and again."""
    whole, rest = divmod(rows, len(once))
    base = pa.array(once, pa.string())
    return pa.concat_arrays([base] * whole + [base.slice(0, rest)])


def register_of(words: int) -> Register:
    """The shipped register with exactly so many words: cut from its end, or topped up with labels of popular names."""
    shipped = registers.load()
    kept: list[ProtectedName] = []
    known: set[str] = set()
    for name in shipped.names:
        room = words - len(known)
        long, short = name.words[:room], name.short[: max(0, room - len(name.words))]
        if long or short:
            kept.append(replace(name, words=long, short=short))
            known |= {folded(word) for word in (*long, *short)}
    for label in _brand_like():
        if len(known) == words:
            break
        if label not in known:
            known.add(label)
            kept.append(ProtectedName(id=f"bench-{label}", label=label, sector="bench", words=(label,)))
    return Register(names=tuple(kept), reserved_suffixes=shipped.reserved_suffixes)


def _brand_like() -> Iterator[str]:
    for line in lines(POPULAR):
        if found := BRAND_LIKE.fullmatch(line.partition("\t")[0]):
            yield found[1]


def toml(register: Register) -> str:
    """The register in the format of docs/register.md."""
    parts = [f"reserved_suffixes = {_value(register.reserved_suffixes)}"]
    parts += ["[[names]]\n" + "\n".join(_pairs(name)) for name in register.names]
    return "\n\n".join(parts) + "\n"


def _pairs(record: Record) -> Iterator[str]:
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if value != ():
            yield f"{field} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, Record):
        return "{ " + ", ".join(_pairs(value)) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # a JSON string or boolean is TOML's as well
