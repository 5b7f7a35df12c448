"""The texts in a file that somebody handed over: unpacked, decoded, bounded, and nothing of them in an error.

A file is plain, or packed by gzip, zstd, bzip2 or xz, or a zip archive, whose members may be packed once more. Text in
UTF-16 or an encoding that is told becomes UTF-8; all else stays the octets it is.
"""

import codecs
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO, NamedTuple, cast

from khien.errors import ConfigError, FormatError
from khien.packed import Ahead, Packed, unpacked

ENCODINGS = (
    "utf-8",
    "utf-16",
    *(f"windows-{page}" for page in (1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 874)),
    "iso-8859-1",
    "iso-8859-15",
    "koi8-r",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-kr",
)
_ZIP = b"PK\x03\x04"
_FREE, _RATIO = 1 << 28, 1000  # bytes: of text that no one minds; from there on at most so many times the packed ones
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_MOST_MEMBERS, _LARGEST_DIRECTORY = 10_000, 8 << 20  # members, bytes: of a zip archive
_ENCRYPTED = 1  # a member's flag
_END = struct.Struct("<4s4H2LH")  # the end of a zip archive's directory, APPNOTE.TXT section 4.3.16
_LOCATOR, _END_64 = struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")  # of a large one, sections 4.3.14 and 15
_TAIL = _END.size + 0xFFFF + _LOCATOR.size  # bytes within which it stands


class Text(NamedTuple):
    """One text of a file. member: its place in an archive; alone: it is no archive's; stream: read(size) gives at most
    that, b"" at the end."""

    member: int
    alone: bool
    stream: Any


def expect_known(encoding: str) -> None:
    """ConfigError: it is no encoding that is read here; "" is for whatever lies there."""
    if encoding and encoding not in ENCODINGS:
        raise ConfigError(f"encoding {encoding!r} is none of {', '.join(ENCODINGS)}")


def texts(packed: Packed, encoding: str, begin: int = 0) -> Iterator[Text]:
    """The texts of a file, from the member begin on. FormatError, maybe not before they are read: it is damaged."""
    if not packed.head.startswith(_ZIP):
        yield Text(0, True, _decoded(_Bounded(unpacked(packed), packed), encoding))
        return
    try:
        with open(packed.path, "rb") as file:
            whole = _expect_small_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = [each for each in archive.infolist() if not each.is_dir() and each.file_size]
                if sum(each.compress_size for each in members) > whole:
                    raise FormatError("members of the zip archive lie over each other: no archive of texts does")
                packed.taken = sum(each.compress_size for each in members[:begin])
                for number, each in enumerate(members[begin:], begin):
                    if each.flag_bits & _ENCRYPTED:
                        raise FormatError(f"member {number + 1} of the zip archive is encrypted: decrypt it first")
                    with closing(_Member(archive.open(each), each, packed)) as member:
                        yield Text(
                            number, False, _decoded(_Bounded(unpacked(cast("Packed", member)), member), encoding)
                        )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeError, struct.error) as error:
        raise FormatError(f"is a zip archive that cannot be read ({type(error).__name__}): pack it anew") from None


def _expect_small_directory(file: BinaryIO) -> int:
    """Answers the octets of a zip archive. FormatError: its directory would fill the memory, or is not there."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise FormatError("is a zip archive that is cut short: fetch it again")
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, at)
    if tail[at - _LOCATOR.size :].startswith(b"PK\6\7") and at >= _LOCATOR.size:
        file.seek(_LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2])
        members, length = _END_64.unpack(file.read(_END_64.size))[7:9]
    if members > _MOST_MEMBERS or length > _LARGEST_DIRECTORY:
        raise FormatError(f"is a zip archive of more than {_MOST_MEMBERS:,} members: give them in several")
    return size


class _Member:
    """A member of a zip archive, as packed.Packed has a file; what of it is taken moves the archive's count."""

    def __init__(self, file: Any, member: zipfile.ZipInfo, whole: Packed) -> None:
        self._file, self._member, self._whole, self._from = file, member, whole, whole.taken
        self._read_so_far = 0
        self.path, self.closed = whole.path, False
        self.head = self._ahead = self._taken(6)

    @property
    def taken(self) -> int:
        """Octets of the archive, as far as can be told from how much of its text was read."""
        return self._member.compress_size * self._read_so_far // self._member.file_size

    def _taken(self, size: int) -> bytes:
        try:
            text = self._file.read(size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise FormatError("a member of the zip archive is cut short or damaged: fetch it again") from None
        self._read_so_far += len(text)
        self._whole.taken = self._from + self.taken
        return text

    def read(self, size: int) -> bytes:
        """At most size octets; b"" at the end."""
        text, self._ahead = (self._ahead[:size], self._ahead[size:]) if self._ahead else (self._taken(size), b"")
        return text

    def close(self) -> None:
        self.closed = True
        self._file.close()


class _Bounded:
    """A stream that grows no more than text does when it is packed."""

    def __init__(self, text: Any, packed: Any) -> None:
        self._text, self._packed, self._given = text, packed, 0

    def read(self, size: int) -> bytes:
        """At most size octets; b"" at the end."""
        block = self._text.read(size)
        self._given += len(block)
        if self._given > _FREE and self._given > _RATIO * self._packed.taken:
            raise FormatError(f"unpacks to more than {_RATIO} times its size: no text of rows does")
        return block


class _Transcoded:
    """A stream of text in another encoding, as UTF-8; what the encoding does not have becomes U+FFFD."""

    def __init__(self, text: Any, encoding: str) -> None:
        self._text, self._decoder, self._ahead = text, codecs.getincrementaldecoder(encoding)("replace"), b""

    def read(self, size: int) -> bytes:
        """At most size octets; b"" at the end."""
        while not self._ahead and (block := self._text.read(size)):
            self._ahead = self._decoder.decode(block).encode()
        if not self._ahead:
            self._ahead = self._decoder.decode(b"", final=True).encode()
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken


def filled(text: Any, size: int) -> bytes:
    """So many octets of a stream, fewer only at its end: pages begin and end alike whenever they are read."""
    block = text.read(size)
    while block and len(block) < size and (more := text.read(size - len(block))):
        block += more
    return block


def _decoded(text: Any, told: str) -> Any:
    """The stream in UTF-8, behind its mark; whatever it is where nobody told and no mark stands there."""
    head = filled(text, 4)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    encoding = _MARKS.get(mark) or {"utf-16": _order(head)}.get(told, told)
    rest = Ahead(head[len(mark) :], text)
    return rest if encoding in ("", "utf-8") else _Transcoded(rest, encoding)


def _order(head: bytes) -> str:
    """Of UTF-16 without a mark: what people write down here begins with ASCII."""
    return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
