"""Files and standard input as streams of bytes, unpacked: gzip, zstd, bzip2 and xz, of any number of members.

What they hold decides whether they are unpacked, not their names. Memory is bounded by what is asked for at once.
"""

import errno
import hashlib
import lzma
import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from khien.errors import FormatError, InputError, UnavailableError

STANDARD_INPUT = "-"

_LARGEST_SECRET = 1 << 16  # bytes

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    **{bytes((n,)) + b"\x2a\x4d\x18": "zstd" for n in range(0x50, 0x60)},  # a skippable frame, RFC 8878 section 3.1.2
}
_ENDINGS = ("gz", "zst", "bz2", "xz")
_ZIP = b"PK\x03\x04"
_XZ_MEMORY = 1 << 27  # bytes a decoder may take: twice what ``xz -9`` makes it need
_PATIENCE = 0.02  # seconds that a page waits for more from a pipe; at most _WAITS times
_WAITS = 64


def secret(path: str) -> bytes:
    """What a file holds that is for its owner alone. UnavailableError: it is not there, or others may read it."""
    try:
        with open(path, "rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UnavailableError(f"{path}: may be read by others: give it the mode 0600")
            return file.read(_LARGEST_SECRET)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{path}: {getattr(error, 'strerror', None) or error}: put the secret there") from None


class Packed:
    """A file as it lies there, or standard input, and a count of what was taken of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.taken = 0
        self.closed = False
        self._file: BinaryIO = sys.stdin.buffer if path == STANDARD_INPUT else _opened(path)
        self.piped = not self._file.seekable()
        self.head = self._file.read(6)
        self._ahead = self.head

    def read(self, size: int) -> bytes:
        """At most size bytes, of a pipe what comes within a moment: slow writers want answers too; b"" at the end."""
        if self._ahead:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            taken = self._pipe(size) if self.piped else self._file.read(size)
        self.taken += len(taken)
        return taken

    def _pipe(self, size: int) -> bytes:
        got = bytearray(self._file.read1(size))  # type: ignore[attr-defined]
        for _ in range(_WAITS):
            if not got or len(got) >= size or not select.select([self._file], [], [], _PATIENCE)[0]:
                break
            more = self._file.read1(size - len(got))  # type: ignore[attr-defined]
            if not more:
                break
            got += more
        return bytes(got)

    def close(self) -> None:
        self.closed = True
        if self.path != STANDARD_INPUT:
            self._file.close()


class Ahead:
    """A stream of text with what was read of it too early put back."""

    def __init__(self, head: bytes, text: Any) -> None:
        self._head = head
        self._text = text

    def read(self, size: int) -> bytes:
        """At most size bytes; b"" at the end."""
        taken, self._head = self._head[:size], self._head[size:]
        return taken or self._text.read(size)


class _Xz:
    """The text of an xz file of any number of streams, whatever memory its header asks for."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """At most size bytes of text; b"" at the end."""
        text = b""
        while not text:
            packed = b""
            if self._decoder.eof:
                packed = self._decoder.unused_data.lstrip(b"\0") or self._packed.read(1 << 16).lstrip(b"\0")
                if not packed:
                    return b""
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
            elif self._decoder.needs_input:
                packed = self._packed.read(1 << 16)
                if not packed:
                    raise EOFError("the stream ends early")
            text = self._decoder.decompress(packed, size)
        return text


class _Unpacked:
    """The text in an archive; what is wrong with it is a FormatError."""

    def __init__(self, stream: Any, packing: str) -> None:
        self._stream = stream
        self._packing = packing

    def read(self, size: int) -> bytes:
        """At most size bytes of text; b"" at the end."""
        try:
            return self._stream.read(size)
        except (OSError, EOFError, lzma.LZMAError, pa.ArrowException, MemoryError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise FormatError(
                f"the {self._packing} archive is cut short or damaged ({first_line(error)}): fetch it again"
            ) from error


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except ValueError as error:  # a NUL in the path
        raise InputError(f"{path!r}: is no path: {error}") from error


def advice(error: OSError | ValueError) -> str:
    """What is wrong with a path that could not be read, and the cure; a ValueError is a NUL in it."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file: check the path"
    if isinstance(error, IsADirectoryError):
        return "is a directory: name a file in it"
    if isinstance(error, PermissionError):
        return "may not be read: ask its owner for the right to read it"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def refusal(error: OSError) -> str:
    """What keeps something from being written, and the cure."""
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{why}: make room, run it again"
    if isinstance(error, FileNotFoundError):
        return "its folder is not there: make it, run it again"
    if isinstance(error, PermissionError):
        return f"{why}: ask its owner for the right to write there"
    return f"{why}: see to the disk, run it again"


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def unpacked(packed: Packed) -> Any:
    """A stream of text: packed itself, or what is in it."""
    if packed.head.startswith(_ZIP):
        raise FormatError("is a zip archive: unpack it first")
    packing = next((name for magic, name in _MAGIC.items() if packed.head.startswith(magic)), None)
    if packing is None:
        return packed
    if packing == "xz":
        return _Unpacked(_Xz(packed), packing)
    return _Unpacked(pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), packing), packing)


def suffix(path: str) -> str:
    """``csv`` of ``names.csv.gz``."""
    endings = [each.lower().removeprefix(".") for each in Path(path).suffixes]
    if endings and endings[-1] in _ENDINGS:
        endings.pop()
    return endings[-1] if endings else ""


def label(path: str) -> str:
    """How errors call it."""
    return "standard input" if path == STANDARD_INPUT else path


def fingerprint(paths: Sequence[str]) -> str:
    """A digest of paths, for cursors: whether these are the ones that were read before."""
    return hashlib.sha256("\0".join(paths).encode(errors="surrogateescape")).hexdigest()[:16]
