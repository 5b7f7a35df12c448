"""``khien breach import`` as people run it: what it holds, what breaks it, and that nothing it read is anywhere."""

import base64
import bz2
import gzip
import hashlib
import json
import os
import random
import re
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

import msgspec
import pytest

from khien.app import breach, machine
from khien.app.configuration import SERVING, Serving, Site
from khien.app.epochs import Epochs
from khien.breach.place import KEY
from khien.breach.table import Table
from khien.model import Collection, Holding, Intake, Removed
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
    machine.key(directory, KEY)
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
    assert "rows: 3, set aside: 1, accounts: 3, of them new: 3; taken in" in first.stdout
    assert "1: nothing keeps account and password apart (combo.txt byte " in first.stderr
    assert count(data, SECRET) == 2
    before = held(data)
    again = khien("breach", "import", "combo.txt", "--collection", "shop-2026", "--format", "json")
    (intake,) = json.loads(again.stdout)["intakes"]
    assert (intake["rows"], intake["accounts"], intake["how"]) == (3, 3, {"form": "combo", "country": "84"})
    assert re.search(r"combo.txt: was taken in already on [-0-9]+ [:0-9]+ UTC: nothing is added\.", again.stderr)
    other = khien("breach", "import", "combo.txt", "--collection", "shop-2026", "--ntlm")
    assert other.returncode == 2
    assert "with form combo, country 84: to read it otherwise, delete shop-2026" in other.stderr
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


def test_what_cannot_be_taken_in_to_its_end_is_given_up(khien: Khien, data: Path, tmp_path: Path) -> None:
    many(tmp_path / "combo.txt", 200_000)
    (tmp_path / "cut.gz").write_bytes(gzip.compress((tmp_path / "combo.txt").read_bytes(), 1)[:-2000])
    assert khien("breach", "import", "cut.gz", "--collection", "shop-2026").returncode == 2
    assert list((data / "breach" / "runs").rglob("*.run"))
    shown = khien("breach", "collections", "show", "shop-2026").stdout
    assert "not finished: give the same command again, or khien breach give-up shop-2026-" in shown
    assert "say --why" in khien("breach", "give-up", "shop-2026").stderr
    gone = khien("breach", "give-up", "shop-2026", "--why", "cut short")
    assert gone.returncode == 0, gone.stderr
    assert "not finished" not in khien("breach", "collections", "show", "shop-2026").stdout
    assert held(data) == {}
    assert not [*(data / "breach" / "runs").iterdir()]
    assert "gave up what was half taken in  shop-2026" in khien("audit", "show", "--lang", "en").stdout
    again = khien("breach", "give-up", "shop-2026", "--why", "cut short")
    assert (again.returncode, again.stdout) == (2, "")


def test_a_list_of_hashes(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "sha1.txt").write_text(f"{sha1(SECRET).hex().upper()}:41\r\n{sha1('x').hex()}\r\nzz\r\n")
    assert khien("breach", "import", "sha1.txt", "--collection", "shop-2026").returncode == 0
    assert count(data, SECRET) == 41
    (tmp_path / "32.txt").write_text("8846F7EAEE8FB117AD06BDD830B7586C:5\n")
    met = khien("breach", "import", "32.txt", "--collection", "shop-2026")
    assert "32.txt: holds hashes of 32 hex digits, NTLM or another: if they are NTLM, say --form ntlm" in met.stderr
    assert khien("breach", "import", "32.txt", "--collection", "shop-2026", "--form", "ntlm").returncode == 0
    assert {*held(data)} == {"sha1", "ntlm"}


