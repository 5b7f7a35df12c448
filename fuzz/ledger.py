"""Fuzzes signed notes, checkpoints, verifiers and exports of the audit: a result or FormatError, nothing else.

python3 dev fuzz ledger 1000000
"""

import sys

import atheris

with atheris.instrument_imports(include=["khien"]):
    from khien import audit, ledger
    from khien.errors import CustodyError, FormatError

_KEY = bytes(range(32))


def test_one_input(content: bytes) -> None:
    """Reads content as each of them; what was read is written as it was, and held to a key it cannot be signed with."""
    try:
        note = ledger.parse_note(content)
    except FormatError:
        pass
    else:
        try:
            ledger.verify_note(note, note.signatures[0].name, _KEY)
            raise AssertionError("nobody has that key")
        except CustodyError:
            pass
        try:
            checkpoint = ledger.parse_checkpoint(note.text)
            assert checkpoint.text == note.text
        except FormatError:
            pass
    try:
        name, key = ledger.parse_verifier(content.decode(errors="replace"))
        assert ledger.parse_verifier(ledger.verifier(name, key)) == (name, key)
    except FormatError:
        pass
    try:
        head, entries = audit.parse_export(content.splitlines(keepends=True))
        audit.verify(entries, head.tree, head.verifier)
    except (FormatError, CustodyError):
        pass


atheris.Setup(sys.argv, test_one_input)
atheris.Fuzz()
