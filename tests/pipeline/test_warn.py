"""From a page to the outbox in one save: evidence joined, more of it asked for, the right constituent told, once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pyarrow as pa
import pytest

from khien import schema
from khien.contracts import Page, Store
from khien.engines.embedded import Embedded
from khien.model import (
    Asset,
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Hearing,
    Inquiry,
    Notice,
    Proof,
    ProtectedName,
    SourceState,
)
from khien.pipeline.collect import Feed, read, save
from khien.pipeline.warn import Triage
from khien.triage import evidence, life
from tests import toy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BANK = ProtectedName(id="bank", label="Big Bank", sector="bank", words=("bigbank",))
NAME = "bigbank-login.example"
OWNER = Constituent(
    id="big", label="Big Bank", hears=(Hearing(channel="mail", address="soc@big.example", least="low"),)
)
PROVEN = Proof(how="officer", at=NOON, by="Lan")
BRAND = Asset(id="a", kind="brand", value="bank", constituent="big", proof=PROVEN)
TRIAGE = Triage(asks=("resolver", "site"), protected={"bank": BANK})


@dataclass(frozen=True)
class Imitations:
    """Finds every name that holds a word; what a detector of names would."""

    name: ClassVar[str] = "lookalike"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    score: float = 0.95

    def __call__(self, batch: pa.RecordBatch, /, **_beside: pa.Table) -> pa.RecordBatch:
        rows = [
            {
                "id": schema.finding_id(self.name, "domain", name, "bank"),
                "detector": self.name,
                "kind": "domain",
                "subject": name,
                "claim": "bank",
                "score": self.score,
                "start": seen,
                "end": seen,
                "techniques": ["combosquat"],
                "reasons": [{"code": "combosquat", "params": [("brand", "Big Bank"), ("word", "bigbank")]}],
            }
            for name, seen in zip(batch["name"].to_pylist(), batch["seen_at"].to_pylist(), strict=True)
            if "bigbank" in name
        ]
        return pa.RecordBatch.from_pylist(rows, schema.FINDINGS)


@dataclass(frozen=True)
class Told:
    """A source of what it was given, page by page."""

    replayable: ClassVar[bool] = True

    name: str
    yields: pa.Schema
    pages: tuple[tuple[dict[str, Any], ...], ...]

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        for number, rows in enumerate(self.pages):
            if cursor is None or number > int(cursor):
                yield Page(pa.RecordBatch.from_pylist(list(rows), self.yields), b"%d" % number)


def certified(*names: str, at: datetime = NOON) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"name": name, "seen_at": at, "issuer": "Trust", "serial": "0a", "log": "One", "index": n}
        for n, name in enumerate(names)
    )


def named(name: str, at: datetime = NOON) -> dict[str, Any]:
    return {"name": name, "seen_at": at}


def stated(subject: str, topic: str, code: str, at: datetime = NOON, **params: str) -> dict[str, Any]:
    return {"subject": subject, "topic": topic, "code": code, "seen_at": at, "params": list(params.items())}


TITLED = stated(NAME, "page", "answers", status="200", title="Big Bank - sign in", url=f"https://{NAME}/")


def passed(
    store: Store,
    name: str,
    yields: pa.Schema,
    *pages: Sequence[dict[str, Any]],
    table: str = "",
    at: datetime = NOON,
    score: float = 0.95,
) -> None:
    """Takes pages of a source all the way into the store."""
    source: Any = Told(name, yields, tuple(tuple(each) for each in pages))
    detectors: Any = (Imitations(score),) if yields != schema.EVIDENCE else ()
    feed = Feed(name, source, table, None, detectors)
    for work in read(feed, Embedded(), store.cursor(name)):
        save(store, work, at, TRIAGE)


def certificates(store: Store, *names: str, at: datetime = NOON) -> None:
    passed(store, f"ct {names}", schema.CERTIFIED, certified(*names, at=at), table="names", at=at)


def place(*more: Constituent | Asset) -> Store:
    store = toy.Memory(toy.Place())
    store.save(*(more or (OWNER, BRAND)))
    return store


def everything(store: Store, kind: Any) -> list[Any]:
    return list(store.find(kind, limit=1000))


def test_only_the_names_of_certificates_land() -> None:
    store = place()
    certificates(store, "shop.example", NAME)
    assert store.scan("names").to_table().schema.names == schema.NAMES.names
    assert store.scan("names").count_rows() == 2
    (state,) = everything(store, SourceState)
    assert (state.rows, state.findings, state.newest) == (2, 1, NOON)


def test_a_finding_brings_its_certificate_and_asks_further() -> None:
    store = place()
    certificates(store, "shop.example", NAME)
    (said,) = everything(store, Evidence)
    assert (said.subject, said.code, said.params["issuer"]) == (NAME, "certified", "Trust")
    assert {(each.source, each.subject, each.due) for each in everything(store, Inquiry)} == {
        ("resolver", NAME, NOON),
        ("site", NAME, NOON),
    }


def test_a_name_alone_is_watched_and_what_its_page_says_makes_it_a_notice() -> None:
    store = place()
    certificates(store, NAME)
    assert everything(store, Notice) == []
    passed(store, "site", schema.EVIDENCE, [TITLED])
    (notice,) = everything(store, Notice)
    (sent,) = everything(store, Delivery)
    assert (notice.constituent, notice.subjects[0].finding) == ("big", everything(store, Finding)[0].id)
    assert (sent.about, sent.address, sent.state) == (notice.id, "soc@big.example", "due")


def test_what_is_told_again_is_told_once() -> None:
    store = place()
    for n in range(3):
        passed(store, f"ct {n}", schema.CERTIFIED, certified(NAME), table="names")
        passed(store, f"site {n}", schema.EVIDENCE, [TITLED])
    assert len(everything(store, Notice)) == len(everything(store, Delivery)) == 1


def test_an_answer_moves_what_was_asked() -> None:
    store = place()
    certificates(store, NAME)
    passed(store, "site", schema.EVIDENCE, [TITLED])
    due = {each.source: each.due for each in everything(store, Inquiry)}
    assert due["resolver"] == NOON < due["site"]


def test_a_list_that_spoke_before_is_heard_when_the_name_appears() -> None:
    store = place()
    listed = stated(NAME, "list/phish", "listed", at=NOON - timedelta(days=1), list="phish", harm="fraud")
    passed(store, "phish", schema.EVIDENCE, [listed], table="evidence")
    assert everything(store, Evidence) == []  # of a million entries, those that were found are kept as records
    certificates(store, NAME)
    codes = {each.code for each in everything(store, Evidence)}
    assert codes == {"certified", "listed"}
    assert len(everything(store, Notice)) == 1


def test_lists_are_heard_of_a_name_that_says_too_little_to_be_asked_about() -> None:
    store, weak = place(), evidence.WORTH_ASKING - 0.01
    passed(store, "quiet", schema.NAMES, [named("www.bigbank.example")], table="names", score=weak)
    assert everything(store, Inquiry) == everything(store, Notice) == []
    for each in ("one", "two", "three"):
        listed = stated(NAME, f"list/{each}", "listed", at=NOON - timedelta(days=1), list=each, harm="fraud")
        passed(store, each, schema.EVIDENCE, [listed], table="evidence")
    passed(store, "zone", schema.NAMES, [named(NAME)], table="names", score=weak)
    (told,) = everything(store, Notice)
    assert told.subjects[0].value == NAME
    assert {each.subject for each in everything(store, Inquiry)} == {NAME}


def test_a_list_that_speaks_later_is_heard_and_is_the_same_evidence() -> None:
    store = place()
    certificates(store, NAME)
    listed = stated(f"www.{NAME}", "list/phish", "listed", list="phish", harm="fraud")
    passed(store, "phish", schema.EVIDENCE, [listed], table="evidence")
    certificates(store, f"www.{NAME}")  # found later, and the list is looked up
    said = [each for each in everything(store, Evidence) if each.code == "listed"]
    assert len(said) == 1
    assert len(everything(store, Notice)) == 1


@pytest.mark.parametrize(
    "asset",
    [
        pytest.param(msgspec.structs.replace(BRAND, proof=None), id="not proven"),
        pytest.param(msgspec.structs.replace(BRAND, left=NOON), id="theirs no more"),
        pytest.param(msgspec.structs.replace(BRAND, value="other"), id="another brand"),
    ],
)
def test_whose_it_is_not_hears_nothing(asset: Asset) -> None:
    store = place(OWNER, asset)
    certificates(store, NAME)
    passed(store, "site", schema.EVIDENCE, [TITLED])
    assert everything(store, Notice) == []


def test_what_a_person_dismissed_is_told_to_nobody() -> None:
    store = place()
    certificates(store, NAME)
    (found,) = everything(store, Finding)
    store.save(life.move(found, life.DISMISS, by="Lan", at=NOON))
    passed(store, "site", schema.EVIDENCE, [TITLED])
    assert everything(store, Notice) == []


def test_several_names_of_one_page_are_one_notice_where_they_are_one_campaign() -> None:
    store = place()
    names = [f"bigbank-login{n}.example" for n in range(4)]
    certificates(store, *names)
    pages = [stated(each, "page", "answers", status="200", title="Big Bank", url=f"https://{each}/") for each in names]
    there = [stated(each, "resolution", "resolves", addresses="192.0.2.7", canonical="") for each in names]
    passed(store, "resolver", schema.EVIDENCE, there)
    passed(store, "site", schema.EVIDENCE, pages)
    (notice,) = everything(store, Notice)
    assert {each.value for each in notice.subjects} == set(names)
    assert {each.about for each in everything(store, Delivery)} == {notice.id}


def test_a_certificate_for_all_below_a_name_is_asked_about_and_told_as_the_name() -> None:
    store = place()
    certificates(store, f"*.{NAME}")
    assert {each.subject for each in everything(store, Inquiry)} == {NAME}
    assert {each.subject for each in everything(store, Evidence)} == {NAME}
    passed(store, "site", schema.EVIDENCE, [TITLED])
    assert len(everything(store, Notice)) == 1


def test_evidence_without_a_time_lands_with_that_of_reading() -> None:
    store = place()
    passed(
        store, "phish", schema.EVIDENCE, [{**stated(NAME, "list/phish", "listed"), "seen_at": None}], table="evidence"
    )
    assert store.scan("evidence").to_table()["seen_at"].to_pylist() == [NOON]


def test_what_is_hardly_alike_is_not_asked_about_because_it_has_a_certificate() -> None:
    store = place()
    source: Any = Told("ct", schema.CERTIFIED, (certified(NAME),))
    weak: Any = Imitations(score=0.01)
    for work in read(Feed("ct", source, "names", None, (weak,)), Embedded(), None):
        save(store, work, NOON, TRIAGE)
    assert len(everything(store, Finding)) == 1
    assert everything(store, Inquiry) == []
