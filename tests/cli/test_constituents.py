"""Constituents at the command line: entered, proven, heard, let go, and carried in and out as documents."""

import io
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import pytest

from khien.app import machine
from khien.cli import main
from khien.triage import tokens
from tests.cli.conftest import REGISTER, Khien
from tests.loopback import Liar

CONFIG = 'protect = "ours.toml"\nsite = false\n\n[[source]]\nname = "names"\npaths = ["names.txt"]\n'


@dataclass(frozen=True)
class Run:
    """Runs commands below constituents, in this process: there are many of them."""

    streams: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    notes: list[str] = field(default_factory=list[str])

    @property
    def noted(self) -> str:
        """What the last one said beside its answer."""
        return self.notes[0]

    def __call__(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """What one says that ends so."""
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        met = main.run(["constituents", *arguments])
        said, problem = self.streams.readouterr()
        self.notes[:] = [problem]
        assert met == status, problem
        return said if status == 0 else problem

    def refused(self, *arguments: str) -> str:
        """Why one does not work."""
        return self(*arguments, status=main.CANNOT)


@pytest.fixture
def did(tmp_path: Path, khien: Khien, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A data directory beside a register and a configuration, and what is done there."""
    for name, text in {"ours.toml": REGISTER, "khien.toml": CONFIG, "names.txt": "ordinary.example\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert khien("run", "--once").returncode == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Run(capsys, monkeypatch)


def shown(did: Run, id: str = "saothuy") -> tuple[dict[str, Any], dict[str, str | None]]:
    """A constituent, and how each asset is proven."""
    found = json.loads(did("show", id, "--format", "jsonl"))
    theirs = (each for each in found["assets"] if each["left"] is None)
    return found["constituent"], {
        f"{each['kind']} {each['value']}": (each["proof"] or {}).get("how") for each in theirs
    }


def entered(did: Run) -> None:
    did("add", "saothuy", "--label", "Sao Thủy", "--domain", "SaoThuyBank.vn", "--brand", "saothuy", "--by", "Lan")


def answering(text: str) -> Any:
    def say(question: dns.message.Message) -> bytes:
        answer = dns.message.make_response(question)
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 0, "IN", "TXT", f'"{text}"'))
        return answer.to_wire()

    return say


def test_from_entering_to_leaving(did: Run) -> None:
    entered(did)
    did("add", "saothuy", "--sector", "bank", "--prefix", "203.0.113.0/24", "--patience", "PT90M")
    assert did.refused("add", "other", "--domain", "a.vn") == (
        "khien: other is no constituent yet: give --label, what people call them\n"
    )
    assert "'com.vn' is a public suffix" in did.refused("add", "saothuy", "--domain", "com.vn")
    assert "no protected name 'vcb'" in did.refused("add", "saothuy", "--brand", "vcb")
    assert did("prove", "saothuy", "203.0.113.0/24", "--how", "officer", "--why", "their contract", "--lang", "vi") == (
        "~ saothuy: prefix 203.0.113.0/24: chưa chứng minh → theo xác nhận của cán bộ\n"
    )
    mail = ("hear", "saothuy", "--channel", "mail", "--address", "soc@saothuybank.vn")
    did(*mail, "--least", "high", "--quiet", "22:00-06:00")
    assert did(*mail, "--least", "low", "--after", "PT2H") == (
        "~ saothuy: hears mail soc@saothuybank.vn: vi, high, at-once, 22:00-06:00 Asia/Ho_Chi_Minh → vi, low, at-once,"
        " after PT2H\n"
    )
    assert "is no hour" in did.refused(*mail, "--quiet", "night")
    assert "--zone is that of --quiet" in did.refused(*mail, "--zone", "Asia/Tokyo")
    assert "is no time zone" in did.refused(*mail, "--quiet", "22:00-06:00", "--zone", "Mars/X")
    hook = ("hear", "saothuy", "--channel", "webhook", "--address")
    assert "secret_file: is missing" in did.refused(*hook, "https://saothuybank.vn/khien")
    assert "is no https address" in did.refused(*hook, "http://saothuybank.vn/khien", "--secret-file", "hook.secret")
    constituent, assets = shown(did)
    assert (constituent["label"], constituent["sector"], constituent["patience"]) == ("Sao Thủy", "bank", "PT5400S")
    assert [each["least"] for each in constituent["hears"]] == ["low"]
    assert assets == {"domain saothuybank.vn": None, "brand saothuy": None, "prefix 203.0.113.0/24": "officer"}
    assert did("list") == "saothuy           Sao Thủy  (proven: 1 of 3; ways to hear: 1)\n"
    did(*mail, "--stop")
    assert "does not hear by mail" in did.refused(*mail, "--stop")
    did("remove", "saothuy", "--prefix", "203.0.113.0/24", "--why", "sold")
    assert shown(did)[1] == {"domain saothuybank.vn": None, "brand saothuy": None}
    assert "does not claim '198.51.100.0/24'" in did.refused("remove", "saothuy", "--prefix", "198.51.100.0/24")
    assert "2 assets with their proofs and 0 ways to hear, and nothing" in did.refused("remove", "saothuy")
    assert "say --why" in did.refused("remove", "saothuy", "--why", " ")
    left = did("remove", "saothuy", "--why", "asked to leave", "--by", "Lan")
    assert "- saothuy: domain saothuybank.vn: not proven" in left
    assert "there is no constituent 'saothuy'" in did.refused("show", "saothuy")
    assert "there is no constituent 'saothuy'" in did.refused("remove", "saothuy")
    assert did("list") == ""


def test_a_domain_proven_in_dns_makes_its_protected_name_theirs(did: Run) -> None:
    entered(did)
    asked = did("prove", "saothuy", "saothuybank.vn")
    said = re.fullmatch(r'_khien-challenge\.saothuybank\.vn\. IN TXT "(khien-proof=[a-z2-7]{26})"\n', asked)
    assert said
    assert did("prove", "saothuy", "SaoThuyBank.vn.") == asked  # nothing is kept, and it is always the same
    with Liar(answering("khien-proof=other")) as server:
        assert "has no TXT record khien-proof=" in did.refused(
            "prove", "saothuy", "saothuybank.vn", "--how", "dns", "--server", server.at
        )
    with Liar(answering(said[1])) as server:
        did("prove", "saothuy", "saothuybank.vn", "--how", "dns", "--server", server.at)
    assert shown(did)[1] == {"domain saothuybank.vn": "dns", "brand saothuy": "estate"}
    for how in ((), ("--how", "dns"), ("--how", "mail")):
        said = did.refused("prove", "saothuy", "saothuy", *how)
        assert "claim and prove one of saothuybank.vn; or give an officer's word for it, with --how officer" in said
    did("remove", "saothuy", "--domain", "saothuybank.vn")
    assert shown(did)[1] == {"brand saothuy": None}


def test_a_mail_domain_is_proven_by_a_code(did: Run) -> None:
    entered(did)
    did("add", "saothuy", "--mail-domain", "saothuybank.vn")
    assert "as domain, mail-domain: say which by --kind" in did.refused(
        "prove", "saothuy", "saothuybank.vn", "--how", "mail"
    )
    which = ("prove", "saothuy", "saothuybank.vn", "--kind", "mail-domain", "--how", "mail")
    letters = did(*which)
    assert re.findall(r"^To: (.*)$", letters, re.MULTILINE) == [
        f"{role}@saothuybank.vn" for role in ("security", "abuse", "postmaster")
    ]
    code = re.findall(r"^    (\S+)$", letters, re.MULTILINE)[0]
    assert "this is not a code" in did.refused(*which, "--code", "22222-22222")
    did(*which, "--code", code.lower())
    assert shown(did)[1]["mail-domain saothuybank.vn"] == "mail"
    assert "security@saothuybank.vn" in did("show", "saothuy")


def test_an_officers_word_has_a_reason(did: Run) -> None:
    entered(did)
    assert "their name and a reason" in did.refused("prove", "saothuy", "saothuybank.vn", "--how", "officer")


@pytest.mark.parametrize("format", ["toml", "csv"])
def test_what_is_exported_is_imported_and_changes_nothing(did: Run, tmp_path: Path, format: str) -> None:
    entered(did)
    did("prove", "saothuy", "saothuybank.vn", "--how", "officer", "--why", "called back")
    did("hear", "saothuy", "--channel", "mail", "--address", "soc@saothuybank.vn", "--digest", "daily")
    did("add", "other", "--label", "=cmd")
    before = shown(did)
    file = f"out.{format}"
    did("export", "--format", format, "-o", file)
    assert did("export", "--format", format) == (tmp_path / file).read_text(encoding="utf-8")
    assert "officer" not in (tmp_path / file).read_text(encoding="utf-8")
    assert did("import", "--dry-run", file) == ""
    assert did("import", file) == ""
    assert did("import", "-", "--format", format, stdin=(tmp_path / file).read_text(encoding="utf-8")) == ""
    assert shown(did) == before


def test_a_document_replaces_by_id_and_proves_nothing(did: Run, tmp_path: Path) -> None:
    entered(did)
    did("prove", "saothuy", "saothuybank.vn", "--how", "officer", "--why", "called back")
    did("add", "other", "--label", "Other")
    text = '[[constituents]]\nid = "saothuy"\nlabel = "Sao Thủy"\ndomains = ["saothuybank.vn", "saothuy.vn"]\n'
    (tmp_path / "in.toml").write_text(text, encoding="utf-8")
    said = "- saothuy: brand saothuy: proven by an official domain\n+ saothuy: domain saothuy.vn: not proven\n"
    assert did("import", "--dry-run", "in.toml") == said
    assert shown(did)[1] == {"domain saothuybank.vn": "officer", "brand saothuy": "estate"}
    assert did("import", "in.toml") == said
    assert shown(did)[1] == {"domain saothuybank.vn": "officer", "domain saothuy.vn": None}
    assert shown(did, "other")[0]["label"] == "Other"
    assert "their name and a reason" in did.refused("import", "--vouch", "in.toml")
    did("import", "--vouch", "--why", "signed list", "--by", "Lan", "in.toml")
    assert shown(did)[1] == {"domain saothuybank.vn": "officer", "domain saothuy.vn": "officer"}
    for line in ('proof = "dns"', 'proofs = ["dns"]', 'left = "2026-11-22T00:00:00Z"'):
        (tmp_path / "forged.toml").write_text(text + line + "\n", encoding="utf-8")
        assert "there is no such setting" in did.refused("import", "--vouch", "--why", "x", "forged.toml")


def test_what_is_wrong_with_a_document_is_told_with_its_line(did: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,label,domains\na,A,com.vn\nb,,b.vn\n", encoding="utf-8")
    lines = did.refused("import", "in.csv").splitlines()
    assert sorted(line.split(": ")[1] for line in lines) == ["in.csv:2", "in.csv:3"]
    assert "is no format of constituents" in did.refused("import", "names.txt")
    assert "check the path" in did.refused("import", "nothing.toml")
    assert did("list") == ""


def test_the_address_of_a_feed_is_told_as_others_reach_it(did: Run, tmp_path: Path) -> None:
    entered(did)
    key = machine.key(tmp_path / "khien-data", machine.NOTICES)
    path = f"{tokens.feed_path(key, 'saothuy')}/atom.xml?language=en"
    assert f"http://127.0.0.1:8460{path}\n" in did("show", "saothuy")
    public = CONFIG.replace("site = false", 'site = { public = "https://khien.example/" }')
    (tmp_path / "khien.toml").write_text(public, encoding="utf-8")
    assert f"https://khien.example{path}\n" in did("show", "saothuy")
    (tmp_path / "khien.toml").write_text("site = { public = 1 }\n", encoding="utf-8")
    assert "khien doctor says where" in did.refused("show", "saothuy")


def test_a_channel_that_nothing_goes_out_by_is_told(did: Run, tmp_path: Path) -> None:
    entered(did)
    sms = ("hear", "saothuy", "--channel", "sms", "--address", "+84900000000")
    did(*sms)
    assert "khien.toml has no channel sms, and nothing goes out there until it has. There is: -." in did.noted
    with (tmp_path / "khien.toml").open("a") as file:
        file.write('\n[[channel]]\nkind = "mail"\n\n[[channel]]\nkind = "webhook"\nname = "sms"\n')
    did(*sms, "--least", "high")
    assert "khien.toml" not in did.noted
    did("hear", "saothuy", "--channel", "fax", "--lang", "vi")
    assert "khien.toml không có kênh fax" in did.noted
    (tmp_path / "khien.toml").unlink()
    did(*sms, "--least", "low", "--data", "khien-data", "--protect", "ours.toml")
    assert "khien.toml" not in did.noted


def test_in_vietnamese_everything_is(did: Run) -> None:
    entered(did)
    did("prove", "saothuy", "saothuybank.vn", "--how", "officer", "--why", "gọi lại số đã biết", "--by", "Lan")
    told = did("show", "saothuy", "--lang", "vi")
    assert re.search(r"tên miền +saothuybank\.vn: theo xác nhận của cán bộ, [0-9-]{10}, Lan: gọi lại số đã biết", told)
    assert "tên được bảo vệ" in told
