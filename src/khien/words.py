"""Codes to sentences, in Vietnamese and English: the only place where Khiên speaks of what it found.

The sentences are in committed gettext catalogues (``locale/<language>/LC_MESSAGES/khien.po`` of what is found,
``site.po`` of the pages around it, compiled by ``generate/catalogues.py``), each under its context and code. Parameters
are text; which code takes which is said here.
"""

import re
from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from khien.errors import ContractError

LANGUAGES = ("en", "vi")
LIKELY = 0.5  # a score from which a person is told that a name imitates
NAMES = ("domain", "official", "part")  # parameters that are names, or pieces of one: whoever shows them defangs them

SHAPES = ("phone", "card", "account", "code", "address", "id", "name")  # of masks, written <phone> (messages.mask)

_MASK = re.compile(rf"<({'|'.join(SHAPES)})>")
_VIETNAMESE = str.maketrans(",.", ".,")

_EDITED = ("brand", "word", "part")  # the label people know, the protected word, what stands there instead
_CONFIRMED = ("brand", "domain", "source")
_OVER = ("vector", "rate", "line", "times")
_NUMBERS = {"rate": 0, "line": 0, "low": 0, "high": 0, "count": 0, "times": 1}  # of these parameters, decimal places

SUPPRESSIONS: Mapping[str, tuple[str, ...]] = {  # reasons for which a finding is known good
    "own-estate": _CONFIRMED,
    "supplier": _CONFIRMED,
    "popular": ("domain", "list"),
    "reserved-suffix": ("suffix", "source"),
}
STORIES = (  # what a scam message tells (docs/scams.md), and what is none of these
    "authority bank parcel job investment loan prize family romance takeover app recovery utility support blackmail"
    " shopping charity boss benefit other"
).split()
REASONS: Mapping[str, tuple[str, ...]] = {  # code of a reason to the parameters it takes
    "tld-swap": ("brand", "word", "suffix"),
    "combosquat": ("brand", "word"),
    "subdomain": ("brand", "word", "domain"),
    "official-in-subdomain": ("brand", "official"),
    "omission": _EDITED,
    "insertion": _EDITED,
    "repetition": _EDITED,
    "substitution": _EDITED,
    "transposition": _EDITED,
    "hyphenation": _EDITED,
    "dot-split": _EDITED,
    "bitsquat": ("word", "part"),
    "neighbouring-key": ("word", "part"),
    "ascii-lookalike": _EDITED,
    "homoglyph": _EDITED,
    "mixed-script": ("part",),
    "diacritics": _EDITED,
    "two-edits": _EDITED,
    "campaign": _EDITED,
    "short-word": ("brand", "word"),
    "lure": ("lures",),
    "brand-lure": ("brand", "lures"),
    "cheap-suffix": ("suffix",),
    "hosting": ("suffix",),
    "digits": ("part",),
    "inside-word": ("word", "ordinary"),
    "foreign-suffix": ("suffix",),
    "unverified-estate": ("brand", "domain"),
    "flood-packets": _OVER,
    "flood-bits": _OVER,
    "flood-usual": _OVER,
    "flood-carpet": (),
    "flood-sampled": ("low", "high"),
    "flood-sources": ("count", "networks"),
    "flood-scattered": ("count",),
    "home-part": ("victim", "count", "vector"),
    "home-amplifier": (),
    "home-infected": (),
    "home-devices": ("sources",),
    "flood-heaviest": ("sources",),
    "evidence-listed": ("feed",),
    "evidence-reported": ("count",),
    "evidence-sighted": ("partner",),
    "evidence-titled": ("brand", "title"),
    "evidence-confirmed": (),
    "evidence-fresh-name": ("domain", "days"),
    "evidence-fresh-certificate": ("issuer",),
    "evidence-resolves": ("addresses",),
    "evidence-mail": ("hosts",),
    "evidence-old-name": ("domain", "years"),
    "evidence-not-there": (),
    "evidence-silent": (),
    "exposed": ("count",),
    "leaked-in": ("collection",),
    "leaked-on": ("collection", "leaked"),
    "leaked-kinds": ("kinds",),
    "asked-listed-fraud": ("since",),
    "asked-listed-theft": ("since",),
    "asked-listed-malware": ("since",),
    "asked-listed-attack": ("since",),
    "asked-unit-url": ("domain",),
    "asked-unit-host": ("domain",),
    "asked-unit-domain": ("domain",),
    "asked-hacked": (),
    "asked-hacked-of": ("brand",),
    "asked-contested": (),
    "asked-confirmed": (),
    "asked-dismissed": (),
    "asked-official": ("brand", "official"),
    "asked-unlisted": (),
    "asked-none-lists-it": (),
    "asked-weak": ("brand",),
    "asked-no-imitation": ("count",),
    "asked-bare": (),
    "asked-before-at": ("part", "domain"),
    "asked-before-at-mail": ("part", "domain"),
    "asked-shortened": (),
    "asked-anybody": ("brand",),
    "asked-link-bad": ("domain",),
    "asked-names-other": ("brand", "domain"),
    "asked-links-quiet": ("count",),
    "asked-links-most": ("count",),
    "asked-few-tricks": (),
    "asked-no-links": (),
    "asked-no-tricks": (),
    "asked-number-emergency": (),
    "asked-number-mobile": (),
    "asked-number-landline": (),
    "asked-number-paid": (),
    "asked-number-free": (),
    "asked-number-internet": (),
    "asked-number-short": (),
    "asked-number-foreign": (),
    "asked-number-from": ("country",),
    "asked-number-unknown": (),
    "asked-number-no-list": (),
    "asked-mail-free": ("domain",),
    "asked-mail-forged": (),
    "asked-sender-called": ("brand",),
    "asked-pay-to": ("account", "bank"),
    "asked-pay-other": (),
    "asked-pay-name": ("name",),
    "asked-pay-amount": ("amount",),
    "asked-pay-broken": (),
    "asked-pay-no-list": (),
    "lure-mismatch": ("brand", "domain"),
    "lure-sender": ("brand",),
    "lure-claims": ("said",),
    "lure-urgency": ("said",),
    "lure-threat": ("said",),
    "lure-secrecy": ("said",),
    "lure-reward": ("said",),
    "lure-money-first": ("said",),
    "lure-moves-elsewhere": ("said",),
    "lure-wants-secret": ("said",),
    "lure-wants-app": ("said",),
    "lure-wants-payment": ("said",),
    "lure-isolation": ("said",),
    **{f"lure-story-{kind}": () for kind in STORIES},
    **SUPPRESSIONS,
}
RULES = ("flood-packets", "flood-bits", "flood-usual")  # reasons that say by which rule a flood is one


