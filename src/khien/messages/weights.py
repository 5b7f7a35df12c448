"""What signs and words weigh: read from the table that generate/tricks.py makes."""

from collections.abc import Mapping
from typing import NamedTuple

from khien.errors import ConfigError


class Weights(NamedTuple):
    """What each adds to the log-odds of a message. signs: the terms of ``judge``; words: what ``evidence`` meets."""

    signs: Mapping[str, float]
    words: Mapping[str, float]


def read(document: bytes) -> Weights:
    """Weights of a table of rows ``sign|word <tab> term <tab> weight``. ConfigError: a row is not of that form."""
    kinds: dict[str, dict[str, float]] = {"sign": {}, "word": {}}
    for number, line in enumerate(document.decode(errors="replace").splitlines(), 1):
        kind, _, rest = line.partition("\t")
        term, _, weight = rest.partition("\t")
        try:
            kinds[kind][term] = float(weight)
        except (KeyError, ValueError):
            raise ConfigError(
                f"weights of messages, line {number}: {line[:60]!r} is no sign or word and a weight"
            ) from None
    return Weights(kinds["sign"], kinds["word"])


def written(weights: Weights) -> bytes:
    """The table of weights; what comes to nought at two decimals is left out."""
    rows = (
        f"{kind}\t{term}\t{weight:.2f}\n"
        for kind, some in zip(("sign", "word"), weights, strict=True)
        for term, weight in sorted(some.items())
        if round(weight, 2)
    )
    return "".join(rows).encode()
