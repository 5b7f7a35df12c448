"""Every page of the site, with something to be seen on it: for screenshots, and for tests that look at all of them."""

import contextlib
import socket
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page

from khien import officers, schema
from khien.app import machine, made_up, parts, registers
from khien.app.configuration import Site
from khien.audit import Act
from khien.cli import serve
from khien.contracts import Store
from khien.model import (
    Asset,
    Constituent,
    Delivery,
    Finding,
    Hearing,
    Listing,
    Notice,
    Officer,
    Proof,
    Report,
    Step,
    Takedown,
)
from khien.pipeline import collect
from khien.pipeline.saving import audited
from khien.pipeline.warn import Triage
from khien.triage import life, tokens

BRAND = "vneid"  # whose strongest finding the story is
OFFICER = "lan"
ASKED = "VNeID: tai khoan cua ban bi khoa. Xac minh trong 24h tai https://vneid-otp.example.top/login"


class Shown(NamedTuple):
    """A page: its name, its route as web.doors.ACCESS has it, and its path after the language, with ids of the place.

    officer: somebody is signed in. typed: what is typed into which field and sent, after which the page is shown.
    """

    name: str
    route: str
    path: str
    officer: bool = False
    typed: tuple[str, str] | None = None


def _desk(name: str, more: str = "", shown: str = "") -> Shown:
    path = f"desk/{name}" if name else "desk"
    title = f"desk-{name or 'home'}{'-one' if more else ''}"
    return Shown(title, f"/{path}{more}", f"{path}{shown or more}", officer=True)


PAGES = (
    Shown("check", "/check", "check"),
    Shown("check-answer", "/check", "check", typed=("#ask-text", ASKED)),
    Shown("check-account", "/check", "check", typed=("#leaks-mail", made_up.ADDRESS)),
    Shown("help", "/help", "help"),
    Shown("help-plan", "/help/{id}", "help/a"),
    Shown("help-near", "/help/{id}/{near}", "help/a/2"),
    Shown("help-questions", "/help/{id}", "help/q"),
    Shown("help-young", "/help/{id}", "help/y"),
    Shown("help-letters", "/help/w", "help/w"),
    Shown("help-letter", "/help/w/{number}", "help/w/1"),
    Shown("picture", "", ""),
    Shown("watch", "/watch", "watch"),
    Shown("listings", "/listings", "listings"),
    Shown("listing", "/listings/{id}", "listings/{listing}"),
    Shown("appeal", "/listings/{id}/appeal", "listings/{listing}/appeal"),
    Shown("learn", "/learn", "learn"),
    Shown("lesson", "/learn/{id}", "learn/app"),
    Shown("quiz", "/learn/quiz", "learn/quiz"),
    Shown("kit", "/learn/kit", "learn/kit"),
    Shown("figures", "/figures", "figures"),
    Shown("findings", "/findings", "findings"),
    Shown("story", "/findings/{id}", "findings/{finding}"),
    Shown("flood", "/findings/{id}", "findings/{flood}"),
    Shown("errors", "/errors", "errors"),
    Shown("notice", "/notices/{id}/{token}", "notices/{notice}/{notice_token}"),
    Shown("unsubscribe", "/unsubscribe/{id}/{token}", "unsubscribe/{delivery}/{delivery_token}"),
    Shown("code", "/code", "code"),
    Shown("missing", "", "nowhere"),
    Shown("desk-door", "/desk", "desk"),
    Shown("desk-join", "/desk/join", "desk/join"),
    _desk(""),
    _desk("sources"),
    _desk("notices"),
    _desk("notices", "/{id}", "/{notice}"),
    _desk("findings", "/{id}", "/{finding}"),
    _desk("takedowns"),
    _desk("takedowns", "/{id}", "/{finding}"),
    _desk("listings"),
    _desk("listings", "/{id}", "/{listing}"),
    _desk("constituents"),
    _desk("constituents", "/{id}", "/{brand}"),
    _desk("officers"),
    _desk("audit"),
    _desk("audit", "/{index}", "/0"),
)


