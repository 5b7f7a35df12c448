"""Makes the README's screenshots, docs/pictures/*.png, of the bundled samples, in a Chromium that is installed.

python3 generate/screenshots.py
"""

import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import sync_playwright

from khien import schema
from khien.app import machine, made_up, parts, registers
from khien.app.configuration import Site
from khien.cli import serve
from khien.contracts import Store
from khien.model import Asset, Constituent, Finding, Hearing, Notice, Proof
from khien.pipeline import collect
from khien.pipeline.warn import Triage
from khien.triage import life, tokens

PICTURES = Path(__file__).parent.parent / "docs/pictures"
SHOTS = {  # file to page, width and height in pixels, colours
    "picture-vi": ("vi/", 1000, 2480, "light"),
    "picture-en": ("en/", 1000, 2480, "light"),
    "story-vi": ("vi/findings/{id}", 1000, 900, "light"),
    "story-en": ("en/findings/{id}", 1000, 900, "light"),
    "telephone-vi": ("vi/", 360, 740, "dark"),
    "telephone-en": ("en/", 360, 740, "dark"),
}
CHECKS = {
    "check-vi": ("vi/check", 1000, 1960, "light"),
    "check-en": ("en/check", 1000, 1960, "light"),
}
NOTICES = {
    "notice-vi": ("vi/notices/{id}", 1000, 1250, "light"),
    "notice-en": ("en/notices/{id}", 1000, 1250, "light"),
}
BRAND = "vneid"  # whose strongest finding the story is


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("there is no Chromium: install chromium")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="khien-") as folder:
        with machine.store(Path(folder)) as store:
            for feed in parts.samples():
                collect.collect(feed, machine.engine(), store, machine.clock())
            made_up.leak(store, Path(folder))
            (finding, *_) = [
                *store.find(Finding, order="-score", limit=1, suppressed=False, claim=BRAND),
                *store.find(Finding, order="-score", limit=1, suppressed=False),
            ]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        with serve.site(Path(folder), None, Site(listen=listen), replay=True) as served:
            shoot(chromium, served.address, SHOTS, finding.id)
            shoot(chromium, served.address, CHECKS, "", made_up.ADDRESS)
            with machine.store(Path(folder)) as store:  # behind the others: nobody has confirmed anything of the sample
                notice = warn(store, finding)
            token = tokens.token(machine.key(Path(folder), machine.NOTICES), tokens.NOTICE, notice)
            shoot(chromium, served.address, NOTICES, f"{notice}/{token}")


def warn(store: Store, finding: Finding) -> str:
    """Tells a constituent of a finding, as if an officer had confirmed it; answers the notice's id."""
    at = machine.clock()
    known = registers.load()
    label = next(each.label for each in known.names if each.id == finding.claim)
    asset = Asset(
        id=schema.asset_id("brand", finding.claim, finding.claim),
        kind="brand",
        value=finding.claim,
        constituent=finding.claim,
        proof=Proof(how="officer", at=at, by="officer", why="the sample"),
    )
    confirmed = life.move(finding, life.CONFIRM, by="officer", at=at)
    store.save(asset, Constituent(id=finding.claim, label=label, hears=(Hearing(channel="mail"),)))
    records = Triage(protected={each.id: each for each in known.names}).again(store, [confirmed], at)
    store.save(*records)
    return next(each.id for each in records if isinstance(each, Notice))


def shoot(
    chromium: str, address: str, shots: Mapping[str, tuple[str, int, int, str]], id: str, account: str = ""
) -> None:
    """Every shot, from a browser of its own; with an address asked about, where one is given."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, (path, width, height, colours) in shots.items():
            scheme = "dark" if colours == "dark" else "light"
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(address + path.format(id=id))
            if account:
                page.fill("#leaks-mail", account)
                page.press("#leaks-mail", "Enter")
                page.wait_for_selector("#leaks .told[aria-busy=false]")
            page.screenshot(path=PICTURES / f"{name}.png")
            page.close()
            print(f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
