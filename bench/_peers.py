"""Peers, run beside ours on the same names and words, on one CPU; and the figures of those that cannot be."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from _children import one_cpu
from _lists import array, labelled, names, stream
from _speed import buffers

from khien.app import registers
from khien.compiled import kernel
from khien.model import Register

ROWS, FEW = 3_000_000, 300_000
SAMPLE = 20_000  # names, for peers that do thousands a second
EDITED = 6  # letters of the shortest word that is looked for with an edit
GENERATED = 5  # protected names whose imitations are generated under --quick
PLAIN = re.compile(r"[a-z0-9.-]+")  # a domain, not a pattern over domains
HEADER = ("peer", "how", "M names/s", "recall", "hits a million benign")
Finder = Callable[[bytes, np.ndarray], np.ndarray]  # names, a line each, and where lines end: which rows are hit


class Names(NamedTuple):
    """One list as the peers take it. ends: where each line ends in text."""

    rows: list[str]
    text: bytes
    ends: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[str]) -> "Names":
        """The names in lower case, a line each."""
        text = "".join(f"{name}\n" for name in rows).lower().encode()
        return cls(list(rows), text, np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")))


class Lists(NamedTuple):
    """What each peer is run on: a stream for its rate, labelled hosts for recall, benign names for wrong hits."""

    stream: Names
    positives: Names
    benign: Names


@kernel("i8", "i8", "i4*", "u1*")
def byte_loop(n_rows, offsets, row):
    """The floor: each byte of each name looked at once, in a chain, so that no processor does many at a time."""
    key = 0
    found = 0
    for each in range(n_rows):
        for i in range(offsets[each], offsets[each + 1]):
            key = (key << 5 ^ row[i]) & 0xFFFFF
            found += key == 0
    return found


def measured(folder: Path, positives: Path, benign: Path, quick: bool) -> Iterator[tuple[str, ...]]:
    """A line for each peer; one that is not installed says so."""
    rows = FEW if quick else ROWS
    once = stream(folder)
    lists = Lists(
        Names.of(array(once, rows).to_pylist()),
        Names.of([each.host for each in labelled(positives)]),
        Names.of(names(benign)),
    )
    register = registers.load()
    words = [word.text for word in registers.lookalike().program.words]
    with one_cpu():
        yield _floor(array(once, rows))
        for peer in (_ahocorasick, _hyperscan, _hyperscan_edits):
            yield _line(peer, lists, lambda peer=peer: peer(words))
        yield _line(_dnstwist, lists, lambda: _dnstwist(register, GENERATED if quick else len(register.names)))
        for slow in (_rapidfuzz, _tldextract, _publicsuffixlist):
            yield _slow(slow, lists.stream.rows[:SAMPLE], words)


def _floor(column: pa.StringArray) -> tuple[str, ...]:
    offsets, row = buffers(column)
    byte_loop(0, offsets, row)
    rate = _rate(len(column), lambda: byte_loop(len(column), offsets, row))
    return "compiled byte loop", "each byte once: the floor, finds nothing", rate, "", ""


def _line(peer: Callable[..., Any], lists: Lists, make: Callable[[], tuple[str, Finder]]) -> tuple[str, ...]:
    name = (peer.__doc__ or "").partition(":")[0]
    try:
        how, find = make()
    except ImportError:
        return name, "not installed", "", "", ""
    rate = _rate(len(lists.stream.rows), lambda: find(lists.stream.text, lists.stream.ends))
    positive, benign = (len(find(each.text, each.ends)) / len(each.rows) for each in (lists.positives, lists.benign))
    return name, how, rate, f"{positive:.1%}", f"{1e6 * benign:,.0f}"


def _slow(peer: Callable[..., Any], rows: list[str], words: list[str]) -> tuple[str, ...]:
    name = (peer.__doc__ or "").partition(":")[0]
    try:
        how, work = peer(rows, words)
    except ImportError:
        return name, "not installed", "", "", ""
    return name, how, _rate(len(rows), work), "", ""


def _rate(rows: int, work: Callable[[], object]) -> str:
    seconds: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return f"{rows / median(seconds) / 1e6:.3g}"


def _rows_hit(places: Sequence[int], ends: np.ndarray) -> np.ndarray:
    """The rows in which places of the text lie."""
    return np.unique(np.searchsorted(ends, np.array(places, np.int64)))


def _ahocorasick(words: list[str]) -> tuple[str, Finder]:
    """ahocorasick_rs: one automaton over the whole text."""
    from ahocorasick_rs import BytesAhoCorasick

    automaton = BytesAhoCorasick([word.encode() for word in words])

    def find(text: bytes, ends: np.ndarray) -> np.ndarray:
        return _rows_hit([start for _, start, _ in automaton.find_matches_as_indexes(text)], ends)

    return f"{len(words):,} words as substrings, whole text", find


def _hyperscan(words: list[str]) -> tuple[str, Finder]:
    """hyperscan: literals over the whole text."""
    import hyperscan

    database = hyperscan.Database()
    database.compile([word.encode() for word in words], ids=list(range(len(words))), literal=True)
    return f"{len(words):,} words as substrings, whole text", _hyperscan_finder(database)


def _hyperscan_edits(words: list[str]) -> tuple[str, Finder]:
    """hyperscan, one edit: Levenshtein distance 1 at every place, no transposition.

    An edit may take in the end of a row: hits there are a little more than they should be.
    """
    import hyperscan

    long = [word.encode() for word in words if len(word) >= EDITED]
    near = hyperscan.ExpressionExt(flags=hyperscan.HS_EXT_FLAG_EDIT_DISTANCE, edit_distance=1)
    database = hyperscan.Database()
    database.compile(long, ids=list(range(len(long))), ext=[near] * len(long))
    return f"{len(long):,} words of {EDITED} letters and more at Levenshtein distance 1", _hyperscan_finder(database)


def _hyperscan_finder(database: Any) -> Finder:
    def find(text: bytes, ends: np.ndarray) -> np.ndarray:
        places: list[int] = []
        database.scan(text, match_event_handler=lambda _id, _start, end, _flags, _context: places.append(end - 1))
        return _rows_hit(places, ends)

    return find


def _dnstwist(register: Register, most: int) -> tuple[str, Finder]:
    """dnstwist: imitations generated, each end of a name looked up among them."""
    import dnstwist

    official = ([each.domain for each in name.official if PLAIN.fullmatch(each.domain)] for name in register.names)
    domains = [first for first, *_ in filter(None, official)][:most]
    started = time.perf_counter()
    imitations: set[str] = set()
    for domain in domains:
        fuzzer = dnstwist.Fuzzer(domain)
        fuzzer.generate()
        imitations |= {each["domain"] for each in fuzzer.domains} - {domain}
    seconds = time.perf_counter() - started

    def find(text: bytes, _ends: np.ndarray) -> np.ndarray:
        hit: list[int] = []
        for number, name in enumerate(text.decode().splitlines()):
            while name not in imitations:
                _, dot, name = name.partition(".")
                if not dot:
                    break
            else:
                hit.append(number)
        return np.array(hit)

    return f"{len(imitations):,} names generated from {len(domains)} domains in {seconds:.0f} s, set lookup", find


def _rapidfuzz(rows: list[str], words: list[str]) -> tuple[str, Callable[[], object]]:
    """rapidfuzz: optimal string alignment of whole labels with words, cdist."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    labels = [max(name.split("."), key=len) for name in rows]
    how = f"longest label to {len(words):,} words, distance 1, {len(rows):,} names"
    return how, lambda: cdist(labels, words, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8, workers=1)


