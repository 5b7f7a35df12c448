"""Makes src/khien/data/lexicon.tsv.zst: ordinary words of domain names and what each costs, in nats.

A cost is -log(share). Sources, all of which may be shipped: Google's web unigrams as the package wordsegment 1.3.1
carries them (Apache-2.0); tokens of the certificate names of `ct_stream` (Unlicense) and of MISP's warning lists of
popular names (CC0) under `../shared/data`; the syllables of Vietnamese, made by rule from initials and rhymes.

    python3 generate/lexicon.py wordsegment/unigrams.txt ../shared/data
"""

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

TARGET = Path(__file__).parent.parent / "src/khien/data/lexicon.tsv.zst"
LISTS = ("tranco10k", "cisco_top20k", "majestic_million", "cloudflare-top20k", "university_domains", "bank-website")
MOST = 140_000  # web unigrams kept; rarer ones are mostly misspellings
WORD = re.compile(r"[a-z]{2,20}")
INITIALS = "b c ch d g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x".split()
RHYMES = (
    "a ac ach ai am an ang anh ao ap at au ay e ec em en eng eo ep et eu i ia ich iec iem ien ieng iep iet ieu im in "
    "inh ip it iu o oa oac oai oan oang oanh oat oay oc oe oen oet oi om on ong op ot u ua uan uang uat uay uc ue uech "
    "ui um un ung uoc uoi uom uon uong uop uot uou up ut uu uy uya uych uyen uyet uynh uyt y yem yen yet yeu"
).split()
SYLLABLE_COST = 10.0
MOST_COST = 25.0


def web(path: Path) -> Iterator[tuple[str, float]]:
    """Unigrams of the web, by rank."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    total = sum(int(count) for _, count in rows)
    for word, count in rows[:MOST]:
        yield word, -math.log(int(count) / total)


def names(shared: Path) -> Iterator[str]:
    """Real names: certificates of some days, and popular ones."""
    with pa.input_stream(shared / "names/ct_stream.tsv.zst", compression="zstd") as stream:
        for line in stream.read().decode().splitlines():
            yield line.split("\t")[0]
    for each in LISTS:
        for file in sorted((shared / "exchange/misp/warninglists" / each).glob("*.json")):
            yield from json.loads(file.read_text())["list"]


def tokens(shared: Path) -> Iterator[tuple[str, float]]:
    """Tokens of names, each counted once under a registrable label."""
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for name in names(shared):
        labels = name.lower().strip(".").split(".")[:-1]
        for token in re.findall(r"[a-z]+", " ".join(labels)):
            if labels and (token, labels[-1]) not in seen:
                seen.add((token, labels[-1]))
                counts[token] += 1
    total = sum(counts.values())
    for token, count in counts.items():
        if count > 1:
            yield token, -math.log(count / total)


def main() -> None:
    unigrams, shared = map(Path, sys.argv[1:])
    costs: dict[str, float] = {i + r: SYLLABLE_COST for i in ["", *INITIALS] for r in RHYMES}
    for word, cost in (*web(unigrams), *tokens(shared)):
        if WORD.fullmatch(word) and cost < MOST_COST:
            costs[word] = min(cost, costs.get(word, MOST_COST))
    text = "".join(f"{word}\t{round(cost * 10)}\n" for word, cost in sorted(costs.items()))
    TARGET.write_bytes(pa.Codec("zstd", compression_level=19).compress(text.encode(), asbytes=True))
    print(f"{len(costs)} words, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
