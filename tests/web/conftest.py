"""The site over a real store, filled from the bundled sample and with what hostile people would put there."""

import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import app, pipeline, triage
from khien.cli import serve
from khien.detectors.lookalike import Lookalike
from khien.model import Finding, Reason
from khien.stores.embedded.store import Embedded
from khien.web import site as assembly

HOST = "testserver.local"
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>{{7*7}}\"'&\u202e"


class Ids(NamedTuple):
    """Findings of each kind that a page may show."""

    strongest: str
    known: str
    dismissed: str
    hostile: str
    letters: str


class Place(NamedTuple):
    """A filled data directory, and its store."""

    directory: Path
    store: Embedded
    ids: Ids


@pytest.fixture(scope="session")
def detector() -> Lookalike:
    return app.lookalike()


@pytest.fixture(scope="session")
def labels(detector: Lookalike) -> dict[str, str]:
    return {each.id: each.label for each in detector.register.names}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("site") / "data"
    with app.store(directory) as store:
        pipeline.collect(app.sample(), app.engine(), store, AT)
        strongest, second = store.find(Finding, order="-score", limit=2, suppressed=False)
        (known,) = store.find(Finding, order="-score", limit=1, suppressed=True)
        confirmed = triage.move(second, triage.CONFIRM, by=HOSTILE, at=AT, why=HOSTILE)
        hostile = made(HOSTILE + ".example", claim=HOSTILE, source=HOSTILE, span=(0, 9999))
        letters = made("xn--mmo-gna.example", claim="momo", start=datetime(1, 1, 1, tzinfo=UTC))
        store.save(triage.move(confirmed, triage.DISMISS, by="Lan", at=AT), hostile, letters)
        yield Place(directory, store, Ids(strongest.id, known.id, second.id, hostile.id, letters.id))


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
    return assembly.create(place.store, detector, labels, [HOST], replay=True, contact="doi@example.org <b>")


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
    with serve.site(place.directory, None, app.Site(listen=listen), replay=True) as served:
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
