"""Figures as people read them, in both languages: what each is called, what it comes to and how it is counted."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from khien import words
from khien.pipeline import few
from khien.pipeline.figures import GROUPS, RANKS, Figure, Figures

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 365.25 * 86_400  # seconds
_LENGTHS = (  # up to so many seconds a length is told in this unit
    (2 * _MINUTE, 1, "seconds"),
    (2 * _HOUR, _MINUTE, "minutes"),
    (2 * _DAY, _HOUR, "hours"),
    (2 * _YEAR, _DAY, "days"),
    (float("inf"), _YEAR, "years"),
)


class Row(NamedTuple):
    """A figure, or the ranks of one, as people read it. counted: how, empty where it is as the row before."""

    label: str
    value: str
    counted: str


def rows(counted: Figures, language: str) -> dict[str, list[Row]]:
    """All figures as they are told, by GROUPS."""
    told: dict[str, list[Row]] = {}
    for group, codes in GROUPS.items():
        told[group] = []
        for code in codes:
            of_code = (each for each in counted.figures if each.code == code)
            for place, (_, ranks) in enumerate(groupby(of_code, lambda each: each.part not in RANKS and each.part)):
                same = [*ranks]
                rule = "" if place else counting(same[0], language)
                told[group].append(Row(_called(same[0], language), _valued(same, language), rule))
    return told


def counting(figure: Figure, language: str) -> str:
    """How a figure is counted, and from what."""
    return f"{words.phrase(f'counted-{figure.code}', language)} {words.phrase(f'source-{figure.source}', language)}"


def label(figure: Figure, language: str) -> str:
    """What a figure is of, and which rank of it."""
    called = _called(figure, language)
    return f"{called}: {words.phrase(f'rank-{figure.part}', language)}" if figure.part in RANKS else called


def written(figure: Figure, language: str) -> str:
    """Its value as people read it, and of how many it is."""
    if figure.value is None or figure.unit == "count":
        return _bare(figure, language)
    return words.phrase(
        "figure-of", language, value=_bare(figure, language), count=words.number(figure.of or 0, language)
    )


def lasting(seconds: float, language: str) -> str:
    """How long something took: seconds below two minutes, minutes below two hours, and so on up to years."""
    size, unit = next((size, unit) for most, size, unit in _LENGTHS if seconds < most)
    return words.page(f"for-{unit}", language, count=words.short(seconds / size, language))


def _called(figure: Figure, language: str) -> str:
    said = words.phrase(f"figure-{figure.code}", language)
    if not figure.part or figure.part in RANKS:
        return said
    state = figure.code == "names-state"
    return f"{said}: {words.phrase(f'state-{figure.part}', language) if state else words.printable(figure.part)}"


def _valued(same: Sequence[Figure], language: str) -> str:
    """One figure, or all ranks of one: where there is only one value they are all the same."""
    first = same[0]
    if len(same) == 1 or first.value is None:
        return written(first, language)
    if first.of == 1:
        return words.phrase("figure-of-one", language, value=_bare(first, language))
    ranks = {each.part: _bare(each, language) for each in same}
    return words.phrase("figure-ranks", language, **ranks, count=words.number(first.of or 0, language))


def _bare(figure: Figure, language: str) -> str:
    if figure.withheld:
        return words.phrase(f"figure-{figure.withheld}", language, count=words.number(few.FEWEST, language))
    if figure.value is None:
        return words.phrase("figure-none", language)
    if figure.unit == "count":
        return words.number(figure.value, language)
    return lasting(figure.value * (_HOUR if figure.unit == "hours" else 1), language)
