"""Copies what reader.js needs to read a picture of Vietnamese text into src/khien/web/static/tesseract.

Tesseract as WebAssembly, with SIMD and without, and the Vietnamese model in its form of whole numbers (best_int). What
browsers unpack on their way in is kept under gzip. Needs npm (Debian: apt-get install npm) and the package registry.
The versions are pinned, so that it gives the same files again; static/README.md names each with its digest, which a
test compares.

    python3 generate/tesseract.py
"""

import gzip
import hashlib
import subprocess
import tempfile
from pathlib import Path

STATIC = Path(__file__).parent.parent / "src/khien/web/static/tesseract"
PACKAGES = ("tesseract.js-core@7.0.0", "@tesseract.js-data/vie@1.0.0")
CORE, MODEL = "node_modules/tesseract.js-core", "node_modules/@tesseract.js-data/vie/4.0.0_best_int"
FILES = {
    "simd.js": f"{CORE}/tesseract-core-simd-lstm.js",
    "simd.wasm.gzip": f"{CORE}/tesseract-core-simd-lstm.wasm",
    "plain.js": f"{CORE}/tesseract-core-lstm.js",
    "plain.wasm.gzip": f"{CORE}/tesseract-core-lstm.wasm",
    "vie.traineddata.gzip": f"{MODEL}/vie.traineddata.gz",
}


def main() -> None:
    STATIC.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(("npm", "install", "--no-save", "--ignore-scripts", *PACKAGES), cwd=folder, check=True)
        for name, source in FILES.items():
            content = (Path(folder) / source).read_bytes()
            if source.endswith(".wasm"):
                content = gzip.compress(content, 9, mtime=0)
            (STATIC / name).write_bytes(content)
            print(f"tesseract/{name}: {len(content):,} octets, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
