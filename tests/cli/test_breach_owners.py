"""An organisation matches its roster with a real site, which learns none of it; an account is taken out."""

import json
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from khien.app import machine
from khien.app.configuration import Breach, Site
from khien.breach.accounts import canonical
from khien.cli import breach_owners, serve
from khien.cli.breach_owners import Wanted
from khien.errors import ConflictError, FormatError, InputError, UnavailableError
from khien.model import Constituent, Entry, Removed
from khien.triage import tokens
from tests import exposing
from tests.cli.conftest import Khien

ROSTER = """\
\ufeffid,email,phone
7,Lan.Nguyen@Example.VN,0912 345 678
8,nobody@example.org,
9,"an@example.org",
10,no address,
11,,
"""
SECRETS = ("lan.nguyen", "Lan.Nguyen", "nobody@example.org", "an@example.org", "912345678")


class Wire:
    """Stands between who asks and the site, and keeps what passes."""

    def __init__(self, port: int) -> None:
        self.passed, self._to = bytearray(), port
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port = self._ear.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                near, _ = self._ear.accept()
                threading.Thread(target=self._between, args=(near,), daemon=True).start()

    def _between(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far, suppress(OSError):
            while ready := select.select([near, far], [], [])[0]:
                for one in ready:
                    octets = one.recv(1 << 16)
                    if not octets:
                        return
                    self.passed += octets
                    (far if one is near else near).sendall(octets)

    def close(self) -> None:
        self._ear.close()


class Served(NamedTuple):
    url: str
    wire: Wire
    token: str
    data: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("match") / "data"
    with exposing.filled(data) as store:
        store.save(Constituent(id="bank", label="Bank"))
    token = f"bank.{tokens.token(machine.key(data, machine.NOTICES), tokens.MATCH, 'bank')}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    wire = Wire(port)
    site = Site(listen=f"127.0.0.1:{port}", hosts=(f"127.0.0.1:{wire.port}",))
    with serve.site(data, None, site, replay=False, breach=Breach(evaluations=20)):
        yield Served(f"http://127.0.0.1:{wire.port}", wire, token, data)
    wire.close()


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


@pytest.fixture
def token(served: Served, tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(served.token + "\n")
    path.chmod(0o600)
    return path


def test_a_roster_is_matched_and_the_site_learns_none_of_it(
    served: Served, roster: Path, token: Path, khien: Khien, tmp_path: Path
) -> None:
    served.wire.passed.clear()
    asked = ("breach", "match", str(roster), "--url", served.url, "--token-file", str(token), "-o", "out.csv")
    ran = khien(*asked, "--lang", "en")
    assert ran.returncode == 1, ran.stderr
    out = tmp_path / "out.csv"
    assert out.read_bytes() == b"row,collections\r\n1,shop\r\n"  # the clinic is told to nobody
    assert out.stat().st_mode & 0o777 == 0o600
    assert "5 rows: 1 are in a collection, 2 hold neither" in ran.stderr
    assert not (tmp_path / "out.csv.state").exists()
    passed = bytes(served.wire.passed)
    assert b"/breach/evaluate" in passed
    assert not any(each.encode() in passed for each in SECRETS)
    spelled = [canonical(each.encode()) for each in ("Lan.Nguyen@Example.VN", "an@example.org")]
    for output in exposing.outputs(served.data, [each for each in spelled if each]):
        assert output[:16].hex().encode() not in passed.lower()


def test_a_column_that_says_who_is_written_only_when_asked(
    served: Served, roster: Path, khien: Khien, tmp_path: Path
) -> None:
    asked = ("breach", "match", str(roster), "--url", served.url, "-o", "out.csv", "--column", "phone")
    ran = khien(*asked, "--with-column", "id")
    assert ran.returncode == 1, ran.stderr
    assert (tmp_path / "out.csv").read_bytes() == b"row,collections,id\r\n1,shop forum,7\r\n"


def found(inputs: Sequence[bytes]) -> list[tuple[str, ...]]:
    return [("shop",) if b"leaked" in each else () for each in inputs]


def many(path: Path, rows: int) -> Path:
    lines = (f"{'leaked' if n % 7 == 0 else 'fine'}{n}@example.org" for n in range(rows))
    path.write_text("\n".join(["email", *lines]))
    return path


def run(wanted: Wanted, found: breach_owners.Found = found) -> int:
    return breach_owners.matched(wanted, "https://csirt.example", found, "en").met


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_was_cut_off_goes_on_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(breach_owners, "AT_ONCE", 100)
    roster = many(tmp_path / "roster.csv", 450)
    whole = Wanted(roster, "email", "email", tmp_path / "whole.csv")
    assert run(whole) == 65
    wanted, calls = Wanted(roster, "email", "email", tmp_path / "out.csv"), list[int]()

    def breaks(inputs: Sequence[bytes]) -> list[tuple[str, ...]]:
        calls.append(len(inputs))
        if len(calls) > after:
            raise UnavailableError("away")
        return found(inputs)

    with pytest.raises(UnavailableError):
        run(wanted, breaks)
    with wanted.out.open("ab") as out:  # killed while it wrote
        out.write(b"399,sho")
    state = tmp_path / "out.csv.state"
    if after:
        assert "example.org" not in state.read_text()
        assert json.loads(state.read_text())["rows"] == after * 100
    else:
        wanted.out.unlink()
    calls.clear()

    def counted(inputs: Sequence[bytes]) -> list[tuple[str, ...]]:
        calls.append(len(inputs))
        return found(inputs)

    assert run(wanted, counted) == 65
    assert sum(calls) == 450 - after * 100
    assert wanted.out.read_bytes() == whole.out.read_bytes()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_roster_is_parted_as_spreadsheets_do(tmp_path: Path, delimiter: str) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(f'name{delimiter}email\n"Lan, of sales"{delimiter}lan@example.vn\n', encoding="utf-8")
    wanted = Wanted(roster, "email", "name", tmp_path / "out.csv")
    run(wanted, lambda asked: [["shop"]] * len(asked))
    assert wanted.out.read_bytes() == b'row,collections,name\r\n1,shop,"Lan, of sales"\r\n'


def test_another_roster_or_an_output_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    roster, out = many(tmp_path / "roster.csv", 10), tmp_path / "out.csv"
    out.write_text("precious")
    with pytest.raises(ConflictError):
        run(Wanted(roster, "email", None, out))
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("name\nlan", InputError), ("", InputError), ('email\n"' + "x" * 70_000 + '"', FormatError)],
)
def test_what_is_no_roster_is_refused_without_telling_of_its_rows(
    tmp_path: Path, text: str, kind: type[InputError]
) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(text)
    with pytest.raises(kind) as told:
        run(Wanted(path, "email", None, tmp_path / "out.csv"))
    assert "xxx" not in str(told.value)


