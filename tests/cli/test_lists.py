"""``khien lists``: what is listed, as files."""

from datetime import timedelta
from pathlib import Path

import pytest

from khien import ledger
from khien.app import machine, registers
from khien.cli.main import run
from khien.model import Register
from khien.pipeline.outputs import MANIFEST, NAMES
from tests import listing


def test_all_lists_are_written_and_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("khien.toml").write_text('[site]\npublic = "https://khien.example"\n')
    data, folder = tmp_path / "khien-data", tmp_path / "lists"
    with machine.store(data) as store:
        log = machine.listings(data, store, registers.known(Register(names=())), timedelta(hours=72))
        at = machine.clock()
        log.list_(listing.proposal("domain", "evil.example", at=at, until=at + timedelta(days=9)), by="lan")
    assert run(["lists", "write", str(folder), "--lang", "en"]) == 0
    assert capsys.readouterr().out == f"8 files of version 1 are in {folder}.\n"
    assert {each.name for each in folder.iterdir()} == {*NAMES, MANIFEST}
    note = ledger.parse_note((folder / MANIFEST).read_bytes())
    ledger.verify_note(note, *ledger.parse_verifier(log.verifier))
    assert "https://khien.example/vi/listings" in (folder / "domains.txt").read_text()


def test_who_has_not_said_where_one_objects_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "khien-data"
    with machine.store(data) as store:
        log = machine.listings(data, store, registers.known(Register(names=())))
        at = machine.clock()
        log.list_(listing.proposal("domain", "evil.example", at=at, until=at + timedelta(days=9)), by="lan")
    assert run(["lists", "write", "lists", "--lang", "en"]) == 0
    assert "khien.toml has no site.public" in capsys.readouterr().err
    Path("khien.toml").write_text('[site]\npublic = "https://khien.example"\n')
    assert run(["lists", "write", "lists", "--lang", "en"]) == 0
    assert capsys.readouterr().err == ""


def test_without_a_data_directory_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["lists", "write", "lists"]) == 2
    assert list(tmp_path.iterdir()) == []
