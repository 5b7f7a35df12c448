"""Whom a message claims to come from, against the sites it shows and the number it came from."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from khien import canon
from khien.errors import ObservableError
from khien.messages.links import links
from khien.messages.plain import Plain
from khien.model import ProtectedName, Register

FIRST = 6  # words at the beginning of a message in which it says who it is
LONGEST = 4  # words of a name
TOGETHER = 5  # letters at least of a name that several words spell: "ta mo" is no Tamo
EVERYDAY = frozenset({"be", "mic", "neu"})  # names that are words of every day, too: bé, will be, nếu
RESERVED = frozenset({"example", "test", "invalid", "localhost"})  # lead nowhere: RFC 2606 section 2

_NUMBER = re.compile(r"<phone>|\+?\d[\d .()-]{8,}")


class Claim(NamedTuple):
    """A protected name that a message claims to be, and the host it shows that is not theirs; empty where none.

    A host with the name as a label of its own may be theirs under a suffix nobody told us: that is for ``lookalike``.
    """

    brand: ProtectedName
    host: str


class Brands:
    """Protected names by how they are written, ready to be looked for."""

    def __init__(self, register: Register) -> None:
        self._named: dict[str, ProtectedName] = {}
        for each in register.names:
            for word in (*each.words, *each.short, each.id):
                self._named.setdefault(re.sub(r"[^a-z0-9]", "", word.lower()), each)
        self._theirs = {domain.domain for each in register.names for domain in (*each.official, *each.suppliers)}
        self._reserved = tuple("." + each.domain for each in register.reserved_suffixes)

    def claim(self, text: str, words: Plain, sender: Plain) -> Claim | None:
        """What the sender's name or the first words of a message claim; None: nobody we know."""
        brand = self._brand(sender.words) or self._brand(words.words[:FIRST])
        if brand is None:
            return None
        own = {re.sub(r"[^a-z0-9]", "", word.lower()) for word in (*brand.words, *brand.short, brand.id)}
        strange = (host for host in _hosts(text) if not self._official(host) and own.isdisjoint(host.split(".")))
        return Claim(brand, next(strange, ""))

    def _brand(self, words: list[str]) -> ProtectedName | None:
        for first in range(len(words)):
            for behind in range(first + 1, min(first + LONGEST, len(words)) + 1):
                name = "".join(words[first:behind])
                if name in EVERYDAY or (behind - first > 1 and len(name) < TOGETHER):
                    continue
                if (met := self._named.get(name)) is not None:
                    return met
        return None

    def _official(self, host: str) -> bool:
        """Whether a host is theirs, as far as anybody can say: names of RFC 2606 are nobody's."""
        labels = host.split(".")
        if labels[-1] in RESERVED:
            return True
        known = any(".".join(labels[n:]) in self._theirs for n in range(len(labels)))
        return known or host.endswith(self._reserved)


def from_number(sender: str) -> bool:
    """Whether a message came from a telephone's number, as those of banks and the state do not."""
    return bool(_NUMBER.fullmatch(sender.strip()))


def _hosts(text: str) -> Iterator[str]:
    for link in links(text):
        try:
            yield canon.domain(canon.host_of(link))
        except ObservableError:
            continue
