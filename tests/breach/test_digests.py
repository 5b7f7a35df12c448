import hashlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khien.breach import digests, rounds

KEY = bytes(range(16))
BITS = (1 << 64) - 1

# Of 0, 1, 2 ... octets 00 01 02 ..., from the reference implementation's vectors_sip64 and vectors_sip128.
SIP_64 = ["310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785"]
SIP_128 = ["a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45"]
SHA1 = {  # FIPS 180-4's examples, and what a rotation wrong by one would not pass
    b"abc": "a9993e364706816aba3e25717850c26c9cd0d89d",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    b"": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
}
NTLM = {
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    "password": "8846f7eaee8fb117ad06bdd830b7586c",
}
# RFC 1320, appendix A.5: of these octets, not of their UTF-16.
MD4 = {
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"12345678901234567890123456789012345678901234567890123456789012345678901234567890": (
        "e33b4ddc9c38f2199c3e7b164fcc0536"
    ),
}

texts = st.lists(st.binary(max_size=70) | st.integers(0, 300).map(lambda size: b"x" * size), max_size=40)


def column(several: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, several)]).astype(np.int64)
    return np.frombuffer(b"".join(several), np.uint8), offsets[:-1], offsets[1:]


def hexed(rows: np.ndarray) -> list[str]:
    return [row.tobytes().hex() for row in rows]


def md4(several: list[bytes]) -> list[str]:
    out = np.empty((len(several), 16), np.uint8)
    values, *spans = column(several)
    rounds.md4_of(values, len(values), *spans, len(several), np.empty(rounds.ROOM, np.uint32), out)
    return hexed(out)


def siphash(text: bytes, octets: int) -> bytes:
    """SipHash-2-4, word by word."""

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0], v[2] = v[0] + v[1] & BITS, v[2] + v[3] & BITS
            v[1], v[3] = turned(v[1], 13) ^ v[0], turned(v[3], 16) ^ v[2]
            v[0] = turned(v[0], 32)
            v[2], v[0] = v[2] + v[1] & BITS, v[0] + v[3] & BITS
            v[1], v[3] = turned(v[1], 17) ^ v[2], turned(v[3], 21) ^ v[0]
            v[2] = turned(v[2], 32)

    def turned(word: int, by: int) -> int:
        return (word << by | word >> 64 - by) & BITS

    low, high = (int.from_bytes(KEY[at : at + 8], "little") for at in (0, 8))
    wide = octets == 16
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]
    v[1] ^= 0xEE if wide else 0
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE if wide else 0xFF
    rounds(4)
    found = (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    if wide:
        v[1] ^= 0xDD
        rounds(4)
        found += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    return found


def test_known_vectors() -> None:
    assert hexed(digests.sha1(*column(list(SHA1)))) == list(SHA1.values())
    assert hexed(digests.ntlm(*column([text.encode() for text in NTLM]))) == list(NTLM.values())
    assert md4(list(MD4)) == list(MD4.values())
    counted = [bytes(range(size)) for size in range(4)]
    assert hexed(digests.siphash(*column(counted), KEY, 8)) == SIP_64
    assert hexed(digests.siphash(*column(counted[:2]), KEY, 16)) == SIP_128


@settings(max_examples=100, deadline=None)
@given(texts)
@example([b"x" * size for size in range(200)])
def test_texts_of_any_length_side_by_side(several: list[bytes]) -> None:
    spans = column(several)
    assert hexed(digests.sha1(*spans)) == [hashlib.sha1(text).hexdigest() for text in several]
    for octets in (8, 16):
        found = hexed(digests.siphash(*spans, KEY, octets))
        assert found == [siphash(text, octets).hex() for text in several]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20).map(str.encode) | st.binary(max_size=20), max_size=20))
@example([b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe1\xba", "\U0001f600ậ".encode(), b"\xf0\x80\x80\x80"])
def test_ntlm_is_md4_of_utf_16(several: list[bytes]) -> None:
    def wide(text: bytes) -> bytes:
        try:
            return text.decode().encode("utf-16-le")
        except UnicodeDecodeError:
            return text.decode("latin-1").encode("utf-16-le")

    assert hexed(digests.ntlm(*column(several))) == md4([wide(text) for text in several])


def test_spans_need_not_follow_each_other() -> None:
    values, starts, ends = np.frombuffer(b"..abc..", np.uint8), np.array([2, 0, 2]), np.array([5, 0, 5])
    assert hexed(digests.sha1(values, starts, ends)) == [SHA1[b"abc"], SHA1[b""], SHA1[b"abc"]]
    behind = hexed(digests.siphash(values, starts, ends, KEY, 8))
    assert behind == [siphash(b"abc", 8).hex(), SIP_64[0], siphash(b"abc", 8).hex()], "what stands behind is not read"


def test_derived_keys_differ() -> None:
    keys = {digests.derived(bytes(32), label) for label in (b"account", b"domain", b"pair", b"skipped")}
    assert {len(key) for key in keys} == {16}
    assert len(keys) == 4


@pytest.mark.parametrize("octets", [8, 16])
def test_no_text_has_no_digest(octets: int) -> None:
    assert digests.siphash(*column([]), KEY, octets).shape == (0, octets)
    assert digests.sha1(*column([])).shape == (0, 20)
    assert digests.ntlm(*column([])).shape == (0, 16)
