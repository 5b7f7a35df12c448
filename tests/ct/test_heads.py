"""Tree heads of both kinds of log, and lists of logs: taken as they are signed and written, refused otherwise."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.ct import heads, loglist
from khien.ct.loglist import Log as Listed
from khien.errors import CustodyError, FormatError
from tests.ctlogs import Key, Leaf, Log

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "ct" / "loglist3_sample.json"
KEYS: dict[str, Key] = {
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}


def made(kind: Any, key: Key) -> tuple[Log, Listed]:
    log = Log("A log", kind, key)
    log.server.server_close()
    log.put(*(Leaf(bytes([n]), b"", b"") for n in range(5)))
    log.publish(1_793_500_000_000)
    return log, parsed(log)


def parsed(*logs: Log, **more: Any) -> Listed:
    operators = [{"name": "Us", "logs" if each.kind == "rfc6962" else "tiled_logs": [each.listed()]} for each in logs]
    return loglist.parse(json.dumps({"operators": operators, **more}).encode())[0]


@pytest.mark.parametrize("key", KEYS)
def test_signed_tree_heads(key: str) -> None:
    log, listed = made("rfc6962", KEYS[key])
    document = log.answer("/ct/v1/get-sth") or b""
    assert heads.of_answer(document, listed) == (5, log.root(5), 1_793_500_000_000)
    told = json.loads(document)
    for name, wrong in (("tree_size", 6), ("timestamp", 1), ("sha256_root_hash", told["sha256_root_hash"][::-1])):
        with pytest.raises((CustodyError, FormatError)):
            heads.of_answer(json.dumps({**told, name: wrong}).encode(), listed)
    with pytest.raises(CustodyError, match="not the log's"):
        heads.of_answer(document, made("rfc6962", ec.generate_private_key(ec.SECP256R1()))[1])


@pytest.mark.parametrize("key", KEYS)
def test_checkpoints(key: str) -> None:
    log, listed = made("static", KEYS[key])
    note = log.checkpoint()
    assert heads.of_checkpoint(note, listed) == (5, log.root(5), 1_793_500_000_000)
    cosigned = note + note.splitlines(keepends=True)[-1].replace(log.origin.encode(), b"witness.example")
    assert heads.of_checkpoint(cosigned, listed).size == 5
    with pytest.raises(CustodyError, match="not the log's"):
        heads.of_checkpoint(note.replace(b"\n5\n", b"\n6\n"), listed)
    with pytest.raises(CustodyError, match="not signed by the log's key"):
        heads.of_checkpoint(note.replace(b"\x94 " + log.origin.encode(), b"\x94 other.example"), listed)
    with pytest.raises(CustodyError, match=r"not of '127\.0\.0\.1"):
        heads.of_checkpoint(note.replace(log.origin.encode() + b"\n", b"other.example\n"), listed)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_no_head(garbage: bytes) -> None:
    listed = made("static", KEYS["ecdsa"])[1]
    for read in (heads.of_answer, heads.of_checkpoint):
        with pytest.raises(FormatError):
            read(garbage, listed)
    with pytest.raises(FormatError):
        heads.proof_of_answer(garbage)


def test_keys_that_logs_may_not_have() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)):
        log, listed = made("rfc6962", key)
        with pytest.raises(FormatError, match="its key is neither"):
            heads.of_answer(log.answer("/ct/v1/get-sth") or b"", listed)


def test_a_list_of_logs() -> None:
    one, two = made("rfc6962", KEYS["ecdsa"])[0], made("static", KEYS["rsa"])[0]
    given = {
        "log_list_timestamp": "2026-11-22T00:00:00Z",
        "operators": [
            {"name": "A", "logs": [one.listed() | {"state": {"retired": {"timestamp": "2025-01-01T00:00:00Z"}}}]},
            {"name": "B", "tiled_logs": [two.listed() | {"description": "B's"}]},
        ],
    }
    logs = loglist.parse(json.dumps(given).encode())
    assert [(each.name, each.operator, each.kind, each.state) for each in logs] == [
        ("A log", "A", "rfc6962", "retired"),
        ("B's", "B", "static", "usable"),
    ]
    assert loglist.chosen(logs, (), loglist.LIVE) == logs[1:]
    assert loglist.chosen(logs, ("A",), loglist.LIVE) == ()
    assert loglist.chosen(logs, ("A",), ("retired",)) == logs[:1]
    assert logs[1].origin == two.origin
    for end, count in (("2026-11-22T00:00:00Z", 1), ("2026-11-23T00:00:00Z", 2)):
        given["operators"][0]["logs"][0]["temporal_interval"] = {  # type: ignore[index]
            "start_inclusive": "2026-01-01T00:00:00Z",
            "end_exclusive": end,
        }
        assert len(loglist.parse(json.dumps(given).encode())) == count


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "ftp://a.example/"}, "no http or https URL"),
        ({"url": "https://a.example/\u00e9"}, "no http or https URL"),
        ({"key": "AAAA"}, "not that of its key"),
        ({"log_id": "?"}, "no list of logs"),
        ({"temporal_interval": {"end_exclusive": "2026-01-01T00:00:00"}}, "no time zone"),
    ],
)
def test_lists_that_are_none(change: dict[str, Any], why: str) -> None:
    log = made("rfc6962", KEYS["ecdsa"])[0].listed()
    with pytest.raises(FormatError, match=why):
        loglist.parse(json.dumps({"operators": [{"name": "A", "logs": [log | change]}]}).encode())
    with pytest.raises(FormatError, match="two logs with one key"):
        loglist.parse(json.dumps({"operators": [{"name": "A", "logs": [log, log]}]}).encode())
    with pytest.raises(FormatError, match="at most"):
        loglist.parse(b" " * (loglist.LARGEST + 1))


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of a list is in ../shared, which is not here")
def test_the_form_that_is_published() -> None:
    logs = loglist.parse(SAMPLE.read_bytes())
    live = loglist.chosen(logs, (), loglist.LIVE)
    assert {each.name for each in live} == {"Google 'Icarus' log", "Google 'Rocketeer' log"}
    assert not any(each.until and each.until < datetime(2022, 5, 6, tzinfo=UTC) for each in logs)
    assert loglist.public_key(live[0])


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    return round(1000 * at.timestamp())


@pytest.mark.parametrize("at", [milliseconds(NOW + timedelta(minutes=6)), heads.MOST_LEAVES - 1])
def test_a_head_from_the_future_is_refused(at: int) -> None:
    with pytest.raises(FormatError, match="ahead of the clock here"):
        heads.expect_past(heads.Head(1, b"", at), NOW)
    heads.expect_past(heads.Head(1, b"", milliseconds(NOW + timedelta(minutes=4))), NOW)


def test_a_head_that_stays_old_is_no_head_of_now() -> None:
    assert heads.aged(milliseconds(NOW - timedelta(hours=23)), NOW) == ""
    assert "more than 24 hours old" in heads.aged(milliseconds(NOW - timedelta(hours=25)), NOW)
