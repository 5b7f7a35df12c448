"""Configuration in, running parts out: the only place that assembles."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
from publicsuffixlist import PSLFILE

from khien import model
from khien.compiled import kept
from khien.detectors.lookalike import Lookalike
from khien.errors import ConfigError, InputError, UnavailableError
from khien.model import Register
from khien.names import register
from khien.sources.files import STANDARD_INPUT, Files

SHIPPED = ("vn", "world")  # registers that come with Khiên, by name
DEFAULT = "vn"
_SHIPPED = Path(__file__).parent / "data"
_PAGE = 4 << 20  # bytes of text: larger pages are no faster, and findings should not wait


def load_register(path: Path | None = None) -> Register:
    """The register in a file, or one that Khiên ships by its name; without either, the Vietnamese one.

    What was read once is kept on this machine, since reading TOML with care takes longer than a million names.
    ConfigError: it cannot be read, or does not keep the format: everything that is wrong, a line each, with file, line
    and field.
    """
    path = _SHIPPED / f"register-{path or DEFAULT}.toml" if path is None or str(path) in SHIPPED else path
    try:
        with path.open("rb") as file:
            text = file.read(register.LARGEST_FILE + 1)  # one more: parse says what is too large
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"{path}: {_advice(error)}") from error
    digest = hashlib.sha256(text)
    for module in (register, model):  # what it is read into, and how
        digest.update(_bytes(Path(str(module.__file__))))
    packed = kept(
        f"register-{digest.hexdigest()[:32]}.msgpack",
        lambda: msgspec.msgpack.encode(register.parse(text, str(path))),
    )
    return msgspec.msgpack.decode(packed, type=Register)


def lookalike(protect: Path | None = None) -> Lookalike:
    """The detector of imitations, for a file's protected names or the shipped ones. ConfigError as load_register's."""
    return Lookalike(
        register=load_register(protect),
        lures=register.parse_lures(_shipped("lures.toml"), "lures.toml"),
        fold=_shipped("fold.bin"),
        lexicon=_unpacked("lexicon.tsv.zst"),
        popular=_unpacked("popular.tsv.zst"),
        suffixes=_bytes(Path(PSLFILE)),
    )


def names(paths: Sequence[str], format: str | None = None, column: str | None = None) -> Files:
    """The source of names in paths (``-``: standard input). InputError, before anything is read: one cannot be."""
    for path in paths:
        _expect_readable(path)
    return Files(tuple(paths), format, column, _PAGE)


def _expect_readable(path: str) -> None:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed: give a file")
        return
    try:
        path.encode()
        os.stat(path)
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: the name is not UTF-8: rename the file, or give it as standard input") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(f"{path}: {_advice(error)}") from error
    if os.path.isdir(path):
        raise InputError(f"{path}: is a directory: name the files in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: {_advice(PermissionError())}")


def _advice(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file: check the path"
    if isinstance(error, IsADirectoryError):
        return "is a directory: name a file"
    if isinstance(error, PermissionError):
        return "may not be read: ask its owner for the right to read it"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def _shipped(name: str) -> bytes:
    return _bytes(_SHIPPED / name)


def _unpacked(name: str) -> bytes:
    with pa.input_stream(pa.py_buffer(_shipped(name)), compression="zstd") as text:
        return text.read()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"{path} belongs to Khiên and {_advice(error)}: install it anew") from error
