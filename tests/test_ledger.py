"""The ledger against a naive recomputation, vectors known from the field, and whoever would rewrite it."""

from base64 import b64decode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from khien import ledger
from khien.errors import CustodyError, FormatError

# The leaves and roots of Certificate Transparency's own Merkle tree tests (certificate-transparency-go,
# merkletree/tree_test.go), which RFC 6962 implementations share.
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSIONS = {  # leaf index and size to the proof
    (0, 8): ("96a296d2", "5f083f0a", "6b47aaf2"),
    (5, 8): ("bc1a0643", "ca854ea1", "d37ee418"),
    (2, 3): ("fac54203",),
    (1, 5): ("6e340b9c", "5f083f0a", "bc1a0643"),
}
CONSISTENCIES = {  # sizes to the proof
    (1, 8): ("96a296d2", "5f083f0a", "6b47aaf2"),
    (6, 8): ("0ebc5d34", "ca854ea1", "d37ee418"),
    (2, 5): ("5f083f0a", "bc1a0643"),
}


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1 to the letter."""
    if not hashes:
        return ledger.EMPTY
    if len(hashes) == 1:
        return hashes[0]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    return ledger.node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def leaves(count: int) -> list[bytes]:
    return [ledger.leaf_hash(number.to_bytes(4)) for number in range(count)]


def grown(hashes: list[bytes]) -> tuple[bytes, ...]:
    frontier: tuple[bytes, ...] = ()
    for size, each in enumerate(hashes):
        frontier = ledger.append(size, frontier, each)
    return frontier


def test_vectors() -> None:
    hashes = [ledger.leaf_hash(bytes.fromhex(each)) for each in LEAVES]
    for size, root in enumerate(ROOTS, 1):
        assert ledger.root(size, grown(hashes[:size])).hex() == root
    assert ledger.root(0, ()) == ledger.EMPTY
    at = ledger.subtrees(hashes)
    for (index, size), proof in INCLUSIONS.items():
        assert tuple(each.hex()[:8] for each in ledger.inclusion_proof(index, size, at)) == proof
    for (earlier, size), proof in CONSISTENCIES.items():
        assert tuple(each.hex()[:8] for each in ledger.consistency_proof(earlier, size, at)) == proof


@given(st.integers(0, 300))
def test_root_is_that_of_a_naive_recomputation(size: int) -> None:
    assert ledger.root(size, grown(leaves(size))) == naive_root(leaves(size))


@given(st.data())
def test_a_leaf_is_proven_and_no_other_is(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 200))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size + 9)
    root = naive_root(hashes[:size])
    proof = ledger.inclusion_proof(index, size, ledger.subtrees(hashes))  # of a log that has grown since
    ledger.verify_inclusion(index, size, hashes[index], proof, root)

    other = data.draw(st.integers(0, size).filter(lambda each: each != index))
    wrong: list[tuple[int, bytes, list[bytes], bytes]] = [
        (other, hashes[index], proof, root),
        (index, hashes[other], proof, root),
        (index, hashes[index], proof, hashes[size]),
        (index, hashes[index], [*proof, root], root),
        (index, hashes[index], [root, *proof], root),
    ]
    if proof:
        wrong.append((index, hashes[index], proof[:-1], root))
        wrong.append((index, hashes[index], [hashes[size], *proof[1:]], root))
    for place, leaf, path, head in wrong:
        with pytest.raises(CustodyError):
            ledger.verify_inclusion(place, size, leaf, path, head)


@given(st.data())
def test_what_only_grew_is_consistent_and_what_was_rewritten_is_not(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 200))
    earlier = data.draw(st.integers(0, size))
    hashes = leaves(size + 9)
    was, now = naive_root(hashes[:earlier]), naive_root(hashes[:size])
    proof = ledger.consistency_proof(earlier, size, ledger.subtrees(hashes))
    ledger.verify_consistency(earlier, was, size, now, proof)

    with pytest.raises(CustodyError):
        ledger.verify_consistency(earlier, was, size, now, [*proof, now])
    if earlier:
        changed = data.draw(st.integers(0, earlier - 1))
        forked = [*hashes[:changed], ledger.leaf_hash(b"another"), *hashes[changed + 1 : size]]
        proof_of_it = ledger.consistency_proof(earlier, size, ledger.subtrees(forked))
        with pytest.raises(CustodyError):
            ledger.verify_consistency(earlier, was, size, naive_root(forked), proof_of_it)
        with pytest.raises(CustodyError):
            ledger.verify_consistency(size + 1, was, size, now, proof)
    if 0 < earlier < size:
        with pytest.raises(CustodyError):
            ledger.verify_consistency(earlier, was, size, now, proof[:-1])
        with pytest.raises(CustodyError):
            ledger.verify_consistency(earlier, now, size, now, proof)


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.binary(min_size=32, max_size=32), max_size=8))
def test_chance_proves_nothing(first: int, second: int, proof: list[bytes]) -> None:
    root = ledger.leaf_hash(b"root")
    for verify in (
        lambda: ledger.verify_inclusion(first, second, ledger.leaf_hash(b"leaf"), proof, root),
        lambda: ledger.verify_consistency(first, ledger.leaf_hash(b"leaf"), second, root, proof),
    ):
        try:
            verify()
        except CustodyError:
            continue
        assert first == 0, "only the empty log goes before any other"


def test_what_does_not_fit_is_said() -> None:
    at = ledger.subtrees(leaves(4))
    with pytest.raises(FormatError, match="leaf 4 is not in a log of 4"):
        ledger.inclusion_proof(4, 4, at)
    with pytest.raises(FormatError, match="did not have 5"):
        ledger.consistency_proof(5, 4, at)
    with pytest.raises(FormatError, match="32 bytes"):
        ledger.verify_inclusion(0, 2, leaves(1)[0], [b"short"], ledger.EMPTY)
    with pytest.raises(CustodyError, match="2 full subtrees, not 1"):
        ledger.append(3, leaves(1), ledger.EMPTY)


# The note of the specification, c2sp.org/signed-note, and the key it names.
EXAMPLE = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:
ed è subito sera.

— quasimodo.example/salvatore \
NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""


def test_the_note_of_the_specification_parses() -> None:
    note = ledger.parse_note(EXAMPLE.encode())
    assert note.text.endswith("ed è subito sera.\n")
    (signature,) = note.signatures
    assert signature.name == "quasimodo.example/salvatore"
    assert signature.key_id == b64decode("NnugSw==")
    assert len(signature.signature) == 64


def test_a_note_of_the_field_verifies() -> None:
    """The first example of Go's golang.org/x/mod/sumdb/note, signed by its key."""
    name, key = ledger.parse_verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    ledger.verify_note(ledger.parse_note(text.encode()), name, key)
    with pytest.raises(CustodyError, match="wrong"):
        ledger.verify_note(ledger.parse_note(text.replace("your", "my").encode()), name, key)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(st.text("abc é/", min_size=1)))
