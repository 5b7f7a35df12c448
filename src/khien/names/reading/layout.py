"""How a text of names is laid out, recognised by what it holds; its file's name decides only where that is open."""

import csv
import re
from collections.abc import Sequence

import msgspec

from khien.errors import FormatError
from khien.names.reading import syntax

FORMATS = ("plain", "csv", "tsv", "json", "zone", "hosts", "adblock", "parquet")
COLUMNS = ("domain", "host", "name")  # where names stand, unless the caller says
DATES = ("seen_at", "first_seen", "date", "timestamp")
HEAD = 1 << 16  # bytes that are enough to recognise a layout

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_SUFFIXES = {"csv": "csv", "tsv": "tsv", "json": "json", "jsonl": "json", "ndjson": "json"}
_SAMPLE = 50  # lines that are looked at
_UTF8_MARK = b"\xef\xbb\xbf"
_RULE = re.compile(r"\[Adblock|!|\|\|?[\w*]|@@\|{0,2}\S")
_RECORD = re.compile(
    r"(?:\S++)?+(?:\s++\d++[smhdw]?+)*+(?:\s++(?:IN|CH|HS)(?=\s))?+(?:\s++\d++[smhdw]?+)*+\s++"
    r"(?:SOA|NS|A|AAAA|CNAME|DNAME|MX|TXT|PTR|SRV|CAA|DS|DNSKEY|RRSIG|NSEC|NSEC3|NSEC3PARAM|TLSA|HTTPS|SVCB)\s+\S",
    re.IGNORECASE,
)


class Layout(msgspec.Struct, frozen=True):
    """format: one of FORMATS; delimiter: "" or one character; column and dated: indices (dated -1: none);
    key: the member of a JSON object that holds the name ("": one of COLUMNS); array: one JSON array, not lines;
    begin: bytes of the text before its first row; lines: how many lines they are."""

    format: str
    delimiter: str = ""
    column: int = 0
    dated: int = -1
    key: str = ""
    array: bool = False
    begin: int = 0
    lines: int = 0


class State(msgspec.Struct, frozen=True):
    """What a reader must know to go on in the middle. line: the number of the next line; origin, owner: a zone's
    origin and the owner last met."""

    line: int = 1
    origin: str = ""
    owner: str = ""


def recognise(head: bytes, suffix: str, format: str | None, column: str | None) -> Layout:
    """The layout of a text from its first HEAD bytes (whole where shorter).

    suffix: of the file's name without compression, "" where there is none. format: what the caller says it is.
    FormatError: no text, no such column, a column asked of what has none.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError("is UTF-16: save it as UTF-8")
    if b"\0" in head:
        raise FormatError("is no text and no Parquet file: give names as text, CSV, JSON, a zone or Parquet")
    begin = len(_UTF8_MARK) if head.startswith(_UTF8_MARK) else 0
    text = head[begin:].decode(errors="replace")
    lines = [line.strip("\r") for line in text.split("\n")]
    if len(lines) > 1:
        lines.pop()  # cut short, or empty
    sample = [line for line in lines if line.strip()][:_SAMPLE]
    found = format or _format(sample, suffix)
    if found == "json":
        return Layout("json", key=column or "", array=text.lstrip().startswith("["), begin=begin)
    if found in ("csv", "tsv", "plain"):
        return _table(lines, sample, found, begin, head, suffix, column)
    if column is not None:
        raise FormatError(f"is a {found} file, which has no columns: leave out the column {column!r}")
    return Layout(found, begin=begin)


def _format(sample: Sequence[str], suffix: str) -> str:
    """What the first lines with something on them are."""
    if not sample:
        return "plain"
    first = sample[0].lstrip()
    if re.match(r"\{|\[\s*(?:[\[{\"\]]|$)", first) or (first.startswith('"') and _SUFFIXES.get(suffix) == "json"):
        return "json"
    entries = [line for line in sample if not line.lstrip().startswith("#")]
    if any(_RULE.match(line) or re.search(r"#[@?$%]*#", line) for line in entries):
        return "adblock"
    records = [line for line in entries if not line.startswith(";")]
    if records and (records[0].startswith(("$ORIGIN", "$TTL")) or _RECORD.match(records[0])):
        return "zone"
    if entries and _is_hosts_line(entries[0]):
        return "hosts"
    for format, delimiter in (("tsv", "\t"), ("csv", ",")):
        if 2 * sum(delimiter in line for line in entries) > len(entries):
            return format
    known = _SUFFIXES.get(suffix, "plain")
    return known if known in ("csv", "tsv") or not entries else "plain"


def _is_hosts_line(line: str) -> bool:
    fields = line.split(maxsplit=1)
    return len(fields) == 2 and syntax.is_address(fields[0].partition("%")[0])


def _table(
    lines: Sequence[str], sample: Sequence[str], format: str, begin: int, head: bytes, suffix: str, column: str | None
) -> Layout:
    """The column of a table: by its header, else the leftmost that holds names, else the first."""
    delimiter = _DELIMITERS.get(format, "")
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    header = [field.strip().lower() for field in _fields(lines[first], delimiter)] if lines else []
    wanted = (column.lower(),) if column is not None else COLUMNS
    index = next((header.index(name) for name in wanted if name in header), None)
    if index is None and column is not None:
        raise FormatError(f"has no column {column!r}; its first line has: {', '.join(header)[:200] or 'nothing'}")
    if index is None:
        return Layout(format, delimiter, _leftmost([_fields(line, delimiter) for line in sample]), begin=begin)
    behind = begin
    for _ in range(first + 1):
        behind = head.find(b"\n", behind) + 1 or len(head)
    dated = next((header.index(name) for name in DATES if name in header), -1)
    return Layout(format, delimiter, index, -1 if dated == index else dated, begin=behind, lines=first + 1)


def _fields(line: str, delimiter: str) -> list[str]:
    if not delimiter:
        return [line]
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=quoting), [])
    except csv.Error:
        return line.split(delimiter)


def _leftmost(table: Sequence[Sequence[str]]) -> int:
    """The column in which most rows hold a name; the leftmost of equals."""
    counts: dict[int, int] = {}
    for row in table:
        for index, field in enumerate(row[:100]):
            if syntax.name_in(field.encode())[1] == syntax.GOOD and field.strip():
                counts[index] = counts.get(index, 0) + 1
    return max(counts, key=lambda index: (counts[index], -index), default=0)
