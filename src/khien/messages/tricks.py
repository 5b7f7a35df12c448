"""Phrases by which a message gives away what it does: read from TOML, compiled to one tree a language, found in words.

A word of a phrase that has diacritics stands for itself where the message has any, and for its bare form where it has
none; one without stands for all that look so when bare. ``$name`` is one of a set of phrases, ``a|b`` one word or the
other, ``word?`` a word that may be missing, ``*`` up to three words and ``**`` up to seven words of the same sentence.
Between the words of a phrase fillers (pronouns, particles) may stand. docs/scams.md describes the file.
"""

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import msgspec

from khien.errors import ConfigError
from khien.messages.plain import BREAK, Plain, bare, plain, spelled
from khien.model import Record

GAPS = {"*": 3, "**": 7}
MOST_FORMS = 512  # ways to write out one phrase
MOST_STEPS = 4_000  # from one word of a message: a bound on time that no message of people reaches
MOST_OF_ALL = 10_000  # of a message: each word has its share, and what earlier words left
FILLED = 8  # fillers between two words of a phrase
BEFORE = 4  # words in which a denial reaches what follows


class Sign(Record, frozen=True):
    """One thing a message may do. trick: what people call it; empty for what is no trick by itself. stories: the
    kinds of scams that do it. denied: whether ``do not`` before it turns it into a warning."""

    id: str
    trick: str = ""
    stories: tuple[str, ...] = ()
    denied: bool = False
    vi: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class _Words(Record, frozen=True):
    """What a language brings beside phrases. short: what people write short, to what it stands for. denials: words
    that say not to; weak: such as do so only where nothing is said to follow from it (consequences), and no condition
    stands before them. compounds: two words that together are another."""

    short: dict[str, str]
    fillers: str
    denials: str
    compounds: tuple[str, ...]
    weak: str
    conditions: str
    consequences: str
    sets: dict[str, tuple[str, ...]]


class _File(Record, frozen=True):
    vi: _Words
    en: _Words
    signs: tuple[Sign, ...]


class Met(NamedTuple):
    """A sign in a message: first and behind the last of its characters. denied: the message says not to."""

    sign: Sign
    first: int
    behind: int
    denied: bool


