"""What is listed from the command line, and the log of it held, copied and proven, as people run it."""

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from khien import audit
from khien.app import machine
from khien.listing import Known, listing_id
from khien.model import Officer
from tests.cli.conftest import Khien

NOTE = ("--note", "Hỏi mã OTP.", "--note-en", "Asks for codes.")
SITE = "https://saothuybank-otp.example/dang-nhap"


@pytest.fixture
def evidence(tmp_path: Path) -> str:
    path = tmp_path / "page.html"
    path.write_text("<form>OTP</form>", encoding="utf-8")
    return str(path)


@pytest.fixture
def listed(khien: Khien, evidence: str) -> Khien:
    """One page is listed."""
    done = khien("list", SITE, "--harm", "fraud", "--conduct", "form", "--evidence", evidence, *NOTE, "--by", "lan")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("https://saothuybank-otp[.]example/dang-nhap  fraud  listed  ")
    return khien


def test_a_critic_is_refused_and_told_which_rule(khien: Khien, evidence: str, tmp_path: Path) -> None:
    name = "tay-chay-ngan-hang.example"
    for asked, rule in (
        (("--harm", "disinformation"), "opinion"),
        (("--harm", "fraud"), "no-conduct"),
        (("--harm", "fraud", "--conduct", "form"), "no-evidence"),
        (("--harm", "fraud", "--conduct", "form", "--evidence", evidence), "name-alone"),
    ):
        done = khien("list", name, *asked)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"The rule {rule} says: " in done.stderr
    said = khien("list", name, "--harm", "disinformation", "--lang", "vi").stderr
    assert "Quy tắc opinion: Điều người ta nói" in said
    assert khien("listings").returncode == 0
    with machine.store(tmp_path / "khien-data") as store:
        assert list(audit.read(store)) == []


def test_a_listing_is_shown_and_taken_out(listed: Khien) -> None:
    assert listed("listings").returncode == 1
    assert json.loads(listed("listings", "--format", "jsonl").stdout)["note"] == {"vi": NOTE[1], "en": NOTE[3]}
    shown = listed("listings", "show", SITE, "--lang", "vi").stdout
    assert "Hỏi mã OTP." in shown
    assert "0  2" in shown
    longer = listed("listings", "change", SITE, "--site", "hacked", "--days", "30", "--why", "its owner called")
    assert "not blocked: warn its owner, khien takedown --help says how" in longer.stdout
    assert "The rule no-expiry says" in listed("listings", "change", SITE, "--days", "366", "--why", "x").stderr
    gone = listed("delist", SITE, "--why", "the page is gone", "--by", "lan")
    assert (gone.returncode, "taken out" in gone.stdout) == (0, True)
    assert "removed the page is gone" in listed("listings", "show", SITE).stdout
    again = listed("delist", SITE, "--why", "twice")
    assert (again.returncode, "is removed: this takes one that is" in again.stderr) == (2, True)
    assert "no listing is of nothing.example" in listed("delist", "nothing.example", "--why", "x").stderr


def test_what_is_popular_takes_a_second_person_of_the_right_role(listed: Khien, evidence: str, tmp_path: Path) -> None:
    with machine.store(tmp_path / "khien-data") as store:
        store.save(Officer(id="mai", label="Mai", role="officer"), Officer(id="nga", label="Nga", role="approver"))
    fraud = ("--harm", "fraud", "--conduct", "form", "--evidence", evidence, *NOTE)
    assert "The rule popular says: " in listed("list", "facebook.com", *fraud, "--by", "mai").stderr
    page = "https://facebook.com/otp"
    nobody = listed("list", page, *fraud, "--by", "whoever")
    assert (nobody.returncode, "whoever is no officer here" in nobody.stderr) == (2, True)
    waits = listed("list", page, *fraud, "--by", "mai")
    assert "fraud  proposed" in waits.stdout
    assert "khien listings approve " in waits.stdout
    again = listed("list", page, *fraud, "--by", "nga")
    assert (again.returncode, "waits: khien listings approve " in again.stderr) == (2, True)
    assert "takes approver" in listed("listings", "approve", page, "--by", "mai").stderr
    unknown = listed("listings", "approve", page, "--by", "whoever").stderr
    assert "whoever is no officer here with the role approver" in unknown
    assert "khien officers invite NAME --role approver" in unknown
    assert "fraud  listed" in listed("listings", "approve", page, "--by", "nga").stdout
    official = listed("list", "vietcombank.com.vn", "--unit", "domain", "--site", "registered-for-harm", *fraud)
    assert "The rule official says" in official.stderr
    shared = listed("list", "otp.weebly.com", *fraud)
    assert "not blocked: warn its owner" in shared.stdout


