"""The kernels are held to the plain rule, and the plain rule to what it says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khien.names.reading import delimited, rows, syntax
from khien.names.reading.layout import Layout, State
from khien.names.reading.moments import NO_TIME, moment

LABEL = st.text("aZ09-_", max_size=4) | st.integers(60, 65).map(lambda n: "x" * n)
NAME = st.lists(LABEL, max_size=6).map(".".join) | st.text("a1.*-_ é:/#@\"'", max_size=9)


def through_kernel(name: str) -> tuple[list[str], list[str]]:
    page = rows.Rows(name.encode() + b"\n", timed=False)
    delimited.read(page, Layout("plain"), State(), True)
    return page.names()["name"].to_pylist(), page.skipped("")["reason"].to_pylist()


@given(NAME)
@example("*.")
@example("*..")
@example("..")
@example("a..")
@example("a.b..")
@example("*.a.b.")
@example("*.*.a.b")
@example(".".join(["x" * 63] * 4))
@example(".".join(["x" * 62] * 4) + ".")
@example("1.2")
def test_kernel_accepts_exactly_what_the_rule_does(name: str) -> None:
    values = np.empty(2 * syntax.SPARE, np.uint8)
    end = syntax.copy_name(name.encode() + b"\n", 0, syntax.CLASSES, values, 7)
    plainly_good = syntax.fault(name) == syntax.GOOD and name.isascii()
    assert (end == len(name.encode())) == plainly_good
    if plainly_good:
        assert values[7 : 7 + end].tobytes() == name.encode()
        assert through_kernel(name) == ([name], [])


@given(
    st.lists(
        st.sampled_from(["a.b", "x.example", '"q.example"', '"', "é.vn", "\n", "\n", ",", ",", " ", "#", "\r"]),
        max_size=30,
    )
)
def test_compiled_kernel_does_what_the_plain_one_does(parts: list[str]) -> None:
    text = "".join(parts).encode() + b"\n"
    found = []
    for kernel in (delimited._split, delimited._split.plain):
        page = rows.Rows(text, timed=False)
        slots = [ord(","), 1, 0, -1, 1]
        page.at[rows.FIRST_OWN : rows.FIRST_OWN + len(slots)] = slots
        view = np.frombuffer(text, np.uint8)
        answer = kernel(view, len(text), syntax.CLASSES, page.at, page.values, page.offsets, page.moments)
        found.append((answer, page.at.tolist(), page.names()["name"].to_pylist()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a b.vn", "bad-character"),
        ("a!.vn", "bad-character"),
        ("1.2.3.4", "address"),
        ("a..vn", "empty-label"),
        (".vn", "empty-label"),
        ("x" * 64 + ".vn", "label-too-long"),
        ("ngân" + "hàng" * 15 + ".vn", "label-too-long"),
        (".".join(["x" * 60] * 5), "too-long"),
        ("localhost", "no-dot"),
        ("*.vn", "no-dot"),
        ("☃.vn", "bad-character"),
        ("ngânhàng.vn", ""),
        ("ｐａｙ．vn", ""),
        ("_dmarc.A-1.vn.", ""),
    ],
)
def test_fault(name: str, reason: str) -> None:
    assert syntax.REASONS[syntax.fault(name)] == reason


@pytest.mark.parametrize(
    ("field", "name", "reason"),
    [
        (b"http://u:p@a.vn:80/x@y", "a.vn", ""),
        (b"HTTPS://a.vn\\@b.vn", "a.vn", ""),
        (b"a.vn:8080/x", "a.vn", ""),
        (b"a.vn # note", "a.vn", ""),
        (b"2001:db8::1", "2001:db8::1", "address"),
        (b"http://[2001:db8::1]/", "[2001:db8::1]", "address"),
        (b"me@a.vn", "me@a.vn", "bad-character"),
        (b"\xff.vn", "", "bad-utf8"),
    ],
)
def test_name_in(field: bytes, name: str, reason: str) -> None:
    found, code = syntax.name_in(field)
    assert (found, syntax.REASONS[code]) == (name, reason)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z"])
def test_a_moment_outside_the_calendar_is_none(text: str) -> None:
    assert moment(text.encode(), 0, len(text)) == NO_TIME


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC])), st.sampled_from("T "))
def test_moment_of_a_timestamp(when: datetime, separator: str) -> None:
    text = when.isoformat(separator).encode()
    expected = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert moment(text, 0, len(text)) == expected
    assert moment(text[:10], 0, 10) == expected // 86_400_000_000 * 86_400_000_000


@given(st.text("0123456789-:TZ+. ", max_size=30))
@example("2023-02-29")
@example("2024-13-01")
@example("2024-01-01T24:00")
@example("2024-01-01T1")
@example("2024-01-01T10:00+0")
def test_moment_of_anything(text: str) -> None:
    encoded = text.encode()
    micros = moment(encoded, 0, len(encoded))
    try:
        expected = datetime.fromisoformat(text)
    except ValueError:
        return  # datetime is the stricter in some seconds, the laxer in week dates
    if micros != NO_TIME:
        expected = expected if expected.tzinfo else expected.replace(tzinfo=UTC)
        assert micros == (expected - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
