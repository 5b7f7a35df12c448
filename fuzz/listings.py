"""Fuzzes what listings and their log are read from: addresses of pages, proofs, leaves, paths of the log's files.

    python3 dev fuzz listings 1000000

A spelling is spelled once and for all, and what covers a place is spelled as listings are. A proof that is read is
written as it was, and none holds that was not signed. Anything but a result or an error of ours is for atheris.
"""

import sys

import atheris

with atheris.instrument_imports(include=["khien"]):
    from khien import canon, ledger, listing
    from khien.errors import CustodyError, FormatError, ObservableError
    from khien.pipeline import held, listed

_VERIFIER = ledger.verifier("khien-listings-00000000", bytes(range(32)))


def test_one_input(content: bytes) -> None:
    """Reads content as each of them."""
    text = content.decode(errors="replace")
    try:
        page = canon.url(text)
    except ObservableError:
        pass
    else:
        assert canon.url(page) == page
        units = list(listing.within(text))
        assert 2 <= len(units) <= 12
        assert all(listing.key(unit, value) == value for unit, value in units)
        listing.narrowest(text)
    try:
        proof = ledger.parse_proof(content)
        assert proof.document == content
        held.check(content, _VERIFIER)
        raise AssertionError("nobody has that key")
    except (FormatError, CustodyError):
        pass
    try:
        for index, leaf in enumerate(listed.parse_texts(content)):
            held.expect_leaf(leaf, index, held.State())
    except (FormatError, CustodyError):
        pass


atheris.Setup(sys.argv, test_one_input)
atheris.Fuzz()
