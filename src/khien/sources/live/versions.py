"""What was told of something that is read again and again: a file in a directory for each time it changed."""

import os
import re
from pathlib import Path

from khien.errors import ConfigError, UnavailableError

_KEPT = 3  # versions that stay: those behind pages that are being saved
_NAME = re.compile(r"(\d{1,18})\.told")


class Versions:
    """Versions in a directory, of mode 0600 each. ConfigError: it cannot be made."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{directory}: cannot be made ({error.strerror}): name another") from error

    def has(self, version: int) -> bool:
        """Whether a version is there; before the first there was nothing."""
        return version < 1 or self._path(version).is_file()

    def load(self, version: int) -> bytes:
        """What a version holds; of one that is not there, nothing."""
        try:
            with open(os.open(self._path(version), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise UnavailableError(f"{self._path(version)}: cannot be read ({error.strerror})") from error

    def keep(self, version: int, content: bytes) -> None:
        """Writes a version, whole or not at all, and lets go of old ones. UnavailableError: there is no room."""
        path = self._path(version)
        half = path.with_suffix(".half")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(half, flags, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
            for each in self._directory.iterdir():
                if (found := _NAME.fullmatch(each.name)) and int(found[1]) <= version - _KEPT:
                    each.unlink()
        except OSError as error:
            raise UnavailableError(f"{path}: cannot be written ({error.strerror}): make room") from error

    def _path(self, version: int) -> Path:
        return self._directory / f"{version}.told"
