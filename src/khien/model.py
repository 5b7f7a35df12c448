"""The nouns people read and sign: frozen, strict records.

Construction does no input or output. Times are UTC and timezone-aware. Collections are tuples.
"""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record has in common: its fields are all it is."""


class Domain(Record, frozen=True):
    """One domain of a protected name's estate, or a pattern over domains, and who says so.

    domain: ``example.vn`` covers itself and every name below it; ``example.{vn,com}`` and ``example-*.vn`` are
    patterns (``*`` within one label). verified: a source confirmed it, and source names it; only then does it suppress.
    """

    domain: str
    verified: bool
    source: str = ""
    note: str = ""


class ProtectedName(Record, frozen=True):
    """A brand or service whose imitation we look for. A person enters only by their own wish.

    words match anywhere and at one edit; short words need a boundary and a supporting sign beside them.
    Words and lures are written as people write them; diacritics, case, blanks and hyphens do not matter.
    """

    id: str
    label: str
    sector: str
    words: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    lures: tuple[str, ...] = ()
    official: tuple[Domain, ...] = ()
    suppliers: tuple[Domain, ...] = ()
    contacts: tuple[str, ...] = ()


class Register(Record, frozen=True):
    """The protected names of one country or house, and the suffixes only the state can register under."""

    names: tuple[ProtectedName, ...]
    reserved_suffixes: tuple[Domain, ...] = ()
