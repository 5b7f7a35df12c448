"""Formats: an encoder and a decoder, held to their contracts."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from khien.contracts import Decoder, Encoder
from khien.errors import FormatError
from khien.model import Record
from khien.testing.hold import hold, hold_part


def check_encoder(encoder: Encoder, decoder: Decoder | None, records: Sequence[Record]) -> None:
    """What is encoded is the same document each time, and is decoded to the same records.

    decoder: None for text that only others read, such as a router's.
    """
    hold_part(encoder, "media_type", "carries")
    whose = f"encoder of {encoder.media_type}"
    for some in (records, records[:1], ()):
        hold(encoder.encode(some) == encoder.encode(iter(some)), f"{whose} writes another document the second time")
    if decoder is None:
        return
    hold(encoder.media_type == decoder.media_type, f"{whose} is tried with the decoder of {decoder.media_type}")
    for some in (records, records[:1], ()):
        decoded = list(decoder.decode(encoder.encode(some)))
        hold(decoded == list(some), f"{whose}: {len(some)} records do not come back as they were")


def check_decoder(decoder: Decoder, documents: Sequence[bytes], *, seed: int = 0) -> None:
    """A decoder reads the sample documents, and meets 200 damaged ones of each with records or FormatError."""
    hold_part(decoder, "media_type", "carries")
    whose = f"decoder of {decoder.media_type}"
    for document in documents:
        for record in decoder.decode(document):
            hold(isinstance(record, decoder.carries), f"{whose} gives {type(record).__name__}, it does not carry it")
        for damaged in _damaged(document, seed):
            try:
                list(decoder.decode(damaged))
            except FormatError:
                continue
            except Exception as error:
                raise AssertionError(f"{whose} meets {damaged[:80]!r} with {error!r}, not with FormatError") from error


def _damaged(document: bytes, seed: int) -> Iterator[bytes]:
    """Nothing, noise, and copies of a document: cut short, overwritten, doubled in part, shortened in the middle."""
    yield from (b"", b"\0", b"\xff\xfe", sha256(document).digest() * 8)
    for number in range(196):
        chance = sha256(f"{seed}/{number}".encode()).digest()
        start, end = sorted(int.from_bytes(chance[at : at + 4]) % (len(document) + 1) for at in (0, 4))
        match number % 4:
            case 0:
                yield document[:start]
            case 1:
                yield document[:start] + chance[8 : 9 + number % 8] + document[start + 1 :]
            case 2:
                yield document[:end] + document[start:]
            case _:
                yield document[:start] + document[end:]
