"""Why: the numbers of a finding as techniques and reasons, codes with parameters that ``words`` renders.

Technique names are the field's (dnstwist, openSquat and the papers they cite); each says one thing that was done to the
word or with it.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from khien.model import ProtectedName
from khien.names import match, place, scan
from khien.names.program import LISTS, STATE, Program
from khien.names.words import Word

_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl;", "zxcvbnm,./")  # of a QWERTY keyboard, each half a key to the right
_BELOW = [(row[j], below[k]) for row, below in pairwise(_ROWS) for j in range(10) for k in (j - 1, j) if k >= 0]
_ASIDE = [pair for row in _ROWS for pair in pairwise(row)]
NEIGHBOURS = {pair for one, other in _BELOW + _ASIDE for pair in ((one, other), (other, one))}
_FORMS = {
    match.TRANSPOSED: "transposition",
    match.INSERTED: "insertion",
    match.SUBSTITUTED: "substitution",
    match.OMITTED: "omission",
}
_CHANGES = {
    match.ALIKE: ("ascii-lookalike",),
    match.HYPHENATED: ("hyphenation",),
    match.ALIKE_HYPHENATED: ("ascii-lookalike", "hyphenation"),
    match.DOTTED: ("dot-split",),
    match.ALIKE_DOTTED: ("ascii-lookalike", "dot-split"),
    match.TWO_EDITS: ("two-edits",),
}

Reason = tuple[str, dict[str, str]]


class Explained(NamedTuple):
    """Which characters matched, what was done, why we say so, and whether it is known good after all."""

    span: tuple[int, int]
    techniques: list[str]
    reasons: list[Reason]
    suppressed: bool


def explain(program: Program, brands: Sequence[ProtectedName], subject: str, numbers: list[int]) -> Explained:
    """Explains a finding about subject, the name in lower case; brands: by owner, numbers: one row of scan's."""
    word = program.words[numbers[scan.WORD]]
    brand = brands[word.owner].label
    start, end = numbers[scan.START], numbers[scan.END]
    part = subject[start:end]
    techniques = [*_script(numbers), *_change(word.text, part, numbers[scan.RANK])]
    reasons: list[Reason] = [(code, {"brand": brand, "word": word.text, "part": part}) for code in techniques]
    for code in _structure(word, numbers):
        techniques.append(code)
        reasons.append((code, _structure_params(code, brand, word.text, part, subject, numbers)))
    reasons += _signs(brand, subject, numbers)
    if numbers[scan.N_LURES]:
        techniques.append("lure")
    known = _known_good(program, brands, subject, numbers)
    suppressed = known is not None and known[0] != "unverified-estate"
    if known:
        reasons = [known] if suppressed else [*reasons, known]  # what it would look like elsewhere is beside the point
    return Explained((start, end), techniques, reasons, suppressed)


def _script(numbers: list[int]) -> list[str]:
    """How letters of other scripts or with marks stand in."""
    if numbers[scan.SCRIPTS] & scan.HAS_ALIKE:
        return ["homoglyph", "mixed-script"] if numbers[scan.SCRIPTS] & scan.HAS_MIXED else ["homoglyph"]
    return ["diacritics"] if numbers[scan.SCRIPTS] & scan.HAS_MARKED else []


def _change(word: str, part: str, rank: int) -> list[str]:
    """How the letters were changed."""
    change, form = divmod(rank, 8)
    if change != match.ONE_EDIT:
        return list(_CHANGES.get(change, ()))
    techniques = [_FORMS[form]]
    if not part.isascii() or part.startswith("xn--"):
        return techniques
    at = next((i for i, (a, b) in enumerate(zip(word, part, strict=False)) if a != b), min(len(word), len(part)))
    if form == match.INSERTED and part[at : at + 1] in (part[at - 1 : at], part[at + 1 : at + 2]):
        techniques = ["repetition"]
    elif form == match.SUBSTITUTED and at < len(part):
        was, now = word[at], part[at]
        if (ord(was) ^ ord(now)).bit_count() == 1:
            techniques.append("bitsquat")
        if (was, now) in NEIGHBOURS:
            techniques.append("neighbouring-key")
    return techniques


