"""``khien contacts``: whom people are sent to, checked and signed; a site with others does not start."""

import json
import shutil
from pathlib import Path

import pytest

from khien.app import guides
from khien.app.configuration import People
from khien.cli.main import run
from khien.errors import ConfigError

Said = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a copy of what comes with Khiên."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(guides.CONTACTS, "contacts.toml")
    shutil.copy(guides.PLANS, "help.toml")
    return tmp_path


def signed(capsys: Said, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["contacts", "sign", *arguments, "--data", "office"]) == 0
    return capsys.readouterr().out.strip()


@pytest.mark.usefixtures("folder")
def test_contacts_are_listed_with_how_far_each_may_be_trusted(capsys: Said) -> None:
    assert run(["contacts", "show", "--lang", "vi"]) == 1  # some are not confirmed
    assert "đã kiểm tra 22/11/2026" in capsys.readouterr().out
    assert run(["contacts", "show", "--format", "jsonl"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["standing"] for row in rows} <= {"checked", "stale", "unconfirmed", "known"}
    assert next(row for row in rows if row["id"] == "child-helpline")["phone"] == "111"


def test_a_file_is_checked_as_the_site_reads_it(folder: Path, capsys: Said) -> None:
    assert run(["contacts", "check", "contacts.toml"]) == 1
    assert run(["contacts", "check", "--plans", "help.toml"]) == 0
    (folder / "contacts.toml").write_text(guides.CONTACTS.read_text().replace('id = "bank"', 'id = "a-bank"'))
    assert run(["contacts", "check", "contacts.toml"]) == 2
    assert "contacts.toml: contact: none has the id 'bank', which plans name" in capsys.readouterr().err
    (folder / "contacts.toml").write_text(guides.CONTACTS.read_text().replace("2026-11-22", "2999-01-01"))
    assert run(["contacts", "check", "contacts.toml"]) == 2
    assert "contacts.toml:13: contact[0].checked: is after today" in capsys.readouterr().err
    assert run(["contacts", "check", "none.toml"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_what_is_wrong_is_not_signed(folder: Path) -> None:
    (folder / "contacts.toml").write_text("stale_after = 0\n")
    assert run(["contacts", "sign", "contacts.toml", "--data", "office"]) == 2
    assert not (folder / "contacts.toml.note").exists()


def test_signed_files_are_used_and_name_who_signed(folder: Path, capsys: Said) -> None:
    key = signed(capsys, "contacts.toml")
    assert signed(capsys, "--plans", "help.toml") == key  # made once
    assert (folder / "office/keys/contacts.key").stat().st_mode & 0o777 == 0o600
    guide = guides.load(People(contacts="contacts.toml", plans="help.toml", contacts_key=key))
    assert guide.contacts == guides.shipped().contacts
    assert guide.signer == key.partition("+")[0]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: at.write_text(at.read_text().replace("113", "116")), "it is not the file that was signed"),
        (lambda at: at.with_name("contacts.toml.note").unlink(), "contacts.toml.note: there is no such file"),
        (lambda at: at.with_name("contacts.toml.note").write_bytes(b"\xff"), "a note is UTF-8"),
        (lambda at: at.unlink(), "contacts.toml: there is no such file"),
    ],
)
def test_a_site_with_other_contacts_than_were_signed_does_not_start(
    folder: Path, capsys: Said, spoil: object, said: str
) -> None:
    key = signed(capsys, "contacts.toml")
    setting = f'[people]\ncontacts = "contacts.toml"\ncontacts_key = "{key}"\n'
    (folder / "khien.toml").write_text("site = false\n" + setting)
    assert run(["doctor"]) == 0
    assert callable(spoil)
    spoil(folder / "contacts.toml")
    capsys.readouterr()
    for command in (["doctor"], ["run", "--once"], ["contacts", "show"]):
        assert run(command) != 0
        told = capsys.readouterr()
        assert said in told.out + told.err, command


@pytest.mark.usefixtures("folder")
def test_without_a_key_or_with_another_nothing_is_used(capsys: Said) -> None:
    signed(capsys, "contacts.toml")
    with pytest.raises(ConfigError, match="contacts_key is not set"):
        guides.load(People(contacts="contacts.toml"))
    assert run(["contacts", "sign", "help.toml", "--plans", "--data", "elsewhere"]) == 0
    other = capsys.readouterr().out.strip()
    with pytest.raises(ConfigError, match="is not signed by khien-contacts"):
        guides.load(People(contacts="contacts.toml", contacts_key=other))


def test_settings_that_are_not_there_name_those_that_are(folder: Path, capsys: Said) -> None:
    (folder / "khien.toml").write_text('[people]\ncontact = "contacts.toml"\n')
    assert run(["doctor"]) != 0
    told = capsys.readouterr()
    assert (
        "khien.toml:2: people.contact: there is no setting 'contact': there is contacts, plans" in told.out + told.err
    )
