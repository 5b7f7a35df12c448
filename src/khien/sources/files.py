"""Names from files and standard input, whatever way they are written down and packed.

What a file holds decides how it is read, its name only where that is open: plain lists, CSV and TSV, JSON (lines, an
array, certstream messages), master-format zones, hosts files, AdBlock lists, Parquet; each but Parquet also as gzip,
zstd, bzip2 or xz, of any number of members. Memory is bounded by ``page_bytes``, not by the length of a file or line.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

import msgspec
import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError, UnavailableError
from khien.names.reading import delimited, lists, messages, rows, syntax, zones
from khien.names.reading.layout import COLUMNS, DATES, FORMATS, HEAD, Layout, State, recognise
from khien.packed import STANDARD_INPUT, Ahead, Packed, advice, fingerprint, first_line, label, suffix, unpacked

_READERS = {
    "plain": delimited.read,
    "csv": delimited.read,
    "tsv": delimited.read,
    "json": messages.read,
    "zone": zones.read,
    "hosts": lists.read,
    "adblock": lists.read,
}
_PARQUET = b"PAR1"
_PARQUET_FREE, _PARQUET_VALUE = 32 << 20, 1 << 10  # bytes: of any column of a row group, and more for each value
_PARQUET_ROWS = 1 << 16  # of one page
_PACE = 0.2  # seconds between two looks into a folder
_QUIET = 1.0  # seconds for which a file has not grown before it is read
_MOST_FILES = 10_000  # of a folder that is watched: the cursor remembers each
_UNDONE = (".part", ".tmp", "~")  # how names of files end that somebody is writing


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where to go on. file: index of the path; offset: bytes of its text (rows, for Parquet) that are done with; read:
    bytes of the file itself that were taken for it; cut: offset lies in a line too long to hold; paths: digest of those
    that were read, as far as they were. doing, done: digests of the files of a folder, being read and read."""

    file: int = 0
    offset: int = 0
    read: int = 0
    layout: Layout | None = None
    state: State = State()
    cut: bool = False
    paths: str = ""
    doing: str = ""
    done: tuple[str, ...] = ()


def progress(cursor: bytes) -> tuple[int, int]:
    """Of a page's cursor: the index of the path it is in, and the bytes of that file (as packed) read so far."""
    at = _decoded(cursor)
    return at.file, at.read


def _decoded(cursor: bytes) -> Cursor:
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"no cursor of the source files: {cursor[:80]!r}; start without one") from error


