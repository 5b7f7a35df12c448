"""What a notice says: what was seen, why it matters, what to do now; in plain words, of one language.

Letters, feeds and pages all say this, each in its own form. Names are defanged here, and whatever others wrote (the
title of a page, the name of a network) is made harmless, so that nobody's program makes a link of it.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import NamedTuple

from khien import canon, words
from khien.flows.judge import FLOOD, TAKES_PART
from khien.model import Notice, Reason, SiteClass
from khien.triage.decide import EXPOSURE, is_digest, named
from khien.triage.tokens import CITIZEN

MOST_NAMES = 10  # of a series that are named
MOST_GATHERED = 50  # of a digest

_LONGEST = 200  # characters of what others wrote
_CODES = ("list", "source", "vector", "kinds")  # parameters that words looks up
_ADDRESSES = ("addresses", "hosts")  # parameters of evidence, in which no dot stays
_DOT = re.compile(r"(?<=[\w-])[.\u3002](?=[^\W\d_])")  # U+3002 parts labels as well, UTS 46 section 2.3
_SCHEME = re.compile(r"\bhttp(s?):", re.IGNORECASE)
_SITES: dict[SiteClass, str] = {"hacked": "hacked", "shared-hosting": "shared"}
_OWN = ("do-copy", "do-remove", "do-passwords", "do-update")
_DO = {
    "imitation": ("do-ours", "do-warn", "do-block", "do-victims", "do-takedown"),
    "shared": ("do-ours", "do-warn", "do-block-page", "do-victims", "do-takedown"),
    "hacked": ("do-warn", "do-block-page", "do-victims", "do-takedown"),
    "digest": ("do-ours", "do-warn", "do-victims", "do-takedown"),
    "own": _OWN,
    "own-citizen": _OWN,
    "citizen": ("do-not-open", "do-new-password", "do-call-bank", "do-trust-nobody"),
    "flood": ("do-operator", "do-rules", "do-keep", "do-pay-nobody"),
    "flood-source": ("do-devices", "do-clean", "do-keep"),
    EXPOSURE: ("do-match", "do-reset", "do-second-factor", "do-tell-them"),
}
_OPENING = frozenset(("password", "password-hash", "session"))  # of these a new password is of use
_PLAIN = (FLOOD, TAKES_PART, EXPOSURE)  # what tells of the reader's own addresses, which stay as they are


class Advice(NamedTuple):
    """Sentences, plain text: headline is the shortest; do is in the order of doing; answer stands before a link."""

    headline: str
    seen: tuple[str, ...]
    why: tuple[str, ...]
    do: tuple[str, ...]
    answer: str


def advice(notice: Notice, language: str, zone: tzinfo) -> Advice:
    """What a notice says in a language, with times as they are in a zone."""
    kind = _kind(notice)
    over = notice.state == "closed"
    seen = (*_seen(notice, kind, language, zone), *((words.notice("seen-over", language),) if over else ()))
    return Advice(
        headline=_headline(notice, kind, language),
        seen=seen,
        why=tuple(_why(notice, kind, language)),
        do=() if over else tuple(_do(notice, kind, language)),
        answer=words.notice("answer" if "do-ours" in _DO[kind] else "answer-taken", language),
    )


def _do(notice: Notice, kind: str, language: str) -> Iterator[str]:
    """What to do; of accounts that leaked also what those can do whose they are, for each kind of what leaked."""
    given = (each.params["kinds"].split(", ") for each in notice.reasons if each.code == "leaked-kinds")
    leaked = next(given, [])
    for each in _DO[kind]:
        if each != "do-reset" or not _OPENING.isdisjoint(leaked):
            yield words.notice(each, language, id=notice.subjects[0].finding[:12])
    for each in leaked:
        said = words.phrase(f"advice-leaked-{each}", language)
        yield words.notice("do-say", language, kind=words.phrase(f"leaked-{each}", language), advice=said)


def brand(notice: Notice, language: str) -> str:
    """What people call the name that is imitated."""
    said = (each.params.get("brand") for each in notice.reasons)
    return words.printable(next(filter(None, said), "")) or words.notice("unnamed", language)


def moment(at: datetime, zone: tzinfo, language: str) -> str:
    """A time as people write it, with its distance from UTC, because readers are in more than one country."""
    local = at.astimezone(zone)
    offset = f"{local:%z}"
    day = f"{local:%d/%m/%Y}" if language == "vi" else f"{local:%Y-%m-%d}"
    return f"{local:%H:%M} {day} (UTC{offset[:3]}:{offset[3:5]})"


def harmless(text: str) -> str:
    """What others wrote, on one line, cut, and without anything that a program makes a link of."""
    spelled = unicodedata.normalize("NFKC", text[:_LONGEST])  # full-width letters and dots make links as others do
    shown = words.printable(spelled if max(len(text), len(spelled)) <= _LONGEST else spelled[: _LONGEST - 1] + "…")
    return _SCHEME.sub(r"hxxp\1:", _DOT.sub("[.]", shown))


def _kind(notice: Notice) -> str:
    """Which of _DO it is: what is told differs with what happened and to whom."""
    first = notice.subjects[0]
    if is_digest(notice):
        return "digest"
    if first.claim in (FLOOD, TAKES_PART):
        return first.claim
    if notice.detector == EXPOSURE:
        return EXPOSURE
    if notice.sector == CITIZEN:
        return "own-citizen" if notice.own else "citizen"
    if notice.own:
        return "own"
    return _SITES.get(first.site, "imitation")


def _headline(notice: Notice, kind: str, language: str) -> str:
    first, *more = _names(notice, kind)
    headline = words.notice(f"headline-{kind}", language, brand=brand(notice, language), name=first)
    if not more:
        return headline
    return words.notice("headline-more", language, headline=headline, count=words.number(len(more), language))


def _gathered(notice: Notice, language: str) -> Iterator[str]:
    names = _names(notice, "digest")
    yield from names[:MOST_GATHERED]
    if (left := len(names) - MOST_GATHERED) > 0:
        yield words.notice("seen-more", language, count=words.number(left, language))


def _seen(notice: Notice, kind: str, language: str, zone: tzinfo) -> Iterator[str]:
    if kind == "digest":
        yield from _gathered(notice, language)
        return
    first = notice.subjects[0]
    name, *others = _names(notice, kind)
    if kind == EXPOSURE:
        yield from _exposed(notice, language)
        return
    if kind in (FLOOD, TAKES_PART):
        yield from _flooded(notice, kind, name, language)
    elif first.unit == "url":
        yield words.notice("seen-page", language, name=name)
    elif kind in ("own", "own-citizen", "hacked", "shared"):
        yield words.notice("seen-on", language, name=name, brand=brand(notice, language))
    elif part := _part(first.value, notice.reasons):
        yield words.notice("seen-part", language, name=name, brand=brand(notice, language), part=harmless(part))
    else:
        yield words.notice("seen-name", language, name=name)
    if not (letters := canon.letters(first.value)).isascii():
        yield words.notice("seen-letters", language, letters=_shown(letters, kind))
    if others:
        left = len(others) - MOST_NAMES
        named = ", ".join(others[:MOST_NAMES])
        code = "seen-others-more" if left > 0 else "seen-others"
        yield words.notice(code, language, names=named, count=words.number(left, language))
    if notice.first_sign is not None:
        code = "seen-began" if kind in (FLOOD, TAKES_PART) else "seen-since"
        yield words.notice(code, language, time=moment(notice.first_sign, zone, language))


def _exposed(notice: Notice, language: str) -> Iterator[str]:
    """How many accounts of which mail domains: the measures are those of triage.decide."""
    for name in named(notice)[:MOST_GATHERED]:
        count = words.number(notice.measures.get(f"{name}.accounts", 0.0), language)
        yield words.notice("seen-accounts", language, name=words.printable(name), count=count)
    if (left := len(named(notice)) - MOST_GATHERED) > 0:
        yield words.notice("seen-more", language, count=words.number(left, language))


def _flooded(notice: Notice, kind: str, name: str, language: str) -> Iterator[str]:
    """A flood in figures: its measures are those of detectors.flood."""
    packets, bits = (notice.measures.get(each) for each in ("packets", "bits"))
    if kind == TAKES_PART:
        yield words.notice("seen-network", language, name=name)
    elif packets is None or bits is None:
        yield words.notice("seen-target", language, name=name)
    else:
        figures = {"packets": words.number(packets, language), "megabits": words.number(bits / 1e6, language, 1)}
        yield words.notice("seen-flood", language, name=name, **figures)
    suffix = ".packets"
    vectors = [each.removesuffix(suffix) for each in notice.measures if each.endswith(suffix)]
    if vectors:
        yield words.notice(
            "seen-vectors", language, vectors=", ".join(words.technique(each, language) for each in vectors)
        )


def _why(notice: Notice, kind: str, language: str) -> Iterator[str]:
    if kind != "citizen":
        if len(named(notice)) > 1:
            yield words.notice("why-several", language)
        yield from (reason(each, language) for each in notice.reasons)
        yield words.notice(f"why-{kind}", language, brand=brand(notice, language))
    else:
        yield words.notice("why-imitation", language, brand=brand(notice, language))


def reason(given: Reason, language: str) -> str:
    """A reason in words, with what others wrote made harmless."""
    params = {name: text if name in _CODES else harmless(text) for name, text in given.params.items()}
    params |= {name: harmless(canon.defang(given.params[name])) for name in _ADDRESSES if name in params}
    if "brand" in params:  # as its register writes it: Booking.com is no trap
        params["brand"] = words.printable(given.params["brand"])
    return words.reason(given.code, params, language)


def _part(name: str, reasons: tuple[Reason, ...]) -> str:
    """The piece of a name that imitates, where a reason names one that people can see in it."""
    pieces = (each.params.get(key, "") for key in ("part", "word") for each in reasons)
    return next((each for each in pieces if each and each in name), "")


def _names(notice: Notice, kind: str) -> list[str]:
    """What it tells of, each once, as it is shown; of a digest some may be addresses that are flooded."""
    flooded = {each.value for each in notice.subjects if each.claim in (FLOOD, TAKES_PART)}
    return [_shown(each, FLOOD if each in flooded else kind) for each in named(notice)]


def _shown(value: str, kind: str) -> str:
    """A name without its dots; an address that is flooded is the reader's own, and stays as it is."""
    return words.printable(value) if kind in _PLAIN else harmless(canon.defang(value))
