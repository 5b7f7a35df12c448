"""Fuzzes what reads messages: masks, links, plain form, tricks. Needs atheris; stands outside the tests.

    python3 dev fuzz messages 1000000

Whatever the text, it is masked once and for all, its links keep their hosts, and it comes to a score.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["khien.messages"]):
    from khien.messages.judge import Judge
    from khien.messages.links import MOST, links
    from khien.messages.mask import masked
    from khien.model import Register

TRICKS = (Path(__file__).parents[1] / "src/khien/data/tricks.toml").read_bytes()
JUDGE = Judge(Register(names=()), TRICKS, b"sign\tbias\t-1.00\nsign\twants-code\t2.00\nword\totp\t1.00\n")


def test_one_input(content: bytes) -> None:
    """Reads content as a message; whatever breaks is for atheris to report."""
    text = content.decode(errors="replace")
    shown = masked(text)
    assert masked(shown) == shown, "masking twice is masking once"
    found = links(text)
    assert len(found) <= MOST
    judged = JUDGE.judged(shown, text[:20])
    assert 0 <= judged.score <= 1
    for reason in judged.reasons:
        if "span" in reason.params:
            first, behind = map(int, reason.params["span"].split("-"))
            assert 0 <= first < behind <= len(shown), "a quotation stands in the message"


def main() -> None:
    """The arguments are libFuzzer's."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
