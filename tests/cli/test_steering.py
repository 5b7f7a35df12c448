"""What is shown and steered from the command line: sources, notices, takedowns."""

import json
from pathlib import Path

import msgspec
import pytest

from khien import audit, schema, words
from khien.app import machine
from khien.model import Asset, Constituent, Evidence, Finding, Hearing, Notice, Proof, SourceState, Takedown
from khien.triage import life
from tests.cli.conftest import Khien
from tests.web import filled
from tests.web.filled import Filled


@pytest.fixture
def ids(tmp_path: Path) -> Filled:
    """A filled data directory, where khien looks for it."""
    with machine.store(tmp_path / "khien-data") as store:
        return filled.fill(store)


@pytest.mark.usefixtures("ids")
def test_sources_are_told(khien: Khien) -> None:
    told = khien("sources", "--lang", "vi")
    assert told.returncode == 1  # one stands still
    line = next(each for each in told.stdout.splitlines() if each.startswith("ct: "))
    assert "12.000.000" in line
    assert "còn 140 dòng phải đọc" in line
    assert "\u202e" not in told.stdout
    lines = [json.loads(each) for each in khien("sources", "--format", "jsonl").stdout.splitlines()]
    assert {each["state"]["id"]: each["lag"] for each in lines} == {"ct": 90.0, filled.HOSTILE: None}
    assert "notices: 3" in khien("status").stdout


def test_notices_are_listed_shown_and_answered(khien: Khien, ids: Filled, tmp_path: Path) -> None:
    listed = khien("notices", "list", "--state", "open")
    assert listed.returncode == 1
    assert len(listed.stdout.splitlines()) == 2
    assert "Ngân hàng Sao Thủy: saothuybank-otp[.]example[.]top" in listed.stdout
    assert khien("notices", "list", "--constituent", "nobody").returncode == 0
    shown = khien("notices", "show", ids.notice[:8], "--lang", "vi").stdout
    assert "250 OK" in shown
    assert ids.notice in shown
    whole = json.loads(khien("notices", "show", ids.notice, "--format", "jsonl").stdout)
    assert {each["channel"] for each in whole["deliveries"]} == {"mail", "webhook"}
    taken = khien("notices", "withdraw", ids.notice[:12], "--why", "their own", "--by", "officer")
    assert (taken.returncode, taken.stdout) == (0, f"Notice {ids.notice[:12]} is now: closed.\n")
    again = khien("notices", "acknowledge", ids.notice)
    assert again.returncode == 2
    assert "it takes nothing more, not acknowledge" in again.stderr
    assert "takes officer" in khien("notices", "acknowledge", ids.citizen, "--by", "viewer").stderr
    assert "'ffff' is too short: give at least 6" in khien("notices", "show", "ffff").stderr
    assert "no notice begins with 'ffffff'" in khien("notices", "show", "ffffff").stderr
    with machine.store(tmp_path / "khien-data") as store:
        assert store.load(Notice, ids.notice)[ids.notice].steps[-1].why == "their own"
        assert [(each.by, each.act) for each in audit.read(store) if each.act != "refused"] == [
            ("officer", "notice-withdrawn")
        ]


def test_a_name_is_told_once_and_a_digest_says_that_it_is_one(khien: Khien, ids: Filled, tmp_path: Path) -> None:
    with machine.store(tmp_path / "khien-data") as store:
        alone = store.load(Notice, ids.notice)[ids.notice]
        web = msgspec.structs.replace(alone.subjects[0], value=f"www.{filled.SUBJECT}")
        other = msgspec.structs.replace(alone.subjects[0], value="saothuybank.example.vip")
        store.save(msgspec.structs.replace(alone, id="e" * 64, subjects=(*alone.subjects, web), campaign=""))
        gathered = (*alone.subjects, web, other)
        store.save(msgspec.structs.replace(alone, id="f" * 64, subjects=gathered, campaign="digest"))
    listed = {each[:12]: each for each in khien("notices", "list").stdout.splitlines()}
    assert listed["e" * 12].endswith("Ngân hàng Sao Thủy: saothuybank-otp[.]example[.]top  (open)")
    assert listed["f" * 12].endswith("Ngân hàng Sao Thủy: Digest: saothuybank-otp[.]example[.]top and 1 more  (open)")
    assert words.page("deliveries-gathered", "en") in khien("notices", "show", "e" * 64).stdout


