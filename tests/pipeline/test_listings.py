"""Listings from proposal to end, the log that says so, and whoever would change it; and copies that somebody keeps."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from khien import audit, ledger
from khien.app import machine
from khien.ct import tree
from khien.errors import CustodyError, FormatError, InputError, ListingError, TransitionError
from khien.ledger import Checkpoint
from khien.listing import Known
from khien.model import Entry, Finding, Leaf, Listing, Officer, Reason, Text, Tile
from khien.pipeline import held, listed, mirror
from khien.pipeline.held import State
from khien.pipeline.listings import Listings, covering, standing
from khien.pipeline.mirror import Mirror
from khien.pipeline.outputs import Outputs
from khien.stores.embedded.store import Embedded
from tests.listing import AT, log, proposal

SITE = proposal("host", "login.otp.example", site="unclear")
POPULAR = Known(lambda name: "tranco10k" if name == "news.example" else "", lambda _: "")
DAY = timedelta(days=1)
SIZE = 300  # leaves of the log that others tamper with: a full tile, and one that is begun


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path) as store:
        yield store


@pytest.fixture
def listings(store: Embedded) -> Listings:
    return log(store, known=POPULAR)


def at(listings: Listings, time: datetime) -> Listings:
    """The same, at another time."""
    return replace(listings, audit=replace(listings.audit, clock=lambda: time))


def acts(listings: Listings) -> list[str]:
    """What the log says was done, in order."""
    return [said.act for leaf in listed.leaves(listings.store) if (said := listed.said(leaf))]


def test_what_is_listed_covers_what_is_below_it_and_is_gone_when_it_is_taken_out(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    assert (made.state, made.by, made.since, made.leaves) == ("listed", ("lan",), AT, (0,))
    assert covering(listings.store, "http://login.otp.example/a/b?c", AT) == (made,)
    assert covering(listings.store, "otp.example", AT) == covering(listings.store, "login.otp.example.vn", AT) == ()
    wide = listings.list_(proposal("domain", "otp.example"), by="lan")
    page = listings.list_(proposal("url", "https://login.otp.example/a/", site="unclear"), by="lan")
    assert covering(listings.store, "https://login.otp.example/a/b", AT) == (page, made, wide)
    assert list(standing(listings.store, AT)) == [page, made, wide]
    gone = listings.remove(made.id, by="lan", why="the host is empty")
    assert (gone.state, gone.leaves) == ("removed", (0, 3))
    assert covering(listings.store, "https://login.otp.example/a/b", AT) == (page, wide)
    assert acts(listings) == ["listed"] * 3 + ["removed"]
    again = listings.list_(SITE, by="mai")
    assert (again.id, again.leaves) == (made.id, (0, 3, 4))
    with pytest.raises(TransitionError, match="is listed until 2026-12-22"):
        listings.list_(SITE, by="lan")
    held.verify(listings.store, listings.verifier)


def test_the_log_names_no_officer_and_the_audit_does(listings: Listings) -> None:
    listings.store.save(Officer(id="mai", label="Mai", role="approver"))
    made = listings.list_(proposal("url", "https://www.news.example/otp", site="unclear"), by="lan")
    assert (made.state, made.leaves, acts(listings)) == ("proposed", (), [])
    assert covering(listings.store, "https://www.news.example/otp", AT) == ()
    with pytest.raises(ListingError) as refused:
        listings.approve(made.id, by="lan")
    assert refused.value.rule == "needs-two"
    made = listings.approve(made.id, by="mai")
    assert (made.state, made.by) == ("listed", ("lan", "mai"))
    leaf = listed.leaf(listings.store, 0)
    said = leaf and listed.said(leaf)
    assert said is not None
    assert said.listing == msgspec.structs.replace(made, by=("administrator", "approver"), leaves=())
    assert "mai" not in (leaf.text if leaf else "")
    assert [(each.by, each.act) for each in audit.read(listings.store)] == [
        ("lan", "listing-proposed"),
        ("mai", "listing-approved"),
    ]
    with pytest.raises(TransitionError):
        listings.approve(made.id, by="nga")


def test_a_proposal_that_is_taken_back_was_never_in_the_log(listings: Listings) -> None:
    made = listings.list_(proposal("url", "https://news.example/otp", site="unclear"), by="lan")
    assert listings.remove(made.id, by="lan", why="a mistake").state == "removed"
    assert listed.checkpoint(listings.store) == ""
    assert held.verify(listings.store, listings.verifier).size == 0


def test_what_a_listing_says_changes_and_its_place_does_not(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    changed = listings.change(made.id, by="mai", why="more is known", conduct=("form", "imitation"))
    assert (changed.conduct, changed.by, changed.leaves) == (("form", "imitation"), ("lan", "mai"), (0, 1))
    with pytest.raises(ListingError):
        listings.change(made.id, by="mai", why="", harm="disinformation")
    with pytest.raises(InputError, match="not in state, value"):
        listings.change(made.id, by="mai", why="", state="removed", value="x.example")
    with pytest.raises(InputError, match="there is no listing"):
        listings.change("0" * 64, by="mai", why="")


def test_an_objection_is_decided_by_somebody_else(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    contested = listings.contest(made.id, how="dns", why="this is my shop, Nguyễn")
    assert contested.appeal is not None
    assert (contested.state, contested.appeal.due) == ("contested", AT + timedelta(hours=72))
    assert covering(listings.store, SITE.value, AT) == (contested,)
    assert "Nguyễn" not in "".join(each.text for each in listed.leaves(listings.store))
    with pytest.raises(TransitionError):
        listings.contest(made.id, how="dns", why="again")
    with pytest.raises(ListingError, match="needs-two"):
        listings.decide(made.id, True, by="lan", why="no")
    kept = at(listings, AT + DAY).decide(made.id, True, by="mai", why="the page asks for codes")
    assert kept.appeal is not None
    assert (kept.state, kept.appeal.outcome, kept.appeal.decided) == ("listed", "kept", AT + DAY)
    listings.contest(made.id, how="file", why="look again")
    gone = listings.decide(made.id, False, by="lan", why="it was hacked")
    assert (gone.state, gone.appeal and gone.appeal.outcome) == ("removed", "removed")
    assert acts(listings) == ["listed", "contested", "kept", "contested", "removed"]
    held.verify(listings.store, listings.verifier)


def test_what_is_over_ends(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    listings.contest(made.id, how="dns", why="")
    listings.list_(proposal("url", "https://news.example/otp", site="unclear", until=AT + DAY), by="lan")
    listings.list_(proposal("host", "long.example", site="unclear", until=AT + 90 * DAY), by="lan")
    later = at(listings, made.until)
    assert covering(listings.store, SITE.value, made.until) == ()
    assert [later.expire(), later.expire(), listings.expire()] == [2, 0, 0]
    ended = listings.store.load(Listing, made.id)[made.id]
    assert (ended.state, ended.appeal and ended.appeal.outcome) == ("expired", "expired")
    assert [each.value for each in standing(listings.store, made.until)] == ["long.example"]
    assert acts(listings) == ["listed", "contested", "listed", "expired"]
    held.verify(listings.store, listings.verifier)


def test_the_tally_keeps_what_was_wrong_when_its_place_is_listed_again(listings: Listings) -> None:
    """What the record says last is not what was done: that stands in the log alone."""
    count = listed.Tally()
    made = listings.list_(SITE, by="lan")
    listings.contest(made.id, how="dns", why="this is my shop")
    assert count(listings.store) == {"listed": 1, "contested": 1}
    listings.decide(made.id, False, by="mai", why="a shop it is")
    assert listings.list_(SITE, by="nga").state == "proposed"
    listings.approve(made.id, by="hoa")
    told = {"listed": 2, "contested": 1, "removed": 1, "appeal-removed": 1}
    assert count(listings.store) == told, "read on from where it was read last"
    assert listed.Tally()(listings.store) == told, "and from the beginning"
    listings.remove(made.id, by="lan", why="the host is empty")
    assert count(listings.store)["appeal-removed"] == 1, "nobody objected to this one"


def test_what_ended_while_it_was_contested_was_not_wrong(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    listings.contest(made.id, how="dns", why="")
    at(listings, made.until).expire()
    assert listed.Tally()(listings.store) == {"listed": 1, "contested": 1, "expired": 1}
    ended = listings.store.load(Listing, made.id)[made.id]
    assert (ended.appeal and ended.appeal.outcome) == "expired"


def test_many_are_listed_at_once_and_what_is_forbidden_is_counted(listings: Listings) -> None:
    listings.list_(SITE, by="lan")
    many = [
        *(proposal("host", f"otp{n}.example", site="unclear") for n in range(5)),
        SITE,
        proposal("host", "otp1.example", site="unclear"),
        proposal("url", "https://news.example/otp", site="unclear"),
        proposal("host", "critic.example", harm="disinformation"),
        msgspec.structs.replace(SITE, value="not a name"),
    ]
    done = listings.import_(many, by="mai")
    assert (done.listed, done.proposed) == (5, 1)
    assert done.refused == {"opinion": 1, "value": 1, "listed-before": 1}
    assert held.verify(listings.store, listings.verifier).size == 6
    assert [each.act for each in audit.read(listings.store)] == ["listing-listed", "listings-imported"]


def test_a_critic_is_not_listed_and_nothing_is_left_of_the_attempt(listings: Listings) -> None:
    with pytest.raises(ListingError) as refused:
        listings.list_(proposal("host", "tay-chay-ngan-hang.example", harm="disinformation"), by="lan")
    assert refused.value.rule == "opinion"
    assert (listings.store.count(Listing), listed.checkpoint(listings.store)) == ({(): 0}, "")


def test_what_is_redacted_is_in_no_byte_that_is_kept_and_all_proofs_hold(listings: Listings, tmp_path: Path) -> None:
    made = listings.list_(
        proposal("host", "otp.example", site="unclear", note=Text.of("calls Trần Thị Bích a thief")), by="lan"
    )
    listings.change(made.id, by="lan", why="a person was named", note=Text.of("asks for codes"))
    many = [proposal("host", f"otp{n}.example", site="unclear") for n in range(20)]
    listings.import_(many, by="lan")
    kept, before = listed.checkpoint(listings.store), listed.prove(listings.store, 0)
    salt = bytes.fromhex(held.check(before, listings.verifier)[0].salt)
    assert found_in(tmp_path, "Trần Thị Bích".encode())
    left = listings.redact(0, by="mai", why="it named a person")
    assert (left.text, left.salt) == ("", "")
    for secret in ("Trần Thị Bích".encode(), salt, salt.hex().encode()):
        assert not found_in(tmp_path, secret)
    held.verify(listings.store, listings.verifier, kept.encode())
    leaf, _ = held.check(listed.prove(listings.store, 0), listings.verifier)
    assert leaf == left
    assert held.check(before, listings.verifier)[0].text  # who has it can show it for what it was
    for index in (0, 22, 99):  # gone already; says what is gone; is not there
        with pytest.raises(InputError, match="no text that could be redacted"):
            listings.redact(index, by="mai", why="again")


def test_a_name_in_the_last_leaf_is_in_no_output_and_no_record_once_it_is_redacted(
    listings: Listings, tmp_path: Path
) -> None:
    note = Text.of("calls Trần Thị Bích a thief")
    made = listings.list_(proposal("host", "otp.example", note=note), by="lan")
    outputs = Outputs(listings)
    assert "Bích" in json_of(outputs)
    with pytest.raises(TransitionError, match="change or remove it first"):
        listings.redact(made.leaves[-1], by="mai", why="it named a person")
    gone = listings.remove(made.id, by="lan", why="it named a person")
    listings.redact(gone.leaves[-1], by="mai", why="it named a person")
    assert "Bích" not in json_of(outputs)
    kept = listings.store.load(Listing, made.id)[made.id]
    assert (kept.state, kept.note) == ("removed", Text(vi="", en=""))
    assert not found_in(tmp_path, "Trần Thị Bích".encode())
    held.verify(listings.store, listings.verifier)


def json_of(outputs: Outputs) -> str:
    return outputs.now().files["listings.json"].body.decode()


def test_what_is_taken_out_and_redacted_leaves_no_word_behind(listings: Listings, tmp_path: Path) -> None:
    """Neither in the log nor in the listing, and why it was done is not in the audit either."""
    named = "Trần Thị Bích"
    made = listings.list_(proposal("host", "otp.example", site="unclear", note=Text.of(f"{named} hỏi mã")), by="lan")
    listings.change(made.id, by="lan", why=f"{named} called", site="registered-for-harm")
    listings.contest(made.id, how="dns", why="it is ours")
    listings.decide(made.id, True, by="mai", why=f"{named} did it")
    gone = listings.remove(made.id, by="lan", why=f"it was not {named}")
    assert found_in(tmp_path, named.encode())
    for index in gone.leaves:
        if (leaf := listed.leaf(listings.store, index)) and leaf.text:  # one with the same note is redacted with it
            listings.redact(index, by="mai", why="it named a person")
    assert not found_in(tmp_path, named.encode())
    held.verify(listings.store, listings.verifier)


def test_what_waits_is_not_replaced_by_another_proposal(listings: Listings) -> None:
    waits = listings.list_(proposal("url", "https://news.example/otp", site="unclear"), by="lan")
    other = proposal("url", "https://news.example/otp", site="unclear", note=Text.of("asks for money"))
    with pytest.raises(TransitionError, match=f"waits: khien listings approve {waits.id}"):
        listings.list_(other, by="mai")
    assert listings.import_([other], by="mai").refused == {"listed-before": 1}
    assert listings.store.load(Listing, waits.id)[waits.id] == waits
    assert at(listings, waits.until).list_(msgspec.structs.replace(other, until=AT + 60 * DAY), by="mai").by == ("mai",)


def test_a_finding_is_there_and_tells_of_the_site(listings: Listings) -> None:
    seen = (Reason(code="evidence-titled"),)
    told = proposal("host", "login.otp.example", site="unclear", conduct=("imitation",), finding="f", reasons=seen)
    for subject, state in ((None, ""), ("other.example", ""), ("otp.example", "listed")):
        if subject:
            finding = Finding(
                id="f", detector="lookalike", kind="name", subject=subject, claim="bank", score=1.0, raised=AT
            )
            listings.store.save(finding)
        if state:
            assert listings.list_(told, by="lan").state == state
            continue
        with pytest.raises(ListingError) as refused:
            listings.list_(told, by="lan")
        assert refused.value.rule == "no-finding"


def test_one_person_does_not_change_a_listing_to_what_takes_two(listings: Listings) -> None:
    made = listings.list_(SITE, by="lan")
    with pytest.raises(ListingError, match="needs-two"):
        listings.change(made.id, by="lan", why="", conduct=("imitation",))
    assert listings.change(made.id, by="mai", why="", conduct=("imitation",)).state == "listed"


def test_a_change_says_whether_it_takes_two(listings: Listings) -> None:
    made = listings.list_(proposal("url", "https://shop.example/x", site="hacked"), by="lan")
    assert not listings.takes_two(made.id, by="lan", note=Text.of("asks for codes"))
    for fields in ({"site": "unclear"}, {"conduct": ("imitation",)}):
        assert listings.takes_two(made.id, by="mai", **fields)
        with pytest.raises(ListingError, match="needs-two"):
            listings.takes_two(made.id, by="lan", **fields)
    assert at(listings, AT + DAY).takes_two(made.id, by="mai", until=AT + 366 * DAY)


OBJECTED = proposal("url", "https://shop-abc.example/login")
BESIDE = [
    proposal("host", "shop-abc.example"),
    proposal("domain", "shop-abc.example"),
    proposal("url", "https://shop-abc.example/"),
    proposal("url", "https://shop-abc.example/else"),
    proposal("url", "https://www.shop-abc.example/login"),
    proposal("url", "https://shop-abc.example:8443/login"),
]
APART = [
    proposal("host", "shop-xyz.example"),
    proposal("host", "shop-abc.weebly.com", site="unclear"),
    proposal("host", "pay.shop-abc.example", site="unclear"),
]


@pytest.mark.parametrize("outcome", ["open", "removed", "expired"])
def test_what_stands_beside_what_an_owner_objects_to_takes_somebody_else(listings: Listings, outcome: str) -> None:
    made = listings.list_(OBJECTED, by="lan")
    listings.contest(made.id, how="file", why="it is a shop")
    if outcome == "removed":
        listings.decide(made.id, False, by="mai", why="a shop it is")
    later = at(listings, AT + 4 * DAY)
    if outcome == "expired":
        later.expire()
    for each in BESIDE:
        assert later.judged(each, "lan", AT + 4 * DAY).state == "proposed"
    assert later.list_(BESIDE[0], by="lan").state == "proposed"
    done = later.import_([*BESIDE[1:], *APART], by="nga")
    assert (done.listed, done.proposed) == (len(APART), len(BESIDE) - 1)
    waits = later.store.load(Listing, BESIDE[1].id)[BESIDE[1].id]
    assert (waits.by, waits.appeal) == (("lan", "nga"), None), "who listed what was wrong does not approve this"
    with pytest.raises(ListingError, match="needs-two"):
        later.approve(waits.id, by="lan")
    assert later.approve(waits.id, by="mai").state == "listed"
    held.verify(later.store, later.verifier)


def test_what_stands_beside_an_objection_that_was_refused_or_forgotten_takes_one(listings: Listings) -> None:
    made = listings.list_(OBJECTED, by="lan")
    listings.contest(made.id, how="file", why="it is a shop")
    listings.decide(made.id, True, by="mai", why="it asks for codes")
    assert listings.list_(BESIDE[0], by="lan").state == "listed"
    listings.contest(made.id, how="file", why="it is a shop")
    listings.decide(made.id, False, by="mai", why="a shop it is")
    after = AT + 366 * DAY
    late = proposal("url", "https://shop-abc.example/x", at=after, until=after + DAY)
    assert listings.judged(BESIDE[3], "lan", AT).state == "proposed"
    assert listings.judged(late, "lan", after).state == "listed"


def test_an_objection_that_came_after_a_proposal_counts_when_it_is_approved(listings: Listings) -> None:
    made = listings.list_(OBJECTED, by="lan")
    waits = msgspec.structs.replace(listings.judged(BESIDE[0], "nga", AT), state="proposed")
    listings.store.save(waits)
    listings.contest(made.id, how="file", why="it is a shop")
    with pytest.raises(ListingError, match="needs-two"):
        listings.approve(waits.id, by="lan")
    assert listings.approve(waits.id, by="mai").state == "listed"


def test_a_domain_that_was_objected_to_is_beside_all_below_it(listings: Listings) -> None:
    made = listings.list_(proposal("domain", "shop-abc.example"), by="lan")
    listings.contest(made.id, how="dns", why="it is a shop")
    for each in (OBJECTED, APART[2]):
        assert listings.judged(each, "lan", AT).state == "proposed"


@pytest.mark.parametrize(
    ("page", "is_beside"),
    [("shop/otp", True), ("shop;a=1", True), ("", True), ("shopping", False), ("other", False)],
)
def test_of_a_host_that_many_share_other_pages_are_others(listings: Listings, page: str, is_beside: bool) -> None:
    made = listings.list_(proposal("url", "https://sites.google.com/shop"), by="lan")
    listings.contest(made.id, how="file", why="it is a shop")
    judged = listings.judged(proposal("url", f"https://sites.google.com/{page}"), "lan", AT)
    assert judged.state == ("proposed" if is_beside else "listed")


def found_in(folder: Path, secret: bytes) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file() and secret in each.read_bytes()]


# Whoever would change the log.


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Leaf, ...], dict[str, Tile], str, str]:
    """Leaves, tiles, signed note and verifier of a log."""
    with machine.store(tmp_path_factory.mktemp("log")) as store:
        listings = log(store)
        listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(SIZE - 3)), by="lan")
        listings.remove(proposal("host", "otp7.example").id, by="lan", why="gone")
        listings.redact(7, by="lan", why="a person")
        leaves = tuple(listed.leaves(store))
        assert len(leaves) == SIZE
        tiles = {each.id: each for each in store.find(Tile)}
        return leaves, tiles, listed.checkpoint(store), listings.verifier


def hold(leaves: Sequence[Leaf], tiles: dict[str, Tile], note: str, verifier: str) -> Checkpoint:
    """Verifies what it is given as a store would be."""

    def tile(level: int, number: int) -> bytes:
        return listed.hashes_of(tiles[listed.tile_id(level, number)])

    return held.verify_leaves(leaves, tile, note.encode(), verifier, State())


Whole = tuple[tuple[Leaf, ...], dict[str, Tile], str, str]


def test_a_log_that_nobody_touched_holds(whole: Whole) -> None:
    assert hold(*whole).size == SIZE


@pytest.mark.parametrize(
    "change",
    [
        {"text": "{}"},
        {"text": ""},
        {"text": "", "salt": ""},
        {"salt": "00" * 32},
        {"salt": ""},
        {"commitment": "00" * 32},
        {"commitment": "no hex"},
        {"listing": "f" * 64},
        {"at": AT + DAY},
        {"id": "listings/9999999999999999"},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_leaf_that_was_changed_is_found_wherever_it_stands(whole: Whole, change: dict[str, object]) -> None:
    leaves, rest = whole[0], whole[1:]
    for index, each in enumerate(leaves):
        changed = msgspec.structs.replace(each, **change)
        if changed == each:
            continue
        with pytest.raises(CustodyError):
            hold((*leaves[:index], changed, *leaves[index + 1 :]), *rest)


def test_a_leaf_whose_text_says_something_else_is_found_wherever_it_stands(whole: Whole) -> None:
    """Also where who changes it makes a commitment that fits."""
    leaves, rest = whole[0], whole[1:]
    for index, each in enumerate(leaves):
        if each.text:
            other = msgspec.structs.replace(listed.said(each) or listed.Said(act="listed", at=AT), why="never")
            made = listed.made(index, other, secrets.token_bytes(32))
            with pytest.raises(CustodyError):
                hold((*leaves[:index], made, *leaves[index + 1 :]), *rest)


def test_removed_repeated_and_reordered_leaves_are_found_wherever_they_stand(whole: Whole) -> None:
    leaves, rest = whole[0], whole[1:]
    for index in range(SIZE):
        with pytest.raises(CustodyError):
            hold((*leaves[:index], *leaves[index + 1 :]), *rest)
        with pytest.raises(CustodyError):
            hold((*leaves[: index + 1], *leaves[index:]), *rest)
    for index in range(SIZE - 1):
        first, second = leaves[index : index + 2]
        swapped = (msgspec.structs.replace(second, id=first.id), msgspec.structs.replace(first, id=second.id))
        for pair in ((second, first), swapped):
            with pytest.raises(CustodyError):
                hold((*leaves[:index], *pair, *leaves[index + 2 :]), *rest)


def test_a_tile_that_was_changed_is_found_wherever_it_was(whole: Whole) -> None:
    leaves, tiles, rest = whole[0], whole[1], whole[2:]
    for name, tile in tiles.items():
        hashes = listed.hashes_of(tile)
        for at_ in range(0, len(hashes), 32):
            changed = bytearray(hashes)
            changed[at_] ^= 1
            with pytest.raises(CustodyError):
                hold(leaves, {**tiles, name: listed.tile_of(name, bytes(changed))}, *rest)
        with pytest.raises(CustodyError):
            hold(leaves, {**tiles, name: listed.tile_of(name, hashes[:-32])}, *rest)


def test_a_note_that_was_changed_or_signed_by_another_is_found(whole: Whole) -> None:
    leaves, tiles, note, verifier = whole
    for at_ in range(len(note)):
        changed = note[:at_] + ("A" if note[at_] != "A" else "B") + note[at_ + 1 :]
        with pytest.raises((CustodyError, FormatError)):
            hold(leaves, tiles, changed, verifier)


def test_two_logs_of_one_size_are_found_and_so_is_one_that_was_set_back(tmp_path: Path) -> None:
    with machine.store(tmp_path / "one") as one, machine.store(tmp_path / "other") as other:
        ours, theirs = log(one), log(other)
        for listings, name in ((ours, "otp.example"), (theirs, "critic.example")):
            listings.list_(proposal("host", name, site="unclear"), by="lan")
        kept = listed.checkpoint(one).encode()
        held.verify(one, ours.verifier, kept)
        with pytest.raises(CustodyError, match="two logs were signed"):
            held.verify(other, theirs.verifier, kept)
        theirs.list_(proposal("host", "more.example", site="unclear"), by="lan")
        with pytest.raises(CustodyError, match="two logs were signed"):
            held.verify(other, theirs.verifier, kept)
        longer = listed.checkpoint(other).encode()
        with pytest.raises(CustodyError, match="all behind it are gone"):
            held.verify(one, ours.verifier, longer)
        with pytest.raises(CustodyError, match="the whole log is gone"), machine.store(tmp_path / "none") as none:
            held.verify(none, ours.verifier, kept)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda store: store.save(msgspec.structs.replace(one_of(store), state="removed")),
        lambda store: store.save(msgspec.structs.replace(one_of(store), value="other.example")),
        lambda store: store.save(msgspec.structs.replace(one_of(store), leaves=())),
        lambda store: store.save(gone=[one_of(store)]),
        lambda store: store.save(msgspec.structs.replace(one_of(store), id="0" * 64, leaves=(0,))),
        lambda store: store.save(gone=[listed.leaf(store, 1)]),
        lambda store: store.save(gone=[listed.read_head(store)]),
        lambda store: store.save(msgspec.structs.replace(listed.read_head(store), size=1)),
        lambda store: store.save(gone=store.find(Tile)),
    ],
)
def test_what_is_changed_in_the_store_is_found(listings: Listings, tamper: Callable[[Embedded], object]) -> None:
    listings.import_([SITE, proposal("host", "otp.example", site="unclear")], by="lan")
    held.verify(listings.store, listings.verifier)
    tamper(listings.store)  # type: ignore[arg-type]
    with pytest.raises(CustodyError):
        held.verify(listings.store, listings.verifier)


def one_of(store: Embedded) -> Listing:
    return store.find(Listing)[0]


def test_a_log_that_grows_while_it_is_verified_holds(
    listings: Listings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another store lists between the head and the tiles, and redacts between the head and the leaves."""
    made = listings.list_(SITE, by="lan")
    listings.remove(made.id, by="lan", why="a person was named")
    with machine.store(tmp_path) as store:
        other, read = replace(listings, store=store), listed.leaves
        acts = [
            lambda: other.list_(proposal("host", "otp1.example", site="unclear"), by="mai"),
            lambda: other.redact(0, by="mai", why="a person was named"),
        ]

        def meanwhile(store: Embedded) -> Iterator[Leaf]:
            if acts:
                acts.pop()()
            return read(store)

        monkeypatch.setattr(held, "leaves", meanwhile)
        assert held.verify(listings.store, listings.verifier).size == 4, "as it was when it had been redacted"
        assert listed.read_head(store).size == 5
        tile = store.load(Tile, listed.tile_id(0, 0))[listed.tile_id(0, 0)]
        store.save(listed.tile_of(tile.id, listed.hashes_of(tile) + bytes(32)))
        with pytest.raises(CustodyError, match="the tile listings/0/0 and the leaves differ"):
            held.verify(listings.store, listings.verifier)


