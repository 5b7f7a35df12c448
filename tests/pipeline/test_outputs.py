"""Outputs of what is listed: nothing that may not be blocked, nothing that has ended, all of it signed; and what looks
it up offline."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from khien import ledger
from khien.app import machine
from khien.errors import ConflictError, CustodyError, FormatError, UnavailableError
from khien.listing import within
from khien.model import Leaf, Listing, Text
from khien.pipeline import held, listed, outputs
from khien.pipeline.listings import Listings
from khien.pipeline.outputs import FILTER, MANIFEST, NAMES, RULES, Outputs
from khien.stores.embedded.store import Embedded
from tests import listing
from tests.listing import AT

STATIC = Path(outputs.__file__).parents[1] / "web/static"


Ask = Callable[..., Any]


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path / "data") as store:
        yield store


@pytest.fixture
def made(store: Embedded, clock: Clock) -> Outputs:
    return Outputs(listing.log(store, clock), "https://khien.example")


def text(made: Outputs) -> str:
    """All that is given out, in one; of listings only their place is in it."""
    published = made.now()
    return "\n".join(each.body.decode() for name, each in published.files.items() if name not in (FILTER, MANIFEST))


def test_an_empty_log_has_outputs_too(made: Outputs) -> None:
    published = made.now()
    assert (published.version, tuple(published.files)) == (0, (*NAMES, MANIFEST))
    assert "version 0\n" in published.files[MANIFEST].body.decode()


def test_what_was_hacked_or_is_shared_is_in_no_output(made: Outputs) -> None:
    log = made.listings
    log.list_(listing.proposal("domain", "evil.example"), by="lan")
    hacked = log.list_(listing.proposal("url", "https://school.example/x", site="hacked"), by="lan")
    shared = log.list_(listing.proposal("host", "evil.pages.dev", site="unclear"), by="lan")
    assert (hacked.state, shared.state, shared.site) == ("listed", "listed", "shared-hosting")
    told = text(made)
    assert "evil.example" in told
    assert "school.example" not in told
    assert "pages.dev" not in told
    assert not any(each.id[: outputs.RULE] in told for each in (hacked, shared))


def test_a_version_is_the_size_of_the_log_and_its_octets_follow_from_it(made: Outputs, clock: Clock) -> None:
    for each in ("evil.example", "evil2.example"):
        made.listings.list_(listing.proposal("domain", each), by="lan")
    first = made.now()
    assert first.version == 2
    assert made.now() is first
    clock.now += timedelta(hours=5)
    again = Outputs(made.listings, made.home).now()
    assert again == first, "another process, later, makes the same"


def test_what_has_ended_is_gone_and_the_log_says_so_first(made: Outputs, clock: Clock) -> None:
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    assert "evil.example" in text(made)
    clock.now += timedelta(days=31)
    assert "evil.example" not in text(made)
    assert made.now().version == 2
    last = listed.leaf(made.listings.store, 1)
    assert last is not None
    said = listed.said(last)
    assert said is not None
    assert said.act == "expired"


def test_contested_stays_until_decided_then_it_is_gone_everywhere(made: Outputs) -> None:
    log = made.listings
    one = log.list_(listing.proposal("domain", "fine.example"), by="lan")
    log.contest(one.id, how="dns", why="we are a bakery")
    assert '"contested":true' in text(made)
    assert "bakery" not in text(made)
    log.decide(one.id, False, by="mai", why="it is a bakery")
    assert "fine.example" not in text(made)
    assert one.id[: outputs.RULE] not in text(made)


def test_a_manifest_is_signed_and_names_every_file(made: Outputs) -> None:
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    published = made.now()
    name, key = ledger.parse_verifier(made.listings.verifier)
    note = ledger.parse_note(published.files[MANIFEST].body)
    ledger.verify_note(note, name, key)
    origin, version, date, tree, *rest = note.text.splitlines()
    assert (origin, version, date) == (f"{name}/lists", "version 1", "date 2026-11-22T09:00:00Z")
    head = ledger.parse_checkpoint(ledger.parse_note(published.checkpoint.encode()).text)
    assert tree.split()[1] == str(head.size)
    assert dict(line.split()[::-1] for line in rest) == {
        each: hashlib.sha256(published.files[each].body).hexdigest() for each in NAMES
    }
    with pytest.raises(ledger.FormatError):
        ledger.parse_checkpoint(note.text)  # nobody can pass it off as one


def given(listings: Listings, **changed: Any) -> None:
    """Writes a listing in the store as nobody decided."""
    (one,) = listings.store.load(Listing, listing.proposal("host", "h7.evil.example").id).values()
    listings.store.save(msgspec.structs.replace(one, **changed))


def tampered(listings: Listings, level: int, at: int) -> None:
    """Changes a hash of the first tile of a level."""
    hashes = bytearray(listed.tiles(listings.store)(level, 0))
    hashes[at] ^= 1
    listings.store.save(listed.tile_of(listed.tile_id(level, 0), bytes(hashes)))


def invented(listings: Listings) -> None:
    """Lists what nobody did."""
    listings.store.save(msgspec.structs.replace(listing.proposal("host", "critic.example"), state="listed"))


def forged(listings: Listings) -> None:
    """Puts another leaf, which fits its own commitment, in the place of one; the tiles stay."""
    found = listed.leaf(listings.store, 7)
    told = found and listed.said(found)
    assert told is not None
    assert told.listing is not None
    listings.store.save(listed.made(7, msgspec.structs.replace(told, why="never"), bytes(32)))


def redacted(listings: Listings) -> None:
    """Takes out what a listing stands by, so that nothing says what it was."""
    found = listed.leaf(listings.store, 7)
    assert found is not None
    listings.store.save(msgspec.structs.replace(found, text="", salt=""))
    given(listings, value="critic.example", host="critic.example")


@pytest.mark.parametrize(
    "tamper",
    [
        partial(given, value="critic.example", host="critic.example"),
        partial(given, until=AT + timedelta(days=300)),
        partial(given, leaves=()),
        partial(given, leaves=(8,)),
        partial(given, leaves=(999,)),
        partial(tampered, level=0, at=7 * 32),
        partial(tampered, level=0, at=9 * 32),
        partial(tampered, level=1, at=0),
        forged,
        redacted,
        lambda listings: listings.store.save(gone=[listed.leaf(listings.store, 7)]),
        lambda listings: listings.store.save(
            msgspec.structs.replace(listing.proposal("host", "critic.example"), state="listed")
        ),
    ],
)
def test_what_the_log_does_not_say_is_in_no_output(made: Outputs, tamper: Callable[[Listings], None]) -> None:
    log = made.listings
    log.import_((listing.proposal("host", f"h{number}.evil.example") for number in range(300)), by="lan")
    assert "h7.evil.example" in text(made)
    tamper(log)
    with pytest.raises(CustodyError):
        Outputs(log).now()


def test_what_was_redacted_or_changed_since_holds_too(made: Outputs) -> None:
    log = made.listings
    for number in range(9):
        log.list_(listing.proposal("host", f"h{number}.evil.example"), by="lan")
    log.change(
        listing.proposal("host", "h3.evil.example").id, by="mai", why="more is known", conduct=("form", "payload")
    )
    log.redact(3, by="lan", why="a person was named")
    log.contest(listing.proposal("host", "h4.evil.example").id, how="dns", why="I bake")
    assert all(f"h{number}.evil.example" in text(made) for number in range(9))


def test_files_are_written_whole_or_not_at_all(made: Outputs, tmp_path: Path) -> None:
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    folder = tmp_path / "lists"
    outputs.write(made.now(), folder)
    assert {each.name for each in folder.iterdir()} == {*NAMES, MANIFEST}
    before = (folder / "domains.txt").read_bytes()
    one = made.listings.list_(listing.proposal("domain", "evil2.example"), by="lan")
    assert one.state == "listed"
    broken = made.now()._replace(files={**made.now().files, "no/such/place": made.now().files[MANIFEST]})
    with pytest.raises(UnavailableError):
        outputs.write(broken, folder)
    assert {each.name for each in folder.iterdir()} == {*NAMES, MANIFEST}
    assert (folder / "domains.txt").read_bytes() == before
    outputs.write(made.now(), folder)
    assert b"evil2.example" in (folder / "domains.txt").read_bytes()


def test_an_older_version_does_not_replace_a_later_one(made: Outputs, tmp_path: Path) -> None:
    folder, other = tmp_path / "lists", tmp_path / "other"
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    older = made.now()
    made.listings.list_(listing.proposal("domain", "evil2.example"), by="lan")
    outputs.write(made.now(), folder)
    with pytest.raises(ConflictError, match="has version 2, and this is 1"):
        outputs.write(older, folder)
    assert b"evil2.example" in (folder / "domains.txt").read_bytes()
    outputs.write(made.now(), folder)
    outputs.write(older, other)
    (folder / MANIFEST).write_bytes(b"no manifest")
    outputs.write(older, folder)


def test_one_process_at_a_time_writes_lists(made: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lists"
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    older, real, found = made.now(), os.replace, list[type]()
    made.listings.list_(listing.proposal("domain", "evil2.example"), by="lan")
    newer = made.now()
    monkeypatch.setattr(outputs, "_LOOKS", 2)

    def meanwhile(beside: Path, place: Path) -> None:
        if place.name == MANIFEST:
            with pytest.raises(UnavailableError, match="another process writes lists there"):
                outputs.write(newer, folder)
            found.append(UnavailableError)
        real(beside, place)

    monkeypatch.setattr(os, "replace", meanwhile)
    outputs.write(older, folder)
    assert found
    manifest = (folder / MANIFEST).read_text()
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() in manifest for name in NAMES)


def test_what_a_killed_process_left_is_taken_away(made: Outputs, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    for name in (".manifest.part", ".hosts.txt.part", ".hosts.txt-a1_b2c3d", ".hosts.txt-mine", ".htaccess"):
        (folder / name).write_text("x")
    outputs.write(made.now(), folder)
    assert {each.name for each in folder.iterdir()} == {*NAMES, MANIFEST, ".hosts.txt-mine", ".htaccess"}


def test_a_full_disk_is_said_to_be_full(made: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = made.now()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match="cannot be written: No space left on device: make room"):
        outputs.write(published, tmp_path / "lists")
    assert list((tmp_path / "lists").iterdir()) == []


# Offline: static/offline.js in node, over what was written.

SCRIPT = """
import { readFileSync } from "node:fs";
import { opened, within } from "STATIC/offline.js";
const [folder, verifier, earlier, days, ...links] = process.argv.slice(2);
const now = new Date(Date.parse("2026-11-22T09:00:00Z") + Number(days) * 86400000);
const read = (name) => readFileSync(`${folder}/${name}`);
const [manifest, rules] = [String(read("manifest")), String(read("offline.json"))];
const given = { manifest, filter: new Uint8Array(read("offline.filter")), rules };
try {
  const list = await opened(given, verifier, Number(earlier), now);
  const told = [];
  for (const link of links) told.push(await list.listed(link, new Date("2026-11-23T00:00:00Z")));
  const met = [];
  for (let n = 0; n < 20000; n += 1) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`x${n}`)));
    if (list.filter.met(digest)) met.push(n);
  }
  const units = links.map((link) => [...within(link)]);
  console.log(JSON.stringify({ version: list.version, told, met: met.length, units }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code ?? String(error) }));
}
"""


def node() -> str:
    """Where it is."""
    found = shutil.which("node")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    return found


@pytest.fixture
def ask(made: Outputs, tmp_path: Path) -> Ask:
    program, script = node(), tmp_path / "ask.mjs"
    script.write_text(SCRIPT.replace("STATIC", STATIC.as_uri()))
    folder = tmp_path / "lists"

    def asked(*links: str, earlier: int = 0, verifier: str = "", days: float = 1) -> Any:
        given = (folder, verifier or made.listings.verifier, earlier, days, *links)
        command = [program, str(script), *map(str, given)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return asked


def test_a_link_is_looked_up_without_a_question(made: Outputs, ask: Ask, tmp_path: Path) -> None:
    log = made.listings
    for number in range(300):
        log.list_(listing.proposal("host", f"h{number}.evil.example"), by="lan")
    domain = log.list_(listing.proposal("domain", "evil2.example"), by="lan")
    page = log.list_(listing.proposal("url", "https://shop.example/pay%7e/a%20b/"), by="lan")
    outputs.write(made.now(), tmp_path / "lists")
    told = ask(
        "https://h7.evil.example/x?y",
        "http://www.h8.evil.example/",
        "https://a.b.evil2.example:8443/",
        "http://shop.example/pay~/a b/more",
        "https://shop.example/pay",
        "https://evil.example/",
        "https://fine.example/",
    )
    assert [each and (each["unit"], each["harm"]) for each in told["told"]] == [
        ("host", "fraud"), ("host", "fraud"), ("domain", "fraud"), ("url", "fraud"), None, None, None,
    ]  # fmt: skip
    assert [told["told"][at]["id"] for at in (2, 3)] == [domain.id, page.id]
    assert told["version"] == 302
    assert told["met"] <= 5, "20,000 strangers, one false in 65,536"


LINKS = (
    "https://Evil.Example/Pay",
    "http://evil.example:80/a/../b/./c/",
    "https://evil.example:8443/x?y#z",
    "https://user:word@www.evil.example/",
    "https://ngân-hàng.example/đăng-nhập",
    "https://evil.example./x",
    "https://evil.example/%7euser/%2f/a%zz/",
    'https://evil.example/a b|c^d`e{f}"g<h>i',
    "https://evil.example\\a\\b",
    "http://192.0.2.7/a/b/c/d/e/f/g/h/i/j/k",
    "http://[2001:db8::7]:8080/x/",
    "https://a.b.c.evil.co.uk/x/",
    "https://evil.example//a//b/",
    "https://evil.example/a;b=1/c;d//",
    "http://1572395042/x;y",
    "https://[::ffff:93.184.216.34]:8443/x",
    "https://evil.example/" + "".join(f"{n}/" for n in range(40)) + "x",
)


def test_the_browser_looks_for_what_the_listing_covers(made: Outputs, ask: Ask, tmp_path: Path) -> None:
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    outputs.write(made.now(), tmp_path / "lists")
    for link, units in zip(LINKS, ask(*LINKS)["units"], strict=True):
        covering = {(unit, value.partition("://")[2] or value) for unit, value in within(link)}
        assert covering <= {(unit, place) for unit, place in units}, link


def test_a_list_that_was_changed_or_is_older_is_refused(made: Outputs, ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    made.listings.list_(listing.proposal("domain", "evil.example"), by="lan")
    outputs.write(made.now(), folder)
    assert ask("https://evil.example/")["version"] == 1
    assert ask(earlier=2) == {"code": "older"}
    assert ask(days=31) == {"code": "older"}
    assert ask(days=31, earlier=1)["version"] == 1
    rules = (folder / RULES).read_text()
    (folder / RULES).write_text(re.sub("fraud", "freud", rules))
    assert ask() == {"code": "digest"}
    (folder / RULES).write_text(rules)
    manifest = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(manifest.replace("version 1", "version 9"))
    assert ask() == {"code": "signature"}
    (folder / MANIFEST).write_text(manifest)
    assert ask(verifier=ledger.verifier("else", bytes(32))) == {"code": "signature"}


# The proof in the browser: static/ledger.js in node.

PROOFS = """
import { readFileSync } from "node:fs";
import { held, parsed } from "STATIC/ledger.js";
const [verifier, ...files] = process.argv.slice(2);
const told = [];
for (const file of files) {
  try {
    const { index, ...rest } = parsed(readFileSync(file, "utf-8"));
    told.push((await held({ index, ...rest }, verifier)).holds);
  } catch (error) {
    told.push(error.code ?? String(error));
  }
}
console.log(JSON.stringify(told));
"""


def test_the_browser_takes_a_leaf_for_no_other(made: Outputs, tmp_path: Path) -> None:
    """Only a leaf's text is committed to: whatever else it says of itself follows from that and from its place."""
    log = made.listings
    for number in range(7):
        log.list_(listing.proposal("host", f"h{number}.evil.example"), by="lan")
    log.change(listing.proposal("host", "h3.evil.example").id, by="lan", why="", note=Text.of("asks for codes"))
    log.redact(3, by="lan", why="a person was named")
    store, whole = log.store, ledger.parse_proof(listed.prove(log.store, 0))
    leaf, empty = listed.leaf(store, 0), ledger.parse_proof(listed.prove(store, 3))
    gone = listed.leaf(store, 3)
    assert leaf is not None
    assert gone is not None

    def proof(leaf: Leaf, of: ledger.Proof = whole, **changed: Any) -> bytes:
        return replace(of, extra=msgspec.json.encode(leaf), **changed).document

    given = [
        (whole.document, True),
        (empty.document, True),
        (listed.prove(store, 7), True),
        (proof(leaf, index=7), False),
        (proof(leaf, index=listed.read_head(store).size), "path"),
        (proof(msgspec.structs.replace(leaf, id=listed.leaf_id(7))), False),
        (proof(msgspec.structs.replace(leaf, id=listed.leaf_id(7)), index=7), False),
        (proof(msgspec.structs.replace(leaf, listing="f" * 64)), False),
        (proof(msgspec.structs.replace(leaf, at=AT + timedelta(days=1))), False),
        (proof(msgspec.structs.replace(gone, id=listed.leaf_id(0)), empty), False),
        (proof(msgspec.structs.replace(gone, salt="00" * 32), empty), False),
    ]
    script, files = tmp_path / "proofs.mjs", [tmp_path / f"{n}.tlog-proof" for n in range(len(given))]
    script.write_text(PROOFS.replace("STATIC", STATIC.as_uri()))
    for path, (document, _) in zip(files, given, strict=True):
        path.write_bytes(document)
        if document not in (whole.document, empty.document, given[2][0]):
            with pytest.raises((CustodyError, FormatError)):
                held.check(document, log.verifier)  # the browser refuses what the command line does
    command = [node(), str(script), log.verifier, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [holds for _, holds in given]
