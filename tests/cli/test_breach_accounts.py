"""``khien breach check``, ``rotate``, ``share`` and ``hold`` as people run them."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from khien.app import breach, machine
from khien.app.configuration import Breach, Holder, Site
from khien.app.epochs import Epochs
from khien.breach import sorting, table, voprf
from khien.cli import serve
from khien.cli.main import run
from khien.errors import ConfigError, CustodyError
from khien.model import Holding, Removed
from khien.pipeline.asking import Asking, Key, reach
from khien.stores.embedded.store import Embedded
from tests import exposing
from tests.cli.conftest import Khien
from tests.web import leaks


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "khien-data"


@pytest.fixture(name="store")
def filled(data: Path) -> Embedded:
    """With accounts, and one password that was met three times."""
    store, place = exposing.filled(data), breach.place(data)
    digest = np.frombuffer(hashlib.sha1(b"123456").digest() + (3).to_bytes(8, "big"), np.uint8)[None]
    sorting.write_run(place.folder / "run", digest, counted=True)
    path = table.build(place.folder, "sha1", table.SHA1, [place.folder / "run"])
    store.save(Holding(id="sha1", file=path.name, entries=1, at=exposing.AT))
    return store


def free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(params=["here", "site"])
def where(request: pytest.FixtureRequest, data: Path) -> Iterator[list[str]]:
    """Asks the data directory, or a site over it."""
    if request.param == "here":
        yield ["--data", str(data)]
    else:
        with serve.site(data, None, Site(listen=free()), replay=False) as served:
            yield ["--url", served.address]


@pytest.mark.usefixtures("store")
def test_what_leaked_is_told_and_no_more(khien: Khien, where: list[str]) -> None:
    asked = "Lan.Nguyen@EXAMPLE.vn\n0912 345 678\nan@example.org\nnobody@example.vn\n"
    done = khien("breach", "check", "--stdin", "--lang", "en", *where, stdin=asked)
    assert done.returncode == 1, done.stderr
    told = done.stdout.split("This account is ")
    assert told[1].startswith("in 1 collections")
    assert "Shop (2026-09-01): a mail address, a password" in told[1]
    assert "Change this password" in told[1]
    assert told[2].startswith("in 2 collections")
    assert all(each.startswith("in nothing that is known here") for each in told[3:])
    assert len(told) == 5
    for secret in ("lan", "example", "912"):
        assert secret not in (done.stdout + done.stderr).lower()


@pytest.mark.usefixtures("store")
def test_passwords(khien: Khien, where: list[str]) -> None:
    done = khien("breach", "check", "--stdin", "--password", "--lang", "vi", *where, stdin="123456\nnot met\n")
    assert done.returncode == 1, done.stderr
    first, second = done.stdout.splitlines()
    assert "3 lần" in first
    assert "lần" not in second
    assert khien("breach", "check", "--stdin", "--password", *where, stdin="123456 \n").returncode == 0


@pytest.mark.usefixtures("store")
def test_one_wrong_line_ends_nothing(khien: Khien, data: Path) -> None:
    lines = "nobody@example.vn\ngeheim\nlan.nguyen@example.vn\n"
    done = khien("breach", "check", "--stdin", "--data", str(data), "--lang", "en", stdin=lines)
    assert done.returncode == 2
    assert done.stderr.startswith("khien: line 2 is neither an address nor a number")
    assert "This account is in nothing" in done.stdout
    assert "This account is in 1 collections" in done.stdout
    unasked = khien("breach", "check", "--data", str(data))
    assert (unasked.returncode, unasked.stderr.count("\n")) == (2, 1), "no warning of Python's"


@pytest.mark.usefixtures("store")
def test_what_is_typed_is_not_shown_again(khien: Khien, data: Path) -> None:
    done = khien("breach", "check", "--stdin", "--data", str(data), stdin="geheim\n")
    assert done.returncode == 2
    assert "neither an address nor a number" in done.stderr
    assert "geheim" not in done.stdout + done.stderr
    assert khien("breach", "check", "somebody@example.vn").returncode == 2, "never as an argument"


def test_a_new_key_and_what_is_kept_under_the_old_one(
    khien: Khien, store: Embedded, data: Path, tmp_path: Path
) -> None:
    done = khien("breach", "rotate", "--data", str(data), "--by", "lan")
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(done.stdout) == {"breach": {"epoch": 2}}
    assert Epochs(data, Breach()).begun() == (1, 2)
    assert tomllib.loads(khien("breach", "rotate", "--data", str(data)).stdout) == {"breach": {"epoch": 2}}
    (tmp_path / "khien.toml").write_text(done.stdout)
    asked = khien("breach", "check", "--stdin", "--data", str(data), stdin="lan.nguyen@example.vn\n")
    assert asked.returncode == 1, "what is kept under the old key is found"
    refused = khien("breach", "rotate", "--data", str(data))
    assert (refused.returncode, "a third would make questions tell more" in refused.stderr) == (2, True)
    assert Epochs(data, Breach()).begun() == (1, 2), "what keeps something is kept"
    store.save(Holding(id="accounts-1", file="accounts-1-empty", entries=0, at=exposing.AT))
    gone = Removed(id="a" * 32, epoch=1, at=exposing.AT, by="khien")
    store.save(gone, Removed(id="b" * 32, epoch=2, at=exposing.AT, by="khien"))
    khien("breach", "rotate", "--data", str(data))
    assert Epochs(data, Breach()).begun() == (1, 2, 3), "a promise under it is kept"
    store.save(msgspec.structs.replace(gone, carried=True))
    assert "Epoch 1 keeps nothing" in khien("breach", "rotate", "--data", str(data), "--lang", "en").stdout
    assert Epochs(data, Breach(epoch=2)).begun() == (2, 3)
    assert [each.epoch for each in store.find(Removed)] == [2]
    shown = khien("audit", "show", "--data", str(data), "--lang", "en").stdout
    assert "began a new key for accounts" in shown
    assert "gave up a key" in shown


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "ours",
    [
        '[[breach.holders]]\nurl = "https://holder.example"\npublic = "' + "ab" * 32 + '"',
        '[breach]\nadmitted = ["csirt"]',
    ],
)
def test_where_a_key_stands_in_shares_neither_house_makes_a_whole_one(
    khien: Khien, data: Path, tmp_path: Path, ours: str
) -> None:
    Epochs(data, Breach()).begin(1)
    (tmp_path / "khien.toml").write_text(ours)
    done = khien("breach", "rotate", "--data", str(data))
    assert done.returncode == 2
    assert "khien breach share --url URL --epoch 2 in both houses" in done.stderr
    assert Epochs(data, Breach()).begun() == (1,)


@pytest.mark.usefixtures("store")
def test_a_lost_key_is_not_made_anew(data: Path) -> None:
    Epochs(data, Breach()).file(1).unlink()
    with pytest.raises(CustodyError, match="restore it"):
        Epochs(data, Breach()).secret(1)


def test_two_houses(khien: Khien, tmp_path: Path, data: Path) -> None:
    """One makes its share and answers for it, the other asks: neither file of keys leaves its house."""
    theirs, at = tmp_path / "theirs", free()
    with machine.store(data):
        pass
    house = ["--url", f"http://{at}", "-o", "csirt.token", "--data", str(theirs)]
    made = khien("breach", "share", "csirt", "--epoch", "2", *house)
    assert made.returncode == 0, made.stderr
    token = tmp_path / "csirt.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in made.stdout + made.stderr
    assert "--epoch" in khien("breach", "share", "csirt", *house).stderr
    again = khien("breach", "share", "csirt", "--epoch", "2", *house)
    assert (again.returncode, "csirt.token" in again.stderr) == (2, True), "no token is written over"
    (given,) = tomllib.loads(made.stdout)["breach"]["holders"]
    (tmp_path / "khien.toml").write_text('[breach]\nepoch = 2\nevaluations = 1\nadmitted = ["csirt"]\n')
    holding = subprocess.Popen(
        [sys.executable, "-m", "khien.cli.main", "breach", "hold", "--listen", at, "--data", str(theirs)],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert holding.stderr
        assert at in holding.stderr.readline()
        holder = Holder(**{**given, "token_file": str(token)})
        keyed = Epochs(data, Breach(epoch=2, holders=(holder,))).outputs(2, os.urandom)
        (one, other) = (keyed([exposing.LAN]) for _ in range(2))
        assert one == other
        assert one != voprf.direct(Epochs(data, Breach(epoch=2)).secret(2), [exposing.LAN])
        with reach([f"http://{at}"]) as client:
            (key,) = Asking(client, f"http://{at}", os.urandom).published()
        assert key.holders[0].public == given["public"]
    finally:
        holding.send_signal(signal.SIGTERM)
        assert holding.wait(20) == 0
        assert holding.stderr
        holding.stderr.close()


def test_keys_of_a_site_are_held_to(khien: Khien, store: Embedded, data: Path, tmp_path: Path) -> None:
    asked, keys = "lan.nguyen@example.vn\n", tmp_path / "keys.json"
    with serve.site(data, None, Site(listen=free()), replay=False) as served:
        where = ["--stdin", "--url", served.address, "--keys", str(keys)]
        assert [khien("breach", "check", *where, stdin=asked).returncode for _ in range(2)] == [1, 1]
        assert msgspec.json.decode(keys.read_bytes(), type=tuple[Key, ...])[0].epoch == 1
        other = exposing.outputs(data, [*exposing.ACCOUNTS], 2)
        exposing.fill(store, data, dict(zip(exposing.ACCOUNTS, other, strict=True)), epoch=2)
        refused = khien("breach", "check", *where, stdin=asked)
        assert refused.returncode == 2, refused.stderr
        assert f"{keys}: the site shows other keys" in refused.stderr
        assert "take the file away" in refused.stderr
        roster = tmp_path / "roster.csv"
        roster.write_text("email\nlan.nguyen@example.vn\n")
        matched = ["breach", "match", str(roster), "--url", served.address, "-o", str(tmp_path / "out.csv")]
        assert khien(*matched, "--keys", str(keys)).returncode == 2
        assert not (tmp_path / "out.csv").exists()
        keys.write_text("{")
        assert "holds no keys" in khien(*matched, "--keys", str(keys)).stderr
        keys.unlink()
        assert khien(*matched, "--keys", str(keys)).returncode == 1
        assert len(msgspec.json.decode(keys.read_bytes(), type=tuple[Key, ...])) == 2


def test_a_check_asks_both_houses(khien: Khien, tmp_path: Path) -> None:
    with leaks.served(tmp_path, shares=2) as shared:
        done = khien("breach", "check", "--stdin", "--url", shared.address, stdin=f"{leaks.ADDRESS}\n")
        assert done.returncode == 1, done.stderr
        assert khien("breach", "check", "--stdin", "--url", shared.address, stdin="nobody@example.vn\n").returncode == 0


def test_a_holder_does_not_join_an_epoch_in_use(data: Path) -> None:
    holder = Holder(epoch=1, url="https://holder.example", public="ab" * 32)
    epochs = Epochs(data, Breach(holders=(holder,)))
    epochs.outputs(1, os.urandom)
    breach.place(data)
    (data / "breach" / "known-1-0123").touch()
    for asks in (lambda: epochs.outputs(1, os.urandom), lambda: epochs.keys([1])):
        with pytest.raises(ConfigError, match="begin another epoch"):
            asks()


def test_wrong_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["-o", str(tmp_path / "token"), "--data", str(tmp_path / "data")]
    place += ["--epoch", "1"]
    assert run(["breach", "share", "CSIRT!", "--url", "https://holder.example", *place]) == 2
    assert "no name for a house" in capsys.readouterr().err
    assert run(["breach", "share", "csirt", "--url", "holder.example", *place]) == 2
    assert "no address of a site" in capsys.readouterr().err
    assert not (tmp_path / "token").exists()