class Place(NamedTuple):
    """A site that answers: its address with the last slash, the ids that paths name, and what lets an officer in."""

    address: str
    ids: Mapping[str, str]
    secret: str

    def visit(self, browser: Browser, officer: bool, **settings: object) -> BrowserContext:
        """A browser of its own, in which nobody or an officer is signed in."""
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        if officer:
            context.add_cookies([{"name": "khien", "value": self.secret, "url": self.address}])
        return context

    def show(self, page: Page, shown: Shown, language: str) -> int:
        """Goes there, and answers the status; what is typed is answered when this returns."""
        answer = page.goto(f"{self.address}{language}/{shown.path.format(**self.ids)}")
        if shown.typed:
            field, text = shown.typed
            page.fill(field, text)
            if field.startswith("#leaks"):
                page.press(field, "Enter")
                page.wait_for_selector("#leaks .told[aria-busy=false]")
            else:
                page.locator("form", has=page.locator(field)).locator("button").first.click()
                page.wait_for_selector("#answer")
        return answer.status if answer else 0


@contextlib.contextmanager
def served() -> Iterator[Place]:
    """A replay of what comes with Khiên, in which somebody was told of a finding and a site is on its way down."""
    with tempfile.TemporaryDirectory(prefix="khien-") as folder, machine.store(Path(folder)) as store:
        for feed in parts.samples():
            collect.collect(feed, machine.engine(), store, machine.clock())
        made_up.leak(store, Path(folder))
        made_up.listings(store, Path(folder))
        secret, ids = _fill(store, Path(folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        with serve.site(Path(folder), None, Site(listen=listen), replay=True) as site:
            yield Place(site.address, ids, secret)


def _fill(store: Store, data: Path) -> tuple[str, dict[str, str]]:
    """Somebody who is signed in, a finding that was told of and is taken down; their secret, and the ids."""
    at, secret = machine.clock(), officers.secret(machine.audit(data).chance)
    lan = Officer(id=OFFICER, label="Lan", role="administrator")
    finding = next(iter(store.find(Finding, order="-score", limit=1, suppressed=False, claim=BRAND)))
    flood = next(iter(store.find(Finding, order="-score", limit=1, claim="flood")))
    notice = _warn(store, finding)
    sent = Delivery(
        id=schema.delivery_id(notice, 1, "mail", "soc@example.vn"),
        about=notice, revision=1, channel="mail", address="soc@example.vn", due=at, state="sent", sent=at,
    )  # fmt: skip
    down = Takedown(
        id=finding.id, subject=finding.subject, claim=finding.claim, due=at + timedelta(days=1), up=at,
        reports=(Report(role="registrar", address="abuse@example.net", at=at),),
        steps=(Step(at=at, act="begin", by=OFFICER), Step(at=at, act="report", by="khien")),
    )  # fmt: skip
    store.save(sent, down)
    entered = Act(OFFICER, "signed-in", OFFICER)
    audited(store, machine.audit(data), lambda: (lan, officers.session(lan, secret, at)), entered)
    key = machine.key(data, machine.NOTICES)
    return secret, {
        "brand": finding.claim, "finding": finding.id, "flood": flood.id, "notice": notice, "delivery": sent.id,
        "listing": next(iter(store.find(Listing, limit=1))).id,
        "notice_token": tokens.token(key, tokens.NOTICE, notice),
        "delivery_token": tokens.token(key, tokens.UNSUBSCRIBE, sent.id),
    }  # fmt: skip


def _warn(store: Store, finding: Finding) -> str:
    """Tells a constituent of a finding, as if an officer had confirmed it; answers the notice's id."""
    at, known = machine.clock(), registers.load()
    label = next(each.label for each in known.names if each.id == finding.claim)
    asset = Asset(
        id=schema.asset_id("brand", finding.claim, finding.claim),
        kind="brand",
        value=finding.claim,
        constituent=finding.claim,
        proof=Proof(how="officer", at=at, by=OFFICER, why="the sample"),
    )
    confirmed = life.move(finding, life.CONFIRM, by=OFFICER, at=at)
    store.save(asset, Constituent(id=finding.claim, label=label, hears=(Hearing(channel="mail"),)))
    records = Triage(protected={each.id: each for each in known.names}).again(store, [confirmed], at)
    store.save(*records)
    return next(each.id for each in records if isinstance(each, Notice))
