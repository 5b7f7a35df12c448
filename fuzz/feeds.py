"""Fuzzes one decoder of what others feed us: an answer or FormatError, nothing else. Needs atheris; outside the tests.

    python3 dev fuzz feeds 1000000 certstream       # or dnstap frames list mail transfer

Of ``transfer`` an input is DNS messages one after the other, each behind its length in two bytes, as TCP carries them.
"""

import sys
from collections.abc import Callable, Iterator, Mapping

import atheris

# What kernels are made of cannot be watched: instrumented code does not compile.
_COMPILED = [f"khien.names.reading.{name}" for name in ("delimited", "zones", "syntax", "moments")]

with atheris.instrument_imports(include=["khien", "dns.message", "email"], exclude=["khien.compiled", *_COMPILED]):
    from khien.errors import FormatError
    from khien.formats import certstream, dnstap, harmlist, reportmail, transfer


def _frames(content: bytes) -> None:
    stream = dnstap.Frames()
    for at in range(0, len(content), 7):
        for frame in stream.feed(content[at : at + 7]):
            if isinstance(frame, bytes):
                dnstap.asked(frame)


def _transfer(content: bytes) -> None:
    transfer.names(_messages(content[1:]), full=bool(content[:1] > b"\x7f"))


def _messages(content: bytes) -> Iterator[bytes]:
    while len(content) > 2:
        size = int.from_bytes(content[:2])
        yield content[2 : 2 + size]
        content = content[2 + size :]


TARGETS: Mapping[str, Callable[[bytes], object]] = {
    "certstream": lambda content: certstream.batch([certstream.decode(content)]).validate(full=True),
    "dnstap": dnstap.asked,
    "frames": _frames,
    "list": harmlist.read,
    "mail": reportmail.hosts,
    "transfer": _transfer,
}


def main() -> None:
    """Takes the decoder off the command line; the rest is libFuzzer's."""
    name = next((each for each in sys.argv[1:] if each in TARGETS), "dnstap")
    sys.argv = [each for each in sys.argv if each != name]
    target = TARGETS[name]

    def test_one_input(content: bytes) -> None:
        try:
            target(content)
        except FormatError as error:
            assert "\n" not in str(error), "an error is one line"

    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