def test_where_nobody_is_known_two_people_cannot_be_shown(listed: Khien, evidence: str, tmp_path: Path) -> None:
    imitates = ("--harm", "fraud", "--conduct", "imitation", "--evidence", evidence, *NOTE)
    refused = listed("list", "otp.example", *imitates, "--by", "lan")
    assert (refused.returncode, "two people cannot be shown" in refused.stderr) == (2, True)
    with machine.store(tmp_path / "khien-data") as store:
        listings = machine.listings(tmp_path / "khien-data", store, Known(lambda _: "", lambda _: ""))
        one = listings.contest(listing_id("url", SITE), how="dns", why="it is ours")
    kept = listed("listings", "decide", one.id, "keep", "--why", "x", "--by", "mai")
    assert (kept.returncode, "two people cannot be shown" in kept.stderr) == (2, True)
    removed = listed("listings", "decide", one.id, "remove", "--why", "x", "--by", "mai")
    assert removed.returncode == 0, removed.stderr


def test_a_change_that_takes_two_takes_two_who_are_known(listed: Khien, tmp_path: Path) -> None:
    change = ("listings", "change", SITE, "--why", "more is known")
    assert listed(*change, "--site", "hacked", "--by", "lan").returncode == 0
    blocks = (*change, "--site", "unclear")
    assert "The rule needs-two says" in listed(*blocks, "--by", "lan").stderr
    invented = listed(*blocks, "--by", "whoever")
    assert (invented.returncode, "two people cannot be shown" in invented.stderr) == (2, True)
    with machine.store(tmp_path / "khien-data") as store:
        store.save(Officer(id="mai", label="Mai", role="officer"))
    for name in ("whoever", "mai"):
        one_known = listed(*blocks, "--by", name)
        assert (one_known.returncode, "lan is no officer here" in one_known.stderr) == (2, True)
    with machine.store(tmp_path / "khien-data") as store:
        store.save(Officer(id="lan", label="Lan", role="officer"))
    assert "whoever is no officer here" in listed(*blocks, "--by", "whoever").stderr
    done = listed(*blocks, "--by", "mai")
    assert (done.returncode, "not blocked" in done.stdout) == (0, False)


def test_a_statement_is_in_both_languages_and_a_finding_is_one_of_ours(listed: Khien, evidence: str) -> None:
    fraud = ("--harm", "fraud", "--conduct", "form", "--evidence", evidence)
    half = listed("list", "otp.example", *fraud, "--note", "Hỏi mã OTP.")
    assert (half.returncode, "give both --note and --note-en" in half.stderr) == (2, True)
    changed = listed("listings", "change", SITE, "--note-en", "Asks.", "--why", "x")
    assert (changed.returncode, "give both --note and --note-en" in changed.stderr) == (2, True)
    assert listed("list", "otp.example", *fraud, *NOTE, "--finding", "f" * 64).returncode == 2


def test_a_partners_feed_is_held_to_the_same_rules(khien: Khien, tmp_path: Path) -> None:
    said = {"vi": NOTE[1], "en": NOTE[3]}
    rows = [
        {"value": "critic.example", "harm": "disinformation"},
        {"value": "news.example", "harm": "fraud", "note": {"vi": "tin giả", "en": "fake news"}},
        {"value": SITE, "harm": "fraud", "conduct": ["form"], "evidence": "ab" * 32, "note": said},
    ]
    feed = tmp_path / "feed.jsonl"
    feed.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    done = khien("listings", "import", str(feed), "--by", "lan")
    assert done.stdout == "listed: 1; waiting for a second person: 0\n"
    assert done.stderr.splitlines() == ["refused by the rule opinion: 2"]
    feed.write_text('{"value": "x.example"}\n', encoding="utf-8")
    assert "feed.jsonl: line 1 is no proposal" in khien("listings", "import", str(feed)).stderr


