"""Bundles what reader.js needs of the package qr into one file, src/khien/web/static/qr.js: the reader of QR codes.

Needs npm (Debian: apt-get install npm) and the package registry. The versions are pinned, so that it gives the same
file again; static/README.md names it with its digest, which a test compares.

    python3 generate/qr.py
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

STATIC = Path(__file__).parent.parent / "src/khien/web/static"
PACKAGES = ("qr@0.7.0", "esbuild@0.28.2")
ENTRY = 'export { decodeQR } from "qr/decode.js";\n'
SETTINGS = (  # a worker that is no module, as old browsers have it, loads it by its name
    *("--bundle", "--format=iife", "--global-name=qr", "--minify", "--target=es2020", "--charset=utf8"),
    "--legal-comments=none",
)
BANNER = "/*! qr 0.7.0: MIT License (c) 2023 Paul Miller, paulmillr.com; see README.md */"


def main() -> None:
    made = STATIC / "qr.js"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(("npm", "install", "--no-save", "--ignore-scripts", *PACKAGES), cwd=folder, check=True)
        entry = Path(folder) / "entry.js"
        entry.write_text(ENTRY, encoding="utf-8")
        bundle = ("node_modules/.bin/esbuild", entry.name, *SETTINGS, f"--banner:js={BANNER}", f"--outfile={made}")
        subprocess.run(bundle, cwd=folder, check=True)
    print(f"{made.name}: {made.stat().st_size:,} octets, SHA-256 {hashlib.sha256(made.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
