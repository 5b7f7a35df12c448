"""Constituents are entered, replaced and let go, and it is told what changes and what is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from khien.model import Asset, Constituent, Hearing, Proof, Quiet
from khien.triage import enrolment
from khien.triage.assets import Known
from khien.triage.enrolment import Change, Enrolment

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KNOWN = Known({"saothuy"}, lambda _: False)
PROOF = Proof(how="dns", at=NOW)
MAIL = Hearing(channel="mail", address="soc@a.vn")


def asset(value: str, proof: Proof | None = None) -> Asset:
    return msgspec.structs.replace(KNOWN.asset("a", "domain", value), proof=proof)


def enrolled(*assets: Asset, **own: Any) -> Enrolment:
    return Enrolment(constituent=Constituent(**{"id": "a", "label": "A", **own}), assets=assets)


KEPT = enrolled(asset("a.vn", PROOF), asset("b.vn", PROOF), hears=(MAIL,))


def test_what_replaces_the_same_changes_nothing() -> None:
    wanted = enrolled(asset("b.vn"), asset("a.vn"), hears=(MAIL,))
    made = enrolment.replace(KEPT, wanted, NOW)
    assert enrolment.records(KEPT, made) == []
    assert list(enrolment.changes(KEPT, made)) == []


def test_what_stays_keeps_its_proof_and_what_is_not_wanted_is_left() -> None:
    made = enrolment.replace(KEPT, enrolled(asset("a.vn"), asset("c.vn"), label="B", hears=(MAIL,)), NOW)
    assert {each.value: each.proof for each in made.current} == {"a.vn": PROOF, "c.vn": None}
    [gone] = [each for each in made.assets if each.left]
    assert (gone.value, gone.proof, gone.left) == ("b.vn", None, NOW)
    assert len(enrolment.records(KEPT, made)) == 3
    assert list(enrolment.changes(KEPT, made)) == [
        Change("change", "a", "label", "", "A", "B"),
        Change("remove", "a", "domain", "b.vn", "dns", ""),
        Change("add", "a", "domain", "c.vn", "", "unproven"),
    ]


def test_what_comes_back_is_to_be_proven_again() -> None:
    without = enrolment.replace(KEPT, enrolled(hears=(MAIL,)), NOW)
    again = enrolment.replace(without, enrolled(asset("a.vn"), hears=(MAIL,)), LATER)
    assert [(each.value, each.proof) for each in again.current] == [("a.vn", None)]
    assert [each.left for each in again.assets if each.value == "b.vn"] == [NOW]


def test_who_leaves_proves_nothing_and_is_not_reached_any_more() -> None:
    gone = enrolment.leave(KEPT, NOW)
    assert (gone.constituent.left, gone.constituent.hears, gone.current) == (NOW, (), ())
    assert all(each.proof is None for each in gone.assets)
    assert enrolment.leave(gone, LATER) == gone
    assert {each.act for each in enrolment.changes(KEPT, gone)} == {"remove"}
    back = enrolment.replace(gone, enrolled(asset("a.vn"), hears=(MAIL,)), LATER)
    assert back.constituent.left is None
    assert [each.proof for each in back.current] == [None]
    assert {each.act for each in enrolment.changes(gone, back)} == {"add"}


def test_another_way_to_hear_is_told() -> None:
    loud = msgspec.structs.replace(MAIL, least="low", quiet=Quiet(begin="22:00", end="06:00"), after=timedelta(hours=2))
    made = msgspec.structs.replace(KEPT, constituent=msgspec.structs.replace(KEPT.constituent, hears=(loud,)))
    [change] = enrolment.changes(KEPT, made)
    assert (change.act, change.field, change.name) == ("change", "hears", "mail soc@a.vn")
    assert change.was == "vi, medium, at-once"
    assert change.now == "vi, low, at-once, 22:00-06:00 Asia/Ho_Chi_Minh, after PT2H"


@pytest.mark.parametrize(
    ("minutes", "written"), [(0, "PT0H"), (240, "PT4H"), (90, "PT90M"), (30, "PT30M"), (43_200, "PT720H")]
)
def test_spans_are_written_as_they_are_read(minutes: int, written: str) -> None:
    span = timedelta(minutes=minutes)
    assert enrolment.span(span) == written
    assert msgspec.convert(written, timedelta) == span


def hook(address: str, secret_file: str = "secret") -> Hearing:
    return Hearing(channel="webhook", address=address, secret_file=secret_file)


@pytest.mark.parametrize("address", ["https://a.vn/khien", "https://a.vn:8443/?a=b", "http://10.20.0.7:8080/khien"])
def test_a_webhook_is_posted_to_over_tls_or_inside(address: str) -> None:
    assert list(enrolment.faults(enrolled(hears=(hook(address),)))) == []


def mail(**more: Any) -> Hearing:
    return msgspec.structs.replace(MAIL, **more)


@pytest.mark.parametrize(
    ("own", "where", "what"),
    [
        ({"id": "A b"}, "id", "is no id"),
        ({"id": "a" * 65}, "id", "at most 64 characters"),
        ({"label": ""}, "label", "is empty"),
        ({"label": "A\u202e"}, "label", "printable"),
        ({"note": " x"}, "note", "no blanks around"),
        ({"patience": timedelta(0)}, "patience", "write PT4H"),
        ({"patience": timedelta(days=31)}, "patience", "30 days"),
        ({"patience": timedelta(minutes=1, seconds=1)}, "patience", "whole minutes"),
        ({"hears": (MAIL, MAIL)}, "hears.1", "is given twice"),
        ({"hears": tuple(mail(address=f"{n}@a.vn") for n in range(21))}, "hears", "21 of them"),
        ({"hears": (mail(channel="M"),)}, "hears.0.channel", "is no channel"),
        ({"hears": (mail(address=""),)}, "hears.0.address", "is no mail address"),
        ({"hears": (mail(address="a@b.vn, c@d.vn"),)}, "hears.0.address", "is no mail address"),
        ({"hears": (mail(address="a@b.vn\nBcc: c@d.vn"),)}, "hears.0.address", "one line"),
        ({"hears": (mail(address="<a@b.vn>"),)}, "hears.0.address", "is no mail address"),
        ({"hears": (mail(address="soc@intranet"),)}, "hears.0.address", "is no mail address"),
        ({"hears": (hook("file:///etc/passwd"),)}, "hears.0.address", "of a webhook"),
        ({"hears": (hook("http://a.vn/khien"),)}, "hears.0.address", "write https://"),
        ({"hears": (hook("http://203.0.114.1/khien"),)}, "hears.0.address", "write https://"),
        ({"hears": (hook("https://a.vn:x/"),)}, "hears.0.address", "write https://"),
        ({"hears": (hook("https:///khien"),)}, "hears.0.address", "write https://"),
        ({"hears": (hook("https://a.vn/", secret_file=""),)}, "hears.0.secret_file", "is signed"),
        ({"hears": (mail(after=timedelta(seconds=-60)),)}, "hears.0.after", "write PT2H"),
        ({"hears": (mail(quiet=Quiet(begin="24:00", end="06:00")),)}, "hears.0.quiet.begin", "write 22:00"),
        ({"hears": (mail(quiet=Quiet(begin="22:00", end="6:00")),)}, "hears.0.quiet.end", "write 22:00"),
        (
            {"hears": (mail(quiet=Quiet(begin="22:00", end="06:00", zone="../etc/passwd")),)},
            "hears.0.quiet.zone",
            "is no time zone",
        ),
        (
            {"hears": (mail(quiet=Quiet(begin="22:00", end="06:00", zone="Asia")),)},
            "hears.0.quiet.zone",
            "is no time zone",
        ),
    ],
)
def test_what_is_wrong_is_named(own: dict[str, Any], where: str, what: str) -> None:
    [fault] = enrolment.faults(enrolled(**own))
    assert ".".join(map(str, fault[0])) == where
    assert what in fault[1]


def test_too_much_is_no_estate() -> None:
    many = enrolled(*(asset(f"{n}.vn") for n in range(1_001)))
    assert [where for where, _ in enrolment.faults(many)] == [("assets",)]
    assert not list(enrolment.faults(KEPT))
