"""The rows `rights`: what is listed of names of lawful speech that have protected names in them, and as many names of
scams beside them, so that a nought is the rules' and not an empty try's.

The corpus (tests/data/rights.tsv) is of invented names of complaint, parody, news, criticism and the like. Of each the
detector of imitations says what it says; that and a partner's word is all there is about a name, so every proposal that
can be made is made, under every harm, conduct and unit, with a digest of something beside it; without a statement,
and with one that speaks of what people say. The control are made-up names of scams, ``otp-`` before each of those: with
an officer's statement of what the page does, all are listed. Not shown: an officer who lies about what a page does. The
owner's objection and the public log are against that.
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
from khien.listing import Known, judge, propose
from khien.model import Conduct, Harm, Listing, Reason, Text, Unit
from khien.names.owners import registrable

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "rights.tsv"
BAR = Bar(1, "listings", under=True)
CONTROL = Bar(100, "%")
SPEECH = Text(vi="Trang này nói xấu ngân hàng, lãnh đạo.", en="The page defames a bank and its leaders.")
CONDUCT = Text(vi="Trang hỏi mã OTP.", en="The page asks for one-time codes.")
NOTHING = Text(vi="", en="")
AT = datetime(2026, 11, 22, tzinfo=UTC)
HARMS = ("disinformation", "defamation", "propaganda", *get_args(Harm))


def rights(_quick: bool = False) -> Iterator[Row]:
    """Two rows."""
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
            listed += _stands(proposal, known)
    how = (
        f"{tried:,} proposals of {len(names)} names, {len(found)} of which the detector finds: all that a name tells,"
        " and a statement about speech; not a statement that lies about what the page does"
    )
    yield Row("lawful speech that is listed", BAR, listed, f"{listed} listings", how)
    scams = [phishing(name) for name in names]
    stand = sum(_stands(each, known) for each in scams)
    how = (
        f"the control: {len(scams)} made-up names of scams, proposed by two, with conduct, digest and a statement of it"
    )
    share = 100 * stand / len(scams)
    yield Row("scams that are listed by the same rules", CONTROL, share, f"{share:.1f} %", how)


def phishing(name: str) -> Listing:
    """The same kind of proposal for a name of a scam, with what an officer states of its conduct."""
    host = f"otp-{canon.domain(name).partition('.')[0]}.example"
    listing = propose(
        "host", host, at=AT, until=AT + timedelta(days=30), harm="fraud", conduct=("form",), evidence="ab" * 32,
        note=CONDUCT, site="unclear",
    )  # fmt: skip
    return msgspec.structs.replace(listing, by=("lan", "mai"))


def _stands(listing: Listing, known: Known) -> bool:
    """Whether the rules list it."""
    try:
        return judge(listing, known, AT).state == "listed"
    except ListingError:
        return False


def proposals(name: str, reasons: tuple[Reason, ...]) -> Iterator[Listing]:
    """Everything that a name and what is found of it can be made into."""
    conducts = ((), *((each,) for each in get_args(Conduct)))
    for unit, harm, conduct, note in product(get_args(Unit), HARMS, conducts, (NOTHING, SPEECH)):
        host = canon.domain(name)
        listing = propose(
            unit, registrable(host) if unit == "domain" else host, at=AT, until=AT + timedelta(days=30), harm=harm,
            conduct=conduct, evidence="ab" * 32, note=note, reasons=reasons, finding="f", site="registered-for-harm",
        )  # fmt: skip
        yield msgspec.structs.replace(listing, by=("lan", "mai"))