def test_what_was_changed_is_found_in_a_log_that_never_stands_still(
    listings: Listings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings.list_(SITE, by="lan")
    leaf, read, names = listed.leaf(listings.store, 0), listed.leaves, iter(range(100))
    assert leaf is not None
    listings.store.save(msgspec.structs.replace(leaf, text="", salt=""))

    def meanwhile(store: Embedded) -> Iterator[Leaf]:
        listings.list_(proposal("host", f"otp{next(names)}.example", site="unclear"), by="mai")
        return read(store)

    monkeypatch.setattr(held, "leaves", meanwhile)
    with pytest.raises(CustodyError, match="no leaf says that it was redacted"):
        held.verify(listings.store, listings.verifier)


def test_a_log_holds_while_another_lists(listings: Listings, tmp_path: Path) -> None:
    from threading import Thread

    def work() -> None:
        with machine.store(tmp_path) as store:
            for n in range(30):
                log(store).list_(proposal("host", f"otp{n}.example", site="unclear"), by="mai")

    thread = Thread(target=work)
    thread.start()
    sizes = set[int]()
    while thread.is_alive():
        sizes.add(held.verify(listings.store, listings.verifier).size)
    thread.join()
    assert held.verify(listings.store, listings.verifier).size == 30
    assert sizes


def test_nothing_is_added_to_a_log_that_is_not_what_was_signed(listings: Listings) -> None:
    listings.list_(SITE, by="lan")
    head = listed.read_head(listings.store)
    listings.store.save(msgspec.structs.replace(head, size=0, checkpoint=""))
    with pytest.raises(CustodyError, match="set back"):
        listings.list_(proposal("host", "otp.example", site="unclear"), by="lan")
    listings.store.save(head, listed.tile_of(listed.tile_id(0, 0), bytes(32)))
    with pytest.raises(CustodyError, match="not what was signed"):
        listings.list_(proposal("host", "otp.example", site="unclear"), by="lan")


# Proofs, and the log as files.


def test_every_leaf_is_proven_in_every_log_that_had_it(listings: Listings) -> None:
    sizes = (1, 2, 3, 255, 256, 257, 300)
    roots: dict[int, bytes] = {}
    for before, size in zip((0, *sizes), sizes, strict=False):
        listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(before, size)), by="lan")
        roots[size] = ledger.parse_checkpoint(ledger.parse_note(listed.checkpoint(listings.store).encode()).text).root
    hashes = [listed.leaf_hash(each) for each in listed.leaves(listings.store)]
    for size, root in roots.items():
        for index in range(size):
            proof = listed.proof(listings.store, index, size)
            ledger.verify_inclusion(index, size, hashes[index], proof, root)
    for earlier in sizes:
        for size in (each for each in sizes if each >= earlier):
            proof = listed.consistency(listings.store, earlier, size)
            ledger.verify_consistency(earlier, roots[earlier], size, roots[size], proof)
    for asked in (301, -1):
        with pytest.raises(InputError):
            listed.proof(listings.store, 0, asked)


