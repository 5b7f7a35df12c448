"""Fuzzes the readers of what others' servers say: texts that can be shown, or FormatError.

Needs atheris; stands outside the tests.

    python3 dev fuzz rdap 1000000           # or: domain, network, title
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial

import atheris

with atheris.instrument_imports(include=["khien"]):
    from khien.errors import FormatError
    from khien.sources.rdap import reader
    from khien.sources.site import title


def read_title(page: bytes) -> Mapping[str, str]:
    """The title of a page, whose first line is what the server says of it."""
    said, _, content = page.partition(b"\n")
    return {"title": title.title(content, said.decode("latin-1"))}


READERS: Mapping[str, Callable[[bytes], Mapping[str, str]]] = {
    "domain": reader.domain,
    "network": reader.network,
    "title": read_title,
}


def test_one_input(read: Callable[[bytes], Mapping[str, str]], content: bytes) -> None:
    """Reads content; whatever but a refusal or such texts comes out of it is for atheris to report."""
    try:
        told = read(content)
    except FormatError as error:
        assert "\n" not in str(error), "an error is one line"
        return
    for name, text in told.items():
        assert text.isprintable(), name
        assert len(text) <= 20_000, name


def main() -> None:
    """Takes the reader off the command line, ``domain`` where there is none; the rest is libFuzzer's."""
    chosen = next((each for each in sys.argv[1:] if not each.startswith("-")), "domain")
    sys.argv = [each for each in sys.argv if each != chosen]
    atheris.Setup(sys.argv, partial(test_one_input, READERS[chosen]))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
