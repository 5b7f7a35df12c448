"""The row `browser`: what it costs a browser to ask about an account, without the network.

Chromium runs the module as the check page does, against a holder or two on loopback that evaluate and prove; the time
in which an answer was awaited is taken off. Every question blinds a new account.
"""

import json
import os
import shutil
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from _rows import Bar, Row, skipped
from playwright.sync_api import Page, sync_playwright

from khien.breach import voprf
from khien.web.render import FOLDER

QUESTIONS = 20
BAR = Bar(50, "ms", under=True)
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
TYPES = {".js": "text/javascript", ".html": "text/html"}
ASK = """
async ([account, keys]) => {
  const { checkAccount } = await import("/breach.js");
  const straight = window.fetch;
  let awaited = 0, open = 0, since = 0;
  window.fetch = async (...asked) => {
    if (!open++) since = performance.now();
    try {
      const answer = await straight(...asked);
      const text = await answer.text();
      return new Response(text, { status: answer.status });
    } finally {
      if (!--open) awaited += performance.now() - since;
    }
  };
  const begun = performance.now();
  await checkAccount(account, { keys });
  const took = performance.now() - begun - awaited;
  window.fetch = straight;
  return took;
}
"""


def browser() -> Iterator[Row]:
    """Rows for one holder and for two."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    names = {1: "an account in the browser, without the network", 2: "the same, two holders"}
    if chromium is None:
        yield from (skipped(name, BAR, "there is no Chromium here") for name in names.values())
        return
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for holders, name in names.items():
            with served(holders) as (address, keys):
                page = running.new_page()
                page.goto(f"{address}/")
                yield measured(name, page, keys, f"Chromium {running.version}")
                page.close()
        running.close()


def measured(name: str, page: Page, keys: dict[str, Any], by: str) -> Row:
    took = [page.evaluate(ASK, [f"nguyen.{n}@example.vn", keys]) for n in range(QUESTIONS + 1)]
    first, *rest = took
    middle = median(rest)
    proofs = len(keys["keys"][0]["holders"])
    how = f"{by}, median of {QUESTIONS}: spelling, blinding, proofs verified ({proofs}), output;"
    how += f" {min(rest):.1f} to {max(rest):.1f} ms; the first question, with the modules compiled, {first:.0f} ms"
    return Row(name, BAR, middle, f"{middle:.1f} ms", how)


@contextmanager
def served(holders: int) -> Generator[tuple[str, dict[str, Any]]]:
    """Servers that hold a share each; the address of the first, which has the page, and what it publishes."""
    secrets = [voprf.derive(os.urandom(32), b"bench") for _ in range(holders)]
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), answering(each)) for each in secrets]
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    addresses = [f"http://127.0.0.1:{each.server_port}" for each in servers]
    shares = [
        {"url": url, "public": voprf.public_of(secret).hex()} for url, secret in zip(addresses, secrets, strict=True)
    ]
    try:
        yield addresses[0], {"keys": [{"epoch": 1, "holders": shares}]}
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()


def answering(secret: bytes) -> type[BaseHTTPRequestHandler]:
    """Answers what a holder of a share does, and gives the module out."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            file = FOLDER / "static" / path.removeprefix("/")
            if path == "/breach/collections":
                self.say(b'{"collections": [], "kinds": {}}')
            elif path.startswith("/breach/accounts/"):
                self.say(b"")
            elif file.is_file():
                self.say(file.read_bytes(), TYPES[file.suffix])
            else:
                self.say(b"<!doctype html>", TYPES[".html"])

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            elements = [bytes.fromhex(each) for each in asked["elements"]]
            evaluated = voprf.evaluate(secret, elements)
            nonce = voprf.scalar(os.urandom(64))
            proof = voprf.prove(secret, voprf.public_of(secret), elements, evaluated, nonce)
            self.say(json.dumps({"evaluated": [each.hex() for each in evaluated], "proof": proof.hex()}).encode())

        def do_OPTIONS(self) -> None:
            self.say(b"")

        def say(self, body: bytes, kind: str = "application/json") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Answers