def reason(code: str, params: Mapping[str, str], language: str) -> str:
    """Why something was found, or is known good: one or two plain sentences.

    ContractError: no such reason, a parameter is missing, no such language.
    """
    try:
        takes = REASONS[code]
    except KeyError:
        raise ContractError(f"no such reason {code!r}: add it to words.REASONS and to both catalogues") from None
    if any(name not in params for name in takes):  # it may carry more than its sentence needs
        given = ", ".join(params) or "nothing"
        raise ContractError(f"the reason {code} takes {', '.join(takes)}, was given {given}")
    if "said" in takes:
        params = {**params, "said": spelled(params["said"], language)}
    if "list" in takes:  # as people call it
        params = {**params, "list": _entry("list", params["list"], language)}
    if "source" in takes:
        params = {**params, "source": ", ".join(_list(each, language) for each in params["source"].split(", "))}
    if "kinds" in takes:
        kinds = (phrase(f"leaked-{each}", language) for each in params["kinds"].split(", "))
        params = {**params, "kinds": ", ".join(kinds)}
    params = {**params, **{name: day(params[name], language) for name in ("leaked", "since") if name in takes}}
    params = {**params, **{name: params[own] for name in takes if (own := f"{name}-{language}") in params}}
    if "vector" in takes:
        params = {**params, "vector": technique(params["vector"], language)}
    written = {name: number(float(params[name]), language, _NUMBERS[name]) for name in takes if name in _NUMBERS}
    return _entry("reason", code, language).format_map({**params, **written})


