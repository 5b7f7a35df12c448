"""Other people's clients of Pwned Passwords, at their published versions, against a Khiên site with rows of its own."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import playwright
import pytest

from khien.app import configuration, machine
from khien.cli import serve
from tests import loopback
from tests.clients import prepare
from tests.clients.front import NAME, Front

CI = "CI" in os.environ
HERE = Path(__file__).parent
NODE = Path(playwright.__file__).parent / "driver" / "node"  # the one that is surely here, and reads HTTPS_PROXY
KEEPASSXC = shutil.which("keepassxc-cli")
KHIEN = (sys.executable, "-m", "khien.cli.main")

# What is asked, and how often it leaked.
LEAKED = {"often": ("Sài Gòn đẹp lắm", 10_434_004), "once": ("correct horse battery staple 7", 1)}
SAFE = {"unknown": "a password nobody chose yet", "alone": "whose range holds nothing at all"}
COUNTS = {name: count for name, (_, count) in LEAKED.items()} | dict.fromkeys(SAFE, 0)
ASKED = {name: password for name, (password, _) in LEAKED.items()} | SAFE
NTLM = {  # three known values: one that leaked, one whose range holds another, one whose range holds nothing
    "password": "8846F7EAEE8FB117AD06BDD830B7586C",
    "123456": "32ED87BDB5FDC5E9CBA88547376818D4",
    "qwerty": "2D20D252A479F485CDF5E171D93985BF",
}
NTLM_COUNTS = {"password": 17, "123456": 0, "qwerty": 0}
ENTRY = (  # of a database of KeePass
    "<Entry><String><Key>Title</Key><Value>{}</Value></String>"
    "<String><Key>Password</Key><Value>{}</Value></String></Entry>"
)


class Client(NamedTuple):
    """One of the thirteen: what package, which function asks it, whether it asks for padding, what it answers."""

    package: str
    ask: str
    padding: tuple[bool, ...] = (False,)
    answers: type[int] = int


CLIENTS = (
    Client("hibp", "hibp", padding=(False, True)),
    Client("@zxcvbn-ts/matcher-pwned", "zxcvbn", padding=(True,)),
    Client("pwned-passwords-django", "pwned_passwords_django", padding=(False, True)),
    Client("pwnedapi", "pwnedapi"),
    Client("pyhibp", "pyhibp", padding=(False, True)),
    Client("django-pwned", "django_pwned"),
    Client("pwnedpasswords", "pwnedpasswords"),
    Client("Flask-Security", "flask_security"),
    Client("hibpwned", "hibpwned"),
    Client("hibpcli", "hibpcli", answers=bool),
    Client("better-auth", "better_auth", padding=(True,), answers=bool),
    Client("hibp-downloader", "hibp_downloader"),
    Client("keepassxc-cli", "keepassxc"),
)
IN_NODE = ("hibp", "hibp_ntlm", "zxcvbn", "better_auth")


class Site(NamedTuple):
    """A site that answers. url: as those reach it that take an address; environment: for those that do not; folder: a
    place for files; offline: what is exported for KeePassXC."""

    url: str
    environment: dict[str, str]
    folder: Path
    offline: Path


def rows() -> dict[str, dict[str, int]]:
    """What leaked, by table and digest; in the ranges of what did not there are other rows, but in one."""
    sha1 = {digest(password): count for password, count in LEAKED.values()}
    sha1 |= {digest(LEAKED["often"][0])[:5] + digest(str(n))[5:]: n for n in range(1, 40)}
    sha1 |= {digest(SAFE["unknown"])[:5] + digest(str(n))[5:]: n for n in range(1, 4)}
    ntlm = {NTLM["password"]: NTLM_COUNTS["password"], NTLM["123456"][:5] + "0" * 27: 5}
    return {"sha1": sha1, "ntlm": ntlm}


def digest(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("clients")
    data, offline = folder / "data", folder / "offline.txt"
    with machine.store(data) as store:
        store.save()
    for mode, table in rows().items():
        listed = folder / f"{mode}.txt"
        listed.write_text("".join(f"{each}:{count}\n" for each, count in sorted(table.items())))
        khien("import-passwords", "--mode", mode, "--data", data, listed)
    khien("export", "keepassxc", "--data", data, offline)
    tls, trusted = loopback.certificate(folder, NAME)
    port = free()
    settings = configuration.Site(listen=f"127.0.0.1:{port}", hosts=(NAME,))
    with serve.site(data, None, settings, replay=False), Front(tls, port) as front:
        httpx.get(f"http://127.0.0.1:{port}/range/00000", timeout=60, trust_env=False)  # compiles; clients do not wait
        proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), front.url) | {"NODE_USE_ENV_PROXY": "1"}
        trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(trusted))
        yield Site(f"http://127.0.0.1:{port}", proxy | trust, folder, offline)


def khien(*arguments: str | Path) -> None:
    done = subprocess.run([*KHIEN, "breach", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def free() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("client", "padding"),
    [
        pytest.param(client, padding, id=f"{client.package}{'-padded' * padding}")
        for client in CLIENTS
        for padding in client.padding
    ],
)
def test_client(site: Site, client: Client, padding: bool) -> None:
    asks = analyse if client.ask == "keepassxc" else ask
    assert asks(site, client.ask, ASKED, padding) == {name: client.answers(count) for name, count in COUNTS.items()}


@pytest.mark.parametrize(
    ("client", "padding"), [("hibp_ntlm", False), ("hibp_ntlm", True), ("hibp_downloader_ntlm", False)]
)
def test_ntlm(site: Site, client: str, padding: bool) -> None:
    asked = NTLM if client == "hibp_ntlm" else {password: password for password in NTLM}
    assert ask(site, client, asked, padding) == NTLM_COUNTS


def ask(site: Site, client: str, passwords: dict[str, str], padding: bool) -> dict[str, Any]:
    """What a client says of passwords, by name."""
    if not (CI or prepare.ready()):
        pytest.skip("the clients are not here: .venv/bin/python tests/clients/prepare.py")
    program = (NODE, HERE / "ask.mjs") if client in IN_NODE else (prepare.PYTHON, HERE / "ask.py")
    asked = {"client": client, "url": site.url, "padding": padding, "passwords": passwords, "place": str(prepare.NODE)}
    neutral = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TMPDIR": str(site.folder), "HOME": str(site.folder)}
    environment = neutral | site.environment
    done = subprocess.run(
        program, env=environment, input=json.dumps(asked), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def analyse(site: Site, _client: str, passwords: dict[str, str], _padding: bool) -> dict[str, int]:
    """What KeePassXC says of a database with these passwords."""
    if not (CI or KEEPASSXC):
        pytest.skip("no keepassxc-cli here")
    entries = "".join(ENTRY.format(*each) for each in passwords.items())
    listed, database = site.folder / "database.xml", site.folder / "database.kdbx"
    listed.write_text(
        f"<KeePassFile><Root><Group><Name>all</Name>{entries}</Group></Root></KeePassFile>", encoding="utf-8"
    )
    keepassxc("import", "--set-password", "--decryption-time", "100", listed, database)
    said = keepassxc("analyze", "--hibp", site.offline, database)
    met = re.findall(r"Password for '(.+)' has been leaked (\d+) times?!", said)
    return dict.fromkeys(passwords, 0) | {name: int(count) for name, count in met}


def keepassxc(*arguments: str | Path) -> str:
    command = (KEEPASSXC or "keepassxc-cli", *arguments)
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, input="secret\n" * 2, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documentation_names_each_at_its_version() -> None:
    locked = (HERE / "python.in").read_text().splitlines()
    versions = dict(line.lower().split("==") for line in locked if "==" in line)
    versions |= json.loads((HERE / "package.json").read_text())["dependencies"]
    page = (prepare.ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `(.+?)`(?: \(npm\))? \| ([\d.]+)", page, re.MULTILINE))
    assert named.keys() == {client.package for client in CLIENTS}
    assert {name: version for name, version in named.items() if name != "keepassxc-cli"} == {
        client.package: versions[client.package.lower()] for client in CLIENTS if client.ask != "keepassxc"
    }
