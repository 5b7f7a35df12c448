"""Numbers of people that point at nobody: what is withheld of a total and its parts (cell suppression).

A part of at least one and fewer than FEWEST is not said. Nor may the total, less the parts that are said, give one
away: further parts are withheld until every hidden one could still be more than one number, and the total when no
part is left.
"""

from collections.abc import Mapping
from typing import NamedTuple

FEWEST = 10  # people: of fewer no number is said, as it may point at one of them


class Said(NamedTuple):
    """What is said of a total and its parts; None for what is withheld."""

    total: int | None
    parts: dict[str, int | None]


def few(count: int) -> bool:
    """Whether a count of people is not said."""
    return 0 < count < FEWEST


def said(parts: Mapping[str, int]) -> Said:
    """What may be said of counts of people and of their sum, side by side."""
    total = sum(parts.values())
    hidden = {name for name, count in parts.items() if few(count)}
    others = sorted((name for name, count in parts.items() if count >= FEWEST), key=lambda name: (parts[name], name))
    shown = not few(total)
    while shown and _given_away(parts, hidden):
        if others:
            hidden.add(others.pop(0))
        else:
            shown = False
    return Said(total if shown else None, {name: None if name in hidden else n for name, n in parts.items()})


def _given_away(parts: Mapping[str, int], hidden: set[str]) -> bool:
    """Whether the sum of what is hidden leaves one of the small counts a single value."""
    small = sum(1 for name in hidden if few(parts[name]))
    large, rest = len(hidden) - small, sum(parts[name] for name in hidden)
    if not small:
        return False
    most = FEWEST - 1
    highest = min(most, rest - (small - 1) - large * FEWEST)
    lowest = 1 if large else max(1, rest - (small - 1) * most)
    return lowest >= highest
