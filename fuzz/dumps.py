"""Fuzzes what leaked, in every form: rows, or FormatError, nothing else, and nothing of a row in it. Needs atheris.

    python3 dev fuzz dumps 1000000 combo       # or stealer csv jsonl sha1 ntlm any

The first byte of an input chooses the size of pages, for the rest is what a file holds; what it is packed as, too.
"""

import os
import sys
from functools import partial

import atheris

# What kernels are made of cannot be watched: instrumented code does not compile.
_KERNELS = (
    "accounts buckets digests hashlist leaked lines objects octets pairs rounds rows sheets siphash stealer turned"
).split()
_COMPILED = [f"khien.breach.{name}" for name in _KERNELS]

with atheris.instrument_imports(include=["khien"], exclude=["khien.compiled", *_COMPILED]):
    from khien.breach.table import WIDTHS
    from khien.errors import FormatError
    from khien.sources.dumps.forms import seen
    from khien.sources.dumps.hashes import Hashes
    from khien.sources.dumps.source import Dumps

_PAGES = (64, 100, 257, 1 << 12, 1 << 22)
_PLANTED = b"PLANTED-SECRET"


def test_one_input(form: str, file: int, content: bytes) -> None:
    """Reads content as a file; whatever but a refusal comes out of it is for atheris to report."""
    path, page_bytes = f"/proc/self/fd/{file}", _PAGES[content[0] % len(_PAGES)] if content else 64
    os.ftruncate(file, 0)
    os.pwrite(file, content[1:] + _PLANTED, 0)
    try:
        met = seen(path, "", form).form
        kind = partial(Hashes, form=met) if met in WIDTHS else partial(Dumps, form=form)
        for page in kind(path=path, key=bytes(16), page_bytes=page_bytes).read(None):
            page.rows.validate(full=True)
            assert _PLANTED.decode() not in str(page.skipped and page.skipped.to_pylist()), "a row is told"
    except FormatError as error:
        assert "\n" not in str(error), "an error is one line"
        assert _PLANTED.decode() not in str(error), "a row is told"


def main() -> None:
    """Takes the form off the command line, ``any`` where there is none; the rest is libFuzzer's."""
    form = next((each for each in sys.argv[1:] if not each.startswith("-")), "any")
    sys.argv = [each for each in sys.argv if each != form]
    file = os.memfd_create("dumps")
    atheris.Setup(sys.argv, partial(test_one_input, "" if form == "any" else form, file))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