def test_the_log_holds_and_who_changes_it_is_found(listed: Khien, tmp_path: Path) -> None:
    held = listed("ledger", "verify")
    assert (held.returncode, held.stdout.startswith("The log holds: 1 leaves, root ")) == (0, True)
    note = tmp_path / "kept.note"
    note.write_text(listed("ledger", "checkpoint").stdout, encoding="utf-8")
    listed("delist", SITE, "--why", "gone")
    assert listed("ledger", "verify", "--against", str(note)).returncode == 0
    database = tmp_path / "khien-data" / "records.sqlite"
    database.write_bytes(database.read_bytes().replace(b"Asks for codes.", b"Asks for coins."))
    found = listed("ledger", "verify")
    assert (found.returncode, "listings/0000000000000000 was changed" in found.stderr) == (2, True)


def test_a_proof_is_checked_where_there_is_no_log(listed: Khien, tmp_path: Path) -> None:
    proof, key = tmp_path / "0.tlog-proof", listed("ledger", "checkpoint", "--key").stdout.strip()
    proof.write_text(listed("ledger", "proof", SITE).stdout, encoding="utf-8")
    assert proof.read_text(encoding="utf-8") == listed("ledger", "proof", "0", "--lang", "vi").stdout
    assert listed("ledger", "checkpoint", "--key", "--lang", "vi").stdout.strip() == key
    checked = listed("ledger", "check", str(proof), "--key", key, "--data", str(tmp_path / "nowhere"))
    assert checked.stdout.startswith("Leaf 0 is in the log of 1 leaves that khien-listings-")
    assert "saothuybank-otp.example" in checked.stdout
    proof.write_text(proof.read_text(encoding="utf-8").replace("index 0", "index 1"), encoding="utf-8")
    assert listed("ledger", "check", str(proof), "--key", key).returncode == 2
    keyless = listed("ledger", "check", str(proof), "--data", str(tmp_path / "nowhere"))
    assert (keyless.returncode, "give --key KEY" in keyless.stderr) == (2, True)
    assert "the log of listings has no leaf 7" in listed("ledger", "proof", "7").stderr


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # its name there
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder over HTTP, as anybody may serve a copy."""
    (tmp_path / "served").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served"))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ledger"
        server.shutdown()


def test_a_copy_is_made_here_and_of_another_house(listed: Khien, served: str, tmp_path: Path) -> None:
    ledger, key = tmp_path / "served" / "ledger", listed("ledger", "checkpoint", "--key").stdout.strip()
    assert listed("ledger", "mirror", str(ledger)).stdout.endswith(" holds the log: 1 leaves, 4 files written\n")
    far = ("ledger", "mirror", "far", "--from", served, "--allow", "127.0.0.0/8")
    assert "give --key" in listed(*far).stderr
    assert listed(*far, "--key", key).stdout == "far holds the log: 1 leaves, 4 files written\n"
    assert listed("ledger", "verify", "far", "--key", key).returncode == 0
    keyless = listed("ledger", "verify", "far", "--data", str(tmp_path / "nowhere"))
    assert (keyless.returncode, "give --key KEY" in keyless.stderr) == (2, True)
    assert "change or remove it first" in listed("ledger", "redact", "0", "--why", "a person").stderr
    listed("listings", "change", SITE, "--note", "Đòi mã.", "--note-en", "It wants codes.", "--why", "a person")
    listed("ledger", "redact", "0", "--why", "a person")
    listed("ledger", "mirror", str(ledger))
    assert listed(*far, "--key", key).stdout.startswith("far holds the log: 3 leaves")
    copied = [each.read_bytes() for each in (tmp_path / "far").rglob("*") if each.is_file()]
    assert not any(b"Asks" in each for each in copied)
    assert "which is not of the public Internet" in listed(*far[:-2], "--key", key).stderr
    (ledger / "text").rename(ledger / "gone")
    listed("delist", SITE, "--why", "gone")
    assert "is answered with 404" in listed(*far[:2], "third", *far[3:], "--key", key).stderr
