"""Reads the register of protected names, and the words attackers put beside them: TOML in, records out.

Whatever is wrong is told at once, each with its line, its field and what would be right. docs/register.md describes
both files. Free of input and output; bounded by the sizes below.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar, get_args

import msgspec

from khien import canon
from khien.errors import ConfigError, ObservableError
from khien.model import Domain, ProtectedName, Record, Register
from khien.names import places
from khien.names.places import Path
from khien.names.words import LONGEST, SHORTEST

LARGEST_FILE = 8 << 20  # bytes
MOST_VALUES = 1_000_000  # commas, strictly: reading them takes tomllib ten seconds
MOST_NAMES = 20_000
MOST_WORDS = 200  # of one name or group, of each kind
MOST_DOMAINS = 500  # of one name, patterns written out
MOST_STARS = 2  # in a label; each more multiplies the time a match takes
SHOWN, COUNTED = 20, 1000  # violations: told one by one, and counted at most

R = TypeVar("R", bound=Record)

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FOLDED = re.compile(r"[a-z0-9]+(?:[ -]+[a-z0-9]+)*")
_PATTERN = re.compile(r"(?P<head>[^{}]*)\{(?P<members>[^{}]*)\}(?P<tail>[^{}]*)")
_CONTACT = re.compile(r"(?:https://|mailto:|tel:)[^\s]+")
_LONG_KEY = re.compile(r"""(?:\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+){8}""")
_LINE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")


class _Bounds(NamedTuple):
    """How many letters a word has, and what to do with another."""

    least: int
    most: int
    cure: str


_WORD = _Bounds(4, LONGEST, "give shorter ones as short words")
_SHORT = _Bounds(SHORTEST, 5, "give longer ones as words, leave shorter ones out")
_LURE = _Bounds(2, LONGEST, "leave it out")


class LureGroup(Record, frozen=True):
    """Words attackers put beside a brand. weight, in [0, 1]: how strongly one of them points to an attack."""

    id: str
    weight: float
    words: tuple[str, ...]


class _Lures(Record, frozen=True):
    lures: tuple[LureGroup, ...]


class _Fault(NamedTuple):
    path: Path
    what: str
    other: Path | None = None  # a second place, whose line follows


class _TooMany(Exception):
    """Enough is wrong: reading on would only cost time."""


class _Faults:
    """What is wrong with one file, in the order it was met; only the first few are kept, the others counted."""

    def __init__(self) -> None:
        self.kept: list[_Fault] = []
        self.count = 0

    def add(self, path: Path, what: str, other: Path | None = None) -> None:
        self.count += 1
        if len(self.kept) < SHOWN:
            self.kept.append(_Fault(path, what, other))
        if self.count == COUNTED:
            raise _TooMany

    def error(self, text: str, name: str) -> ConfigError:
        wanted = {path for fault in self.kept for path in (fault.path, fault.other) if path is not None}
        lines = places.lines(text, wanted)
        told = []
        for fault in sorted(self.kept, key=lambda each: lines[each.path]):
            also = f" (line {lines[fault.other]})" if fault.other is not None else ""
            told.append(f"{name}:{lines[fault.path]}: {_field(fault.path)}{fault.what}{also}")
        if self.count > len(told):
            least = "at least " if self.count == COUNTED else ""
            told.append(f"{name}: and {least}{self.count - len(told)} more")
        return ConfigError("\n".join(told))


def parse(text: bytes, name: str) -> Register:
    """The register in a TOML document (UTF-8, at most 8 MiB); name is what messages call the file.

    ConfigError tells everything that is wrong with it, one violation a line: ``name:line: field: what, and the cure``.
    """
    return _read(Register, _check_register, text, name)


def parse_lures(text: bytes, name: str) -> tuple[LureGroup, ...]:
    """The groups of lure words in a TOML document; bounds and ConfigError as of ``parse``."""
    return _read(_Lures, _check_lures, text, name).lures


def _read(kind: type[R], check: Callable[[R, _Faults], None], text: bytes, name: str) -> R:
    decoded, tables = table(text, name)
    faults = _Faults()
    record = None
    with suppress(_TooMany):
        record = _record(kind, tables, (), faults)
        if record is not None:
            check(record, faults)
    if record is None or faults.count:
        raise faults.error(decoded, name)
    return record


def folded(word: str) -> str:
    """A word as names carry it: lower case, Vietnamese marks folded (đ to d), blanks and hyphens gone."""
    return re.sub(r"[ -]+", "", _unmarked(word))


def members(pattern: str) -> Iterator[str]:
    """What ``example.{vn,com}`` stands for, its braces written out; ``*`` stays."""
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        yield pattern
    else:
        for member in match["members"].split(","):
            yield match["head"] + member + match["tail"]


def table(text: bytes, name: str) -> tuple[str, dict[str, Any]]:
    """A TOML document as text and as nested tables. ConfigError: it is none, or made to take hours."""
    if len(text) > LARGEST_FILE:
        raise ConfigError(f"{name}: {len(text)} bytes, at most {LARGEST_FILE} are read: split the file")
    if text.count(b",") > MOST_VALUES:
        raise ConfigError(f"{name}: more than {MOST_VALUES} values between commas: split the file")
    try:
        decoded = text.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        wrong = f"byte {text[error.start]:#04x} is not UTF-8: save the file as UTF-8"
        raise ConfigError(f"{name}:{line}: {wrong}") from error
    long_key = _LONG_KEY.search(decoded)
    if long_key:  # tomllib takes time by the square of a key's parts
        line = decoded.count("\n", 0, long_key.start()) + 1
        raise ConfigError(f"{name}:{line}: more than 8 parts joined by dots: no key or domain here has so many")
    try:
        return decoded, tomllib.loads(decoded)
    except RecursionError as error:
        raise ConfigError(f"{name}: brackets nested hundreds deep: no value here nests more than two") from error
    except ValueError as error:
        place = _LINE.search(str(error))
        line = int(place[1]) if place and place[1] else decoded.count("\n") + 1 if place else 1
        what = _LINE.sub("", str(error))
        raise ConfigError(f"{name}:{line}: no valid TOML: {what}") from error


def _record(kind: type[R], table: Any, path: Path, faults: _Faults) -> R | None:
    """The table as a record, or None; violations of its form are added."""
    if not isinstance(table, dict):
        faults.add(path, f"a table is needed, this is {_shown(table)}")
        return None
    before = faults.count
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in sorted(table.keys() - fields.keys()):
        faults.add((*path, key), f"unknown key; known are {', '.join(fields)}")
    values = {}
    for key, field in fields.items():
        if key in table:
            values[key] = _value(field.type, table[key], (*path, key), faults)
        elif field.required:
            faults.add(path, f"{key} is missing")
    return kind(**values) if faults.count == before else None


def _value(kind: Any, value: Any, path: Path, faults: _Faults) -> Any:
    """The value as a field wants it; None where it is of another type, which is added."""
    of = get_args(kind)
    if of:  # a tuple of one kind
        if not isinstance(value, list):
            faults.add(path, f"a list is needed, this is {_shown(value)}: put it in square brackets")
            return None
        if len(value) > MOST_NAMES:
            faults.add(path, f"{len(value)} of them, at most {MOST_NAMES} are read: split the file")
            return None
        return tuple(_value(of[0], each, (*path, n), faults) for n, each in enumerate(value))
    if issubclass(kind, Record):
        return _record(kind, value, path, faults)
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        needed = {str: "text in quotes", bool: "true or false", float: "a number"}[kind]
        faults.add(path, f"{needed} is needed, this is {_shown(value)}")
        return None


def _check_register(register: Register, faults: _Faults) -> None:
    if not register.names:
        faults.add(("names",), "no protected names: write at least one [[names]]")
    ids: dict[str, Path] = {}
    words: dict[str, Path] = {}
    domains: dict[str, Path] = {}
    for number, name in enumerate(register.names):
        path: Path = ("names", number)
        _check_id(name.id, path, ids, faults)
        _check_person(name, path, faults)
        for key in ("label", "sector"):
            if not getattr(name, key).strip():
                faults.add((*path, key), "empty: write what people call it")
        if not name.words and not name.short:
            faults.add(path, "neither words nor short words: nothing would be found")
        _check_words(name.words, (*path, "words"), _WORD, words, faults)
        _check_words(name.short, (*path, "short"), _SHORT, words, faults)
        _check_words(name.lures, (*path, "lures"), _LURE, {}, faults)
        _check_estate(name.official, (*path, "official"), domains, faults)
        _check_estate(name.suppliers, (*path, "suppliers"), {}, faults)
        for n, contact in enumerate(name.contacts):
            if not _CONTACT.fullmatch(contact):
                faults.add((*path, "contacts", n), f"{_shown(contact)} is no https:, mailto: or tel: address")
    _check_estate(register.reserved_suffixes, ("reserved_suffixes",), {}, faults, labels=1)


def _check_lures(lures: _Lures, faults: _Faults) -> None:
    if not lures.lures:
        faults.add(("lures",), "no groups: write at least one [[lures]]")
    ids: dict[str, Path] = {}
    words: dict[str, Path] = {}
    for number, group in enumerate(lures.lures):
        path: Path = ("lures", number)
        _check_id(group.id, path, ids, faults)
        if not 0 <= group.weight <= 1:
            faults.add((*path, "weight"), f"{group.weight} is not between 0 and 1")
        if not group.words:
            faults.add((*path, "words"), "empty: write at least one word")
        _check_words(group.words, (*path, "words"), _LURE, words, faults)


def _check_id(id: str, path: Path, ids: dict[str, Path], faults: _Faults) -> None:
    path = (*path, "id")
    if not _ID.fullmatch(id) or len(id) > 64:
        faults.add(path, f"{_shown(id)} is no id: write a-z, 0-9 and single hyphens, at most 64")
    elif id in ids:
        faults.add(path, f"{_shown(id)} is given to two, give each its own", ids[id])
    ids.setdefault(id, path)


def _check_person(name: ProtectedName, path: Path, faults: _Faults) -> None:
    """The register protects what people log in to; it is no tool of the powerful (DESIGN.md, section 8)."""
    if name.sector.strip().casefold() == "person":
        faults.add(
            (*path, "sector"),
            "a person enters only by their own wish, and no file can say that they wish it: "
            "leave them out, and let them ask the CSIRT that runs Khiên",
        )


def _check_words(words: tuple[str, ...], path: Path, bounds: _Bounds, owners: dict[str, Path], faults: _Faults) -> None:
    """Letters, lengths, and that each word has one owner only."""
    if len(words) > MOST_WORDS:
        faults.add(path, f"{len(words)} words, at most {MOST_WORDS} are read: keep those that attackers use")
        return
    for number, word in enumerate(words):
        here = (*path, number)
        letters = folded(word)
        if not _FOLDED.fullmatch(_unmarked(word)):
            faults.add(here, f"{_shown(word)} has more than letters, digits, blanks and hyphens: write it as in a name")
        elif not bounds.least <= len(letters) <= bounds.most:
            needed = f"{bounds.least} to {bounds.most} are needed: {bounds.cure}"
            faults.add(here, f"{_shown(word)} has {len(letters)} letters, {needed}")
        elif letters in owners:
            faults.add(here, f"{_shown(word)} is given twice, and a word has one owner: keep one", owners[letters])
        else:
            owners[letters] = here


def _check_estate(
    estate: tuple[Domain, ...], path: Path, owners: dict[str, Path], faults: _Faults, labels: int = 2
) -> None:
    """Domains and patterns: their form, who confirmed them, and that each has one owner only."""
    written_out = 0
    for number, each in enumerate(estate):
        here = (*path, number)
        if each.verified and not each.source.strip():
            faults.add((*here, "verified"), "true without a source: name who confirmed it, or write false")
        for domain in members(each.domain):
            written_out += 1
            if written_out > MOST_DOMAINS:
                faults.add(path, f"more than {MOST_DOMAINS} domains with patterns written out: keep the important ones")
                return
            wrong = _wrong_domain(domain, labels)
            if wrong:
                faults.add((*here, "domain"), f"{_shown(each.domain)}: {wrong}")
                break
            if domain in owners:
                faults.add((*here, "domain"), f"{_shown(domain)} is official twice, keep one", owners[domain])
            owners.setdefault(domain, (*here, "domain"))


def _wrong_domain(domain: str, labels: int) -> str:
    """What is wrong with a domain or pattern, its braces written out; empty where nothing is."""
    if "{" in domain or "}" in domain:
        return "one pair of braces at most, as in example.{vn,com}"
    if any(label.count("*") > MOST_STARS for label in domain.split(".")):
        return f"{MOST_STARS} * in a label at most"
    if any(label.strip("*") == "" for label in domain.split(".") if label):
        return "a whole label of * would cover domains of others"
    plain = domain.replace("*", "x")
    try:
        spelt = canon.domain(plain)
    except ObservableError as error:
        return str(error)
    if spelt != plain:
        return f"write it as {spelt}" if "*" not in domain else "write it in lower case, without a dot at the end"
    if any(label.startswith("-") or label.endswith("-") for label in plain.split(".")) or "_" in plain:
        return "a label has letters, digits and inner hyphens"
    if plain.count(".") + 1 < labels:
        return f"{labels} labels at least, as in example.vn"
    return ""


def _unmarked(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.lower().replace("đ", "d"))
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def _field(path: Path) -> str:
    """``names[3].official[0].domain: ``; nothing for the whole document."""
    written = "".join(f"[{each}]" if isinstance(each, int) else f".{_excerpt(each)}" for each in path)
    return written.removeprefix(".") + ": " if written else ""


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(_excerpt(value))
    if isinstance(value, bool):
        return str(value).lower()
    kinds: dict[type, str] = {dict: "a table", list: "a list", int: "a number", float: "a number"}
    return kinds.get(type(value), "a date or time")


def _excerpt(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
