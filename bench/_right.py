"""Being right: a day of names in which few imitate, through the real detector and the real triage.

The names are real; what others state about them is a model, its rates stated. Benign names and imitations resolve, take
mail, are fresh and have certificates equally often: only lists, reports and titles tell them apart. Nothing is drawn
for a site as a whole: each host has its own luck, so that a benign site with many hosts is many chances to be wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from _lists import Labelled, labelled, names
from _rows import Bar, Row

from khien import schema
from khien.app import registers
from khien.model import Asset, Constituent, Delivery, Evidence, Finding, Hearing, Notice, Proof, ProtectedName
from khien.triage import decide, evidence, life

DAY = datetime(2026, 1, 1, tzinfo=UTC)
NAMES, QUICK = 12_000_000, 1_200_000
REAL = 25  # imitations of a day
SEEDS, FEW_SEEDS = (1, 2, 3, 4, 5), (1,)
BENIGN = ("benign.txt.zst", "ct_stream.tsv.zst", "nrd_newest.txt.zst")
BRANDS = 3  # of a constituent

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

_BATCH = 200_000
_HOSTS = 500  # addresses that sites of both kinds share: some are at the same by chance


class Rates(NamedTuple):
    """How often something is stated, by the end of the day, of names that imitate and of those that do not."""

    imitations: float
    benign: float


EQUAL = {"resolves": 0.85, "mail": 0.45, "fresh name": 0.55, "fresh certificate": 0.9, "page answers": 0.9}
RATES = {
    "listed": Rates(0.7, 1 / 2_000),  # 47 to 83 % within 12 hours; none of 15,345 (Sheng et al., CEAS 2009)
    "reported": Rates(0.25, 1 / 2_000),
    "titled": Rates(0.75, 1 / 100),  # of the pages that answer
}
OTHERS = {  # harder days: how often something is stated is what we know least
    "fewer lists and reports": RATES | {"listed": Rates(0.5, 1 / 2_000), "reported": Rates(0.1, 1 / 2_000)},
    "fewer titles": RATES | {"titled": Rates(0.5, 1 / 100)},
    "worse lists and reports": RATES | {"listed": Rates(0.7, 1 / 500), "reported": Rates(0.25, 1 / 500)},
    "worse titles": RATES | {"titled": Rates(0.75, 1 / 30)},
    "no lists": RATES | {"listed": Rates(0, 0)},
}


class Day(NamedTuple):
    """The findings of a day that nothing suppresses, and of each imitation among its names the brand."""

    seed: int
    found: list[Finding]
    truth: Mapping[str, str]


class Told(NamedTuple):
    """What came of a day: notices, and those that are right; imitations that were told to whom they imitate.

    most: notices that one constituent got; sent: deliveries. The three brands imitated most are one constituent's, the
    next three another's, and so on.
    """

    notices: int
    right: int
    told: int
    most: int
    sent: int

    @property
    def share(self) -> float:
        """How many in a hundred notices are right."""
        return 100 * self.right / max(self.notices, 1)


HEADER = ("day", "notices", "right", "told", "most to one", "deliveries")
_OTHERS = ("rates", "right, of the notices", f"told, of {REAL}")


def measured(lists: Path, positives: Path, quick: bool) -> tuple[list[Row], list[Table]]:
    """The rows with a bar, each the worst of several days; a table of the days, and one of harder ones."""
    rows = QUICK if quick else NAMES
    base = [name for each in BENIGN for name in names(lists / each)]
    real = labelled(positives)
    days = [_day(base, real, rows, seed) for seed in (FEW_SEEDS if quick else SEEDS)]
    came = [outcome(day, RATES) for day in days]
    stated = ", ".join(f"{name} {each.imitations:.0%} and {each.benign:.2%}" for name, each in RATES.items())
    equal = ", ".join(f"{name} {each:.0%}" for name, each in EQUAL.items())
    how = (
        f"the worst of {len(days)} days of {rows:,} benign names and {REAL} of {positives.name}, drawn by seed; a"
        f" model: of imitations and benign names {stated}; of both {equal}"
    )
    right, told = ([each.share for each in came], [each.told for each in came])
    most = max(each.most for each in came)
    beside = "in the same days"
    said = "{:.0f}{} at the worst, {:.1f}{} on average".format
    few = f"{beside}; the three brands that were imitated most are one constituent's"
    made = [
        Row("right, of the notices", Bar(50, "%"), min(right), said(min(right), " %", np.mean(right), " %"), how),
        Row(f"told, of {REAL} imitations", Bar(18, ""), min(told), said(min(told), "", np.mean(told), ""), beside),
        Row(f"notices to one with {BRANDS} brands", Bar(6, "", under=True), most, f"{most} at most", few),
    ]
    lines = [(f"seed {day.seed}", *map(str, each)) for day, each in zip(days, came, strict=True)]
    harder = [(name, *_means([outcome(day, rates) for day in days])) for name, rates in OTHERS.items()]
    return made, [("Being right, day by day", HEADER, lines), ("The same days, means at other rates", _OTHERS, harder)]


def _means(came: Sequence[Told]) -> tuple[str, str]:
    return f"{np.mean([each.share for each in came]):.0f} %", f"{np.mean([each.told for each in came]):.1f}"


def _day(base: Sequence[str], real: Sequence[Labelled], rows: int, seed: int) -> Day:
    some = Random(seed).sample(real, REAL)
    return Day(seed, list(findings(base, some, rows, seed)), {each.host: each.brand for each in some})


def outcome(day: Day, rates: Mapping[str, Rates]) -> Told:
    """What comes of a day through triage, at such rates."""
    protected = {each.id: each for each in registers.load().names}
    often = [brand for brand, _ in Counter(day.truth.values()).most_common()]
    others = Random(day.seed).sample(sorted(protected.keys() - often), len(protected) - len(often))
    owners = {brand: f"{at // BRANDS}" for at, brand in enumerate((*often, *others))}
    notices, sent = triaged(day, rates, protected, owners)
    meant = {each.id: each.subject for each in day.found if day.truth.get(each.subject) == each.claim}
    told = {each.finding for notice in notices for each in notice.subjects} & meant.keys()
    return Told(
        notices=len(notices),
        right=sum(2 * sum(each.finding in meant for each in n.subjects) >= len(n.subjects) for n in notices),
        told=len({meant[each] for each in told}),
        most=max(Counter(each.constituent for each in notices).values(), default=0),
        sent=len(sent),
    )


def findings(base: Sequence[str], real: Sequence[Labelled], rows: int, seed: int) -> Iterator[Finding]:
    """The findings of a day that nothing suppresses, in the order of time.

    The lists come once as they are, then again and again with another first label, drawn from those they have.
    """
    draw = np.random.default_rng(seed)
    every = pa.array(base, pa.string())
    labels = pa.array([name.partition(".")[0] for name in base if name.count(".") > 1], pa.string())
    places = set(draw.choice(rows, len(real), replace=False).tolist())
    inserted = dict(zip(sorted(places), (each.host for each in real), strict=True))
    detector = registers.lookalike()
    for start in range(0, rows, _BATCH):
        count = min(_BATCH, rows - start)
        at = pa.array(draw.integers(0, len(every), count) if start >= len(every) else _plain(start, count, len(every)))
        some = every.take(at)
        if start >= len(every):
            front = labels.take(pa.array(draw.integers(0, len(labels), count)))
            some = pc.binary_join_element_wise(front, some, ".")
        hosts = [inserted[place] for place in range(start, start + count) if place in inserted]
        some = pa.concat_arrays([some, pa.array(hosts, pa.string())])
        seen = pa.repeat(pa.scalar(DAY + (start / rows) * timedelta(days=1), schema.TIME), len(some))
        batch = detector(pa.record_batch([some, seen], schema=detector.reads))
        yield from life.findings([batch.filter(pc.invert(batch["suppressed"]))], source="ct", at=seen[0].as_py())


def _plain(start: int, count: int, size: int) -> np.ndarray:
    return np.arange(start, start + count) % size


def triaged(
    day: Day, rates: Mapping[str, Rates], protected: Mapping[str, ProtectedName], owners: Mapping[str, str]
) -> tuple[list[Notice], list[Delivery]]:
    """The notices and deliveries of a day; owners: the constituent of each protected name."""
    chance = Random(day.seed)
    heard = Hearing(channel="mail", address="soc@example.vn")
    who = {each: Constituent(id=each, label=each, hears=(heard,)) for each in set(owners.values())}
    notices: dict[str, dict[str, Notice]] = defaultdict(dict)
    deliveries: dict[str, dict[str, Delivery]] = defaultdict(dict)
    stated: list[tuple[datetime, Finding, list[Evidence]]] = []
    for finding in day.found:
        which = {name: each[finding.subject not in day.truth] for name, each in rates.items()}
        early, late, delay = facts(finding, which, protected[finding.claim], chance)
        if evidence.asks(finding) or late:
            stated.append((finding.raised, finding, early if evidence.asks(finding) else []))
        if late:
            stated.append((finding.raised + delay, finding, [*stated[-1][-1], *late]))
    proof = Proof(how="officer", at=DAY)
    for at, finding, said in sorted(stated, key=lambda each: each[0]):
        owner = who[owners[finding.claim]]
        asset = Asset(id="a", kind="brand", value=finding.claim, constituent=owner.id, proof=proof)
        theirs = tuple(notices[owner.id].values())
        sent = tuple(each for notice in theirs for each in deliveries[notice.id].values())
        situation = decide.Situation(finding, tuple(said), (owner,), theirs, sent, protected[finding.claim], (asset,))
        for record in decide.decide(situation, at):
            if isinstance(record, Notice):
                notices[owner.id][record.id] = record
            else:
                deliveries[record.about][record.id] = record
    sent = [each for of in deliveries.values() for each in of.values() if each.state != "withdrawn"]
    told = {each.about for each in sent}
    return [each for of in notices.values() for each in of.values() if each.id in told], sent


def facts(
    finding: Finding, rates: Mapping[str, float], protected: ProtectedName, chance: Random
) -> tuple[list[Evidence], list[Evidence], timedelta]:
    """What is stated of a finding when it is asked about, and later in the day, and how much later that is."""
    at = finding.raised
    has = {name: chance.random() < rate for name, rate in EQUAL.items()}
    tells = {name: chance.random() < rate for name, rate in rates.items()}
    delay = chance.random() * (DAY + timedelta(days=1) - at)
    address = f"2001:db8::{chance.randrange(_HOSTS):x}"
    created = at - timedelta(days=chance.randrange(1, 30) if has["fresh name"] else chance.randrange(90, 3_000))
    title = f"{protected.label} - Đăng nhập" if tells["titled"] else "Trang chủ"

    def said(topic: str, code: str, **params: str) -> Evidence:
        known = evidence.parameters(topic, code) or ()
        return Evidence(
            id=schema.evidence_id(finding.subject, topic, "model"), subject=finding.subject, topic=topic, code=code,
            source="model", since=at, at=at, params=dict.fromkeys(known, "") | params,
        )  # fmt: skip

    early = [
        said("resolution", "resolves", addresses=address) if has["resolves"] else said("resolution", "unknown"),
        said("mail", "mail", hosts="mx.example.com") if has["mail"] else said("mail", "no-mail"),
        said("registration", "registered", domain=finding.subject, created=created.isoformat(), registrar="R"),
        said("page", "answers", status="200", title=title) if has["page answers"] else said("page", "unanswered"),
    ]
    if has["fresh certificate"]:
        early.append(said("certificate", "certified", issuer="CA", not_before=at.isoformat()))
    late = [said("list/model", "listed", list="model", harm="fraud")] if tells["listed"] else []
    late += [said("report", "reported", count="1", channel="mail")] if tells["reported"] else []
    return early, late, delay
