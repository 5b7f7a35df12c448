"""Where findings go: standard output at once, or a file that is there whole or not at all."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from khien.errors import InputError, UnavailableError
from khien.packed import refusal


def keep(path: Path, secret: str) -> None:
    """Writes a line into a new file for its owner alone. InputError: it is there already, or cannot be."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}: name another") from error


class Output:
    """A destination of bytes. A file is written beside its place and moved there at the end."""

    def __init__(self, path: str | None) -> None:
        """path: None or ``-`` is standard output. InputError: nothing can be written there."""
        self._target: Path | None = None
        self._beside: Path | None = None
        self._label = "standard output" if path in (None, "-") else str(path)
        self.live = False
        if path is None or path == "-":
            if sys.stdout is None:
                raise InputError("standard output is closed: give a file with -o")
            self._file: BinaryIO = sys.stdout.buffer
            self.live = self._file.isatty()
            return
        try:
            self._file = self._opened(Path(path))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error

    def _opened(self, path: Path) -> BinaryIO:
        target = path.resolve()  # of a symbolic link, what it points to is replaced
        if target.is_dir():
            raise IsADirectoryError(0, "it is a directory, name a file in it")
        if target.exists() and not target.is_file():  # a device or a pipe: nothing to move there
            return target.open("wb")
        beside = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666  # a new file's, less the umask
        file = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")
        self._target, self._beside = target, beside
        return file

    def write(self, text: bytes) -> None:
        """Writes, and sends off what was written. UnavailableError: the disk is full or gone."""
        try:
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:
            raise  # whoever reads has had enough: no error of ours
        except OSError as error:
            raise UnavailableError(f"{self._label}: cannot be written: {refusal(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not getattr(sys.stdout, "buffer", None):
            self._file.close()
        if self._beside and self._target:
            try:
                if error is None:
                    self._beside.replace(self._target)
            except OSError as refused:
                raise UnavailableError(f"{self._label}: cannot be put in place: {refused.strerror}") from refused
            finally:
                with suppress(OSError):  # it is there only when something went wrong
                    self._beside.unlink()