class _Node:
    """A place in the tree: by the next word or set; behind a gap; and what ends here."""

    __slots__ = ("ends", "gaps", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.gaps: dict[int, _Node] = {}
        self.ends: list[int] = []


class _Language(NamedTuple):
    """spellings: bare words to those with diacritics that phrases have."""

    spellings: dict[str, list[str]]
    sets: _Node
    names: list[str]
    signs: _Node
    fillers: frozenset[str]
    compounds: frozenset[str]
    denials: frozenset[str]
    weak: frozenset[str]
    conditions: frozenset[str]
    consequences: frozenset[str]


class Tricks:
    """The phrases of a file, ready to be looked for. ConfigError: the file does not keep its format."""

    def __init__(self, document: bytes) -> None:
        try:
            file = msgspec.convert(tomllib.loads(document.decode()), _File)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise ConfigError(f"tricks.toml: {error}") from error
        self.signs = file.signs
        self._languages = {name: _language(getattr(file, name), name, file.signs) for name in ("vi", "en")}
        self._short = {
            name: {word: tuple(meant.split()) for word, meant in getattr(file, name).short.items()}
            for name in ("vi", "en")
        }

    def plain(self, text: str) -> Plain:
        """The plain form of a masked message, as phrases are looked for in it."""
        return plain(text, self._short)

    def find(self, words: Plain, share: float = 1) -> Iterator[Met]:
        """The signs in a message; each as often as it is met. share: of the steps that a message may take."""
        most = int(share * MOST_OF_ALL)
        known = self._languages["en" if words.english else "vi"]
        ways: list[list[tuple[str, int]]] = [
            [(word, n + 1), *((each, n + 1) for each in known.spellings.get(word, ()) if written in ("", each))]
            for n, (word, written) in enumerate(zip(words.words, words.written, strict=True))
        ]
        for first, behind, number in [*_walk(known.sets, words.words, ways, known.fillers, most)]:
            ways[first].append(("$" + known.names[number], behind))
        for first, behind, number in _walk(known.signs, words.words, ways, known.fillers, most):
            sign = self.signs[number]
            denied = sign.denied and _denied(words.words, ways, first, behind, known)
            yield Met(sign, words.places[first][0], words.places[behind - 1][1], denied)


def _language(words: _Words, language: str, signs: tuple[Sign, ...]) -> _Language:
    sets, tree = _Node(), _Node()
    spellings: dict[str, list[str]] = {}
    names = list(words.sets)
    for number, name in enumerate(names):
        for phrase in words.sets[name]:
            _plant(sets, phrase, number, {}, spellings)
    for number, sign in enumerate(signs):
        for phrase in getattr(sign, language):
            _plant(tree, phrase, number, words.sets, spellings)
    for word in (words.denials + " " + words.weak).split():
        _known(word, spellings)
    return _Language(
        spellings,
        sets,
        names,
        tree,
        frozenset(words.fillers.split()),
        frozenset(words.compounds),
        frozenset(map(spelled, words.denials.split())),
        frozenset(map(spelled, words.weak.split())),
        frozenset(words.conditions.split()),
        frozenset(words.consequences.split()),
    )


def _plant(root: _Node, phrase: str, number: int, sets: Mapping[str, object], spellings: dict[str, list[str]]) -> None:
    """Adds a phrase to a tree, in all its forms. ConfigError: a set nobody knows, or too many forms."""
    slots: list[tuple[str, ...]] = []
    for word in phrase.split():
        if word.startswith("$") and word[1:].removesuffix("?") not in sets:
            raise ConfigError(f"tricks.toml: {phrase!r} names the set {word}, and there is none: sets come first")
        slots.append((*word.removesuffix("?").split("|"), *([""] if word.endswith("?") else [])))
    forms = 1
    for slot in slots:
        forms *= len(slot)
    if not slots or slots[0][0] in GAPS or forms > MOST_FORMS:
        raise ConfigError(
            f"tricks.toml: {phrase!r} begins with a gap, is empty or has {forms} forms: write it as several"
        )
    for form in product(*slots):
        node = root
        for word in filter(None, form):
            if word in GAPS:
                node = node.gaps.setdefault(GAPS[word], _Node())
                continue
            node = node.next.setdefault(_known(word, spellings), _Node())
        if number not in node.ends:
            node.ends.append(number)


def _known(word: str, spellings: dict[str, list[str]]) -> str:
    """The one spelling of a word, and that it is looked for."""
    full = spelled(word)
    if not full.isascii() and full not in spellings.setdefault(bare(full), []):
        spellings[bare(full)].append(full)
    return full


def _walk(
    root: _Node, words: list[str], ways: list[list[tuple[str, int]]], fillers: frozenset[str], most_of_all: int
) -> Iterator[tuple[int, int, int]]:
    """What of a tree stands in words: its first word, the one behind its last, and the number of what ends there.

    ways: from each word on, what may be read there (itself, a set of phrases), and the word behind that. most_of_all:
    steps; each word has its share, and what earlier words left.
    """
    passed = [word in fillers for word in words]
    breaks = [word == BREAK for word in words]
    present = {name for here in ways for name, _ in here}
    count, saved = len(words), 0
    for first, here in enumerate(ways):
        saved += max(1, most_of_all // count)
        stack = [(root.next[name], behind) for name, behind in here if name in root.next]
        if not stack or saved <= 0:
            continue
        steps = most = min(saved, MOST_STEPS)
        seen: set[tuple[int, int]] = set()
        told: dict[int, int] = {}  # to where each reaches, at the least
        while stack and steps > 0:
            node, at = stack.pop()
            steps -= 1
            key = (id(node), at)
            if key in seen:
                continue
            seen.add(key)
            for number in node.ends:
                told[number] = min(at, told.get(number, at))
            if at == count:
                continue
            children = node.next
            if children and not present.isdisjoint(children):
                for there in range(at, min(count, at + FILLED + 1)):
                    steps -= len(ways[there])
                    stack += [(children[name], behind) for name, behind in ways[there] if name in children]
                    if not passed[there]:
                        break
            for reach, after in node.gaps.items():
                children = after.next
                if present.isdisjoint(children):
                    continue
                left = reach
                for there in range(at, min(count, at + 3 * reach + 4)):  # what follows a gap is a word or a set
                    steps -= len(ways[there])
                    stack += [(children[name], behind) for name, behind in ways[there] if name in children]
                    left -= not passed[there]
                    if left < 0 or breaks[there]:
                        break
        saved -= most - steps
        for number, behind in told.items():
            yield first, behind, number


def _denied(words: list[str], ways: list[list[tuple[str, int]]], first: int, behind: int, known: _Language) -> bool:
    """Whether what stands in words[first:behind] is what the message says not to do."""
    steps = 0
    for at in range(first - 1, max(-1, first - 2 - BEFORE - FILLED), -1):
        if words[at] == BREAK or steps == BEFORE:
            return False
        here = {name for name, _ in ways[at]}
        if here.isdisjoint(known.denials) and here.isdisjoint(known.weak):
            steps += words[at] not in known.fillers
            continue
        if known.compounds & {" ".join(words[max(0, at - 1) : at + 1]), " ".join(words[at : at + 2])}:
            steps += 1
            continue
        if known.denials & here:
            return not known.conditions & {*words[max(0, at - 2) : at]}
        before, after = words[max(0, at - BEFORE) : at], words[behind : behind + 2 * BEFORE]
        # "if you do not", "do you have any?", "whoever does not will"
        return not (known.conditions & {*before} or known.consequences & {*after})
    return False
