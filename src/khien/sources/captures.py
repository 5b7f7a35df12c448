"""Flow records from files and standard input: captures of exports or of raw traffic, and files of flow tools.

What a file holds decides how it is read: pcap and pcapng (whose packets say whether they are exports), nfdump, IPFIX
files, flow-tools, tables of text, a datagram by itself; each also as gzip, zstd, bzip2 or xz. Memory is bounded by
blocks of a megabyte or so, not by the length of a file.

Templates, sampling and what waits for them are known only to who has read a file from its beginning: a cursor counts
rows, and going on from it reads its file again up to there, silently.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError
from khien.flows import delimited, exports, flowtools, messages, nfdump, pcap, records
from khien.flows.datagrams import Datagrams
from khien.flows.decoder import Decoder
from khien.flows.reading import Read, Refused, Take
from khien.packed import STANDARD_INPUT, Ahead, Packed, advice, fingerprint, label, unpacked

FORMATS = ("traffic", "exports", "nfdump", "ipfix", "flow-tools", "csv", "datagram")

_BLOCK = 1 << 20  # bytes of a capture that are read together
_UNREAD = {  # what a decoder counts of messages it could not read, and the code of that
    "dropped": "no-template",
    **{each: each for each in ("unknown-version", "cut-short", "broken-set", "broken-template", "too-many-templates")},
}
_KEPT = 1000  # places of what was set aside, of one page; the rest is only counted


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where to go on. file: index of the path; rows: how many of it are done with; read: bytes of the file itself that
    were taken for them; paths: fingerprint of those that were read, as far as they were."""

    file: int = 0
    rows: int = 0
    read: int = 0
    paths: str = ""


def progress(cursor: bytes) -> tuple[int, int]:
    """Of a page's cursor: the index of the path it is in, and the bytes of that file (as packed) read so far."""
    at = _decoded(cursor)
    return at.file, at.read


def _decoded(cursor: bytes) -> Cursor:
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"no cursor of the source captures: {cursor[:80]!r}; start without one") from error


