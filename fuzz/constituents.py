"""Fuzzes constituents as TOML and CSV: records that come back as they were, or a FormatError that tells where.

    python3 dev fuzz constituents 1000000

An input's first byte chooses the format, and whether the rest is a whole document or stands inside a good one.
"""

import sys

import atheris

with atheris.instrument_imports(include=["khien.formats.constituents", "khien.triage", "khien.names.places"]):
    from khien.errors import FormatError
    from khien.formats.constituents import Constituents, Sheet
    from khien.triage import enrolment
    from khien.triage.assets import Known

KNOWN = Known({"mau", "sao"}, lambda name: "." not in name)
TOML, CSV = Constituents(KNOWN), Sheet(KNOWN)
HEADS = (
    b"",
    b'[[constituents]]\nid = "mau"\nlabel = "Mau"\n',
    b'[[constituents]]\nid = "mau"\nlabel = "Mau"\nprefixes = ["',
    b'[[constituents]]\nid = "mau"\nlabel = "Mau"\n[[constituents.hears]]\nchannel = "',
)
TAILS = (b"", b"", b'"]\n', b'"\n')
ROWS = (
    b"",
    b"id,label,domains,quiet\n",
    b"id;label;prefixes;after\nmau;Mau;",
    b"id,label,brands,channel,address\nmau,",
)


def test_one_input(content: bytes) -> None:
    """Reads content; whatever but a refusal comes out of it is for atheris to report."""
    chosen = content[0] if content else 0
    part, head, tail = TOML, HEADS[chosen % 4], TAILS[chosen % 4]
    if chosen & 4:
        part, head, tail = CSV, ROWS[chosen % 4], b""
    try:
        read = list(part.decode(head + content[1:] + tail))
    except FormatError as error:
        assert all(line.startswith(part.file) for line in str(error).split("\n")), error
        return
    assert not [fault for each in read for fault in enrolment.faults(each)], "what is wrong is refused"
    for other in (TOML, CSV):
        again = list(other.decode(other.encode(read)))
        assert [(each.constituent, each.current) for each in again] == [
            (each.constituent, each.current) for each in read
        ], "what is written comes back"


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