def _list(name: str, language: str) -> str:
    """What people call a list, where it has another name than its own."""
    try:
        return _entry("list", name, language)
    except ContractError:
        return name


def technique(code: str, language: str) -> str:
    """What people call a way of imitating: a few words. ContractError: no such technique or language."""
    return _entry("technique", code, language)


def skipped(code: str, language: str) -> str:
    """Why a row was set aside while reading: a few words. ContractError: no such reason or language."""
    return _entry("skipped", code, language)


def phrase(code: str, language: str, **params: str) -> str:
    """What a program says of its own work: headings, totals. ContractError: no such phrase or language."""
    return _filled("phrase", code, language, params)


def page(code: str, language: str, **params: str) -> str:
    """What a page of the site says around what was found. ContractError: no such text or language."""
    return _filled("page", code, language, params)


def notice(code: str, language: str, **params: str) -> str:
    """What a notice says to a constituent. ContractError: no such text or language."""
    return _filled("notice", code, language, params)


def abuse(code: str, language: str, **params: str) -> str:
    """What a report of abuse says to who can end it. ContractError: no such text or language."""
    return _filled("abuse", code, language, params)


def audit(act: str, language: str) -> str:
    """What somebody did, as the audit has it: a few words. ContractError: no such act or language."""
    return _entry("audit", act, language)


def spelled(text: str, language: str) -> str:
    """A masked message, or a piece of one, for people: its masks in words, as in ``[phone number]``."""
    return _MASK.sub(lambda met: f"[{_entry('mask', met[1], language)}]", text)


def verdict(score: float, suppressed: bool) -> str:
    """The phrase that says what a finding comes to; it takes domain, brand and, but for ``known-good``, score."""
    if suppressed:
        return "known-good"
    return "imitates" if score >= LIKELY else "resembles"


def day(text: str, language: str) -> str:
    """A day that is written as 2026-09-01, as the language writes it: 01/09/2026 in Vietnamese."""
    return "/".join(reversed(text.split("-"))) if language == "vi" else text


def number(value: float, language: str, places: int = 0) -> str:
    """A number as the language writes it: 1,234.5 or 1.234,5."""
    written = f"{value:,.{places}f}"
    return written.translate(_VIETNAMESE) if language == "vi" else written


def short(value: float, language: str) -> str:
    """A number to one decimal place, without it where that is nought: 4, or 4.5."""
    return number(value, language, 0 if round(value, 1).is_integer() else 1)


def printable(text: str) -> str:
    """The text with whatever moves a cursor, turns the writing round or is not seen written as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _filled(context: str, code: str, language: str, params: Mapping[str, str]) -> str:
    try:
        return _entry(context, code, language).format_map(params)
    except KeyError as error:
        raise ContractError(
            f"the {context} {code} takes {error}, was given {', '.join(params) or 'nothing'}"
        ) from error


@cache
def _entry(context: str, code: str, language: str) -> str:
    try:
        return _catalogue("site" if context == "page" else "khien", language).pgettext(context, code)
    except LookupError:
        raise ContractError(f"no {context} {code!r} in the {language} catalogue: add it to both") from None


class _Nothing(NullTranslations):
    """Behind a catalogue: gettext would answer the code itself, which says nothing to anyone."""

    def pgettext(self, context: str, message: str) -> str:
        raise LookupError(context, message)


@cache
def _catalogue(domain: str, language: str) -> GNUTranslations:
    if language not in LANGUAGES:
        raise ContractError(f"no language {language!r}: there is {', '.join(LANGUAGES)}")
    with (Path(__file__).parent / "locale" / language / "LC_MESSAGES" / f"{domain}.mo").open("rb") as file:
        sentences = GNUTranslations(file)
    sentences.add_fallback(_Nothing())
    return sentences