@dataclass(frozen=True)
class Files:
    """Names in paths, one after the other; ``-`` is standard input. Or in the files that come to ``watch_folder``.

    A folder is watched without an end: a file is read once it does not grow any more, and again when it was changed;
    hidden files, those called ``.part``, ``.tmp`` or ``~`` and symbolic links are passed over.

    format: one of layout.FORMATS where it should not be recognised. column: the column (or JSON member) that holds the
    names; else ``domain``, ``host``, ``name``, or the first that does. page_bytes: text that one page is made from.
    """

    name: ClassVar[str] = "files"
    yields: ClassVar[pa.Schema] = schema.NAMES
    replayable: ClassVar[bool] = True

    paths: tuple[str, ...] = ()
    format: str | None = None
    column: str | None = None
    page_bytes: int = 1 << 21
    watch_folder: str = ""

    def __post_init__(self) -> None:
        if self.paths and self.watch_folder:
            raise ConfigError("give paths or a watch_folder, one of them")
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(f"format {self.format!r} is none of {', '.join(FORMATS)}")
        if self.page_bytes < 1:
            raise ConfigError(f"page_bytes is {self.page_bytes}: give a number of bytes, 1 or more")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor. InputError: a path that cannot be read; FormatError: one that is not what it seems.

        UnavailableError: a folder that cannot be watched now; a file in it that cannot be read is set aside.
        """
        at = Cursor() if cursor is None else _decoded(cursor)
        if self.watch_folder:
            yield from self._watched(at)
        if at.paths not in ("", self._read_so_far(at)):
            raise InputError("the paths that were read have changed: add new ones behind them, or give another name")
        for index in range(at.file, len(self.paths)):
            yield from self._file(self.paths[index], at if index == at.file else Cursor(file=index))

    def _watched(self, at: Cursor) -> Iterator[Page]:
        """Pages of the files that come to the folder; between them empty ones, at the pace a live source owes."""
        since, nothing = dict[str, float](), rows.Rows(b"", timed=False)
        while True:
            there, now = dict(_there(self.watch_folder)), monotonic()
            since = {each: since.get(each, now) for each in there}
            at = msgspec.structs.replace(at, done=tuple(each for each in at.done if each in there))
            for each in sorted(there.keys() - {*at.done}, key=there.__getitem__):
                if now - since[each] >= _QUIET:
                    for page in self._newcomer(each, there[each], at):
                        at = _decoded(page.cursor)
                        yield page
            yield Page(nothing.names(), msgspec.json.encode(at))
            sleep(_PACE)

    def _newcomer(self, identity: str, path: str, at: Cursor) -> Iterator[Page]:
        begin = msgspec.structs.replace(at, file=0) if at.doing == identity else Cursor()
        done = msgspec.json.encode(Cursor(done=(*at.done, identity)))
        try:
            for page in self._file(path, begin):
                here = _decoded(page.cursor)
                going_on = msgspec.structs.replace(here, doing=identity, done=at.done)
                yield page._replace(cursor=done if here.file else msgspec.json.encode(going_on))
        except InputError as error:
            nothing = rows.Rows(b"", timed=False)
            refused = {"place": path, "reason": "no-file", "excerpt": rows.excerpt(str(error).encode())}
            yield Page(nothing.names(), done, pa.RecordBatch.from_pylist([refused], schema.SKIPPED))

    def _read_so_far(self, at: Cursor) -> str:
        return fingerprint(self.paths[: at.file + bool(at.offset or at.read)])

    def _encoded(self, at: Cursor) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(at, paths=self._read_so_far(at)))

    def _file(self, path: str, at: Cursor) -> Iterator[Page]:
        try:
            with closing(Packed(path)) as packed:
                if packed.head.startswith(_PARQUET) or self.format == "parquet":
                    yield from self._parquet(packed, at)
                else:
                    yield from self._text(packed, at)
        except FormatError as error:
            raise FormatError(f"{label(path)}: {error}") from error
        except OSError as error:
            raise InputError(f"{label(path)}: {advice(error)}") from error

    def _text(self, packed: Packed, at: Cursor) -> Iterator[Page]:
        """The text of one file, block by block; what one page leaves over begins the next block."""
        text = unpacked(packed)
        layout, offset, state, cut = at.layout, at.offset, at.state, at.cut
        if layout is None:
            head = _head(text, packed.piped)
            layout = recognise(head, suffix(packed.path), self.format, self.column)
            text, offset, state = Ahead(head[layout.begin :], text), layout.begin, State(line=1 + layout.lines)
        else:
            _skip(text, offset)
        block, ended, full = b"", False, False
        while not ended or full:
            before = offset
            if not full:
                more = text.read(self.page_bytes)
                ended, block = not more, block + more
            if cut:  # the rest of a line that was set aside
                line_end = block.find(b"\n") + 1
                cut = not line_end
                state = State(state.line + (not cut), state.origin, state.owner)
                offset += line_end or len(block)
                block = block[line_end:] if line_end else b""
            whole = block if layout.array else _whole_lines(block, ended)
            page = rows.Rows(whole, timed=layout.dated >= 0 or layout.format == "json")
            used, state = _READERS[layout.format](page, layout, state, ended)
            full, block, offset = page.full, block[used:], offset + min(used, len(block))
            if not (full or ended or layout.array) and len(block) - (block.rfind(b"\n") + 1) > rows.LONGEST_LINE:
                page.set_aside(state.line, syntax.LINE_TOO_LONG, block)
                offset, block, cut = offset + len(block), b"", True
            here = Cursor(at.file, offset, packed.taken, layout, state, cut)
            done = Cursor(at.file + 1) if ended and not full else here
            if offset > before or ended:  # else a line or record goes on behind the block
                yield Page(page.names(), self._encoded(done), page.skipped(packed.path))

    def _parquet(self, packed: Packed, at: Cursor) -> Iterator[Page]:
        """One column of text and one of times, as lines of text, because that is what the kernel takes."""
        import pyarrow.parquet as pq  # as long to load as all the rest here

        if packed.path == STANDARD_INPUT or packed.piped:
            raise FormatError("Parquet is read from its end: give a file")
        size, done = Path(packed.path).stat().st_size, 0
        try:
            with pq.ParquetFile(packed.path) as file:
                name, time = _parquet_columns(file.schema_arrow, self.column)
                _expect_bounded(file.metadata)
                for group in range(file.num_row_groups):
                    behind = done + file.metadata.row_group(group).num_rows
                    if behind <= at.offset:
                        done = behind
                        continue
                    for batch in file.iter_batches(_PARQUET_ROWS, [group], [name, time] if time else [name]):
                        begin = max(at.offset - done, 0)
                        page = _parquet_page(batch.slice(begin), done + begin + 1, name, time)
                        done += batch.num_rows
                        cursor = Cursor(at.file, done, size * done // max(file.metadata.num_rows, 1))
                        if page is not None:
                            yield Page(page.names(), self._encoded(cursor), page.skipped(packed.path))
        except (pa.ArrowException, OSError, MemoryError, ValueError, LookupError) as error:
            raise FormatError(f"is no whole Parquet file ({first_line(error)}): write it anew") from error
        nothing = rows.Rows(b"", timed=False)
        yield Page(nothing.names(), self._encoded(Cursor(at.file + 1)), nothing.skipped(packed.path))


def _there(folder: str) -> Iterator[tuple[str, str]]:
    """The files of a folder that may be read: a digest of what each is like now, and its path."""
    count = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name.endswith(_UNDONE) or not entry.is_file(follow_symlinks=False):
                    continue
                count += 1
                if count > _MOST_FILES:
                    raise UnavailableError(f"{folder}: holds more than {_MOST_FILES:,} files: move away what was read")
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # moved away meanwhile
                    continue
                likeness = f"{name}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}"
                yield blake2b(likeness.encode(errors="surrogateescape"), digest_size=8).hexdigest(), entry.path
    except OSError as error:
        raise UnavailableError(f"{folder}: cannot be watched ({error.strerror or error})") from error


def _head(text: Any, piped: bool) -> bytes:
    """Enough to recognise a layout by: HEAD bytes, or what a pipe has to say first."""
    head = b""
    while len(head) < HEAD and not (piped and b"\n" in head):
        more = text.read(HEAD - len(head))
        if not more:
            break
        head += more
    return head


def _skip(text: Any, offset: int) -> None:
    """Reads text up to offset: what is done with."""
    left = offset
    while left:
        passed = text.read(min(left, 1 << 20))
        if not passed:
            raise FormatError(
                f"ends before byte {offset:,}, where reading stopped last time: it is another file by now"
            )
        left -= len(passed)


def _whole_lines(block: bytes, ended: bool) -> bytes:
    if ended:
        return block if not block or block.endswith(b"\n") else block + b"\n"
    return block[: block.rfind(b"\n") + 1]


def _expect_bounded(metadata: Any) -> None:
    """FormatError: a row group whose values no name could have, which would fill the memory."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.total_uncompressed_size > _PARQUET_FREE + _PARQUET_VALUE * column.num_values:
                raise FormatError("holds values longer than any name: write its names to a file of their own")


