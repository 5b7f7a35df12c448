"""Registers by file or by name, and the detector of imitations made of one and of the lists that come with Khiên."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

import msgspec
import pyarrow as pa
from publicsuffixlist import PSLFILE

from khien import model
from khien.app.configuration import CONFIG, DEFAULT, SHIPPED, document
from khien.compiled import kept
from khien.detectors.lookalike import Lookalike
from khien.detectors.lure import Lure
from khien.errors import ConfigError, UnavailableError
from khien.listing import Known
from khien.model import Register
from khien.names import register
from khien.names.register import members
from khien.packed import advice

FOLDER = Path(__file__).parents[1] / "data"  # what comes with Khiên


def load(path: Path | None = None) -> Register:
    """The register in a file, or one that Khiên ships by its name; without either, the Vietnamese one.

    What was read once is kept on this machine, since reading TOML with care takes longer than a million names.
    ConfigError: it cannot be read, or does not keep the format: everything that is wrong, a line each, with file, line
    and field.
    """
    path = FOLDER / f"register-{path or DEFAULT}.toml" if path is None or str(path) in SHIPPED else path
    try:
        with path.open("rb") as file:
            text = file.read(register.LARGEST_FILE + 1)  # one more: parse says what is too large
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"{path}: {advice(error)}") from error
    digest = hashlib.sha256(text)
    for module in (register, model):  # what it is read into, and how
        digest.update(_bytes(Path(str(module.__file__))))
    packed = kept(
        f"register-{digest.hexdigest()[:32]}.msgpack",
        lambda: msgspec.msgpack.encode(register.parse(text, str(path))),
    )
    return msgspec.msgpack.decode(packed, type=Register)


def protected(asked: Path | None) -> Register:
    """The register asked for, else that of khien.toml, else the default. ConfigError as load's."""
    given = document(CONFIG)[1].get("protect") if asked is None and CONFIG.exists() else None
    return load(Path(given) if isinstance(given, str) else asked)


def lookalike(protect: Path | None = None) -> Lookalike:
    """The detector of imitations, for a file's protected names or the shipped ones. ConfigError as load's."""
    return Lookalike(
        register=load(protect),
        lures=register.parse_lures(_shipped("lures.toml"), "lures.toml"),
        fold=_shipped("fold.bin"),
        lexicon=_unpacked("lexicon.tsv.zst"),
        popular=_unpacked("popular.tsv.zst"),
        suffixes=_bytes(Path(PSLFILE)),
    )


@lru_cache(maxsize=4)
def lure(register: Register) -> Lure:
    """The detector of scam messages, for these protected names; the same one for the same register."""
    return Lure(brands=register, tricks=_shipped("tricks.toml"), weights=_unpacked("messages.tsv.zst"))


@lru_cache(maxsize=4)
def known(register: Register) -> Known:
    """What listings are held to: popular lists, verified official domains and what only the state registers under."""
    popular: dict[str, str] = {}
    for line in _unpacked("popular.tsv.zst").decode().splitlines():
        name, _, origin = line.partition("\t")
        popular[name] = origin
    rows = [(each.label, domain) for each in register.names for domain in each.official]
    rows += [(f".{domain.domain}", domain) for domain in register.reserved_suffixes]
    written = [(each, label) for label, domain in rows if domain.verified for each in members(domain.domain)]
    plain = {domain: label for domain, label in written if "*" not in domain}
    patterns = [(re.compile(re.escape(each).replace(r"\*", "[^.]*")), label) for each, label in written if "*" in each]

    def official(name: str) -> str:
        labels = name.split(".")
        for above in (".".join(labels[at:]) for at in range(len(labels))):
            if label := plain.get(above) or next((of for each, of in patterns if each.fullmatch(above)), ""):
                return label
        return ""

    return Known(lambda name: popular.get(name, ""), official)


def _shipped(name: str) -> bytes:
    return _bytes(FOLDER / name)


def _unpacked(name: str) -> bytes:
    with pa.input_stream(pa.py_buffer(_shipped(name)), compression="zstd") as text:
        return text.read()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"{path} belongs to Khiên and {advice(error)}: install it anew") from error
