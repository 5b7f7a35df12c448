"""Flows in, floods out: one finding a flood from its first bin to its seal, and nothing of anybody else."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from khien import schema
from khien.contracts import Seen
from khien.detectors.flood import Flood
from khien.flows import judge
from khien.flows.baseline import ENOUGH
from khien.flows.floors import OURS, Floors
from khien.flows.watch import Watch
from khien.folds.baselines import Baselines
from khien.folds.flowcounts import FlowCounts
from khien.model import Finding
from khien.triage import life
from tests.flows.rows import HOST, SECOND, SLASH20, SLASH24, START, batch, flood, flow, packed

VICTIM = "198.51.100.7"
NOON = datetime.fromtimestamp(START, UTC)
Rows = list[dict[str, Any]]


def watching(floors: Floors = OURS, customers: tuple[str, ...] = (), **settings: Any) -> Watch:
    detector = Flood(floors)

    def detect(rows: pa.RecordBatch, beside: Mapping[str, pa.Table]) -> Iterable[pa.RecordBatch]:
        return [detector(rows, **beside)]

    return Watch(detect, FlowCounts(customers), Baselines(), floors, **settings)


def taken(watch: Watch, rows: Rows, every: int = SECOND // 2) -> list[Seen]:
    """Rows in the order in which they end, as a router sends them, a page each so many microseconds."""
    pages: dict[int, Rows] = {}
    for row in rows:
        pages.setdefault(row["last"] // every, []).append(row)
    return [watch.take(batch(*pages[page])) for page in sorted(pages)]


def rows_of(seen: Iterable[Seen]) -> Rows:
    """Every revision of every finding, in the order in which they came."""
    return [row for each in seen for findings in each.findings for row in findings.to_pylist()]


def table(seen: Iterable[Seen], name: str) -> Rows:
    return [row for each in seen if name in each.tables for row in each.tables[name].to_pylist()]


def watched(rows: Rows, **settings: Any) -> tuple[list[Seen], dict[str, Finding]]:
    """What a stream came to: all that was seen, and the findings as they stand in the end, by subject."""
    watch = watching(**settings)
    seen = [*taken(watch, rows), watch.finish()]
    batches = [findings for each in seen for findings in each.findings]
    last = life.findings(batches, source="", at=NOON)
    assert len({each.subject for each in last}) == len(last), "one finding a flood"
    return seen, {each.subject: each for each in last}


def quiet(seconds: int, begin: int = 0, target: str = "192.0.2.99", rate: int = 50) -> Rows:
    """Ordinary traffic to somebody else: what lets time pass."""
    return flood(target, "ack", begin=begin, seconds=seconds, rate=rate, senders=5)


def codes(row: Mapping[str, Any]) -> set[str]:
    return {reason["code"] for reason in row["reasons"]}


def test_a_flood_is_one_finding_from_its_first_bin_to_its_seal() -> None:
    attack = flood(VICTIM, begin=5, seconds=20, rate=12_000, senders=200)
    seen, found = watched(quiet(100) + attack)
    assert list(found) == [VICTIM]
    finding = found[VICTIM]
    assert (finding.kind, finding.claim, finding.techniques) == ("address", "flood", ("syn",))
    assert (finding.start, finding.end) == (NOON.replace(second=5), NOON.replace(second=24))
    assert finding.measures["packets"] == pytest.approx(12_000, rel=0.01)
    assert finding.measures["bits"] == pytest.approx(12_000 * 60 * 8, rel=0.01)
    assert finding.measures["sources"] == pytest.approx(200, rel=0.05)
    revisions = rows_of(seen)
    assert len(revisions) > 5, "it is told while it lasts"
    assert len({row["id"] for row in revisions}) == 1
    assert {row["episode"] for row in revisions} == {NOON.replace(second=5)}


def test_it_is_told_while_it_begins() -> None:
    watch = watching()
    attack = flood(VICTIM, begin=5, seconds=10, rate=12_000)
    for second in range(5, 10):
        here = [row for row in attack if row["first"] // SECOND == START + second]
        if rows_of(taken(watch, quiet(1, second) + here)):
            break
    assert second == 5, "twelve times the floor: in the first second"
    (row, *_) = rows_of([watch.finish()]) or [{}]
    assert row.get("subject", VICTIM) == VICTIM


def test_sealed_once_and_without_single_sources() -> None:
    watch = watching()
    seen = taken(watch, quiet(200) + flood(VICTIM, begin=5, seconds=10))
    revisions = rows_of(seen)
    live, sealed = revisions[:-1], revisions[-1]
    assert all("flood-heaviest" in codes(row) for row in live[1:])
    assert codes(sealed) == codes(live[-1]) - {"flood-heaviest"}
    assert "203.0.0.1" in repr(live[-1])
    assert "203.0.0.1" not in repr(sealed)
    assert "203.0.0.0/24" in repr(sealed), "networks stay"
    assert rows_of([watch.finish()]) == []


def test_another_flood_of_the_same_host_after_a_pause_is_another_finding() -> None:
    watch = watching()
    attacks = flood(VICTIM, begin=5, seconds=10) + flood(VICTIM, begin=15 + judge.QUIET + 20, seconds=5)
    revisions = rows_of([*taken(watch, quiet(140) + attacks), watch.finish()])
    assert len({row["id"] for row in revisions}) == 2
    assert {row["episode"].timestamp() - START for row in revisions} == {5, 95}
    assert [codes(row).isdisjoint({"flood-heaviest"}) for row in revisions].count(True) >= 2


def test_a_short_pause_is_the_same_flood() -> None:
    attacks = flood(VICTIM, begin=5, seconds=10) + flood(VICTIM, begin=45, seconds=5, rate=30_000)
    _, found = watched(quiet(120) + attacks)
    assert (found[VICTIM].start, found[VICTIM].end) == (NOON.replace(second=5), NOON.replace(second=49))
    assert found[VICTIM].measures["packets"] == pytest.approx(30_000, rel=0.01)


def test_an_episode_is_not_moved_by_what_comes_late_and_earlier() -> None:
    watch = watching()
    attack = flood(VICTIM, begin=20, seconds=10)
    seen = taken(watch, quiet(31) + attack)
    late = flood(VICTIM, begin=10, seconds=10)
    seen += [watch.take(batch(*late)), *taken(watch, quiet(2, 31)), watch.finish()]
    revisions = rows_of(seen)
    assert {row["episode"] for row in revisions} == {NOON.replace(second=20)}
    assert len({row["id"] for row in revisions}) == 1
    assert revisions[-1]["start"] == NOON.replace(second=10)


def test_many_vectors_are_one_flood() -> None:
    attack = flood(VICTIM, "syn", begin=5, seconds=10) + flood(VICTIM, "ntp", begin=7, seconds=10, size=468)
    _, found = watched(quiet(100) + attack)
    assert set(found[VICTIM].techniques) == {"syn", "ntp"}
    assert found[VICTIM].techniques[0] == "ntp", "most first"
    assert found[VICTIM].end == NOON.replace(second=16)


def test_spread_over_a_prefix_it_is_a_flood_of_the_prefix() -> None:
    attack: Rows = []
    for host in range(64):  # each at under half of its floor
        attack += flood(f"198.51.100.{host}", begin=5, seconds=10, rate=400, senders=10)
    seen, found = watched(quiet(100) + attack)
    assert set(found) == {"198.51.100.0/24"}
    finding = found["198.51.100.0/24"]
    assert finding.kind == "network"
    assert "flood-carpet" in {reason.code for reason in finding.reasons}
    assert finding.measures["packets"] == pytest.approx(64 * 400, rel=0.01)
    begins = min(row["episode"] for row in rows_of(seen))
    assert (begins - NOON).total_seconds() <= 5 + 2


def test_beside_a_flooded_host_its_prefix_is_not_flooded() -> None:
    _, found = watched(quiet(100) + flood(VICTIM, begin=5, seconds=10, rate=200_000))
    assert set(found) == {VICTIM}


def answers_to(attack: Rows) -> Rows:
    return [
        {**flow(vector="rst", packets=row["packets"]), "source": row["target"], "target": row["source"],
         "first": row["first"], "last": row["last"]}
        for row in attack
    ]  # fmt: skip


def test_what_a_flooded_host_answers_is_no_flood_of_who_floods_it() -> None:
    attack = flood(VICTIM, begin=5, seconds=10, rate=40_000, senders=1)
    assert set(watched(quiet(100) + attack + answers_to(attack))[1]) == {VICTIM}
    assert set(watched(quiet(100) + answers_to(attack))[1]) == {"203.0.0.0"}, "unasked, they are one"


def test_nor_of_those_whose_addresses_it_forged() -> None:
    """Forged sources lie close together here: together they get as much as a flooded prefix."""
    attack = flood(VICTIM, begin=5, seconds=10, rate=400_000, senders=200)
    assert set(watched(quiet(100) + attack + answers_to(attack))[1]) == {VICTIM}
    assert set(watched(quiet(100) + answers_to(attack))[1]) == {"203.0.0.0/24"}


def test_customers_prefixes_are_watched_as_a_whole() -> None:
    attack: Rows = []
    for host in range(128, 256):
        attack += flood(f"198.51.100.{host}", begin=5, seconds=8, rate=200, senders=20)
    floors = Floors(wide=(4000.0, 8000.0, 16.0))
    assert watched(quiet(80) + attack, floors=floors)[1] == {}
    _, found = watched(quiet(80) + attack, floors=floors, customers=("198.51.100.128/25",))
    assert set(found) == {"198.51.100.128/25"}


def test_networks_at_home_that_take_part_are_told_of_while_it_goes_on() -> None:
    attack = flood(VICTIM, begin=5, seconds=10, rate=30_000, senders=300)  # 203.0.0.0 and up: 256 of them at home
    watch = watching(home=("203.0.0.0/20", "198.51.100.0/24"))
    revisions = rows_of([*taken(watch, quiet(100) + attack), watch.finish()])
    victims = [row for row in revisions if row["claim"] == judge.FLOOD]
    parts = [row for row in revisions if row["claim"] == judge.TAKES_PART]
    assert {row["subject"] for row in victims} == {VICTIM}
    assert {row["subject"] for row in parts} <= {"203.0.0.0/24", "203.0.1.0/24", "203.0.0.0/20"}
    assert parts
    assert {row["episode"] for row in parts} == {row["episode"] for row in victims}
    assert any("203.0.0.1" in repr(row) for row in parts), "whom to clean"
    last = {row["subject"]: row for row in parts}
    assert all("home-devices" not in codes(row) for row in last.values()), "and it is over"
    assert not [row for row in rows_of(watched(quiet(100) + attack)[0]) if row["claim"] == judge.TAKES_PART]


def test_sampled_rates_come_with_their_error() -> None:
    attack = flood(VICTIM, begin=5, seconds=20, rate=40_000, senders=20, sampling=100)
    _, found = watched(quiet(100) + attack)
    finding = found[VICTIM]
    assert finding.measures["error"] == pytest.approx((40_000 * 99) ** 0.5, rel=0.05)
    assert "flood-sampled" in {reason.code for reason in finding.reasons}
    _, found = watched(quiet(100) + flood(VICTIM, begin=5, seconds=2, rate=4000, senders=4, sampling=4000))
    assert found == {}, "a sampled packet or two a second say nothing"


def test_long_flows_are_no_burst() -> None:
    """A thousand flows that end within a second: 20,000 packets then, but a third of a thousand a second in truth."""
    life = {"life": 60 * SECOND, "packets": 20}
    rows = [flow(VICTIM, source=f"203.0.113.{n % 200}", first=n * 1000, **life) for n in range(1000)]
    assert watched(rows + quiet(90))[1] == {}


@pytest.mark.parametrize("every", [SECOND // 10, SECOND, 3 * SECOND, 1000 * SECOND])
def test_pages_of_any_size_find_the_same_flood(every: int) -> None:
    rows = quiet(150) + flood(VICTIM, begin=30, seconds=20)
    watch = watching()
    seen = [*taken(watch, rows, every), watch.finish()]
    (finding,) = life.findings([each for one in seen for each in one.findings], source="", at=NOON)
    assert (finding.subject, finding.start, finding.end) == (
        VICTIM,
        NOON.replace(second=30),
        NOON.replace(second=49),
    )


def test_a_flood_known_from_before_goes_on_under_its_id() -> None:
    watch = watching()
    before = rows_of(taken(watch, quiet(15) + flood(VICTIM, begin=5, seconds=10)))[-1]
    known = [life.row(each) for each in life.findings(
        [pa.RecordBatch.from_pylist([before], schema.FINDINGS)], source="", at=NOON
    )]  # fmt: skip
    after = watching(known=known)
    revisions = rows_of([*taken(after, quiet(100, 16) + flood(VICTIM, begin=16, seconds=10)), after.finish()])
    assert {row["id"] for row in revisions} == {before["id"]}
    assert {row["start"] for row in revisions} == {NOON.replace(second=5)}
    assert revisions[-1]["end"] == NOON.replace(second=25)
    alone = watching(known=known)
    sealed = rows_of([*taken(alone, quiet(100, 16)), alone.finish()])
    assert [row["id"] for row in sealed] == [before["id"]], "it is sealed even when nothing more comes"
    assert "flood-heaviest" not in codes(sealed[0])


def test_a_capture_that_is_shorter_than_a_second() -> None:
    watch = watching(whole=True)
    rows = [
        flow(VICTIM, "ntp", source=f"203.0.113.{n % 200}", first=n * 50, packets=1, size=468) for n in range(4000)
    ]  # 4000 packets in 0.2 s
    assert rows_of([watch.take(batch(*rows[:2000])), watch.take(batch(*rows[2000:]))]) == []
    (row,) = {row["id"]: row for row in rows_of([watch.finish()])}.values()
    assert row["subject"] == VICTIM
    assert dict(row["measures"])["packets"] == pytest.approx(20_000, rel=0.02)


def test_nothing_at_all() -> None:
    for whole in (False, True):
        watch = watching(whole=whole)
        assert watch.take(batch()) == Seen()
        assert rows_of([watch.finish()]) == []


def everything(seen: Iterable[Seen]) -> str:
    return repr([(rows_of([each]), [rows.to_pylist() for rows in each.tables.values()]) for each in seen])


def test_nobody_outside_of_a_flood_is_in_what_leaves_the_watch() -> None:
    attack = flood(VICTIM, begin=5, seconds=10)
    others = [
        flow(f"192.0.2.{n % 50}", "ack", source=f"100.64.{n % 200}.{n % 250}", first=n * 10_000, life=5 * SECOND)
        for n in range(8000)
    ]
    beside = [flow(VICTIM, "ack", source="100.65.1.1", first=n * 10_000) for n in range(2000)]
    seen, found = watched(quiet(100) + attack + others + beside)
    assert set(found) == {VICTIM}
    told = everything(seen)
    for each in ("100.64.", "100.65.", "192.0.2.", "192.0.2.99"):
        assert each not in told
    for row in others + beside:
        assert repr(row["source"]) not in told
    written = table(seen, "flood_rates")
    assert {row["finding"] for row in written} == {found[VICTIM].id}
    assert all(set(row) == set(schema.FLOOD_RATES.names) for row in written)
    assert {row["scope"] for row in table(seen, "baselines")} <= {SLASH24, SLASH20}


def test_rates_of_a_flood_are_written_down_once() -> None:
    seen, found = watched(quiet(100) + flood(VICTIM, begin=5, seconds=10))
    written = [row for row in table(seen, "flood_rates") if row["vector"] == "syn"]
    seconds = [int(row["second"].timestamp()) - START for row in written]
    assert seconds == list(range(5, 15))
    for row in written:
        assert row["packets"] == pytest.approx(10_000, rel=0.01)
        assert row["finding"] == found[VICTIM].id


def test_usual_is_learnt_and_what_is_usual_is_no_flood() -> None:
    """A prefix of resolvers that is used to much DNS: a host of it that gets nearly three floors is no flood there."""
    busy = Floors(packets={"dns": 1000.0})
    rates = [
        {"second": (START - 86_400 * (1 + n // 3600) + n % 3600) * SECOND,
         "scope": SLASH24, "prefix": packed("198.51.100.0"), "vector": 12, "packets": 3000.0, "bytes": 0.0,
         "noise": 0.0, "seen": 1.0}
        for n in range(2 * int(ENOUGH))
    ]  # fmt: skip
    learnt = Baselines()(pa.RecordBatch.from_pylist(rates, schema.RATES))
    attack = flood(VICTIM, "dns", begin=5, seconds=10, rate=2800)
    assert set(watched(quiet(60) + attack, floors=busy)[1]) == {VICTIM}
    assert watched(quiet(60) + attack, floors=busy, baselines=[learnt])[1] == {}
    _, found = watched(quiet(60) + flood(VICTIM, "dns", begin=5, seconds=10, rate=90_000), floors=busy,
                       baselines=[learnt])  # fmt: skip
    assert "flood-usual" in {reason.code for reason in found[VICTIM].reasons}


def test_baselines_leave_floods_and_hosts_out() -> None:
    busy = flood("198.51.101.5", "udp", seconds=190, rate=4000, senders=4)
    attack = flood(VICTIM, "udp", begin=20, seconds=100, rate=60_000, senders=20)
    seen, found = watched(busy + attack)
    assert set(found) == {VICTIM}
    settled = table(seen, "baselines")
    assert settled
    assert HOST not in {row["scope"] for row in settled}
    assert packed("198.51.101.0") in {row["prefix"] for row in settled}
    assert packed("198.51.100.0") not in {row["prefix"] for row in settled}
    whole = sum(row["seconds"] for row in settled if row["scope"] == SLASH24)
    assert 100 <= whole <= 190, "each second once"


def test_few_sources_of_syn_are_a_scan() -> None:
    rate = int(OURS.of(HOST, "syn")[0]) * 3
    assert watched(quiet(60) + flood(VICTIM, begin=5, seconds=10, rate=rate, senders=3))[1] == {}
    assert set(watched(quiet(60) + flood(VICTIM, begin=5, seconds=10, rate=rate, senders=100))[1]) == {VICTIM}


def test_two_floods_at_a_time() -> None:
    attacks = flood(VICTIM, begin=5, seconds=10) + flood("2001:db8::7", "udp", begin=8, seconds=10, rate=90_000)
    _, found = watched(quiet(100) + attacks)
    assert set(found) == {VICTIM, "2001:db8::7"}


def test_who_forges_a_flooded_hosts_address_hides_no_flood() -> None:
    attack = flood(VICTIM, begin=5, seconds=10, rate=40_000)
    forged = [{**row, "source": packed(VICTIM)} for row in flood("192.0.2.50", "rst", begin=5, seconds=10, rate=40_000)]
    assert set(watched(quiet(100) + attack + forged)[1]) == {VICTIM, "192.0.2.50"}


def test_a_flooded_host_of_ours_that_answers_takes_no_part() -> None:
    attack = flood(VICTIM, begin=5, seconds=10, rate=40_000, senders=1)
    seen, _ = watched(quiet(100) + attack + answers_to(attack), home=("198.51.100.0/24",))
    assert {row["claim"] for row in rows_of(seen)} == {"flood"}


def test_a_flood_in_pulses_is_found() -> None:
    pulses = [row for begin in range(5, 60, 3) for row in flood(VICTIM, begin=begin, seconds=1, rate=4900)]
    assert set(watched(quiet(100) + pulses)[1]) == {VICTIM}


def test_who_stops_watching_leaves_no_single_source() -> None:
    watch = watching(home=("203.0.0.0/16",))
    taken(watch, quiet(5) + flood(VICTIM, begin=2, seconds=10, rate=40_000))
    left = rows_of([watch.finish(over=False)])
    assert {row["claim"] for row in left} == {"flood", "flood-source"}
    assert not {reason["code"] for row in left for reason in row["reasons"]} & {"flood-heaviest", "home-devices"}
    again = watch.anew()
    sealed = rows_of([again.finish()])
    assert {row["id"] for row in sealed} == {row["id"] for row in left}
