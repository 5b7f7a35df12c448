"""Public lists of harmful sites, in the forms they are published in: hosts, each with a URL where the list has one.

Text with a URL or a name a line (OpenPhish, Phishing.Database), CSV and TSV with a column ``url`` or of names (URLhaus,
PhishTank), JSON (an array of objects or texts, objects by number as URLhaus has them, an object a line), hosts files
and AdBlock rules. Of a URL the query and the fragment are left out: they often carry a victim's address.
"""

import csv
import io
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from khien import canon
from khien.errors import FormatError, ObservableError
from khien.names.reading import layout, lists, rows

_SAMPLE = 50  # lines among which a header stands
_LONGEST_URL = 2_000  # characters that are kept
_LONGEST_LINE = 1 << 14
_URL = re.compile(r"(https?)://[^/?#\\]*?(:\d{1,5})?(/[^?#]*)?(?:[?#].*)?", re.IGNORECASE)
_FIELDS = ("url", "domain", "host", "name")  # of an object, the first it has


class Entries(NamedTuple):
    """What a list names: a URL by host ("" where it has none, the first in alphabetical order of several); and how many
    of its entries are neither a name nor an address."""

    hosts: dict[str, str]
    refused: int


class _Entry(msgspec.Struct):
    url: str | None = None
    domain: str | None = None
    host: str | None = None
    name: str | None = None


_array = msgspec.json.Decoder(list[_Entry | str])
_by_number = msgspec.json.Decoder(dict[str, list[_Entry] | _Entry])
_line = msgspec.json.Decoder(_Entry | str)


def read(text: bytes, suffix: str = "") -> Entries:
    """What text lists; suffix: of its file's name, which decides where the text leaves it open.

    FormatError: it is no list, for example the page of a site that is being mended.
    """
    if re.match(rb"\s*<(?:!doctype|html|\?xml|head)", text[:200], re.IGNORECASE):
        raise FormatError("is a page and no list: look at what the address shows in a browser")
    found = layout.recognise(text[: layout.HEAD], suffix, None, None)
    if found.format == "json":
        values = _of_json(text, found.array)
    elif found.format in ("hosts", "adblock"):
        values = _of_rules(text, found)
    else:
        values = _of_table(text.decode(errors="replace"), found)
    hosts, refused = dict[str, str](), 0
    for value in values:
        try:
            host, url = _entry(value)
        except ObservableError:
            refused += 1
            continue
        known = hosts.get(host)
        hosts[host] = url if not known else min(known, url or known)
    if refused > len(hosts):
        raise FormatError(f"has {refused:,} lines that name no site, and {len(hosts):,} that do: it is no list")
    return Entries(hosts, refused)


def _entry(text: str) -> tuple[str, str]:
    """The host in canonical form, and the URL. ObservableError."""
    text = text[:_LONGEST_LINE].strip()
    host = canon.host_of(text)
    try:
        host = canon.domain(host)
    except ObservableError:
        try:
            host = str(ip_address(host))
        except ValueError:
            raise ObservableError("names no site") from None
    if not ("." in host or ":" in host):
        raise ObservableError("names no site")
    found = _URL.fullmatch(text)
    if found is None or not text.isprintable():
        return host, ""
    shown = f"[{host}]" if ":" in host else host
    return host, f"{found[1].lower()}://{shown}{found[2] or ''}{found[3] or '/'}"[:_LONGEST_URL]


def _of_table(text: str, found: layout.Layout) -> Iterator[str]:
    column, delimiter = found.column, found.delimiter
    if delimiter:
        for line in text[: layout.HEAD].splitlines()[:_SAMPLE]:  # a header may stand in a comment
            names = [each.strip(' "').lower() for each in line.lstrip("# ").split(delimiter)]
            if "url" in names:
                column = names.index("url")
                break
    lines = (line for line in io.StringIO(text) if line.strip() and not line.lstrip().startswith(("#", ";", "//")))
    if not delimiter:
        yield from (line.split()[0] for line in lines)
        return
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if (value := row[column].strip() if column < len(row) else "").lower() not in _FIELDS:
                yield value
    except csv.Error as error:
        raise FormatError(f"is no table: {error}") from error


def _of_rules(text: bytes, found: layout.Layout) -> Iterator[str]:
    page = rows.Rows(text if text.endswith(b"\n") else text + b"\n", timed=False)
    lists.read(page, found, layout.State(), True)
    yield from page.names().column(0).to_pylist()
    yield from [""] * page.refusals


def _of_json(text: bytes, array: bool) -> Iterator[str]:
    try:
        if array:
            entries: Iterator[_Entry | str] = iter(_array.decode(text))
        elif b"\n" in text.strip() and _is_object(text.strip().partition(b"\n")[0]):
            entries = (_line.decode(line) for line in text.splitlines() if line.strip())
        else:
            grouped = _by_number.decode(text).values()
            entries = (each for group in grouped for each in (group if isinstance(group, list) else [group]))
        for entry in entries:
            named = entry if isinstance(entry, str) else next(filter(None, (getattr(entry, n) for n in _FIELDS)), "")
            yield named
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise FormatError(f"is broken JSON ({error}): fetch it again") from error


def _is_object(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