def test_a_proof_holds_far_from_the_log_and_no_byte_of_it_may_change(listings: Listings) -> None:
    listings.import_([SITE, *(proposal("host", f"otp{n}.example", site="unclear") for n in range(9))], by="lan")
    document = listed.prove(listings.store, 0)
    leaf, found = held.check(document, listings.verifier)
    assert leaf == listed.leaf(listings.store, 0)
    assert found.size == 10
    for at_ in range(len(document)):
        changed = bytearray(document)
        changed[at_] ^= 1
        with pytest.raises((CustodyError, FormatError)):
            held.check(bytes(changed), listings.verifier)
    with pytest.raises(InputError, match="no leaf 10"):
        listed.prove(listings.store, 10)


def test_the_log_lies_in_files_as_tlog_tiles_has_them(listings: Listings) -> None:
    listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(SIZE)), by="lan")
    store, leaves = listings.store, list(listed.leaves(listings.store))
    hashes = b"".join(map(listed.leaf_hash, leaves))
    assert listed.file(store, "checkpoint").decode() == listed.checkpoint(store)
    assert listed.file(store, "tile/0/000") == hashes[: 256 * 32]
    assert listed.file(store, "tile/0/001.p/44") == hashes[256 * 32 :]
    assert listed.file(store, "tile/0/000.p/3") == hashes[:96]
    assert listed.file(store, "tile/entries/001.p/44")[:34] == b"\0\x20" + bytes.fromhex(leaves[256].commitment)
    assert listed.parse_texts(listed.file(store, "text/001.p/44")) == leaves[256:]
    for wrong in ("tile/0/001", "tile/0/001.p/45", "tile/2/000", "tile/9/000", "text/0/000", "../keys", "tile/000", ""):
        with pytest.raises(InputError):
            listed.file(store, wrong)


