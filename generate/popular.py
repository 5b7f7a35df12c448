"""Makes src/khien/data/popular.tsv.zst: names that are popular, and names under which anybody may register.

Source: MISP warning lists (CC0) under `../shared/data/exchange/misp/warninglists`. Rows are name, list.

    python3 generate/popular.py ../shared/data
"""

import json
import re
import sys
from pathlib import Path

import pyarrow as pa

TARGET = Path(__file__).parent.parent / "src/khien/data/popular.tsv.zst"
LISTS = (
    "bank-website",
    "university_domains",
    "tranco10k",
    "majestic_million",
    "cloudflare-top20k",
    "cisco_top20k",
    "dynamic-dns",
)
HOST = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)+[a-z][a-z0-9-]+")


def main() -> None:
    shared = Path(sys.argv[1])
    rows: dict[str, str] = {}
    for each in LISTS:  # the more telling list first: a name keeps the first it is on
        for file in sorted((shared / "exchange/misp/warninglists" / each).glob("*.json")):
            for name in json.loads(file.read_text())["list"]:
                name = name.strip().strip(".").lower().removeprefix("www.")
                if HOST.fullmatch(name) and len(name) <= 60:
                    rows.setdefault(name, each)
    text = "".join(f"{name}\t{origin}\n" for name, origin in sorted(rows.items()))
    TARGET.write_bytes(pa.Codec("zstd", compression_level=19).compress(text.encode(), asbytes=True))
    print(f"{len(rows)} names, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