def _structure(word: Word, numbers: list[int]) -> list[str]:
    """Where in the name the word stands."""
    codes = []
    if numbers[scan.CAMPAIGN]:
        codes.append("campaign")
    if numbers[scan.OFFICIAL_END] >= 0:
        codes.append("official-in-subdomain")
    elif numbers[scan.RANK] // 8 in (match.DOTTED, match.ALIKE_DOTTED):
        pass  # over several labels: neither in one nor below one
    elif numbers[scan.BENEATH]:
        codes.append("subdomain")
    elif numbers[scan.WHOLE]:
        if numbers[scan.RANK] < 8 and not numbers[scan.SCRIPTS]:
            codes.append("tld-swap")
    else:
        codes.append("combosquat")
    if word.short:
        codes.append("short-word")
    return codes


def _structure_params(code: str, brand: str, word: str, part: str, subject: str, numbers: list[int]) -> dict[str, str]:
    if code == "official-in-subdomain":
        return {"brand": brand, "official": subject[numbers[scan.START] : numbers[scan.OFFICIAL_END]]}
    params = {"brand": brand, "word": word}
    if code == "subdomain":
        params["domain"] = subject[numbers[scan.REGISTRABLE_AT] :]
    elif code == "tld-swap":
        params["suffix"] = subject[numbers[scan.SUFFIX_AT] :]
    elif code == "campaign":
        params["part"] = part
    return params


def _signs(brand: str, subject: str, numbers: list[int]) -> list[Reason]:
    """What stands beside the word."""
    signs: list[Reason] = []
    lures = _lures(numbers) if numbers[scan.N_LURES] else []
    if lures:
        text = ", ".join(dict.fromkeys(subject[a:b] for a, b in lures))
        signs.append(
            ("brand-lure", {"brand": brand, "lures": text}) if numbers[scan.OWN_LURES] else ("lure", {"lures": text})
        )
    if numbers[scan.DIGITS] > 1:
        digits = "".join(filter(str.isdigit, subject[numbers[scan.LABEL] : numbers[scan.LABEL + 1]]))
        if len(digits) == numbers[scan.DIGITS]:  # else an A-label, whose digits mean others
            signs.append(("digits", {"part": digits}))
    if not lures and 0 <= numbers[scan.ORDINARY] < numbers[scan.ORDINARY + 1]:
        ordinary = subject[numbers[scan.ORDINARY] : numbers[scan.ORDINARY + 1]]
        signs.append(("inside-word", {"word": subject[numbers[scan.START] : numbers[scan.END]], "ordinary": ordinary}))
    suffix = subject[numbers[scan.SUFFIX_AT] :]
    if numbers[scan.HOSTING]:
        signs.append(("hosting", {"suffix": suffix}))
    elif numbers[scan.TOP] & place.CHEAP:
        signs.append(("cheap-suffix", {"suffix": suffix}))
    elif not numbers[scan.TOP] & (place.HOME | place.GENERIC) and len(suffix.rpartition(".")[2]) == 2:
        signs.append(("foreign-suffix", {"suffix": suffix}))
    return signs


def _lures(numbers: list[int]) -> list[tuple[int, int]]:
    """Where lures stand that can be shown: all letters of an A-label have the whole label as their place."""
    flat = numbers[scan.LURES : scan.LURES + 2 * min(numbers[scan.N_LURES], 3)]
    places = set(zip(flat[::2], flat[1::2], strict=True))
    start, end = numbers[scan.START], numbers[scan.END]
    return sorted((a, b) for a, b in places if a < b and (b <= start or a >= end))


def _known_good(program: Program, brands: Sequence[ProtectedName], subject: str, numbers: list[int]) -> Reason | None:
    """The estate or the list of popular names that speaks for it."""
    value = numbers[scan.ESTATE]
    unverified: Reason | None = None
    if value >= 0:
        owner, domain, supplied = program.estate_rows[value >> place.ROW_SHIFT]
        written = subject[numbers[scan.ESTATE_AT] :]
        if not value & place.VERIFIED:
            if owner != STATE:
                unverified = ("unverified-estate", {"brand": brands[owner].label, "domain": written})
        elif owner == STATE:
            return "reserved-suffix", {"suffix": written, "source": domain.source}
        else:
            code = "supplier" if supplied else "own-estate"
            return code, {"brand": brands[owner].label, "domain": written, "source": domain.source}
    for pattern, row in program.patterns:
        if covered := re.fullmatch(pattern, subject):
            owner, domain, supplied = program.estate_rows[row]
            code = "supplier" if supplied else "own-estate"
            return code, {"brand": brands[owner].label, "domain": covered[1], "source": domain.source}
    if numbers[scan.POPULAR_AT] >= 0:
        written = subject[numbers[scan.POPULAR_AT] :]
        return "popular", {"domain": written, "list": LISTS[numbers[scan.POPULAR_LIST]]}
    return unverified
