"""What a configuration names is looked at before a run needs it."""

from pathlib import Path

import pytest

from khien.app import assembly, checks

CONFIG = """\
[site]
public = "https://khien.csirt.example"

[[source]]
name = "ct"
kind = "ctlog"
list = "log_list.json"

[[source]]
name = "zone"
kind = "zone"
zone = "vn"
masters = ["192.0.2.53"]
key = "khien"
key_file = "zone.key"

[[source]]
name = "names"
paths = [
  "there.txt",
  "names.txt",
]

[[source]]
name = "openphish"
kind = "lists"
list = "OpenPhish"
url = "https://openphish.example/feed.txt"

[[channel]]
kind = "mail"

[channel.post]
host = "mail.example"
sender = "warn@csirt.example"
user = "warn"
password_file = "mail.password"
dkim_key_file = "dkim.pem"
"""


def test_what_is_not_there_is_told_with_line_and_cure(tmp_path: Path) -> None:
    path = tmp_path / "khien.toml"
    path.write_text(CONFIG)
    (tmp_path / "there.txt").write_text("a.example\n")
    assembly.load(path)  # nothing of it is wrong yet
    told = checks.unusable(path)
    assert [each.removeprefix(f"{path}:").partition(": ")[0] for each in told] == ["7", "15", "21", "37", "38"]
    assert told[0] == f"{path}:7: list: {tmp_path}/log_list.json: there is no such file: check the path"
    assert "zone.key: No such file or directory: put the secret there" in told[1]
    assert "names.txt: there is no such file" in told[2]


def test_what_is_there_is_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "khien.toml"
    path.write_text(CONFIG)
    for name in ("there.txt", "names.txt", "log_list.json", "zone.key", "mail.password", "dkim.pem"):
        (tmp_path / name).write_text("nonsense\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "zone.key").write_text("\n")
    (tmp_path / "mail.password").chmod(0o644)
    told = checks.unusable(path)
    assert [each.removeprefix(f"{path}:").partition(": ")[0] for each in told] == ["7", "15", "37", "38"]
    for line, said in zip(
        told,
        ("is no list of logs in JSON", "is empty", "may be read by others: give it the mode 0600", "no private key"),
        strict=True,
    ):
        assert said in line


def test_without_a_configuration_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checks.unusable(None) == []
