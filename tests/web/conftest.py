"""The site over a real store, filled from the bundled sample and with what hostile people would put there."""

import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from khien import schema
from khien.app import machine, parts, registers
from khien.app.configuration import Site
from khien.cli import serve
from khien.detectors.lookalike import Lookalike
from khien.model import Finding, Reason
from khien.outward import http
from khien.pipeline import collect
from khien.pipeline.control import Control
from khien.pipeline.outputs import Outputs
from khien.stores.embedded.store import Embedded
from khien.triage import life
from khien.web import site as assembly
from khien.web.lists import Listed

HOST = "testserver.local"
KEY = bytes(range(32))
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>{{7*7}}\"'&\u202e"


class Ids(NamedTuple):
    """Findings of each kind that a page may show."""

    strongest: str
    known: str
    dismissed: str
    hostile: str
    letters: str
    flood: str
    carpet: str
    home: str


class Place(NamedTuple):
    """A filled data directory, and its store."""

    directory: Path
    store: Embedded
    ids: Ids


@pytest.fixture(scope="session")
def detector() -> Lookalike:
    return registers.lookalike()


@pytest.fixture(scope="session")
def labels(detector: Lookalike) -> dict[str, str]:
    return {each.id: each.label for each in detector.register.names}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("site") / "data"
    with machine.store(directory) as store:
        for feed in parts.samples():
            collect.collect(feed, machine.engine(), store, AT)
        strongest, second = store.find(Finding, order="-score", limit=2, suppressed=False)
        (known,) = store.find(Finding, order="-score", limit=1, suppressed=True)
        confirmed = life.move(second, life.CONFIRM, by=HOSTILE, at=AT, why=HOSTILE)
        hostile = made(HOSTILE + ".example", claim=HOSTILE, source=HOSTILE, span=(0, 9999))
        letters = made("xn--mmo-gna.example", claim="momo", start=datetime(1, 1, 1, tzinfo=UTC))
        (flood,) = store.find(Finding, claim="flood")
        carpet = flooded("198.51.100.0/24")
        home = made(
            "192.0.2.0/24",
            detector="flood",
            kind="network",
            claim="flood-source",
            start=AT,
            end=AT,
            techniques=("dns",),
            reasons=(Reason(code="home-part", params={"victim": "198.51.100.7", "count": "3", "vector": "dns"}),),
        )
        rates = store.land("flood_rates", course(carpet), id="course")
        store.save(life.move(confirmed, life.DISMISS, by="Lan", at=AT), hostile, letters, carpet, home, landed=[rates])
        ids = Ids(strongest.id, known.id, second.id, hostile.id, letters.id, flood.id, carpet.id, home.id)
        yield Place(directory, store, ids)


VECTORS = {"dns": 90_000.0, "syn": 40_000.0, "ntp": 30_000.0, "fragment": 20_000.0, "icmp": 900.0, "udp": 800.0}
LASTED = 150  # seconds


def flooded(subject: str) -> Finding:
    """A flood of a network, by more vectors than a chart tells apart."""
    start = AT - timedelta(seconds=3)
    over = {"vector": "dns", "rate": "90000", "line": "8000", "times": "11.2"}
    sent = {"count": "12000", "networks": "203.0.113.0/24 61%, 192.0.2.0/24 20%"}
    return made(
        subject,
        detector="flood",
        kind="network",
        claim="flood",
        episode=start + timedelta(seconds=1),
        start=start,
        end=start + timedelta(seconds=LASTED),
        techniques=tuple(VECTORS),
        reasons=(
            Reason(code="flood-packets", params=over),
            Reason(code="flood-carpet"),
            Reason(code="flood-sources", params=sent),
        ),
        measures={
            "packets": 181_700.0,
            "bits": 2.4e9,
            "peak": start.timestamp() + 60,
            "sources": 12_000.0,
            **{f"{vector}.packets": packets for vector, packets in VECTORS.items()},
            **{f"{vector}.bits": packets * 4000 for vector, packets in VECTORS.items()},
            "syn.port.443": 0.99,
            "dns.from.203.0.113.0/24": 0.61,
            "icmp.port.2048": 1.0,
        },
    )


def course(flood: Finding) -> pa.RecordBatch:
    """Its rates, every second of each vector there twice, as a crash leaves them."""
    assert flood.start is not None
    rows = [
        {
            "second": flood.start + timedelta(seconds=second),
            "finding": flood.id,
            "vector": vector,
            "packets": packets * part,
            "bytes": packets * part * 500,
        }
        for second in range(LASTED)
        for vector, packets in VECTORS.items()
        for part in (1.0, 0.5)
    ]
    return pa.RecordBatch.from_pylist(rows, schema.FLOOD_RATES)


def from_(site: Litestar, address: str) -> Litestar:
    """The site, to which all connections come from there."""
    answer = site.asgi_handler

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        await answer({**scope, "client": (address, 5000)}, receive, send)  # type: ignore[arg-type]

    site.asgi_handler = answered
    return site


def made(subject: str, **fields: object) -> Finding:
    """A weak finding that no source has brought."""
    given: dict[str, object] = {
        "detector": "lookalike",
        "kind": "domain",
        "score": 0.3,
        "techniques": ("combosquat",),
        "reasons": (Reason(code="combosquat", params={"brand": subject, "word": subject}),),
        "raised": AT,
        "id": subject.encode().hex().rjust(64, "0")[-64:],
        "subject": subject,
    }
    return Finding(**(given | fields))  # type: ignore[arg-type] # what a test gives is what it means


@pytest.fixture(scope="session")
def site(place: Place, detector: Lookalike, labels: dict[str, str]) -> Litestar:
    ours: dict[str, Any] = {"audit": machine.audit(place.directory), "key": KEY, "public": "https://khien.example"}
    names = {each.id: each for each in detector.register.names}
    contact = "doi@example.org <b>"
    log = machine.listings(place.directory, place.store, registers.known(detector.register), timedelta(hours=72))
    ours["listed"] = Listed(Outputs(log, "https://khien.example"), Control(KEY, (), http.client("test")))
    return assembly.create(place.store, detector, labels, [HOST], **ours, names=names, replay=True, contact=contact)


@pytest.fixture(scope="session")
def client(site: Litestar) -> Iterator[TestClient[Litestar]]:
    with TestClient(site, base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture(scope="session")
def served(place: Place) -> Iterator[str]:
    """The site as `khien replay` starts it, a process of its own. Answers its address, without the last slash."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    with serve.site(place.directory, None, Site(listen=listen), replay=True) as served:
        yield served.address.removesuffix("/")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; without one the tests of the browser are skipped, but not where CI is set."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI is set: install chromium")
        pytest.skip("there is no Chromium: install chromium to run the tests of the pages in a browser")
    return found
