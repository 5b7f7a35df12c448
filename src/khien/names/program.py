"""The register and the tables beside it, made ready for the scan: arrays, and the kernel called on them."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from khien.model import Domain, Register
from khien.names import match, place, scan, search, shape, tables, weights, words
from khien.names.judge import N_TERMS
from khien.names.register import LureGroup, folded, members
from khien.names.words import Tables, Word

LISTS = ("bank-website", "university_domains", "tranco10k", "majestic_million", "cloudflare-top20k", "cisco_top20k")
DYNAMIC_LIST = "dynamic-dns"
LURE_COST = 70  # tenths of a nat: what a lure costs at most where the lexicon has it dearer
FAMILY_LEAST = 9  # letters of the long word of a campaign family
RARE_COST = 250  # of a word that the lexicon does not have
CHEAP = (
    "top xyz online site club vip shop store icu live fun work click link buzz cyou cfd sbs rest bar monster quest lol "
    "life world info biz cc tk ml ga cf gq pw ws space website tech app asia win bid loan men date racing stream bond "
    "cam gay hair makeup skin beauty autos boats pics support help center cloud digital group ltd pro mobi run today "
    "finance cash money credit fit wiki ink wang ren xin art ooo one media email download trade party science review"
).split()
GENERIC = "com net org".split()
HOME = ("vn",)


class Holding(NamedTuple):
    """A domain of an estate: whose (an owner's number; STATE for a reserved suffix), and whether a supplier's."""

    owner: int
    domain: Domain
    supplied: bool


STATE = -1


class Program(NamedTuple):
    """Everything one scan reads; arrays go by the word's number where they say so, estate values hold a row's.

    commons: how common a word, and what is one edit away from it, is in popular names: log2(1 + count) / 10. families:
    of a short word, where the long word of its owner's that begins with it stands among the letters << 8 | its length.
    """

    folds: np.ndarray  # i8: code point and what it folds to
    words: tuple[Word, ...]
    word_tables: Tables
    domains: tables.Table
    estate: tables.Table
    estate_rows: tuple[Holding, ...]
    patterns: tuple[tuple[str, int], ...]  # regular expression of a verified domain with a ``*``, and its row
    lexicon: tables.Table
    owned: tables.Table
    officials: tables.Table
    owners: np.ndarray  # i4[words]: owner << 1 | short
    commons: np.ndarray  # f4[words, 2]
    families: np.ndarray  # i4[words]

    def pack(self) -> bytes:
        """As bytes that ``unpack`` takes: the length of a heading, it, and the arrays it tells of, each on a word."""
        arrays = [(name, array) for name, value in zip(self._fields, self, strict=True) for array in _arrays(value)]
        shapes = [(name, array.dtype.str, array.shape) for name, array in arrays]
        heading = msgspec.msgpack.encode((self.words, self.estate_rows, self.patterns, shapes))
        bodies = (len(heading).to_bytes(_WORD, "little"), heading, *(array.tobytes() for _, array in arrays))
        return b"".join(body.ljust(_whole_words(len(body)), b"\0") for body in bodies)

    @classmethod
    def unpack(cls, packed: bytes) -> "Program":
        """What ``pack`` made; the arrays are parts of packed."""
        behind = _WORD + int.from_bytes(packed[:_WORD], "little")
        found, rows, patterns, shapes = msgspec.msgpack.decode(memoryview(packed)[_WORD:behind], type=_Heading)
        at = _whole_words(behind)
        arrays: dict[str, list[Any]] = {name: [] for name in cls._fields}
        for name, kind, sizes in shapes:
            array = np.frombuffer(packed, kind, math.prod(sizes), at).reshape(sizes)
            arrays[name].append(array)
            at += _whole_words(array.nbytes)
        tabled = {name: tables.Table(*arrays[name]) for name in ("domains", "estate", "lexicon", "owned", "officials")}
        plain = {name: arrays[name][0] for name in ("folds", "owners", "commons", "families")}
        texts = {"words": found, "estate_rows": rows, "patterns": patterns}
        return cls(word_tables=Tables(*arrays["word_tables"]), **texts, **tabled, **plain)


_WORD = 8  # bytes: the largest element of an array


def _whole_words(size: int) -> int:
    return -(-size // _WORD) * _WORD


_Heading = tuple[
    tuple[Word, ...], tuple[Holding, ...], tuple[tuple[str, int], ...], tuple[tuple[str, str, tuple[int, ...]], ...]
]


def _arrays(value: Any) -> Sequence[np.ndarray]:
    """The arrays in a field: itself, or a named tuple's."""
    parts = value if isinstance(value, tuple) else (value,)
    return parts if all(isinstance(part, np.ndarray) for part in parts) else ()


class Found(NamedTuple):
    """numbers i4[n, scan.WIDTH], scores f8[n] in [0, 1], terms f8[n, N_TERMS] where asked for."""

    numbers: np.ndarray
    scores: np.ndarray
    terms: np.ndarray


def build(
    register: Register, lures: Sequence[LureGroup], fold: bytes, lexicon: bytes, popular: bytes, suffixes: bytes
) -> Program:
    """fold: data/fold.bin; lexicon: rows word, cost; popular: rows name, list; suffixes: a public suffix list."""
    costs = dict(_costs(lexicon))
    known = {folded(word) for group in lures for word in group.words}
    found = tuple(_words(register, known))
    rows = tuple(_estate(register))
    own = [(folded(lure), owner) for owner, name in enumerate(register.names) for lure in name.lures]
    program = Program(
        folds=np.frombuffer(fold, "<u4").astype(np.int64),
        words=found,
        word_tables=words.tables(found, _frequency(popular)),
        domains=tables.table(_domain_rows(popular, suffixes), tables.BACKWARD),
        estate=tables.table(
            _rows((domain, index << place.ROW_SHIFT | bits) for index, domain, bits in _members(rows)), tables.BACKWARD
        ),
        estate_rows=rows,
        patterns=tuple(_patterns(rows)),
        lexicon=tables.table(lexicon + _rows(_lures(lures, own, costs))),
        owned=tables.table(_rows(own), tables.OWNED),
        officials=tables.table(_rows(_officials(register))),
        owners=np.array([word.owner << 1 | word.short for word in found], np.int32),
        commons=np.zeros((len(found), 2), np.float32),
        families=_families(found),
    )
    return program._replace(commons=_commons(program, popular))


def run(
    program: Program, offsets: np.ndarray, row: np.ndarray, least: float, keep_terms: bool = False
) -> Iterator[Found]:
    """Findings of names (Arrow string offsets i4[n + 1], bytes u1) whose weighted sum is ``least`` at least."""
    n_rows = len(offsets) - 1
    capacity = 1024 + n_rows // 8
    out = np.empty((capacity, scan.WIDTH), np.int32)
    scores = np.empty(capacity)
    kept = np.empty((capacity if keep_terms else 1, N_TERMS))
    done = np.zeros(1, np.int64)
    room, judge_room = search.Room.make(), scan.JudgeRoom.make()
    hashed = (program.domains, program.estate, program.lexicon, program.owned, program.officials)
    first = 0
    while first < n_rows:
        count = scan.scan(
            n_rows - first, offsets[first:], row, program.folds, len(program.folds) // 2,
            shape.CLASSES, *(each.reshape(-1) for each in program.word_tables),
            *(argument for table in hashed for argument in table.arguments),
            program.owners, program.commons.reshape(-1), program.families, weights.WEIGHTS, least, int(keep_terms),
            *room, *judge_room,
            out.reshape(-1), scores, kept.reshape(-1), capacity, done,
        )  # fmt: skip
        numbers = out[:count].copy()
        numbers[:, scan.ROW] += first
        yield Found(numbers, 1 / (1 + np.exp(-scores[:count])), kept[: count if keep_terms else 0].copy())
        first += int(done[0])


def _words(register: Register, lures: set[str]) -> Iterator[Word]:
    texts = {folded(word) for name in register.names for word in name.words}
    for owner, name in enumerate(register.names):
        short = {folded(word) for word in name.short}
        for text in sorted({folded(word) for word in name.words}):
            yield Word(text, owner, plain=_is_joined(text, texts, short, lures))
        for text in sorted(short):
            yield Word(text, owner, short=True)


def _is_joined(text: str, texts: set[str], short: set[str], lures: set[str]) -> bool:
    """Whether a word is another and something more: its edits are the other's edits, or a lure's."""
    for at in range(3, len(text) - 1):
        head, tail = text[:at], text[at:]
        if (len(head) > 4 and head in texts) or (len(tail) > 4 and tail in texts):
            return True
        if (head in short and tail in lures) or (tail in short and head in lures):
            return True
    return False


def _estate(register: Register) -> Iterator[Holding]:
    for domain in register.reserved_suffixes:
        yield Holding(STATE, domain, supplied=False)
    for owner, name in enumerate(register.names):
        for domain in name.official:
            yield Holding(owner, domain, supplied=False)
        for domain in name.suppliers:
            yield Holding(owner, domain, supplied=True)


def _members(rows: Sequence[Holding]) -> Iterator[tuple[int, str, int]]:
    """Each domain written out, the unverified first, so that a verified row for the same domain replaces it."""
    for verified in (False, True):
        for index, (_, domain, _) in enumerate(rows):
            if domain.verified == verified:
                bits = place.VERIFIED * verified
                for each in members(domain.domain):
                    yield index, each, bits


def _patterns(rows: Sequence[Holding]) -> Iterator[tuple[str, int]]:
    """A ``*`` stands for characters of one label; the domain covers what is below it."""
    for index, (_, domain, _) in enumerate(rows):
        for each in members(domain.domain):
            if "*" in each and domain.verified:
                yield r"(?:.*\.)?(" + re.escape(each).replace(r"\*", "[^.]*") + ")", index


def _officials(register: Register) -> Iterator[tuple[str, int]]:
    for owner, name in enumerate(register.names):
        for domain in name.official:
            for each in members(domain.domain):
                yield each.replace("-", "."), owner


def _lures(
    lures: Sequence[LureGroup], own: Sequence[tuple[str, int]], costs: dict[str, int]
) -> Iterator[tuple[str, int]]:
    """Lexicon rows: the owners' own lures first, then the groups', which replace them."""
    for text, _ in own:
        yield text, min(LURE_COST, costs.get(text, RARE_COST)) | 5 << 16
    for number, group in enumerate(lures, 1):
        for word in group.words:
            text = folded(word)
            cost = min(LURE_COST, costs.get(text, RARE_COST))
            yield text, cost | number << 8 | round(10 * group.weight) << 16


def _costs(lexicon: bytes) -> Iterator[tuple[str, int]]:
    for line in lexicon.decode().splitlines():
        word, _, cost = line.partition("\t")
        yield word, int(cost)


def _domain_rows(popular: bytes, suffixes: bytes) -> bytes:
    """One value a domain: all that is known of it."""
    flags: dict[str, int] = {}
    private = False
    for line in suffixes.decode().splitlines():
        private = private or "BEGIN PRIVATE" in line
        rule = line.split(maxsplit=1)[0] if line and not line.startswith("//") else ""
        if rule:
            bit = place.WILD if rule.startswith("*.") else place.TAKEN_BACK if rule.startswith("!") else place.RULE
            text = rule.removeprefix("*.").removeprefix("!")
            text = ".".join(_ascii(label) for label in text.split("."))
            flags[text] = flags.get(text, 0) | bit | place.PRIVATE * private
    for names, bit in ((CHEAP, place.CHEAP), (GENERIC, place.GENERIC), (HOME, place.HOME)):
        for name in names:
            flags[name] = flags.get(name, 0) | bit
    for line in popular.decode().splitlines():
        name, _, origin = line.partition("\t")
        if origin == DYNAMIC_LIST:
            flags[name] = flags.get(name, 0) | place.DYNAMIC
        else:
            flags[name] = flags.get(name, 0) | place.POPULAR | LISTS.index(origin) << place.LIST_SHIFT
    return _rows(flags.items())


def _ascii(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def _families(found: Sequence[Word]) -> np.ndarray:
    families = np.zeros(len(found), np.int32)
    first = dict(zip((word.text for word in found), np.cumsum([0, *(len(word.text) for word in found)]), strict=False))
    for index, word in enumerate(found):
        longer = [each.text for each in found if each.owner == word.owner and each.text.startswith(word.text)]
        longest = max(longer, key=len)
        if word.short and len(longest) >= FAMILY_LEAST:
            families[index] = int(first[longest]) << 8 | len(longest)
    return families


def _commons(program: Program, popular: bytes) -> np.ndarray:
    """Counts matches in popular names that are in nobody's estate."""
    names = b"".join(line.partition(b"\t")[0] + b"\n" for line in popular.splitlines())
    ends = np.flatnonzero(np.frombuffer(names, np.uint8) == ord("\n"))
    offsets = np.concatenate([[0], ends + 1]).astype(np.int32)
    counts = np.zeros((len(program.words), 2))
    compact = np.frombuffer(names.replace(b"\n", b""), np.uint8)
    for found in run(program, offsets - np.arange(len(offsets), dtype=np.int32), compact, -np.inf, keep_terms=True):
        numbers = found.numbers[found.numbers[:, scan.ESTATE] < 0]
        edited = numbers[:, scan.RANK] >= match.ONE_EDIT * 8
        np.add.at(counts, (numbers[:, scan.WORD], edited.astype(int)), 1)
    return (np.log2(1 + counts) / 10).astype(np.float32)


def _frequency(popular: bytes) -> np.ndarray:
    """How often each key of shape space is met in popular names."""
    counts = np.zeros(1 << 20, np.float32)
    names = np.frombuffer(popular, np.uint8)
    search.count_keys(names, len(names), shape.CLASSES, counts)
    return counts.reshape((32,) * 4)


def _rows(rows: Iterable[tuple[str, int]]) -> bytes:
    return "".join(f"{key}\t{value}\n" for key, value in rows).encode()
