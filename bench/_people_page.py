"""The row `page`: all that a browser fetches for the first page that people see, in each language.

Chromium opens the page of a replay with an empty cache, and says what it fetched and how much of it came over the
wire, headers and packing included; beside it the same without packing, which is what the bar is held against.
"""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _rows import Bar, Row, skipped
from playwright.sync_api import Browser, sync_playwright

from khien import words
from khien.app import machine, made_up, parts
from khien.app.configuration import Site
from khien.cli import serve
from khien.pipeline import collect

BAR = Bar(100, "KB", under=True)
FIRST = ("check", "help", "")  # where people come in, and the picture
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
FETCHED = """
async () => {
  await fetch(document.querySelector("link[rel=icon]").href);  // which a browser without a window does not ask for
  return [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(each => [each.decodedBodySize, each.transferSize]);
}
"""


def page(quick: bool) -> Iterator[Row]:
    """A row for each page."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        yield from (skipped(f"first page: {each or 'picture'}", BAR, "there is no Chromium here") for each in FIRST)
        return
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder, sync_playwright() as playwright:
        with machine.store(Path(folder)) as store:
            for feed in parts.samples()[: 1 if quick else None]:
                collect.collect(feed, machine.engine(), store, machine.clock())
            made_up.leak(store, Path(folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with serve.site(Path(folder), None, Site(listen=listen), replay=True) as served:
            yield from (_weighed(browser, served.address, each) for each in FIRST)
        browser.close()


def _weighed(browser: Browser, address: str, path: str) -> Row:
    """The heavier of the two languages."""
    heaviest, how = 0.0, ""
    for language in words.LANGUAGES:
        opened = browser.new_page()
        opened.goto(f"{address}{language}/{path}", wait_until="networkidle")
        fetched = opened.evaluate(FETCHED)
        opened.close()
        plain, wire = (sum(each[n] for each in fetched) / 1000 for n in (0, 1))
        if plain > heaviest:
            heaviest, how = plain, f"{len(fetched)} files in {language}, {wire:.1f} KB over the wire, by Chromium"
    return Row(f"first page: {path or 'picture'}", BAR, heaviest, f"{heaviest:.1f} KB, not packed", how)