def test_takedowns_are_listed_shown_begun_and_closed(khien: Khien, ids: Filled, tmp_path: Path) -> None:
    listed = khien("takedown", "list")
    assert listed.returncode == 1
    assert "3 h" in listed.stdout
    shown = khien("takedown", "show", "saothuybank-otp[.]example[.]top").stdout
    assert "abuse@registrar.example" in shown
    assert "takes approver" in khien("takedown", "close", filled.SUBJECT, "--by", "officer").stderr
    closed = khien("takedown", "close", filled.SUBJECT, "--by", "approver", "--why", "gone for good")
    assert closed.stdout == "saothuybank-otp[.]example[.]top is now: closed.\n"
    assert khien("takedown", "begin", filled.SUBJECT).returncode == 0
    assert khien("takedown", "begin", filled.SUBJECT).returncode == 2
    assert khien("takedown", "begin", "nobody.example").returncode == 2
    with machine.store(tmp_path / "khien-data") as store:
        kept = store.load(Takedown, ids.takedown)[ids.takedown]
        assert (kept.state, len(kept.steps)) == ("asked", 5)


def test_what_is_given_wrong_is_called_by_its_name(khien: Khien) -> None:
    said = khien("officers", "role", "lan", "king").stderr
    assert "Invalid value for 'ROLE'" in said
    for act, reason in (("acknowledge", "they have it in hand"), ("own", "is their own"), ("withdraw", "is for sale")):
        assert reason in khien("notices", act, "--help").stdout


def test_a_place_where_nothing_was_told(khien: Khien, tmp_path: Path) -> None:
    with machine.store(tmp_path / "khien-data") as store:
        store.save(SourceState(id="names"))
    for command, said in (("notices", "No notice"), ("takedown", "no takedown")):
        told = khien(command, "list")
        assert (told.returncode, told.stdout) == (0, "")
        assert said in told.stderr
    assert khien("sources").returncode == 0


@pytest.mark.usefixtures("protect")
def test_what_a_run_says_is_lines_of_json(khien: Khien, tmp_path: Path) -> None:
    names = 'protect = "ours.toml"\nsite = false\n[[source]]\nname = "names"\npaths = ["names.txt"]\n'
    missing = '[[source]]\nname = "gone"\npaths = ["nothing.txt"]\n'
    (tmp_path / "khien.toml").write_text(names + missing, encoding="utf-8")
    (tmp_path / "names.txt").write_text("saothuybank-otp.top\n", encoding="utf-8")
    said = [json.loads(each) for each in khien("run", "--once", "--log-format", "json").stderr.splitlines()]
    assert {"at", "level", "where", "message"} <= set(said[0])
    told = {each["code"]: each["params"] for each in said if "code" in each}
    assert told["source-at"]["rows"] == "1"
    assert told["found-so-far"]["count"] == "1"
    assert any(each["level"] == "error" and "nothing.txt" in each["message"] for each in said)


def test_a_finding_that_is_reopened_is_told_as_at_the_desk(khien: Khien, tmp_path: Path) -> None:
    """What its page says counts by the register: whoever asks, at the desk or here, hears the same."""
    now = machine.clock()
    name = "vietcombank-y.example"
    found = Finding(
        id=schema.finding_id("lookalike", "domain", name, "vietcombank").hex(),
        detector="lookalike",
        kind="domain",
        subject=name,
        claim="vietcombank",
        score=0.99,
        techniques=(),
        reasons=(),
        raised=now,
    )
    page = Evidence(
        id=schema.evidence_id(name, "page", "site"),
        subject=name,
        topic="page",
        source="site",
        code="answers",
        params={"status": "200", "title": "Vietcombank Internet Banking", "url": f"https://{name}/"},
        at=now,
        since=now,
    )
    proof = Proof(how="officer", at=now, by="lan", why="called back")
    brand = Asset(id="brand", kind="brand", value="vietcombank", constituent="bank", proof=proof)
    bank = Constituent(id="bank", label="Bank", hears=(Hearing(channel="mail", address="soc@bank.example"),))
    with machine.store(tmp_path / "khien-data") as store:
        store.save(bank, brand, page, life.move(found, life.DISMISS, by="lan", at=now))
    assert khien("findings", "reopen", found.id, "--why", "looked again").returncode == 0
    with machine.store(tmp_path / "khien-data") as store:
        (told,) = store.find(Notice)
        assert [each.finding for each in told.subjects] == [found.id]
