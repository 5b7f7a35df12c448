"""The row `rights`: what is listed of names of lawful speech that have protected names in them.

The corpus (tests/data/rights.tsv) is of invented names of complaint, parody, news, criticism and the like. Of each the
detector of imitations says what it says; that and a partner's word is all there is about a name, so every proposal that
can be made of it is made, under every harm, conduct and unit, with a digest of something beside it.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import get_args

import msgspec
import pyarrow as pa
from _rows import Bar, Row

from khien import canon, schema
from khien.app import registers
from khien.engines.embedded import Embedded
from khien.errors import ListingError
from khien.listing import judge, propose
from khien.model import Conduct, Harm, Listing, Reason, Text, Unit
from khien.names.owners import registrable

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "rights.tsv"
BAR = Bar(1, "listings", under=True)
AT = datetime(2026, 11, 22, tzinfo=UTC)
HARMS = ("disinformation", "defamation", "propaganda", *get_args(Harm))


def rights(_quick: bool = False) -> Iterator[Row]:
    """One row."""
    with CORPUS.open(encoding="utf-8", newline="") as file:
        names = [each["domain"] for each in csv.DictReader(file, delimiter="\t")]
    detector = registers.lookalike()
    rows = pa.record_batch({"name": names, "seen_at": [AT] * len(names)}, schema=schema.NAMES)
    batches = Embedded().run(detector, pa.RecordBatchReader.from_batches(schema.NAMES, [rows]))
    found = {each["subject"]: each["reasons"] for batch in batches for each in batch.to_pylist()}
    known, tried, listed = registers.known(detector.register), 0, 0
    for name in names:
        why = found.get(canon.domain(name), ())
        reasons = tuple(Reason(code=each["code"], params=dict(each["params"])) for each in why)
        for proposal in proposals(name, reasons):
            tried += 1
            try:
                judge(proposal, known, AT)
                listed += 1
            except ListingError:
                pass
    how = f"{tried:,} proposals of {len(names)} names, {len(found)} of which the detector finds: all that a name tells"
    yield Row("lawful speech that is listed", BAR, listed, f"{listed} listings", how)


def proposals(name: str, reasons: tuple[Reason, ...]) -> Iterator[Listing]:
    """Everything that a name and what is found of it can be made into."""
    nothing = Text(vi="", en="")
    for unit, harm, conduct in product(get_args(Unit), HARMS, ((), *((each,) for each in get_args(Conduct)))):
        host = canon.domain(name)
        listing = propose(
            unit, registrable(host) if unit == "domain" else host, at=AT, until=AT + timedelta(days=30), harm=harm,
            conduct=conduct, evidence="ab" * 32, note=nothing, reasons=reasons, finding="f", site="registered-for-harm",
        )  # fmt: skip
        yield msgspec.structs.replace(listing, by=("lan", "mai"))
