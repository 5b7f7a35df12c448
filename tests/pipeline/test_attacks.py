"""Whoever would list, change, or keep listed alone what takes two people, or what the log does not say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from khien.app import machine
from khien.errors import CustodyError, InputError, ListingError, TransitionError
from khien.formats.blocklist import Rpz
from khien.listing import Known
from khien.model import Leaf, Listing, Text, Tile, Tree
from khien.pipeline import held, listed
from khien.pipeline.control import Control
from khien.pipeline.listings import Listings, covering, standing
from khien.pipeline.outputs import Outputs
from khien.stores.embedded.store import Embedded
from tests.listing import AT, log, proposal

SITE = proposal("host", "login.otp.example", site="unclear")
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path) as store:
        yield store


@pytest.fixture
def listings(store: Embedded) -> Listings:
    return log(store, known=Known(lambda name: "tranco10k" if name == "news.example" else "", lambda _: ""))


def at(listings: Listings, time: datetime) -> Listings:
    """The same, at another time."""
    return replace(listings, audit=replace(listings.audit, clock=lambda: time))


def refused(rule: str) -> Any:
    return pytest.raises(ListingError, match=f"by the rule {rule}:")


@pytest.mark.parametrize(
    "value",
    [
        "1.0.0.0.128.rpz-ip",
        "vnexpress.net.rpz-nsdname",
        "1.0.0.0.128.rpz-nsip",
        "32.1.0.0.127.rpz-client-ip",
        "x.rpz-passthru",
        "printer.local",
    ],
)
def test_what_a_resolver_takes_for_a_rule_is_no_host(listings: Listings, value: str) -> None:
    for unit in ("host", "domain"):
        with refused("not-public"):
            listings.list_(proposal(unit, value), by="lan")
    assert not any(b"rpz-" in line for line in Rpz().encode([proposal("host", value)]).splitlines())


def test_all_that_a_registry_has_is_no_page(listings: Listings) -> None:
    for value in ("https://com/", "https://com.vn/x/"):
        with refused("wider-than-needed"):
            listings.list_(proposal("url", value), by="lan")
    shared = proposal("url", "https://s3.amazonaws.com/otp/login.html")
    assert listings.list_(shared, by="lan").site == "shared-hosting"


def test_what_stands_in_the_store_alone_is_found(listings: Listings) -> None:
    listings.list_(SITE, by="lan")
    held.verify(listings.store, listings.verifier)
    listings.store.save(msgspec.structs.replace(proposal("host", "critic.example"), state="listed", by=("lan",)))
    with pytest.raises(CustodyError, match="is not what the log says"):
        held.verify(listings.store, listings.verifier)


def test_a_log_that_is_gone_whole_is_found(listings: Listings) -> None:
    listings.list_(SITE, by="lan")
    store = listings.store
    store.save(gone=[*store.find(Leaf), *store.find(Tile), *store.find(Tree)])
    assert listed.read_head(store).size == 0
    with pytest.raises(CustodyError, match="is not what the log says"):
        held.verify(store, listings.verifier)


def test_the_leaf_that_a_listing_stands_by_is_not_redacted(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    with pytest.raises(TransitionError, match="change or remove it first"):
        listings.redact(0, by="mai", why="gone")
    listings.change(made.id, by="lan", why="its owner called", site="registered-for-harm")
    listings.redact(0, by="mai", why="the reason named a person")
    assert listings.store.load(Listing, made.id)[made.id].note == SITE.note, "what is published says it still"
    held.verify(listings.store, listings.verifier)
    gone = listings.remove(made.id, by="lan", why="gone")
    listings.redact(gone.leaves[-1], by="mai", why="it named a person")
    assert [each.text for each in listed.leaves(listings.store) if each.listing] == [""] * 3, "all with the same note"
    held.verify(listings.store, listings.verifier)
    for state in ("listed", "contested"):
        listings.store.save(msgspec.structs.replace(gone, state=state))
        with pytest.raises(CustodyError, match="is not what the log says"):
            held.verify(listings.store, listings.verifier)
        with pytest.raises(CustodyError):
            Outputs(listings).now()


def test_what_waits_anew_is_not_let_stand_by_its_earlier_leaf(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    waits = msgspec.structs.replace(made, state="proposed")
    listings.store.save(waits)
    with pytest.raises(CustodyError, match="is not what the log says"):
        held.verify(listings.store, listings.verifier)


def test_one_of_two_does_not_undo_what_both_agreed(listings: Listings) -> None:
    waits = listings.list_(proposal("url", "https://news.example/otp", site="unclear"), by="lan")
    made = listings.approve(waits.id, by="mai")
    with refused("needs-two"):
        listings.change(made.id, by="lan", why="", note=Text.of("asks for money"))
    assert listings.change(made.id, by="nga", why="", note=Text.of("asks for money")).by == ("lan", "mai", "nga")


def test_one_person_does_not_let_a_listing_block(listings: Listings) -> None:
    made = listings.list_(proposal("url", "https://login.otp.example/a", site="hacked"), by="lan")
    with refused("needs-two"):
        listings.change(made.id, by="lan", why="", site="unclear")
    assert listings.change(made.id, by="mai", why="", site="unclear").blocks
    assert not listings.change(made.id, by="lan", why="", site="hacked").blocks, "the other way it takes one"


def test_one_person_does_not_prolong_a_listing_without_end(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    later = at(listings, AT + 20 * DAY)
    assert later.change(made.id, by="lan", why="", until=AT + 365 * DAY).until == AT + 365 * DAY
    with refused("needs-two"):
        later.change(made.id, by="lan", why="", until=AT + 366 * DAY)
    assert later.change(made.id, by="mai", why="", until=AT + 366 * DAY).until == AT + 366 * DAY


def test_what_is_over_or_objected_to_does_not_change(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    with pytest.raises(TransitionError, match="was listed until"):
        at(listings, made.until).change(made.id, by="mai", why="", until=made.until + DAY)
    listings.contest(made.id, how="dns", why="it is mine")
    with pytest.raises(TransitionError, match="is contested"):
        listings.change(made.id, by="mai", why="", note=Text.of("asks for money"))


@pytest.mark.parametrize("way", ["list", "import"])
def test_who_listed_what_was_objected_to_does_not_list_it_again_alone(listings: Listings, way: str) -> None:
    made = listings.list_(SITE, by="lan")
    listings.contest(made.id, how="dns", why="it is mine")
    with pytest.raises(TransitionError, match="khien listings decide"):
        listings.remove(made.id, by="lan", why="a mistake")
    listings.decide(made.id, False, by="lan", why="a mistake")
    if way == "list":
        assert listings.judged(SITE, "lan", AT).state == "proposed"
        listings.list_(SITE, by="lan")
    else:
        assert listings.import_([SITE], by="lan")[:2] == (0, 1)
    waits = listings.store.load(Listing, made.id)[made.id]
    assert (waits.state, waits.by, waits.appeal and waits.appeal.outcome) == ("proposed", ("lan",), "removed")
    assert covering(listings.store, SITE.value, AT) == ()
    held.verify(listings.store, listings.verifier)
    with refused("needs-two"):
        listings.approve(made.id, by="lan")
    again = listings.approve(made.id, by="mai")
    assert (again.state, again.outcome) == ("listed", "removed"), "what came of the objection stays in the record"
    held.verify(listings.store, listings.verifier)


def test_who_had_part_in_it_does_not_list_it_again_for_another(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    listings.contest(made.id, how="dns", why="it is mine")
    listings.decide(made.id, False, by="mai", why="a shop it is")
    assert listings.list_(SITE, by="nga").by == ("lan", "nga")
    with refused("needs-two"):
        listings.approve(made.id, by="lan")
    listings.remove(made.id, by="nga", why="a mistake")
    later = AT + 366 * DAY
    asked = msgspec.structs.replace(SITE, until=later + DAY)
    assert at(listings, later).list_(asked, by="lan").state == "listed", "a year on it is forgotten"


def test_an_objection_that_nobody_decides_on_in_time_ends_the_listing(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    time = AT
    outputs = Outputs(replace(listings, audit=replace(listings.audit, clock=lambda: time)))
    contested = listings.contest(made.id, how="dns", why="it is mine")
    assert contested.appeal is not None
    before = outputs.now()
    assert b"login.otp.example" in before.files["domains.txt"].body
    time = due = contested.appeal.due
    assert covering(listings.store, SITE.value, due - timedelta(seconds=1)) == (contested,)
    assert covering(listings.store, SITE.value, due) == () == tuple(standing(listings.store, due))
    with pytest.raises(TransitionError, match="is listed until"):  # the objection is open: it is not written over
        at(listings, due).list_(SITE, by="lan")
    after = outputs.now()
    assert b"login.otp.example" not in after.files["domains.txt"].body
    assert after.version == before.version + 1, "resolvers load a zone whose serial is greater"
    ended = listings.store.load(Listing, made.id)[made.id]
    assert (ended.state, ended.outcome) == ("expired", "expired")
    assert at(listings, due).list_(SITE, by="lan").state == "proposed"
    held.verify(listings.store, listings.verifier)


def test_the_owner_of_an_address_objects_by_a_file() -> None:
    one = proposal("url", "https://1.1.1.1/otp", site="unclear")
    answered = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(text.encode())))
    control = Control(b"k" * 32, (), httpx.Client(transport=answered))
    names, text = control.challenge(one)
    assert (names, text.startswith("khien-proof=")) == ((), True)
    assert control.trouble(one, "file") == ""
    with pytest.raises(InputError, match="is an address"):
        control.trouble(one, "dns")