def _tldextract(rows: list[str], _: list[str]) -> tuple[str, Callable[[], object]]:
    """tldextract: public suffixes."""
    from tldextract import TLDExtract

    extract = TLDExtract(cache_dir=None, suffix_list_urls=())  # the list it brings: nothing is fetched
    extract("example.org")
    return f"registrable name only, {len(rows):,} names", lambda: [extract(name).domain for name in rows]


def _publicsuffixlist(rows: list[str], _: list[str]) -> tuple[str, Callable[[], object]]:
    """publicsuffixlist: public suffixes."""
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()
    return f"registrable name only, {len(rows):,} names", lambda: [suffixes.privatesuffix(name) for name in rows]


QUOTED_ON = "2026-11-21"
# Measured with 171 words of 115 brands on the development halves of the lists: 231 read imitations, other benign
# samples. Sizes, to be read beside ours and not to the digit.
QUOTED = (
    ("dnstwist", "529k generated names, set lookup, 103 s of building", "0.57", "3.0%", "1,310"),
    ("ail-typo-squatting", "756k generated names, 285 s of building", "1.04", "4.8%", "882"),
    ("openSquat, distance 1", "Levenshtein on the first label, and substring", "0.00027", "91.8%", "15,050"),
    ("openSquat, words of 6 letters and more", "the same", "", "55.8%", "500"),
    ("phishing_catcher, score 75", "keywords, Levenshtein 1, entropy, suffix", "0.0009 to 0.0014", "93.1%", "34,867"),
    ("Watcher, predicate re-implemented", "keyword in name, and dnstwist", "", "90.0%", "12,550"),
    ("certstream-analytics", "Aho-Corasick and public suffix", "0.02", "", ""),
)