# Copies.


def test_a_copy_holds_is_resumed_and_forgets_what_was_redacted(listings: Listings, tmp_path: Path) -> None:
    folder, fetch = tmp_path / "copy", partial(listed.file, listings.store)
    listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(SIZE)), by="lan")
    first = Mirror(folder, fetch).copy(listings.verifier)
    assert (first.checkpoint.size, first.files) == (SIZE, 8)
    assert Mirror(folder, fetch).copy(listings.verifier).files == 0
    kept = (folder / "checkpoint").read_bytes()
    listings.remove(proposal("host", "otp3.example").id, by="lan", why="gone")
    listings.redact(3, by="lan", why="a person")
    text = folder / "text/000"
    assert b"otp3.example" in text.read_bytes()
    assert Mirror(folder, fetch).copy(listings.verifier).checkpoint.size == SIZE + 3
    assert b"otp3.example" not in text.read_bytes()
    assert mirror.verify(folder, listings.verifier, kept).size == SIZE + 3
    text.write_bytes(b"damaged")
    (folder / "tile/0/000").write_bytes(b"damaged")
    with pytest.raises((CustodyError, FormatError)):
        mirror.verify(folder, listings.verifier)
    assert Mirror(folder, fetch).copy(listings.verifier).files == 2
    mirror.verify(folder, listings.verifier)


