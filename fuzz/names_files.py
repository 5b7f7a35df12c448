"""Fuzzes one file format: rows, InputError or FormatError, nothing else. Needs atheris; stands outside the tests.

    python3 dev fuzz names_files 1000000 zone       # or plain csv tsv json hosts adblock parquet any

The first byte of an input chooses the size of pages, for the rest is what a file holds: down to a byte, but for long
files no smaller than makes some dozens of them, for else the time goes into pages.
"""

import os
import sys
from functools import partial

import atheris

# What kernels are made of cannot be watched: instrumented code does not compile.
_COMPILED = [f"khien.names.reading.{name}" for name in ("delimited", "zones", "syntax", "moments")]

with atheris.instrument_imports(include=["khien"], exclude=["khien.compiled", *_COMPILED]):
    from khien.errors import InputError
    from khien.sources.files import Files

_PAGES = (1, 3, 17, 64, 1 << 12, 1 << 22)
_MOST_PAGES = 48


def test_one_input(source: dict[str, str | None], file: int, content: bytes) -> None:
    """Reads content as a file; whatever but a refusal comes out of it is for atheris to report."""
    os.ftruncate(file, 0)
    os.pwrite(file, content[1:], 0)
    page_bytes = max(_PAGES[content[0] % len(_PAGES)] if content else 1, len(content) // _MOST_PAGES)
    try:
        for page in Files((f"/proc/self/fd/{file}",), format=source["format"], page_bytes=page_bytes).read(None):
            page.rows.validate(full=True)
    except InputError as error:
        assert "\n" not in str(error), "an error is one line"


def main() -> None:
    """Takes the format off the command line, ``any`` where there is none; the rest is libFuzzer's."""
    format = next((each for each in sys.argv[1:] if not each.startswith("-")), "any")
    sys.argv = [each for each in sys.argv if each != format]
    file = os.memfd_create("names")
    atheris.Setup(sys.argv, partial(test_one_input, {"format": None if format == "any" else format}, file))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