def test_what_is_read_is_said(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("ho ten;hòm thư;mk\nLan;lan@example.vn;x\n", encoding="utf-8")
    (tmp_path / "names.txt").write_text("lan:x\nbinh:y\n")
    command = ["breach", "import", "sheet.csv", "names.txt", "--collection", "shop-2026", "--lang"]
    said = khien(*command, "en").stderr
    assert "sheet.csv: accounts in: hòm thư; passwords in: mk; not read: ho ten\n" in said
    assert "accounts: 0, rows: 2. Is combo the right form" in said
    assert "chỉ có 0 tài khoản trong 2 dòng" in khien(*command, "vi").stderr
    (tmp_path / "other.csv").write_text("ho ten;kontakt;code\nLan;lan@example.vn;x\n")
    command = ["breach", "import", "other.csv", "--collection", "shop-2026"]
    assert "of a sheet by --columns account=NAME,secret=NAME" in khien(*command).stderr
    assert khien(*command, "--columns", "account=kontakt,secret=code").returncode == 0
    assert count(data, "x") == 3
    assert "encoding 'none' is none of utf-8" in khien(*command, "--encoding", "none").stderr


def test_what_was_begun_goes_on_in_the_same_manner(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    command = ["breach", "import", "combo.txt", "--collection", "shop-2026"]
    assert khien(*command).returncode == 0
    with machine.store(data) as store:
        (begun,) = store.find(Intake)
        store.save(msgspec.structs.replace(begun, done=None))
    assert re.search("was begun on .* say the same to go on, .* give-up shop-2026-", khien(*command, "--ntlm").stderr)


def test_nothing_is_held_without_a_ground(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    met = khien("breach", "import", "combo.txt", "--collection", "other")
    assert (met.returncode, met.stderr) == (
        2,
        "khien: there is no collection 'other': khien breach collections list names them\n",
    )
    described = tmp_path / "shop.toml"
    for line, said in {
        'basis = "its report of the breach"\n': "shop.toml: basis: is missing: say it",
        'given_by = "the shop"\n': "shop.toml: given_by: is missing: say it",
        "until = 2099-10-01\n": "shop.toml: until: is missing: say it",
        'label = "Cửa hàng"\n': "shop.toml: label: is missing: say it",
    }.items():
        described.write_text(DESCRIBED.replace(line, ""), encoding="utf-8")
        assert said in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("2099", "2020"), encoding="utf-8")
    assert "until: 2020-10-01 has come already" in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("the shop", " "), encoding="utf-8")
    assert "given_by: is empty: say it" in khien("breach", "collections", "add", "shop.toml").stderr
    described.write_text(DESCRIBED.replace("shop-2026", "Shop 2026"), encoding="utf-8")
    assert "id: has small letters" in khien("breach", "collections", "add", "shop.toml").stderr
    for written, other, said in (
        ('"address"', '"adress"', "shop.toml:3: kinds: 'adress' is none of password, password-hash, address, phone"),
        ("kinds", "kind", "shop.toml:3: kind: there is no such field: there are id, label, about, leaked, kinds"),
        ('"the shop"', "7", "shop.toml:4: given_by: "),
    ):
        described.write_text(DESCRIBED.replace(written, other), encoding="utf-8")
        assert said in khien("breach", "collections", "add", "shop.toml").stderr
    listed = khien("breach", "collections", "list", "--lang", "en").stdout
    assert listed == "shop-2026             2099-10-01  Cửa hàng  (accounts taken in: 0)\n"
    assert held(data) == {}


def test_the_first_collection_makes_the_data_directory(khien: Khien, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(DESCRIBED, encoding="utf-8")
    done = khien("breach", "collections", "add", "shop.toml", "--data", "new")
    assert done.returncode == 0, done.stderr
    assert "shop-2026" in khien("breach", "collections", "list", "--data", "new").stdout
    assert khien("breach", "collections", "list", "--data", "other").returncode == 2, "to look makes none"


def test_khien_run_deletes_what_is_due(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0
    with machine.store(data) as store:
        (shop,) = store.find(Collection)
        store.save(msgspec.structs.replace(shop, until=machine.clock().date()))
    for command in ("list", "show shop-2026"):
        shown = khien("breach", "collections", *command.split(), "--lang", "en").stdout
        assert "(due, khien run deletes it)" in shown
    (tmp_path / "khien.toml").write_text("site = false\n")
    with Lock(data / "breach"):
        assert khien("run", "--once").returncode == 0
    assert "shop-2026" in khien("breach", "collections", "list").stdout, "not while somebody takes in"
    ran = khien("run", "--once", "--lang", "en")
    assert ran.returncode == 0, ran.stderr
    assert "shop-2026 is deleted: no file has its accounts any more." in ran.stderr
    with machine.store(data) as store:
        holding = breach.place(data).holding(store, "accounts-1")
    assert holding
    assert holding.entries == 0
    assert [each.name for each in (data / "breach").glob("accounts-1-*")] == [holding.file]
    audit = khien("audit", "show", "--lang", "en").stdout
    assert "khien  deleted a collection of what leaked  shop-2026  until=" in audit


@pytest.mark.usefixtures("data")
def test_numbers_as_another_country_writes_them(khien: Khien, tmp_path: Path) -> None:
    (tmp_path / "khien.toml").write_text('[breach]\ncountry = "855"\n')
    (tmp_path / "combo.txt").write_text(f"012345678:{SECRET}\n")
    assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0
    for typed, status in (("012345678", 1), ("+855 12 345 678", 1), ("+84 912 345 678", 0)):
        assert khien("breach", "check", "--stdin", stdin=f"{typed}\n").returncode == status, typed
    assert khien("breach", "remove", "--why", "asked", stdin="012 345 678\n").returncode == 0
    assert khien("breach", "check", "--stdin", stdin="012345678\n").returncode == 0
    (tmp_path / "khien.toml").write_text('[breach]\ncountry = "+855"\n')
    assert "country" in khien("breach", "check", "--stdin", stdin="012345678\n").stderr


def test_who_was_taken_out_stays_out_under_a_new_key(khien: Khien, data: Path, tmp_path: Path) -> None:
    for name in ("combo", "again"):
        (tmp_path / f"{name}.txt").write_text(f"{ADDRESS}:{SECRET}\nlan@example.vn:{name}\n")
    assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0
    assert khien("breach", "remove", "--why", "asked", stdin=ADDRESS).returncode == 0
    rotated = khien("breach", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    (tmp_path / "khien.toml").write_text(rotated.stdout)
    assert khien("breach", "import", "again.txt", "--collection", "shop-2026").returncode == 0
    for typed, status in ((ADDRESS, 0), ("lan@example.vn", 1)):
        assert khien("breach", "check", "--stdin", stdin=f"{typed}\n").returncode == status
    with machine.store(data) as store:
        assert sorted((each.epoch, each.carried) for each in store.find(Removed)) == [(1, True), (2, False)]
    (data / "keys" / "voprf-1.key").unlink()
    with machine.store(data) as store:
        store.save(*(msgspec.structs.replace(each, carried=False) for each in store.find(Removed)))
    (tmp_path / "again.txt").write_text("new@example.vn:x\n")
    told = khien("breach", "import", "again.txt", "--collection", "shop-2026")
    assert told.returncode != 0
    assert "voprf-1.key is gone" in told.stderr


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
    assert "cannot be written: File too large: make room, run it again" in met.stderr
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


def test_who_answers_never_reads_the_key_of_imports(khien: Khien, data: Path, tmp_path: Path) -> None:
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0
    key, told = data / "keys" / "intake.key", tmp_path / "told.json"
    key.unlink()
    assert khien("breach", "check", "--stdin", stdin=f"{ADDRESS}\n").returncode == 1
    told.touch(0o600)
    told.write_bytes(msgspec.json.encode(Serving(data=str(data), site=Site())))
    for module in ("site", "hold"):
        script = f"from khien.web.{module} import serve; serve()"
        subprocess.run([sys.executable, "-c", script], env=os.environ | {SERVING: str(told)}, check=True)
    assert not key.exists()


@pytest.mark.parametrize(
    "ran",
    [
        "import combo.txt --collection shop-2026",
        "match combo.txt --url http://127.0.0.1:9 -o out.csv",
        "remove --why asked",
        "check --stdin",
        "run --once",
        "khien.web.site",
        "khien.web.hold",
    ],
)
def test_no_core(khien: Khien, data: Path, tmp_path: Path, ran: str) -> None:
    """A process that knew people dies of its own abort, with cores allowed: nothing of its memory is written down."""
    (tmp_path / "combo.txt").write_text(f"{ADDRESS}:{SECRET}\n")
    (tmp_path / "khien.toml").write_text("site = false\n")
    assert khien("breach", "import", "combo.txt", "--collection", "shop-2026").returncode == 0
    told = tmp_path / "told.json"
    told.touch(0o600)
    told.write_bytes(msgspec.json.encode(Serving(data=str(data), site=Site())))
    words = ran.split() if ran.startswith("run") else ["breach", *ran.split()]
    does = f"from {ran} import serve; serve()"
    if not ran.startswith("khien.web"):
        does = f"import sys; from khien.cli.main import main; sys.argv = ['khien', *{words!r}]; main()"
    script = (
        "import ctypes, os, resource\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)\n"
        f"try:\n {does}\n"
        "except SystemExit: pass\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)\n"
        "os.abort()"
    )
    met = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=os.environ | {SERVING: str(told)}, input=f"{ADDRESS}\n",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert met.stdout.endswith("(0, 0) 0\n"), met.stderr
    assert met.returncode == -signal.SIGABRT
    assert not [*tmp_path.glob("core*")]


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
