"""What LZO and LZ4 packed comes out as it went in, and nothing is read or written beyond the room."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import blocks
from tests.flows.wire import Guarded

ROOM = 1 << 17
KERNELS = {"lzo": blocks.lzo, "lz4": blocks.lz4}
END = b"\x11\0\0"


def more(length: int, most: int) -> tuple[int, bytes]:
    """A length in an instruction's bits, and the bytes it goes on in."""
    if length <= most:
        return length, b""
    zeros, last = divmod(length - most - 1, 255)
    return 0, bytes(zeros) + bytes((last + 1,))


def run(literals: bytes) -> bytes:
    """A run of 4 literals or more, where no literals came before."""
    code, rest = more(len(literals) - 3, 15)
    return bytes((code,)) + rest + literals


def copy(distance: int, length: int, after: bytes, state: int) -> bytes:
    """A match by the shortest instruction that has room for it. state: literals before it, 4 for a run."""
    kept = len(after)
    if length == 2 and distance <= 1024 and 0 < state < 4:
        code = bytes(((distance - 1 & 3) << 2 | kept, distance - 1 >> 2))
    elif length == 3 and 2049 <= distance <= 3072 and state == 4:
        code = bytes(((distance - 2049 & 3) << 2 | kept, distance - 2049 >> 2))
    elif 3 <= length <= 8 and distance <= 2048:
        size = 64 | length - 3 << 5 if length < 5 else 128 | length - 5 << 5
        code = bytes((size | (distance - 1 & 7) << 2 | kept, distance - 1 >> 3))
    elif distance <= 16384:
        bits, rest = more(length - 2, 31)
        code = bytes((32 | bits,)) + rest + (distance - 1 << 2 | kept).to_bytes(2, "little")
    else:
        bits, rest = more(length - 2, 7)
        far = distance - 16384
        code = bytes((16 | far >> 14 << 3 | bits,)) + rest + ((far & 0x3FFF) << 2 | kept).to_bytes(2, "little")
    return code + after


def stream(seed: int, first: int, steps: int) -> tuple[bytes, bytes]:
    """A stream of LZO made of all kinds of instructions, and what it holds."""
    chance = random.Random(seed)
    plain = bytearray(chance.randbytes(first))
    packed = bytes((17 + first,)) + bytes(plain) if first <= 238 else run(bytes(plain))
    state = min(first, 4)
    for _ in range(steps):
        if state == 0 and chance.random() < 0.4:
            literals = chance.randbytes(chance.choice((4, 18, 19, 300)))
            packed += run(literals)
            plain += literals
            state = 4
            continue
        distance = min(len(plain), chance.choice((1, 5, 900, 2047, 2500, 3072, 9000, 16384, 16385, 33000, 49151)))
        choices = [3, 4, 8, 9, 33, 34, 600] + [2] * (0 < state < 4 and distance <= 1024)
        length, after = chance.choice(choices), chance.randbytes(chance.randrange(4))
        packed += copy(distance, length, after, state)
        for _ in range(length):
            plain.append(plain[-distance])
        plain += after
        state = len(after)
    return packed + END, bytes(plain)


def outcome(kernel: str, packed: bytes, room: int) -> tuple[bytes | None, bytes | None]:
    """What a kernel makes of packed, compiled and as it stands; None where it refuses."""
    out = np.zeros(room, np.uint8)
    made = KERNELS[kernel](np.frombuffer(packed, np.uint8), len(packed), out, room)
    there = Guarded([0] * room)
    plain = KERNELS[kernel].plain(Guarded(packed), len(packed), there, room)
    return (out[:made].tobytes() if made >= 0 else None), (bytes(list(there)[:plain]) if plain >= 0 else None)


@pytest.mark.parametrize("seed", range(40))
def test_lzo_of_every_instruction(seed: int) -> None:
    packed, plain = stream(seed, (1, 2, 3, 4, 200, 238, 239, 50_000)[seed % 8], 40)
    assert blocks.unpacked("lzo", packed, ROOM) == plain
    assert blocks.unpacked("lzo", packed, len(plain)) == plain
    with pytest.raises(FormatError, match="damaged"):
        blocks.unpacked("lzo", packed, len(plain) - 1)


@pytest.mark.parametrize("plain", [b"", b"abc", b"abcdefgh" * 1000, random.Random(1).randbytes(5000), bytes(70_000)])
def test_lz4(plain: bytes) -> None:
    packed = pa.Codec("lz4_raw").compress(plain, asbytes=True)
    assert blocks.unpacked("lz4", packed, ROOM) == plain
    if plain:
        with pytest.raises(FormatError, match="damaged"):
            blocks.unpacked("lz4", packed, len(plain) - 1)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["lzo", "lz4"]), st.binary(max_size=80), st.integers(0, 300))
def test_anything_stays_within_its_room(kernel: str, packed: bytes, room: int) -> None:
    compiled, plain = outcome(kernel, packed, room)
    assert compiled == plain


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_a_changed_byte_stays_within_its_room(seed: int, at: int, value: int, cut: int) -> None:
    packed = bytearray(stream(seed, 20, 6)[0])
    packed[at % len(packed)] = value
    compiled, plain = outcome("lzo", bytes(packed[: len(packed) - cut % 3]), 4000)
    assert compiled == plain
