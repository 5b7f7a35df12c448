"""``khien breach import`` as people run it: what it holds, what breaks it, and that nothing it read is anywhere."""

import base64
import bz2
import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from khien.app import breach, machine
from khien.app.epochs import Epochs
from khien.breach.table import Table
from khien.model import Holding
from khien.stores.embedded.lock import Lock
from tests.cli.conftest import COMMAND, Khien

DESCRIBED = """\
id = "shop-2026"
label = "Cửa hàng"
kinds = ["address", "password"]
given_by = "the shop"
basis = "its report of the breach"
purpose = "to warn those in it"
until = 2099-10-01
"""
SECRET = "Mật-khẩu-của-Bình-1987"
ADDRESS = "binh.tran1987@gmail.com"
NUMBER = "+84 977 246 810"
SPELT = ("binhtran1987@gmail.com", "+84977246810", "84977246810", "0977246810", "977246810")


@pytest.fixture
def data(tmp_path: Path, khien: Khien) -> Path:
    """A data directory with a collection."""
    directory = tmp_path / "khien-data"
    with machine.store(directory) as store:
        store.save()
    Epochs(directory, breach.settings()).begin(1)  # a copy of it has the same keys
    (tmp_path / "shop.toml").write_text(DESCRIBED, encoding="utf-8")
    assert khien("breach", "collections", "add", "shop.toml").returncode == 0
    return directory


def sha1(secret: str) -> bytes:
    return hashlib.sha1(secret.encode(), usedforsecurity=False).digest()


def count(data: Path, secret: str) -> int:
    with machine.store(data) as store:
        place = breach.place(data)
        holding = place.holding(store, "sha1")
        return Table.open(place.path(holding)).count(sha1(secret)) if holding else 0


def held(data: Path) -> dict[str, bytes]:
    """What lookups read, by its name."""
    with machine.store(data) as store:
        return {each.id: (data / "breach" / each.file).read_bytes() for each in store.find(Holding)}


def test_a_combination_list(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\nlan@example.vn:{SECRET}\n\n\n0912345678;x\nnothing\n")
    first = khien("breach", "import", "combo.txt", "--collection", "shop-2026")
    assert first.returncode == 0, first.stderr
    assert "3 rows, 1 set aside, 3 accounts, 3 of them new; taken in" in first.stdout
    assert "1: nothing keeps account and password apart (" in first.stderr
    assert count(data, SECRET) == 2
    before = held(data)
    again = khien("breach", "import", "combo.txt", "--collection", "shop-2026", "--format", "json")
    (intake,) = json.loads(again.stdout)["intakes"]
    assert (intake["rows"], intake["accounts"]) == (3, 3)
    assert held(data) == before
    said = khien("breach", "collections", "show", "shop-2026", "--lang", "vi").stdout
    assert "căn cứ pháp lý: its report of the breach" in said
    assert "3 dòng, 1 dòng để riêng, 3 tài khoản, trong đó 3 mới" in said
    assert "took in what leaked  shop-2026" in khien("audit", "show").stdout


def test_what_cannot_be_read_keeps_nothing_else(khien: Khien, data: Path, tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"u{n}@example.vn:{SECRET}{n}\n" for n in range(2000)).encode())
    (tmp_path / "cut.gz").write_bytes(whole[:-2000])
    (tmp_path / "whole.gz").write_bytes(whole)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    met = khien("breach", "import", "cut.gz", "picture.png", "none.txt", "whole.gz", "--collection", "shop-2026")
    assert met.returncode == 2
    assert "khien: cut.gz: the gzip archive is cut short or damaged" in met.stderr
    assert count(data, f"{SECRET}1999") == 1


def test_a_list_of_hashes(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "sha1.txt").write_text(f"{sha1(SECRET).hex().upper()}:41\r\n{sha1('x').hex()}\r\nzz\r\n")
    assert khien("breach", "import", "sha1.txt", "--collection", "shop-2026").returncode == 0
    assert count(data, SECRET) == 41
    (tmp_path / "32.txt").write_text("8846F7EAEE8FB117AD06BDD830B7586C:5\n")
    met = khien("breach", "import", "32.txt", "--collection", "shop-2026")
    assert "32.txt: holds hashes of 32 hex digits, NTLM or another: if they are NTLM, say --form ntlm" in met.stderr
    assert khien("breach", "import", "32.txt", "--collection", "shop-2026", "--form", "ntlm").returncode == 0
    assert {*held(data)} == {"sha1", "ntlm"}