def test_checkpoints_come_back(size: int, root: bytes, extension: list[str]) -> None:
    checkpoint = ledger.Checkpoint("csirt.example/audit", size, root, tuple(extension))
    note = ledger.parse_note(ledger.sign(checkpoint.text, "csirt.example/audit", KEY))
    ledger.verify_note(note, "csirt.example/audit", PUBLIC)
    assert ledger.parse_checkpoint(note.text) == checkpoint


def test_verifiers_come_back_and_say_when_they_were_mistyped() -> None:
    text = ledger.verifier("csirt.example/audit", PUBLIC)
    assert ledger.parse_verifier(text) == ("csirt.example/audit", PUBLIC)
    name, identity, key = text.split("+", 2)
    for wrong in ("", name, f"{name}+{identity}", f"{name}+00000000+{key}", f"{name}+{identity}+B{key[1:]}", "+a+b"):
        with pytest.raises(FormatError):
            ledger.parse_verifier(wrong)


def test_who_did_not_sign_is_named() -> None:
    note = ledger.parse_note(ledger.sign("text\n", "ours", KEY))
    with pytest.raises(CustodyError, match="not signed by theirs"):
        ledger.verify_note(note, "theirs", PUBLIC)
    with pytest.raises(CustodyError, match="not signed by ours with the key"):
        ledger.verify_note(note, "ours", Ed25519PrivateKey.generate().public_key().public_bytes_raw())


SIGNED = "text\n\n— name AAAAAAAA\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda text: text[:-1],
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("—", "-"),
        lambda text: text.replace("name", "na+me"),
        lambda text: text.replace("name", "na\N{NO-BREAK SPACE}me"),
        lambda text: text.replace("name ", ""),
        lambda text: text.replace("AAAAAAAA", "AAAA"),
        lambda text: text.replace("AAAAAAAA", "AAAAAA=="),
        lambda text: text.replace("AAAAAAAA", "AAAAAB=="),
        lambda text: text.replace("text", "te\txt"),
        lambda text: text + "\n",
        lambda text: "x" * ledger.LARGEST_NOTE + text,
        lambda text: text + "— name AAAAAAAA\n" * 100,
    ],
)
def test_what_is_no_note_is_refused(change: Callable[[str], str]) -> None:
    ledger.parse_note(SIGNED.encode())
    with pytest.raises(FormatError):
        ledger.parse_note(change(SIGNED).encode())
    with pytest.raises(FormatError):
        ledger.parse_note(b"\xff" + SIGNED.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        "origin\n1\n",
        f"\n1\n{'A' * 43}=\n",
        f"origin\n01\n{'A' * 43}=\n",
        f"origin\n-1\n{'A' * 43}=\n",
        f"origin\n²\n{'A' * 43}=\n",
        f"origin\n{1 << 63}\n{'A' * 43}=\n",
        f"origin\n1\n{'A' * 42}==\n",
        f"origin\n1\n{'A' * 44}\n",
        f"origin\n1\n{'A' * 43}=\n\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        ledger.parse_checkpoint(text)


def test_nobody_signs_what_others_could_not_read() -> None:
    for text, name in (("no newline", "name"), ("a\0\n", "name"), ("text\n", "two words"), ("text\n", "")):
        with pytest.raises(FormatError):
            ledger.sign(text, name, KEY)


PROOF = ledger.Proof(b"extra", 5, (bytes(32), bytes(range(32))), b"a note")


def test_a_proof_is_written_as_others_read_it() -> None:
    zeros, counted = f"{'A' * 43}=", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert PROOF.document.decode().split("\n") == [
        "c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 5", zeros, counted, "", "a note",
    ]  # fmt: skip
    assert ledger.parse_proof(PROOF.document) == PROOF


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        (b"proof@v1", b"proof@v2"),
        (b"extra ", b"extra"),
        (b"ZXh0cmE=", b"ZXh0cmF="),
        (b"index 5", b"index 05"),
        (b"index 5", b"index -5"),
        (b"index 5", b"index " + b"9" * 5000),
        (b"index 5", b"index 5\nAAAA"),
        (b"\n\n", b"\n"),
        (b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 64),
        (b"extra ", b"extra " + b"A" * ledger.LARGEST_PROOF),
        (b"extra", "extrá".encode()),
    ],
)
def test_what_is_no_proof_is_refused(was: bytes, is_: bytes) -> None:
    with pytest.raises(FormatError):
        ledger.parse_proof(PROOF.document.replace(was, is_))
