"""Secrets in files that only their owner may read."""

import os
import stat

from khien.errors import ConfigError

_LARGEST = 1 << 12


def secret(path: str) -> str:
    """What a file holds, without the blanks around. ConfigError: it cannot be read, or others may read it too."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): it is to hold a secret") from error
    if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{path}: may be read by others: chmod 600")
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LARGEST:
        raise ConfigError(f"{path}: holds no secret: write it there, and nothing else")
    return text
