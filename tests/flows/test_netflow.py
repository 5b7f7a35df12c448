"""Records of NetFlow and IPFIX become the rows that the reference says, whatever the template."""

import struct
from ipaddress import IPv6Address

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows import reference, templates
from khien.flows.datagrams import datagrams
from khien.flows.decoder import Decoder
from khien.flows.elements import IANA, REVERSE, element, value
from khien.flows.reference import VARIABLE, Field, Flow

NOW = 1_750_000_000  # seconds
RECEIVED = NOW * 10**6 + 500_000
EXPORTER = bytes(10) + b"\xff\xff\xc0\x00\x02\x01"


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 1, exported: int = NOW) -> bytes:
    """A message."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), exported, sequence, domain) + body


def v9(*sets: bytes, sequence: int = 0, domain: int = 1, uptime: int = 4_000_000) -> bytes:
    """A datagram of NetFlow v9."""
    return struct.pack(">HHIIII", 9, len(sets), uptime, NOW, sequence, domain) + b"".join(sets)


def v5(*records: bytes, sequence: int = 0, sampling: int = 0, uptime: int = 4_000_000) -> bytes:
    """A datagram of NetFlow v5."""
    return struct.pack(">HHIIIIHH", 5, len(records), uptime, NOW, 0, sequence, 0, sampling) + b"".join(records)


def a_set(number: int, *contents: bytes) -> bytes:
    """A set of templates (0 or 2), of options' templates (1 or 3), or of records."""
    body = b"".join(contents)
    return struct.pack(">HH", number, 4 + len(body)) + body


def template(number: int, *fields: tuple[int, int, int]) -> bytes:
    """Of IPFIX, or of v9 where no field has an enterprise; fields: enterprise, number, length."""
    return struct.pack(">HH", number, len(fields)) + specifiers(*fields)


def specifiers(*fields: tuple[int, int, int]) -> bytes:
    """Fields of a template."""
    return b"".join(
        struct.pack(">HHI", number | 0x8000, length, enterprise) if enterprise else struct.pack(">HH", number, length)
        for enterprise, number, length in fields
    )


def rows(*payloads: bytes, decoder: Decoder | None = None) -> list[Flow]:
    """What a decoder makes of datagrams that come at once."""
    found = (decoder or Decoder()).decode(datagrams((RECEIVED, EXPORTER, each) for each in payloads))
    found.validate(full=True)
    return flows_of(found)


def flows_of(found: pa.RecordBatch) -> list[Flow]:
    """A batch as the reference's rows."""
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in found.columns
    ]
    return [Flow(*row) for row in zip(*columns, strict=True)]


def test_v5_is_what_its_layout_says() -> None:
    record = struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", b"\xcb\0q\x01", b"\xc0\0\2\x09", bytes(4), 1, 2, 7, 4200, 3_990_000, 3_999_000, 123,
        80, 0, 0x1B, 17, 0, 1, 2, 24, 24, 0,
    )  # fmt: skip
    (row,) = rows(v5(record))
    assert (row.source[12:], row.target[12:]) == (b"\xcb\0q\x01", b"\xc0\0\2\x09")
    assert row.source[:12] == bytes(10) + b"\xff\xff"
    assert (row.first, row.last) == ((NOW - 10) * 10**6, (NOW - 1) * 10**6)
    assert row[4:] == (123, 80, 17, 0x1B, 0, 7, 4200, 1)
    (sampled,) = rows(v5(record, sampling=0x4000 | 100))
    assert sampled[9:] == (700, 420_000, 100)
    (read,) = reference.read(v5(record), {})
    assert reference.flow(read.values, reference.header(v5(record)), received=RECEIVED) == row


