"""Bundles what breach.js needs of @noble/curves into one file, src/khien/web/static/noble.js: RFC 9497 on ristretto255.

Needs npm (Debian: apt-get install npm) and the package registry. The versions are pinned, so that it gives the same
file again; static/README.md names it with its digest, which a test compares.

    python3 generate/noble.py
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

STATIC = Path(__file__).parent.parent / "src/khien/web/static"
PACKAGES = ("@noble/curves@2.4.0", "@noble/hashes@2.4.0", "esbuild@0.28.2")
ENTRY = """\
import { ristretto255, ristretto255_oprf } from "@noble/curves/ed25519.js";
export const { Point } = ristretto255;
export const { oprf, voprf } = ristretto255_oprf;
"""
SETTINGS = ("--bundle", "--format=esm", "--minify", "--target=es2020", "--charset=utf8", "--legal-comments=none")
BANNER = (
    "/*! @noble/curves 2.4.0, @noble/hashes 2.4.0: MIT License (c) 2022 Paul Miller, paulmillr.com; see README.md */"
)


def main() -> None:
    made = STATIC / "noble.js"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(("npm", "install", "--no-save", "--ignore-scripts", *PACKAGES), cwd=folder, check=True)
        entry = Path(folder) / "entry.js"
        entry.write_text(ENTRY, encoding="utf-8")
        bundle = ("node_modules/.bin/esbuild", entry.name, *SETTINGS, f"--banner:js={BANNER}", f"--outfile={made}")
        subprocess.run(bundle, cwd=folder, check=True)
    print(f"{made.name}: {made.stat().st_size:,} octets, SHA-256 {hashlib.sha256(made.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