def test_nothing_is_held_without_a_ground(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    met = khien("breach", "import", "combo.txt", "--collection", "other")
    assert (met.returncode, met.stderr) == (
        2,
        "khien: there is no collection 'other': khien breach collections list names them\n",
    )
    described = tmp_path / "shop.toml"
    for line, said in {
        'basis = "its report of the breach"\n': "Object missing required field `basis`",
        'given_by = "the shop"\n': "Object missing required field `given_by`",
        "until = 2099-10-01\n": "Object missing required field `until`",
    }.items():
        described.write_text(DESCRIBED.replace(line, ""), encoding="utf-8")
        assert said in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("2099", "2020"), encoding="utf-8")
    assert "until: 2020-10-01 has come already" in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("the shop", " "), encoding="utf-8")
    assert "given_by: is empty: say it" in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("shop-2026", "Shop 2026"), encoding="utf-8")
    assert "id: has small letters" in khien("breach", "collections", "add", "shop.toml").stderr
    assert khien("breach", "collections", "list").stdout.count("\n") == 1
    assert held(data) == {}


def test_what_is_deleted_stays_so(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    khien("breach", "import", "combo.txt", "--collection", "shop-2026")
    assert "say --why" in khien("breach", "delete", "shop-2026").stderr
    gone = khien("breach", "delete", "shop-2026", "--why", "its day has come")
    assert (gone.returncode, gone.stdout) == (0, "shop-2026 is deleted: no file has its accounts any more.\n")
    with machine.store(data) as store:
        holdings = store.find(Holding)
    assert {path.name for path in (data / "breach").iterdir()} == {
        *(each.file for each in holdings),
        "khien.lock",
        "runs",
    }
    entries = {each.id: each.entries for each in holdings}
    assert entries == {"accounts-1": 0, "known-1": 0, "sha1": 1}
    assert (
        "was deleted: take it in as another"
        in khien("breach", "import", "combo.txt", "--collection", "shop-2026").stderr
    )
    assert "give what comes now another id" in khien("breach", "collections", "add", "shop.toml").stderr


def test_beside_who_lands_and_not_beside_another(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    with machine.lock(data), Lock(breach.place(data).folder):
        met = khien("breach", "import", "combo.txt", "--collection", "shop-2026")
        assert f"breach is in use by process {os.getpid()}" in met.stderr
    with machine.lock(data):
        assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0


def many(path: Path, rows: int) -> None:
    """So many rows of few accounts: reading, writing and merging take the time, not blinding."""
    path.write_bytes(b"".join(b"u%d@example.vn:%s%d\n" % (n % 97, b"x" * 24, n % 50_000) for n in range(rows)))


def test_a_full_disk_is_told_and_it_goes_on(khien: Khien, data: Path, tmp_path: Path) -> None:
    many(tmp_path / "combo.txt", 150_000)
    command = [*COMMAND, "breach", "import", "combo.txt", "--collection", "shop-2026"]

    def cramped() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))

    met = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=cramped, check=False)
    assert met.returncode == 2
    assert "cannot be written: File too large: make room, run it again: it goes on" in met.stderr
    assert khien(*command[3:]).returncode == 0
    assert held(data).keys() == {"sha1", "accounts-1", "known-1"}


