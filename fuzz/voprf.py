"""Fuzzes what is evaluated, proven, added up and taken back: elements, or an InputError; a proof of chance never holds.

    python3 dev fuzz voprf 1000000

An input's first octet chooses what the rest is: elements, a proof, an answer with its proof, shares, or scalars. Good
elements stand beside what was made up, so that more than the first check is reached.
"""

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["khien.breach.voprf", "khien.breach.group"]):
    from khien.breach import voprf
    from khien.errors import InputError

KEY = voprf.derive(b"\1" * 32, b"fuzz")
PUBLIC = voprf.public_of(KEY)
SCALAR = voprf.scalar(b"\2" * 64)
GOOD = voprf.blind([b"mail:a@example.vn"], [SCALAR])
ANSWERED = voprf.evaluate(KEY, GOOD)


def pieces(octets: bytes) -> list[bytes]:
    return [octets[at : at + 32] for at in range(0, len(octets), 32)]


def refused(content: bytes) -> None:
    """Whatever but an element comes out of it is an InputError."""
    chosen, rest = content[0] % 5 if content else 0, content[1:]
    if chosen == 0:
        evaluated = voprf.evaluate(KEY, pieces(rest))
        assert all(len(each) == 32 and any(each) for each in evaluated), "elements, and never the identity"
    elif chosen == 1:
        assert not voprf.verify(PUBLIC, GOOD, ANSWERED, rest), "chance proves nothing"
    elif chosen == 2:
        proof, evaluated = rest[:64], pieces(rest[64:])
        assert not voprf.verify(PUBLIC, GOOD * len(evaluated), evaluated, proof), "chance proves nothing"
    elif chosen == 3:
        each = pieces(rest)
        voprf.combine([GOOD * len(each), each])
        voprf.finalize([b""], [SCALAR], each[:1] or GOOD)
    else:
        voprf.blind([rest[32:]], [rest[:32]])
        voprf.verify(rest[:32], GOOD, ANSWERED, b"\1" * 64)


def test_one_input(content: bytes) -> None:
    """Whatever but a refusal comes out of it is for atheris to report."""
    with suppress(InputError):
        refused(content)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
