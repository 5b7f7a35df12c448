"""Messages of certstream servers."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.formats import certstream

LEAF = {
    "all_domains": ["a.example", "*.b.example", "person@mail.example", "a.example"],
    "issuer": {"O": "An Authority", "CN": "R3", "C": "VN"},
    "serial_number": "00A12",
    "not_before": 1_760_000_000,
    "not_after": 1_767_776_000.0,
}


def update(leaf: dict[str, Any] = LEAF, **data: Any) -> str:
    data = {"leaf_cert": leaf, "cert_index": 7, "seen": 1_760_000_123.5, "source": {"name": "A Log", "url": "x"}} | data
    return json.dumps({"message_type": "certificate_update", "data": data})


def test_an_update() -> None:
    certified = certstream.decode(update(update_type="X509LogEntry", chain=[{}]))
    assert certified.faults == ("bad-character",)
    seen, begin, end = (datetime.fromtimestamp(each, UTC) for each in (1_760_000_123.5, 1_760_000_000, 1_767_776_000))
    assert certstream.batch([certified]).to_pylist() == [
        {
            "name": name,
            "seen_at": seen,
            "issuer": "An Authority, R3",
            "serial": "0a12",
            "not_before": begin,
            "not_after": end,
            "log": "A Log",
            "index": 7,
        }
        for name in ("a.example", "*.b.example")
    ]


def test_names_alone_and_heartbeats() -> None:
    bare = certstream.decode(b'{"message_type":"dns_entries","data":["a.example","b.example"]}')
    rows = certstream.batch([bare]).to_pylist()
    assert [row["name"] for row in rows] == ["a.example", "b.example"]
    assert rows[0]["seen_at"] is rows[0]["serial"] is None
    assert certstream.decode('{"message_type":"heartbeat","timestamp":1}').names == ()
    assert certstream.batch([]).num_rows == 0


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"message_type":1}',
        b'{"message_type":"dns_entries","data":[1]}',
        b'{"message_type":"certificate_update","data":[]}',
        b'{"message_type":"certificate_update","data":{"leaf_cert":{"all_domains":"a.example"}}}',
        b"[" * 100_000,
        b" " * (certstream.LARGEST + 1),
        json.dumps({"message_type": "dns_entries", "data": ["a.example"] * 10_001}).encode(),
    ],
)
def test_refuses(message: bytes) -> None:
    with pytest.raises(FormatError):
        certstream.decode(message)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from([*LEAF, "O", "CN", "leaf_cert", "seen", "cert_index"]), inner)
        ),
    )
)
def test_whatever_the_fields_hold(value: Any) -> None:
    message = json.dumps({"message_type": "certificate_update", "data": value})
    with suppress(FormatError):
        certstream.batch([certstream.decode(message)]).validate(full=True)
