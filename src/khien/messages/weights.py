"""What signs and words weigh: read from the table that generate/tricks.py makes."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from khien.errors import ConfigError

_WEIGHT = re.compile(r"-?\d{1,3}\.\d\d", re.ASCII)


class Weights(NamedTuple):
    """What each adds to the log-odds of a message. signs: the terms of ``judge``; words: what ``evidence`` meets."""

    signs: Mapping[str, float]
    words: Mapping[str, float]


def read(document: bytes) -> Weights:
    """Weights of a table of rows ``sign|word <tab> term <tab> weight``. ConfigError: a row is not of that form, or a
    second of its term."""
    kinds: dict[str, dict[str, float]] = {"sign": {}, "word": {}}
    for number, line in enumerate(document.decode(errors="replace").splitlines(), 1):
        kind, _, rest = line.partition("\t")
        term, _, weight = rest.partition("\t")
        if kind not in kinds or term in kinds[kind] or not _WEIGHT.fullmatch(weight):
            raise ConfigError(f"weights of messages, line {number}: {line[:60]!r} is no sign or word and a weight")
        kinds[kind][term] = float(weight)
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