@settings(deadline=None)
@given(st.lists(st.binary(min_size=48, max_size=48), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_v5_is_read_as_the_reference_reads_it(records: list[bytes], uptime: int) -> None:
    sent = v5(*records, uptime=uptime)
    header = reference.header(sent)
    assert rows(sent) == [reference.flow(each.values, header, received=RECEIVED) for each in reference.read(sent, {})]


def test_v7_is_v5_with_longer_records() -> None:
    record = bytes(range(48)) + bytes(4)
    sent = struct.pack(">HHIIII4x", 7, 2, 4_000_000, NOW, 0, 0) + 2 * record
    (five,) = rows(v5(record[:48]))
    assert rows(sent) == [five, five]
    header = reference.header(sent)
    assert [reference.flow(each.values, header, received=RECEIVED) for each in reference.read(sent, {})] == [five, five]


def test_an_uptime_wraps() -> None:
    early = struct.pack(">16xII", 1, 40) + struct.pack(">II", 2**32 - 1000, 500) + bytes(16)
    (row,) = rows(v5(early, uptime=1000))
    assert (row.first, row.last) == (NOW * 10**6 - 2_000_000, NOW * 10**6 - 500_000)


NAMED = (
    1,
    2,
    4,
    6,
    7,
    8,
    11,
    12,
    21,
    22,
    23,
    24,
    27,
    28,
    32,
    34,
    64,
    85,
    86,
    88,
    139,
    150,
    151,
    152,
    153,
    154,
    155,
    156,
)
NAMED += (157, 158, 159, 160, 161, 162, 176, 177, 178, 179, 180, 181, 182, 183, 193, 197, 231, 298, 305, 306, 309, 310)
NAMED += (322, 323, 324, 325, 5, 10, 16, 82, 371)
WIDTHS = {"u1": [1], "u2": [1, 2], "u4": [1, 2, 3, 4], "u8": [1, 2, 3, 4, 5, 6, 7, 8], "v4": [4], "v6": [16]}
WIDTHS |= {"s": [4], "ms": [8, 6], "us": [8], "ns": [8], "text": [0, 3, VARIABLE], "octets": [0, 5, VARIABLE]}
ONE_SIZE = {21: [4], 22: [4], 160: [8], 6: [1, 2], 34: [1, 2, 4]}


@st.composite
def fields(draw: st.DrawFn) -> tuple[Field, ...]:
    """Of a template in which no field stands twice and at least one is an address."""
    numbers = draw(st.lists(st.sampled_from(NAMED), min_size=1, max_size=24, unique=True))
    numbers += [] if {8, 12, 27, 28} & set(numbers) else [8]
    made = [Field(IANA, n, draw(st.sampled_from(ONE_SIZE.get(n) or WIDTHS[element(IANA, n).kind]))) for n in numbers]
    return (*made, Field(IANA, 210, 8))  # padding: a record of a flow has 8 octets at least


def octets_of(draw: st.DrawFn, field: Field) -> bytes:
    if field.length == VARIABLE:
        said = draw(st.binary(max_size=300))
        return (bytes([len(said)]) if len(said) < 255 else b"\xff" + len(said).to_bytes(2)) + said
    likely: dict[str, list[int]] = {
        "s": [NOW - 5],
        "ms": [(NOW - 5) * 1000, (NOW - 9) * 1000 + 1],
        "us": [(NOW - 5 + 2_208_988_800) << 32],
        "ns": [(NOW - 7 + 2_208_988_800) << 32 | 77],
    }
    some = [0, 1, 6, 17, 58, 0x20, 2 ** (8 * field.length) - 1, *likely.get(field.element.kind, ())]
    return draw(
        st.sampled_from([each.to_bytes(field.length) for each in some if each < 256**field.length])
        | st.binary(min_size=field.length, max_size=field.length)
    )


@st.composite
def messages(draw: st.DrawFn) -> tuple[tuple[Field, ...], list[bytes]]:
    made = draw(fields())
    n = draw(st.integers(1, 4))
    return made, [b"".join(octets_of(draw, field) for field in made) for _ in range(n)]


@settings(deadline=None, max_examples=300)
@given(messages(), st.sampled_from((9, 10)))
def test_a_template_is_read_as_the_reference_reads_it(
    made: tuple[tuple[Field, ...], list[bytes]], version: int
) -> None:
    fields_of, contents = made
    if version == 9 and any(field.length == VARIABLE for field in fields_of):
        version = 10
    wrap, first = (ipfix, 2) if version == 10 else (v9, 0)
    payload = wrap(a_set(first, template(300, *fields_of)), a_set(300, *contents))
    header = reference.header(payload)
    expected = [reference.flow(each.values, header, received=RECEIVED) for each in reference.read(payload, {})]
    assert len(expected) == len(contents)
    assert rows(payload) == expected
    assert all(row.first <= row.last for row in rows(payload))


def test_reverse_counters_make_a_flow_back() -> None:
    """RFC 5103: the same record tells of both directions."""
    fields_of = (
        (0, 8, 4),
        (0, 12, 4),
        (0, 7, 2),
        (0, 11, 2),
        (0, 4, 1),
        (0, 2, 4),
        (REVERSE, 2, 4),
        (0, 1, 4),
        (REVERSE, 1, 4),
    )
    there = struct.pack(">4s4sHHBIIII", b"\1\1\1\1", b"\2\2\2\2", 4000, 53, 17, 1, 2, 60, 900)
    silent = struct.pack(">4s4sHHBIIII", b"\1\1\1\1", b"\2\2\2\2", 4001, 53, 17, 1, 0, 60, 0)
    found = rows(ipfix(a_set(2, template(256, *fields_of)), a_set(256, there, silent)))
    assert [(row.source[12:], row.source_port, row.target_port, row.packets, row.bytes) for row in found] == [
        (b"\1\1\1\1", 4000, 53, 1, 60),
        (b"\1\1\1\1", 4001, 53, 1, 60),
        (b"\2\2\2\2", 53, 4000, 2, 900),
    ]


def test_headers_in_a_record_are_read() -> None:
    ip = struct.pack(">BBHHHBBH4s4sHHHH", 0x45, 0, 1028, 1, 0, 64, 17, 0, b"\1\1\1\1", b"\2\2\2\2", 53, 9999, 1008, 0)
    frame = bytes(12) + b"\x08\0" + ip
    for number, section in ((313, ip), (315, frame)):
        fields_of = ((0, 305, 4), (0, 306, 4), (0, number, VARIABLE))
        record = struct.pack(">IIB", 1, 999, len(section)) + section
        (row,) = rows(ipfix(a_set(2, template(256, *fields_of)), a_set(256, record, record[:9])))
        assert (row.source[12:], row.target[12:], row[4:]) == (
            *(b"\1\1\1\1", b"\2\2\2\2"),
            (53, 9999, 17, 0, 0, 1000, 1_028_000, 1000),
        )


def test_a_tunnel_is_for_whom_its_inner_header_says() -> None:
    fields_of = ((0, 27, 16), (0, 28, 16), (0, 4, 1), (0, 1, 4), (0, 2, 4), (0, 8, 4), (0, 12, 4), (0, 4, 1))
    record = IPv6Address("2001:db8::1").packed * 2 + b"\4" + struct.pack(">II", 40, 1) + b"\1\1\1\1\2\2\2\2\x11"
    (row,) = rows(ipfix(a_set(2, template(256, *fields_of)), a_set(256, record)))
    assert (row.source[10:], row.target[10:], row.protocol) == (b"\xff\xff\1\1\1\1", b"\xff\xff\2\2\2\2", 17)


def test_plans_hold_what_templates_may_have() -> None:
    wide = tuple(Field(IANA, 82, VARIABLE) for _ in range(200))
    assert templates.plan(reference.Template(256, wide)) is None
    assert templates.plan(reference.Template(256, (Field(IANA, 8, 0),))) is None
    every = tuple(Field(IANA, n, (element(IANA, n).kind == "v6" and 16) or 4) for n in NAMED)
    assert templates.plan(reference.Template(256, every)) is not None


@pytest.mark.parametrize(
    ("kind", "octets", "said"),
    [
        ("u4", b"\1\0", 256),
        ("i4", b"\xff", -1),
        ("bool", b"\1", True),
        ("text", b"a\xff\0\0", "a\ufffd"),
        ("us", struct.pack(">II", NOW + 2_208_988_800, 1 << 31), NOW * 10**6 + 500_000),
        ("ns", struct.pack(">II", 5, 0), ((5 + 2**32) - 2_208_988_800) * 10**9),
        ("v4", b"\1\2", b"\1\2"),
        ("f8", struct.pack(">f", 0.5), 0.5),
        ("mac", b"\1\2\3\4\5\6", b"\1\2\3\4\5\6"),
    ],
)
def test_values_of_elements(kind: str, octets: bytes, said: object) -> None:
    assert value(kind, octets) == said


def test_names_of_elements() -> None:
    assert element(IANA, 1).name == "octetDeltaCount"
    assert element(REVERSE, 2).name == "reversePacketDeltaCount"
    assert element(9, 12232) == ("9.12232", "octets")
    assert np.all(np.diff(sorted(NAMED)) > 0)