@dataclass(frozen=True)
class Captures:
    """Flow records in paths, one after the other; ``-`` is standard input.

    format: one of FORMATS where it should not be recognised; ``traffic`` makes a row of each packet of a capture,
    ``exports`` reads what routers sent in it. page_rows: of a page, at most.
    """

    name: ClassVar[str] = "captures"
    yields: ClassVar[pa.Schema] = schema.FLOWS
    replayable: ClassVar[bool] = True

    paths: tuple[str, ...]
    format: str | None = None
    page_rows: int = 1 << 17

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(f"format {self.format!r} is none of {', '.join(FORMATS)}")
        if self.page_rows < 1:
            raise ConfigError(f"page_rows is {self.page_rows}: give a number of rows, 1 or more")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor. InputError: a path that cannot be read; FormatError: one that is not what it seems."""
        at = Cursor() if cursor is None else _decoded(cursor)
        if at.paths not in ("", self._read_so_far(at)):
            raise InputError("the paths that were read have changed: add new ones behind them, or give another name")
        for index in range(at.file, len(self.paths)):
            yield from self._file(self.paths[index], at if index == at.file else Cursor(file=index))

    def _read_so_far(self, at: Cursor) -> str:
        return fingerprint(self.paths[: at.file + bool(at.rows or at.read)])

    def _encoded(self, at: Cursor) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(at, paths=self._read_so_far(at)))

    def _file(self, path: str, at: Cursor) -> Iterator[Page]:
        try:
            with closing(Packed(path)) as packed:
                yield from self._pages(packed, at)
        except FormatError as error:
            raise FormatError(f"{label(path)}: {error}") from error
        except OSError as error:
            raise InputError(f"{label(path)}: {advice(error)}") from error

    def _pages(self, packed: Packed, at: Cursor) -> Iterator[Page]:
        text = unpacked(packed)
        head = _head(text.read, packed.piped)
        kind = self.format or (_recognise(head) if head else "")
        mark = ":" if kind == "csv" else "@"
        done = 0
        for flows, refused in _reads(kind, Ahead(head, text).read, _written(packed)) if head else ():
            behind = done + flows.num_rows
            skip = max(at.rows - done, 0)  # of these rows, what was read before
            if done >= at.rows and refused:
                yield Page(
                    flows.slice(0, 0), self._encoded(_at(at, done, packed)), _skipped(packed.path, mark, refused)
                )
            for begin in range(skip, flows.num_rows, self.page_rows):
                rows = flows.slice(begin, self.page_rows)
                yield Page(rows, self._encoded(_at(at, done + begin + rows.num_rows, packed)))
            done = behind
        if done < at.rows:
            raise FormatError(
                f"ends before row {at.rows:,}, where reading stopped last time: it is another file by now"
            )
        yield Page(records.batch(records.empty(0), 0), self._encoded(Cursor(at.file + 1)))


def _at(at: Cursor, rows: int, packed: Packed) -> Cursor:
    return Cursor(at.file, rows, packed.taken)


def _head(take: Take, piped: bool) -> bytes:
    """Enough to recognise a file by, and what a capture holds: exports.HEAD bytes, or what a pipe has to say first."""
    head = b""
    while len(head) < exports.HEAD and not (piped and len(head) >= delimited.HEAD):
        more = take(exports.HEAD - len(head))
        if not more:
            break
        head += more
    return head


def _recognise(head: bytes) -> str:
    """What a file that begins like this is. FormatError: nothing that is known."""
    if pcap.is_capture(head):
        return "exports" if exports.holds_exports(head) else "traffic"
    if head[:2] in (nfdump.MAGIC, nfdump.SWAPPED):
        return "nfdump"
    if head[:2] == flowtools.MAGIC:
        return "flow-tools"
    if delimited.recognise(head[: delimited.HEAD]):
        return "csv"
    if messages.is_ipfix(head):
        return "ipfix"
    if messages.is_datagram(head):
        return "datagram"
    raise FormatError(f"is none of {', '.join(FORMATS)}: name the format, or give another file")


def _reads(kind: str, take: Take, written: int) -> Iterator[Read]:
    """The pages of a file of this kind. written: microseconds since 1970, for what does not say when it was sent."""
    if kind in ("traffic", "exports"):
        return _capture(kind, take)
    if kind == "ipfix":
        return _decoded_exports(messages.ipfix(take, written))
    if kind == "datagram":
        return _decoded_exports(iter([(0, messages.datagram(take, written), ())]))
    return {"nfdump": nfdump.read, "flow-tools": flowtools.read, "csv": delimited.read}[kind](take)


def _capture(kind: str, take: Take) -> Iterator[Read]:
    """A capture by the block; what gave no row is told with the byte at which the capture's block begins."""
    offset = 0

    def blocks() -> Iterator[bytes]:
        nonlocal offset
        while block := take(_BLOCK):
            yield block
            offset += len(block)

    if kind == "traffic":
        for seen in pcap.frames(blocks()):
            flows, others = pcap.flows(seen)
            yield Read(flows, _refused(offset, others))
        return
    sent = ((offset, *exports.exports(seen)) for seen in pcap.frames(blocks()))
    yield from _decoded_exports((at, made, _refused(at, others)) for at, made, others in sent)


def _decoded_exports(batches: Iterable[tuple[int, Datagrams, tuple[Refused, ...]]]) -> Iterator[Read]:
    """The records of what was sent, and what could not be read of it, told with the place of the batch it came in."""
    decoder, told, at = Decoder(), Counter[str](), 0
    for at, sent, refused in batches:
        flows, counted = decoder.decode(sent), _unread(decoder)
        yield Read(flows, (*refused, *_refused(at, counted - told)))
        told = counted
    waiting = sum(each["waiting"] for each in decoder.counts().values())
    yield Read(records.batch(records.empty(0), 0), _refused(at, {"no-template": waiting} if waiting else {}))


def _unread(decoder: Decoder) -> Counter[str]:
    """How much could not be read so far, by why."""
    counted = Counter[str]()
    for each in decoder.counts().values():
        counted.update({code: each[ours] for ours, code in _UNREAD.items()})
    return counted


def _refused(at: int, counted: Mapping[str, int]) -> tuple[Refused, ...]:
    return tuple(Refused(at, code, times) for code, times in counted.items())


def _written(packed: Packed) -> int:
    """When a file was last written, in microseconds; 0 of standard input."""
    return 0 if packed.path == STANDARD_INPUT else Path(packed.path).stat().st_mtime_ns // 1000


def _skipped(path: str, mark: str, refused: Sequence[Refused]) -> pa.RecordBatch:
    """schema.SKIPPED: a line (``:``) or an offset (``@``), and never a word of what stood there: it names people."""
    places: list[str] = []
    reasons: list[str] = []
    for each in refused:
        told = min(each.times, _KEPT - len(places))
        places += [f"{path}{mark}{each.at}"] * told
        reasons += [each.code] * told
    excerpts: list[str | None] = [None] * len(places)
    more = sum(each.times for each in refused) - len(places)
    if more:
        places.append(path)
        reasons.append("more")
        excerpts.append(str(more))
    return pa.record_batch([places, reasons, excerpts], schema=schema.SKIPPED)