def _parquet_columns(found: pa.Schema, wanted: str | None) -> tuple[str, str | None]:
    """The column of names and that of times."""
    texts = [field.name for field in found if _is_text(field.type)]
    by_name = {name.lower(): name for name in reversed(texts)}
    names = [by_name[name] for name in ((wanted.lower(),) if wanted else COLUMNS) if name in by_name]
    if not names and (wanted or not texts):
        missing = f"no column {wanted!r} of text" if wanted else "no column of text"
        raise FormatError(f"has {missing}; its columns are: {', '.join(found.names)[:200]}")
    dates = {field.name.lower(): field.name for field in found if _is_time(field.type)}
    return (names or texts)[0], next((dates[name] for name in DATES if name in dates), None)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return str(kind) in ("string", "large_string", "string_view", "binary", "large_binary")


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind) or str(kind) == "string"


def _parquet_page(batch: pa.RecordBatch, row: int, name: str, time: str | None) -> rows.Rows | None:
    """The names of batch, whose first row is the row-th of its file; None where nothing is left of it."""
    if not batch.num_rows:
        return None
    names = _lines(batch.column(batch.schema.names.index(name)))
    layout = Layout("plain")
    if time is not None:
        layout = Layout("tsv", "\t", 0, 1)
        times = _lines(batch.column(batch.schema.names.index(time)).cast(pa.string()))
        names = [each and each.replace(b"\t", b"\0") + b"\t" + when for each, when in zip(names, times, strict=True)]
    page = rows.Rows(b"\n".join(names) + b"\n", timed=time is not None)
    delimited.read(page, layout, State(line=row), True)
    return page


def _lines(column: pa.Array) -> list[bytes]:
    """One value a line, nulls empty; a newline in a value becomes what no name may hold."""
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return [(value or b"").replace(b"\n", b"\0") for value in plain.cast(pa.large_binary()).to_pylist()]
