"""``khien check`` and ``khien protect check``: answers for people."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Khien


@pytest.mark.parametrize(
    "text",
    [
        "saothuybank-dang-nhap.example.top",
        "SAOTHUYBANK-dang-nhap.EXAMPLE.top.",
        "hxxps://khach@saothuybank-dang-nhap[.]example[.]top:8443/otp?x=1",
        "cskh@saothuybank-dang-nhap.example.top",
    ],
)
def test_whatever_people_paste(khien: Khien, protect: str, text: str) -> None:
    done = khien("check", text, "--protect", protect)
    assert (done.returncode, done.stderr) == (1, "")
    first, *lines = done.stdout.splitlines()
    assert first == "Looks harmful: saothuybank-dang-nhap[.]example[.]top"
    assert any("Ngân hàng Sao Thủy" in each for each in lines if each.startswith("  - "))


def test_a_message_from_standard_input(khien: Khien, protect: str) -> None:
    text = "Quy khach vui long xem saothuybank-dang-nhap.example.top\n"
    done = khien("check", "-", "--from", "+63 912 345 6789", "--protect", protect, "--lang", "en", stdin=text)
    assert (done.returncode, done.stderr) == (1, "")
    assert "The message leads to saothuybank-dang-nhap[.]example[.]top." in done.stdout
    assert "Its country code is +63." in done.stdout


def test_in_vietnamese(khien: Khien, protect: str) -> None:
    done = khien("check", "saothuybank-dang-nhap.example.top", "--protect", protect, "--lang", "vi")
    assert done.stdout.startswith("Có dấu hiệu gây hại: saothuybank-dang-nhap[.]example[.]top")


@pytest.mark.parametrize(("language", "begin"), [("en", "Nothing found: "), ("vi", "Không tìm thấy gì: ")])
def test_nothing_found_promises_nothing(khien: Khien, protect: str, language: str, begin: str) -> None:
    done = khien("check", "tiệm-bánh.example.org", "--protect", protect, "--lang", language)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begin)
    assert "example[.]org" in done.stdout
    assert "safe" not in done.stdout.lower()


def test_an_owner_comes_with_its_source(khien: Khien, protect: str) -> None:
    done = khien("check", "https://www.saothuybank.vn/", "--protect", protect)
    assert done.returncode == 0
    assert done.stdout.startswith("This name belongs to Ngân hàng Sao Thủy: www[.]saothuybank[.]vn")
    assert "saothuybank[.]vn is recorded as Ngân hàng Sao Thủy's own. Source: the test." in done.stdout


def test_for_programs(khien: Khien, protect: str) -> None:
    found = khien("check", "login.saothuybank.example.top", "--protect", protect, "--format", "jsonl")
    told = json.loads(found.stdout)
    assert (told["verdict"], told["subject"]) == ("looks-harmful", "login.saothuybank.example.top")
    assert khien("check", "a", "--about", "link", "--protect", protect).returncode == 2


def test_asking_makes_no_data_directory(khien: Khien, protect: str, tmp_path: Path) -> None:
    khien("check", "example.org", "--protect", protect)
    assert not (tmp_path / "khien-data").exists()


def test_a_terminal_that_cannot_show_vietnamese(khien: Khien, protect: str) -> None:
    done = khien("check", "example.org", "--protect", protect, "--lang", "vi", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "example[.]org" in done.stdout


def test_a_good_register(khien: Khien, protect: str) -> None:
    done = khien("protect", "check", protect)
    assert (done.returncode, done.stderr) == (0, "")
    assert "protected names: 1, in sectors: 1" in done.stdout
    assert "official domains: 1, of them verified: 1" in done.stdout


def test_everything_that_is_wrong_with_a_register(khien: Khien, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[[names]]\nid = "A"\nlabel = ""\nsector = "bank"\n')
    done = khien("protect", "check", "wrong.toml")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("khien: wrong.toml:") for line in lines)
