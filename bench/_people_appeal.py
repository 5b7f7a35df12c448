"""Row ``appeal``: how soon a wrong listing is gone from every output, once its owner objects and an officer agrees."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from _children import khien, run
from _rows import Bar, Row, skipped

from khien import canon, officers
from khien.app import machine, registers
from khien.app.configuration import People, Site
from khien.cli import serve
from khien.errors import UnavailableError
from khien.listing import propose
from khien.model import Listing, Officer, Register, Text
from khien.outward import http
from khien.outward.dns import Names
from khien.pipeline.control import Control
from khien.pipeline.listings import Listings
from khien.pipeline.outputs import MANIFEST, NAMES, RULE
from khien.triage import proofs

BAR = Bar(120, "s", under=True)
NAME = "appeal to gone from every output"
MANY, FEW = 20_000, 500  # listings beside it
HOST = "bakery.example"
CONFIGURATION = """options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 recursion yes; allow-recursion {{ 127.0.0.1; }}; pid-file none; session-keyfile none; dnssec-validation no;
 response-policy {{ zone "khien.rpz"; }} qname-wait-recurse no; }};
key control {{ algorithm hmac-sha256; secret "{secret}"; }};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ control; }}; }};
zone "khien.rpz" {{ type primary; file "lists/rpz.zone"; }};
zone "example" {{ type primary; file "example.zone"; }};
"""
ZONE = """$TTL 0
@ SOA localhost. root.localhost. 1 60 60 60 0
@ NS localhost.
bakery A 192.0.2.1
_khien-challenge.bakery TXT "{text}"
"""
PATIENCE = 300.0  # seconds


def appeal(quick: bool) -> Iterator[Row]:
    """One row: from the owner's form over DNS and an officer's decision to the last output and a resolver."""
    programs = [shutil.which(each, path=f"{os.environ['PATH']}:/usr/sbin") for each in ("named", "rndc")]
    if None in programs:
        yield skipped(NAME, BAR, "named is not here: apt-get install bind9")
        return
    many = FEW if quick else MANY
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        folder = Path(scratch)
        data = folder / "data"
        with machine.store(data) as store:
            listings = machine.listings(data, store, registers.known(Register(names=())), timedelta(hours=72))
            token = _officer(listings)
            wrong = _list(listings, many)
            text = Control(machine.key(data, proofs.KEY), (), http.client("bench")).challenge(wrong).text
            seconds = _through(folder, data, wrong, token, text, [str(each) for each in programs])
    steps = "; ".join(f"{name} {took:.1f} s" for name, took in seconds.items())
    total = sum(seconds.values())
    how = f"form, DNS of a real named, decision by an approver's token, {len(NAMES)} lists over HTTP, then khien lists"
    yield Row(NAME, BAR, total, f"{total:.1f} s", f"{how} write and a resolver with the zone; {many:,} listed; {steps}")


def _officer(listings: Listings) -> str:
    """A token of an approver's."""
    token = officers.TOKEN + officers.secret(secrets.token_bytes)
    officer, at = Officer(id="mai", label="Mai", role="approver"), machine.clock()
    let = msgspec.structs.replace(officers.session(officer, token, at), kind="token")
    listings.store.save(officer, let)
    return token


def _list(listings: Listings, many: int) -> Listing:
    """Lists so many and one that is wrong; answers that."""
    given: dict[str, Any] = {
        "harm": "fraud",
        "conduct": ("form",),
        "note": Text(vi="Hỏi mã OTP.", en="Asks for codes."),
    }
    given |= {"at": machine.clock(), "evidence": "ab" * 32}
    listings.import_((propose("host", f"h{number}.evil.example", **given) for number in range(many)), by="lan")
    return listings.list_(propose("host", HOST, **given), by="lan")


def _through(folder: Path, data: Path, wrong: Listing, token: str, text: str, programs: list[str]) -> dict[str, float]:
    """Seconds of each step."""
    (folder / "example.zone").write_text(ZONE.format(text=text))
    _write(data, folder / "lists")
    names, control, site = _ports()
    settings = {"folder": folder, "port": names, "control": control, "secret": "a2hpZW4="}
    (folder / "named.conf").write_text(CONFIGURATION.format(**settings))
    (folder / "rndc.conf").write_text(
        f'key control {{ algorithm hmac-sha256; secret "a2hpZW4="; }};\n'
        f"options {{ default-key control; default-server 127.0.0.1; default-port {control}; }};\n"
    )
    people, seconds = People(servers=(f"127.0.0.1:{names}",)), dict[str, float]()
    with (
        _running([programs[0], "-g", "-n", "1", "-c", str(folder / "named.conf")], folder / "named.log"),
        serve.site(data, None, Site(listen=f"127.0.0.1:{site}"), replay=False, people=people) as served,
        httpx.Client(base_url=served.address, timeout=PATIENCE) as client,
    ):
        _until(lambda: not _resolves(names), "the resolver does not block what is listed")
        if not all(_names(client, each, wrong) for each in NAMES if each != "offline.filter"):
            raise RuntimeError("what is listed is not in every output")
        began = time.perf_counter()
        form = client.post(f"/en/listings/{wrong.id}/appeal", data={"how": "dns", "why": "We sell bread"})
        seconds["objected"] = time.perf_counter() - began
        shown = {"Authorization": f"Bearer {token}"}
        act = {"act": "remove", "why": "a bakery it is"}
        done = client.post(f"/en/desk/listings/{wrong.id}", data=act, headers=shown)
        if (form.status_code, done.status_code) != (303, 303):
            raise RuntimeError(f"the form answered {form.status_code}, the desk {done.status_code}")
        seconds["decided"] = time.perf_counter() - began - sum(seconds.values())
        _until(lambda: not any(_names(client, each, wrong) for each in (*NAMES, MANIFEST)), "it is still in an output")
        seconds["gone from every list"] = time.perf_counter() - began - sum(seconds.values())
        _write(data, folder / "lists")
        reload = [programs[1], "-c", str(folder / "rndc.conf"), "reload", "khien.rpz"]
        subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)
        _until(lambda: _resolves(names), "the resolver still blocks it")
        seconds["resolver"] = time.perf_counter() - began - sum(seconds.values())
    return seconds


def _write(data: Path, folder: Path) -> None:
    run([*khien(), "lists", "write", str(folder), "--data", str(data)])


def _names(client: httpx.Client, name: str, wrong: Listing) -> bool:
    """Whether an output has it."""
    body = client.get(f"/lists/{name}").content
    return canon.host_of(wrong.value).encode() in body or wrong.id[:RULE].encode() in body


def _resolves(port: int) -> bool:
    try:
        return bool(Names((f"127.0.0.1:{port}",)).ask(HOST, "A", 2).values)
    except UnavailableError:
        return False


def _until(reached: Callable[[], bool], why: str) -> None:
    until = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > until:
            raise RuntimeError(why)
        time.sleep(0.05)


def _ports() -> list[int]:
    """Three that were free a moment ago."""
    probes = [socket.socket() for _ in range(3)]
    for each in probes:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in probes]
    for each in probes:
        each.close()
    return ports


@contextmanager
def _running(command: list[str], log: Path) -> Generator[None]:
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield
        finally:
            process.terminate()