def test_a_copy_takes_over_nothing_that_was_not_signed(listings: Listings, tmp_path: Path) -> None:
    listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(SIZE)), by="lan")
    for path in ("checkpoint", "tile/1/000.p/1", "tile/0/000", "tile/0/001.p/44", "text/000", "text/001.p/44"):
        whole = listed.file(listings.store, path)
        for changed in (whole[:-40], whole[40:], bytes([whole[0] ^ 1]) + whole[1:], b"", whole + whole):

            def fetch(asked: str, path: str = path, changed: bytes = changed) -> bytes:
                return changed if asked == path else listed.file(listings.store, asked)

            folder = tmp_path / secrets.token_hex(4)
            with pytest.raises((CustodyError, InputError)):
                Mirror(folder, fetch).copy(listings.verifier)
            assert not (folder / path).exists()
            assert not (folder / "checkpoint").exists()


@pytest.mark.parametrize("change", [lambda tile: tile[:32], lambda tile: tile[:64], lambda tile: tile + b"\0"])
def test_a_full_tile_is_as_long_as_a_full_tile(
    listings: Listings, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    """The hash above all of a tile is that of its one or two upper hashes, too."""
    listings.import_((proposal("host", f"otp{n}.example", site="unclear") for n in range(SIZE)), by="lan")
    whole = listed.file(listings.store, "tile/0/000")
    rows = [whole[n : n + 32] for n in range(0, len(whole), 32)]
    while len(rows) > 2:  # what a short tile would have to hold
        rows = [tree.top_of(left + right) for left, right in zip(rows[::2], rows[1::2], strict=True)]
    forged = {32: tree.top_of(whole), 64: b"".join(rows)}.get(len(change(whole)), change(whole))
    assert len(forged) == len(change(whole))

    def fetch(asked: str) -> bytes:
        return forged if asked == "tile/0/000" else listed.file(listings.store, asked)

    with pytest.raises(CustodyError, match=r"tile/0/000 is not the tile that was signed"):
        Mirror(tmp_path / "copy", fetch).copy(listings.verifier)
    Mirror(tmp_path / "whole", partial(listed.file, listings.store)).copy(listings.verifier)
    (tmp_path / "whole/tile/0/000").write_bytes(forged)
    with pytest.raises(CustodyError):
        mirror.verify(tmp_path / "whole", listings.verifier)
    assert Mirror(tmp_path / "whole", partial(listed.file, listings.store)).copy(listings.verifier).files == 1


def test_a_copy_is_made_of_a_log_of_which_something_is_redacted_meanwhile(listings: Listings, tmp_path: Path) -> None:
    listings.list_(SITE, by="lan")
    listings.remove(SITE.id, by="lan", why="gone")
    asked: list[str] = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        if path.startswith("text/") and asked.count("checkpoint") == 1:
            listings.redact(0, by="mai", why="a person was named")
        return listed.file(listings.store, path)

    copied = Mirror(tmp_path / "copy", fetch).copy(listings.verifier)
    assert copied.checkpoint.size == listed.read_head(listings.store).size == 4
    assert asked.count("checkpoint") == 2
    mirror.verify(tmp_path / "copy", listings.verifier)


def test_a_copy_of_a_log_that_always_answers_anew_is_given_up(tmp_path: Path) -> None:
    with machine.store(tmp_path / "one") as one, machine.store(tmp_path / "other") as other:
        for store, name in ((one, "otp.example"), (other, "critic.example")):
            log(store).list_(proposal("host", name, site="unclear"), by="lan")
        notes = iter([listed.checkpoint(one), listed.checkpoint(other)] * 9)
        asked: list[str] = []

        def fetch(path: str) -> bytes:
            asked.append(path)
            if path == "checkpoint":
                return next(notes).encode()
            now = one if asked.count("checkpoint") == 1 else other
            return b"" if path.startswith("text") else listed.file(now, path)

        with pytest.raises(CustodyError):
            Mirror(tmp_path / "copy", fetch).copy(log(one).verifier)
        assert asked.count("checkpoint") == 4
        assert not (tmp_path / "copy/checkpoint").exists()


def test_of_a_log_in_which_nothing_was_listed_yet_there_is_no_copy(listings: Listings, tmp_path: Path) -> None:
    fetch = partial(listed.file, listings.store)
    with pytest.raises(InputError, match="nothing was listed yet"):
        Mirror(tmp_path / "copy", fetch).copy(listings.verifier)
    listings.list_(SITE, by="lan")
    Mirror(tmp_path / "copy", fetch).copy(listings.verifier)
    with pytest.raises((CustodyError, FormatError)):
        Mirror(tmp_path / "copy", lambda _: b"").copy(listings.verifier)


def test_a_copy_finds_a_fork(tmp_path: Path) -> None:
    with machine.store(tmp_path / "one") as one, machine.store(tmp_path / "other") as other:
        for store, name in ((one, "otp.example"), (other, "critic.example")):
            log(store).list_(proposal("host", name, site="unclear"), by="lan")
        folder = tmp_path / "copy"
        Mirror(folder, partial(listed.file, one)).copy(log(one).verifier)
        with pytest.raises(CustodyError, match="two logs were signed"):
            Mirror(folder, partial(listed.file, other)).copy(log(one).verifier)
    with pytest.raises(InputError, match="holds no copy"):
        mirror.verify(tmp_path / "none", log(one).verifier)


def test_what_many_list_at_once_is_one_log(listings: Listings, tmp_path: Path) -> None:
    from threading import Thread

    def work(name: str) -> None:
        with machine.store(tmp_path) as store:
            for n in range(5):
                log(store).list_(proposal("host", f"{name}{n}.example", site="unclear"), by=name)

    threads = [Thread(target=work, args=(name,)) for name in ("lan", "mai", "nga")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert held.verify(listings.store, listings.verifier).size == 15
    assert listings.store.count(Entry) == {(): 15}
