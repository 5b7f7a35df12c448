"""What status and doctor say of an outbox that stands still, and of secrets that are not there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from khien.app import machine
from khien.cli import main
from khien.model import Constituent, Delivery, Hearing, Takedown
from khien.pipeline import standing
from tests.listing import log, proposal
from tests.web import filled

CONFIG = """\
[site]
public = "https://khien.csirt.example"

[[source]]
name = "names"
paths = ["names.txt"]

[[channel]]
kind = "mail"
post = { host = "127.0.0.1", sender = "warn@csirt.example", user = "warn", password_file = "nope" }
"""
EARLIER = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
SENT = Delivery(
    id="d", about="n", revision=1, channel="mail", address="soc@saothuybank.vn", due=EARLIER + timedelta(hours=1)
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "khien.toml").write_text(CONFIG)
    (tmp_path / "names.txt").write_text("ordinary.example\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "khien-data"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main.run(list(arguments))
    return status, capsys.readouterr().out


def test_a_password_that_is_not_there_is_told_before_a_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = said(capsys, "doctor")
    assert status == 1
    assert "khien.toml:10: post.password_file: nope: No such file or directory: put the secret there" in told
    (place.parent / "nope").write_text("secret\n")
    (place.parent / "nope").chmod(0o644)
    assert "give it the mode 0600" in said(capsys, "doctor")[1]
    (place.parent / "nope").chmod(0o600)
    assert said(capsys, "doctor")[0] == 0


def test_owners_of_what_is_listed_are_told_whom_to_write_to(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = place.parent / "khien.toml"
    config.write_text(CONFIG.partition("[[channel]]")[0])
    with machine.store(place) as store:
        made = log(store).list_(proposal("host", "bakery.example"), by="lan")
    status, told = said(capsys, "doctor")
    assert status == 1
    assert "contact is empty, and what stands listed is 1: say where owners write who object" in told
    config.write_text(config.read_text().replace("[site]", '[site]\ncontact = "soc@khien.csirt.example"'))
    assert said(capsys, "doctor")[0] == 0
    config.write_text(CONFIG.partition("[[channel]]")[0])
    with machine.store(place) as store:
        log(store).remove(made.id, by="lan", why="a bakery")
    assert said(capsys, "doctor")[0] == 0


def test_what_was_tried_and_still_waits_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place.parent / "nope").touch(0o600)
    (place.parent / "nope").write_text("secret\n")
    with machine.store(place) as store:
        store.save(msgspec.structs.replace(SENT, id="untried"))
        assert "wait" not in said(capsys, "status")[1]
        assert said(capsys, "doctor")[0] == 0
        refused = "the server refuses"
        store.save(*(msgspec.structs.replace(SENT, id=each, tries=3, why=refused) for each in "ab"))
    for command in ("status", "doctor"):
        assert "that wait: 2, since 2026-11-22 06:00 UTC: the server refuses" in said(capsys, command)[1]
    assert said(capsys, "doctor")[0] == 1
    assert "đang chờ: 2, từ" in said(capsys, "status", "--lang", "vi")[1]


def test_who_waits_longest_is_first(place: Path) -> None:
    now = filled.AT + timedelta(hours=2)
    with machine.store(place) as store:
        ids = filled.fill(store)
        tried: dict[str, Any] = {"tries": 2, "due": now + timedelta(hours=1)}
        store.save(
            msgspec.structs.replace(SENT, id="later", due=now + timedelta(minutes=1)),  # agreed to, and no wait
            msgspec.structs.replace(SENT, id="untried"),
            msgspec.structs.replace(SENT, id="reported", about=ids.takedown, **tried),
        )
        found = {each.id: since for each, since in standing.waiting(store, now)}
        reported = store.load(Takedown, ids.takedown)[ids.takedown].reports[-1].at
    assert "later" not in found
    assert (found["untried"], found["reported"]) == (EARLIER + timedelta(hours=1), reported)
    assert list(found.values()) == sorted(found.values())


def test_a_secret_of_a_webhook_is_looked_at(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place.parent / "nope").touch(0o600)
    (place.parent / "nope").write_text("secret\n")
    hearing = Hearing(channel="webhook", address="https://saothuybank.vn/", secret_file="hook.secret")
    with machine.store(place) as store:
        store.save(Constituent(id="saothuy", label="Sao Thủy", hears=(hearing,)))
    assert "saothuy: secret_file: hook.secret: No such file" in said(capsys, "doctor")[1]


def test_a_takedown_says_what_it_waits_for(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with machine.store(place) as store:
        ids = filled.fill(store)
        gone = store.load(Takedown, ids.takedown)[ids.takedown]
        assert "Waits" not in said(capsys, "takedown", "show", gone.id)[1]
        store.save(msgspec.structs.replace(gone, state="asked", due=gone.steps[-1].at))
        assert "when it next runs" in said(capsys, "takedown", "show", gone.id)[1]
        store.save(msgspec.structs.replace(gone, state="asked"))
        told = said(capsys, "takedown", "show", gone.id)[1]
        assert "no contact for abuse is known yet" in told
        assert f"It is looked again at {gone.due:%Y-%m-%d %H:%M} UTC" in told
        assert "Đang chờ: chưa biết đầu mối" in said(capsys, "takedown", "show", gone.id, "--lang", "vi")[1]
        store.save(msgspec.structs.replace(gone, state="reported"))
        assert "is written to again at" in said(capsys, "takedown", "show", gone.id)[1]