def test_killed_anywhere_it_ends_alike(khien: Khien, data: Path, tmp_path: Path) -> None:
    many(tmp_path / "combo.txt", 400_000)
    other = tmp_path / "other"
    shutil.copytree(data, other)
    command = ["breach", "import", "combo.txt", "--collection", "shop-2026"]
    began = time.monotonic()
    assert khien(*command, "--data", str(other)).returncode == 0
    whole = time.monotonic() - began
    chance = random.Random(6)
    for _ in range(4):
        running = subprocess.Popen([*COMMAND, *command], cwd=tmp_path, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            running.wait(whole * chance.uniform(0.3, 0.9))
        running.kill()
        running.wait()
    assert khien(*command).returncode == 0
    assert held(data) == held(other)
    assert [*(data / "breach" / "runs").iterdir()] == []


def test_no_core(tmp_path: Path) -> None:
    """A process that took in dies of its own abort, with cores allowed: nothing of its memory is written down."""
    script = (
        "import ctypes, os, resource; from khien.app import breach; breach.without_core();"
        " print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True);"
        " os.abort()"
    )
    met = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert met.stdout == "(0, 0) 0\n"
    assert met.returncode == -signal.SIGABRT
    assert [*tmp_path.iterdir()] == []


def spellings(text: str) -> Iterator[bytes]:
    """What text would be found by."""
    for octets in (text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")):
        yield octets
        yield octets.hex().encode()
        yield octets.hex().upper().encode()
        for before in range(3):  # as it stands somewhere in base64
            coded = base64.b64encode(b"\0" * before + octets)
            yield coded[4 if before else 0 : len(coded) // 4 * 4 - 4]
    yield json.dumps(text)[1:-1].encode()
    yield repr(text.encode())[2:-1].encode()


def plain_hashes(text: str) -> Iterator[bytes]:
    """By which anybody who has a list could tell an account."""
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        digest = hashlib.new(name, text.encode(), usedforsecurity=False)
        yield digest.digest()[:8]
        yield digest.hexdigest()[:16].encode()


def planted() -> dict[str, bytes]:
    """Files with the secrets in them, and rows that are hostile in many ways."""
    rows = "\n".join(
        [
            f"{ADDRESS}:{SECRET}",
            f"https://shop.example:8443/login?a=b:{ADDRESS}:{SECRET}",
            f"{NUMBER};{SECRET}",
            f"{ADDRESS}{SECRET}",  # nothing keeps them apart
            f"{ADDRESS}:{SECRET}\0{SECRET}",
            f"{ADDRESS}:" + SECRET * 400,
            f"$HEX[{SECRET.encode().hex()}]:$HEX[{SECRET.encode().hex()}x]",
            f"{{{ADDRESS}:{SECRET}",
            f'"{ADDRESS}","{SECRET}',
        ]
        * 5
    ).encode()
    lines = json.dumps({"email": ADDRESS, "password": SECRET}) + f'\n{{"email": "{ADDRESS}", {SECRET}'
    blocks = f"URL: https://shop.example\nUsername: {ADDRESS}\nPassword: {SECRET}\n\nURL: {ADDRESS}\nPass: {SECRET}\n"
    plain = rows.replace(b"\0", b"").decode()
    return {
        "combo.txt": rows,
        "one-line.txt": f"{ADDRESS}:{SECRET}\n".encode() + SECRET.encode() * 300_000,
        "utf-16.txt": plain.encode("utf-16"),
        "combo.gz": gzip.compress(rows),
        "cut.gz": gzip.compress(rows + os.urandom(9000))[:-4000],
        "combo.bz2": bz2.compress(rows),
        "damaged.bz2": bz2.compress(rows)[:-9],
        "lines.jsonl": lines.encode(),
        "table.csv": f'email,password\n{ADDRESS},{SECRET}\n"{ADDRESS},"{SECRET}"x\n"{ADDRESS}'.encode(),
        "log.txt": blocks.encode(),
    }


def test_nothing_that_was_read_is_anywhere(khien: Khien, data: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name, content in planted().items():
        (given / name).write_bytes(content)
    with zipfile.ZipFile(given / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in planted().items():
            archive.writestr(f"{ADDRESS}/{name}", content)
    said = list[str]()
    command = ["breach", "import", "--collection", "shop-2026", "--set-aside", "aside.jsonl"]
    names = sorted(str(path.relative_to(tmp_path)) for path in given.iterdir())
    crash = subprocess.Popen([*COMMAND, *command, *names], cwd=tmp_path, stdout=-1, stderr=-1, text=True)
    with suppress(subprocess.TimeoutExpired):
        crash.wait(2.5)
    crash.send_signal(signal.SIGABRT)
    said += crash.communicate()
    for debug in ("", "1"):
        for form in ([], ["--form", "csv"], ["--form", "jsonl"], ["--form", "stealer"], ["--encoding", "gb18030"]):
            met = khien(*command, *names, *form, KHIEN_DEBUG=debug)
            said += met.stdout, met.stderr
    assert count(data, SECRET) > 0, "it was read"
    written = [*said, *(repr(path) for path in tmp_path.rglob("*") if given not in (path, path.parent))]
    texts = {f"said {number}": text.encode() for number, text in enumerate(written)}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent != given:
            texts[str(path)] = path.read_bytes()
    wanted = [each for text in (SECRET, ADDRESS, NUMBER, *SPELT) for each in spellings(text)]
    wanted += [each for text in (ADDRESS, NUMBER, *SPELT) for each in plain_hashes(text)]
    assert any(each in (given / "combo.txt").read_bytes() for each in wanted), "it would be found"
    for name, text in texts.items():
        for each in wanted:
            assert each not in text, f"{name} holds {each!r}"