def test_octets_that_are_no_text_and_rows_of_other_lengths_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(b"id,email\n1\n2,\xff\xfe@example.org\n3,leaked@example.org,more\n\n")
    out = tmp_path / "out.csv"
    assert run(Wanted(path, "email", None, out)) == 1
    assert out.read_bytes() == b"row,collections\r\n3,shop\r\n"


def test_a_token_that_others_may_read_is_not_used(served: Served, roster: Path, token: Path, khien: Khien) -> None:
    token.chmod(0o644)
    ran = khien("breach", "match", str(roster), "--url", served.url, "--token-file", str(token), "-o", "out.csv")
    assert ran.returncode == 2
    assert "0600" in ran.stderr
    assert served.token not in ran.stderr


def test_a_constituent_is_given_a_token(served: Served, khien: Khien, tmp_path: Path) -> None:
    asked = ("breach", "token", "bank", "-o", "bank.token", "--data", str(served.data))
    ran = khien(*asked)
    assert ran.returncode == 0, ran.stderr
    given = tmp_path / "bank.token"
    assert given.read_text().strip() == served.token
    assert given.stat().st_mode & 0o777 == 0o600
    assert served.token not in ran.stdout + ran.stderr
    assert khien(*asked).returncode == 2  # it is there
    assert khien("breach", "token", "nobody", "-o", "b", "--data", str(served.data)).returncode == 2


def test_who_holds_a_share_gives_a_token_to_whom_it_admits(served: Served, khien: Khien, tmp_path: Path) -> None:
    asked = ("breach", "token", "school", "-o", "school.token", "--data", str(served.data))
    assert "admitted" in khien(*asked).stderr
    (tmp_path / "khien.toml").write_text('[breach]\nadmitted = ["csirt", "school"]')
    assert khien(*asked).returncode == 0
    assert (tmp_path / "school.token").read_text().startswith("school.")


def test_an_account_is_taken_out_and_the_audit_says_why_and_not_whose(tmp_path: Path, khien: Khien) -> None:
    data = tmp_path / "khien-data"
    exposing.filled(data).close()
    ran = khien("breach", "remove", "--why", "asked at the desk", "--lang", "en", stdin="LAN.nguyen@example.vn\n")
    assert ran.returncode == 0, ran.stderr
    assert "lan.nguyen" not in (ran.stdout + ran.stderr).lower()
    with machine.store(data) as store:
        (removed,) = store.find(Removed)
        assert removed.id == exposing.outputs(data, [exposing.LAN])[0][:16].hex()
        (entry,) = store.find(Entry)
        assert (entry.act, entry.what, entry.params) == ("account-removed", "", {"why": "asked at the desk"})
    for path in data.rglob("*"):
        assert not path.is_file() or b"lan.nguyen" not in path.read_bytes().lower()
        assert path.suffix or not path.is_file() or bytes.fromhex(removed.id) not in path.read_bytes(), path


@pytest.mark.parametrize(("arguments", "stdin"), [((), "lan@example.vn"), (("--why", "asked"), "nothing\n")])
def test_without_a_reason_or_an_account_nothing_is_taken_out(
    tmp_path: Path, khien: Khien, arguments: tuple[str, ...], stdin: str
) -> None:
    exposing.filled(tmp_path / "khien-data").close()
    ran = khien("breach", "remove", *arguments, stdin=stdin)
    assert ran.returncode == 2
    assert stdin.strip() not in ran.stderr
