"""Who watches Khiên: what was listed and taken out, how often wrongly, and the proof, which the reader's browser
recomputes."""

from collections import Counter
from typing import NamedTuple

from litestar import Response, get

from khien.listing import STANDS
from khien.model import Listing
from khien.pipeline import listed as log
from khien.pipeline.listings import Listings
from khien.pipeline.outputs import MANIFEST, NAMES
from khien.web.listings import Entry, acts
from khien.web.lists import Told
from khien.web.pages import Ours, Spoken, html

LATEST = 20  # acts that are shown


class Watched(NamedTuple):
    """What there is to be watched. wrong: taken out because their owner objected; kept: of those who did, in vain.
    sample: whose proof is shown: the last act on the latest listing that stands, else the last that has a text."""

    stand: int
    contested: int
    removed: int
    wrong: int
    kept: int
    size: int
    checkpoint: str
    verifier: str
    latest: tuple[Entry, ...]
    sample: Entry | None


def watched(listings: Listings, done: Counter[str]) -> Watched:
    """Counts and the latest acts of the log as it stands. done: what the log says was done (listed.Tally)."""
    store = listings.store
    states = store.count(Listing, "state")
    counts = {name: states.get((name,), 0) for name in STANDS}
    head = log.read_head(store)
    latest = acts(store, *range(head.size - 1, max(head.size - 1 - LATEST, -1), -1))
    stands = store.find(Listing, order="-since", limit=1, state=STANDS)
    telling = [*acts(store, *(each.leaves[-1] for each in stands)), *latest]
    return Watched(
        stand=counts["listed"] + counts["contested"],
        contested=counts["contested"],
        removed=done["removed"],
        wrong=done["appeal-removed"],
        kept=done["appeal-kept"],
        size=head.size,
        checkpoint=head.checkpoint,
        verifier=listings.verifier,
        latest=latest,
        sample=next((each for each in telling if each.said), None),
    )


@get("/watch", sync_to_thread=True)
def watch(site: Ours, language: Spoken, listed: Told) -> Response[str]:
    """Who watches us, and with what."""
    view = {"watched": watched(listed.listings, listed.tally(site.store)), "lists": (*NAMES, MANIFEST)}
    return html(site.frame.render(language, "watch", {}, **view))


ROUTES = (watch,)
