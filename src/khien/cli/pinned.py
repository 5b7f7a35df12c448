"""The keys of a site as they were when it was first asked: a site that shows somebody another key knows who asks."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from khien.errors import CustodyError, FormatError, InputError
from khien.packed import advice
from khien.pipeline.asking import Key

_LARGEST = 1 << 16  # octets


def expecting(path: Path | None) -> Callable[[tuple[Key, ...]], None]:
    """Holds a site to the keys in a file, which is written at first; without one, to nothing.

    CustodyError, of what is answered: the keys are others. FormatError: the file holds none.
    """

    def expect(keys: tuple[Key, ...]) -> None:
        if path is None or _written(path, keys):
            return
        try:
            with path.open("rb") as file:
                known = msgspec.json.decode(file.read(_LARGEST), type=tuple[Key, ...])
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{path}: holds no keys: name a file that --keys wrote, or one that is not there"
            ) from error
        except OSError as error:
            raise InputError(f"{path}: {advice(error)}") from error
        if known != keys:
            raise CustodyError(
                f"{path}: the site shows other keys than when this was written: nothing was asked. Hear from who runs"
                " it, and not from the site, whether a key was begun or given up: if so, take the file away, and it is"
                " written anew"
            )

    return expect


def _written(path: Path, keys: tuple[Key, ...]) -> bool:
    """Whether it was not there, and now is."""
    try:
        with path.open("xb") as file:
            file.write(msgspec.json.encode(keys) + b"\n")
    except FileExistsError:
        return False
    except OSError as error:
        raise InputError(f"{path}: {advice(error)}") from error
    return True
