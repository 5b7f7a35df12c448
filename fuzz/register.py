"""Fuzzes the two TOML formats, protected names and lures: records, or a ConfigError that tells where, nothing else.

    python3 dev fuzz register 1000000

An input's first byte chooses the format, and whether the rest is a whole document or stands inside a good one.
"""

import sys

import atheris

with atheris.instrument_imports(include=["khien"]):
    from khien.errors import ConfigError
    from khien.names import register

HEADS = (
    b"",
    b'[[names]]\nid = "mau"\nlabel = "Mau"\nsector = "bank"\n',
    b'[[names]]\nid = "mau"\nlabel = "Mau"\nsector = "bank"\nwords = ["maubank"]\nofficial = [{ domain = "',
    b'[[reserved_suffixes]]\nverified = true\nsource = "a"\ndomain = "',
)
TAILS = (b"", b"", b'", verified = false }]\n', b'"\n')
LURES = b'[[lures]]\nid = "credential"\nweight = 0.5\nwords = ["'


def test_one_input(content: bytes) -> None:
    """Reads content; whatever but a refusal comes out of it is for atheris to report."""
    chosen = content[0] if content else 0
    head, tail = HEADS[chosen % 4], TAILS[chosen % 4]
    try:
        if chosen & 4:
            register.parse_lures(content[1:] if chosen & 1 else LURES + content[1:] + b'"]\n', "lures.toml")
        else:
            for name in register.parse(head + content[1:] + tail, "register.toml").names:
                for word in (*name.words, *name.short, *name.lures):
                    folded = register.folded(word)
                    assert folded.isascii(), "a word folds to what names carry"
                    assert folded.isalnum(), "a word folds to what names carry"
    except ConfigError as error:
        expect_places(str(error))


def expect_places(message: str) -> None:
    """Each line of a refusal names its file first."""
    assert all(line.startswith(("register.toml", "lures.toml")) for line in message.split("\n")), message


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
