"""Leaves of logs: what is read of them is what another implementation reads, and garbage is refused."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import schema, words
from khien.ct import entries, leaves
from khien.ct.entries import Certified, Entries
from khien.errors import FormatError
from khien.ledger import leaf_hash
from khien.names.reading import syntax
from tests.ctlogs import Authority, Leaf, leaf, opaque, written

TILES = Path(__file__).parents[2].parent / "shared" / "data" / "ct" / "navigli2025h2" / "tile"
AT = 1_793_500_000_123  # milliseconds
LABELS = st.text("abcxyzABC0123456789-_", min_size=1, max_size=20) | st.just("x" * 63)
HOSTS = st.builds(
    lambda star, labels, end: star + ".".join(labels) + end,
    st.sampled_from(["", "*."]),
    st.lists(LABELS, min_size=1, max_size=4),
    st.sampled_from([".example", ".vn", ".xn--p1ai", "."]),
)
ODD = st.text(st.characters(max_codepoint=127), min_size=1, max_size=300)


@cache
def authority() -> Authority:
    return Authority()


def entries_of(*given: Leaf, first: int = 0) -> Entries:
    ends = np.cumsum([len(each.merkle) for each in given], dtype=np.int64)
    begins = np.array([0, *ends[:-1]], np.int64) + 2
    return Entries(first, [b""] * len(given), b"".join(each.merkle for each in given), begins, ends)


def leaf_of(certificate: x509.Certificate, precertificate: bool = False, at: int = AT) -> Leaf:
    return leaf(certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes, precertificate, at, None)


def rows(certified: Certified) -> list[dict[str, Any]]:
    made = certified.rows("log", np.ones(certified.names, bool))
    made.validate(full=True)
    assert made.schema == schema.CERTIFIED
    return made.to_pylist()


def names(certified: Certified) -> list[str]:
    return [row["name"] for row in rows(certified)]


def reasons(certified: Certified) -> list[str]:
    return [reason for _, reason, _ in certified.skipped("log")]


def oracle(certificate: x509.Certificate) -> list[str]:
    """The names as cryptography reads them: alternative names, then common names that are hosts'."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = alternatives.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    good = [name for name in found if syntax.fault(name) == syntax.GOOD and name.isascii()]
    for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        name = str(each.value)
        known = [one.lower() for one in good]
        if name.isascii() and syntax.fault(name) == syntax.GOOD and name.lower() not in known:
            good.append(name)
    return good


def dns(name: str) -> x509.DNSName:
    return x509.DNSName._init_without_validation(name)


@settings(deadline=None)
@given(
    st.lists(HOSTS | ODD, max_size=8),
    HOSTS | ODD.filter(lambda text: len(text) <= 64) | st.just("Công ty") | st.none(),
    st.sampled_from([_ASN1Type.UTF8String, _ASN1Type.BMPString]),
    st.booleans(),
    st.integers(-599_616_000, 3_786_912_000),  # 1951 to 2090
    st.integers(1, 2**159 - 1),
    st.integers(0, 2**42),
)
def test_what_is_read_is_what_cryptography_reads(
    alternatives: list[str],
    common: str | None,
    kind: _ASN1Type,
    precertificate: bool,
    begin: int,
    serial: int,
    at: int,
) -> None:
    subject = None
    if common is not None and 0 < len(common) <= 64:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common, kind)])
    others = [x509.RFC822Name("a@example.com"), x509.UniformResourceIdentifier("https://u.example/")]
    certificate = authority().issue(
        subject=subject,
        alternatives=[*map(dns, alternatives), *others],
        begin=datetime.fromtimestamp(begin, UTC),
        serial=serial,
    )
    certified = Certified(entries_of(leaf_of(certificate, precertificate, at), first=7))
    told = rows(certified)
    assert [row["name"] for row in told] == oracle(certificate)
    bad = [syntax.REASONS[fault] for name in alternatives if (fault := syntax.fault(name))]
    assert reasons(certified) == bad
    for row in told:
        assert row["issuer"] == authority().text
        assert int(row["serial"], 16) == serial
        assert row["not_before"] == certificate.not_valid_before_utc
        assert row["not_after"] == certificate.not_valid_after_utc
        assert row["seen_at"] == datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
        assert (row["log"], row["index"]) == ("log", 7)


@pytest.mark.parametrize("precertificate", [False, True])
def test_many_names_and_none(precertificate: bool) -> None:
    many = [f"n{i}.example" for i in range(3000)]
    address = x509.IPAddress(ip_address("192.0.2.1"))
    given = [
        authority().issue(*many, common_name="N7.example"),
        authority().issue(common_name="alone.example"),
        authority().issue(common_name="Khien Bank"),
        authority().issue(alternatives=[address]),
        authority().issue(),
        authority().issue("last.example", common_name="first.example"),
    ]
    certified = Certified(entries_of(*(leaf_of(each, precertificate) for each in given)))
    assert names(certified) == [*many, "alone.example", "last.example", "first.example"]
    assert [row["index"] for row in rows(certified)][-3:] == [1, 5, 5]
    assert reasons(certified) == []
    some = np.zeros(certified.names, bool)
    some[[2, 3001]] = True
    assert certified.rows("log", some)["name"].to_pylist() == ["n2.example", "last.example"]


def test_issuer_with_only_a_country() -> None:
    assert entries.issuer(Authority("", "").subject.public_bytes()[2:]) == ""
    assert entries.issuer(x509.Name.from_rfc4514_string("C=VN").public_bytes()[2:]) == "C=VN"
    assert entries.issuer(Authority("T" * 60, "N" * 60).subject.public_bytes()[3:]) == "T" * 60 + ", " + "N" * 60
    assert entries.issuer(b"garbage") == ""


def test_times_that_are_none_are_null() -> None:
    certificate = authority().issue("a.example", begin=datetime(2026, 11, 1, tzinfo=UTC))
    good = leaf_of(certificate).merkle
    for wrong in (b"261301000000Z", b"2611010000000", b"26110100000aZ", b"261101240000Z"):
        turned = good.replace(b"261101000000Z", wrong)
        (row,) = rows(Certified(entries_of(Leaf(turned, b"", b""))))
        assert row["not_before"] is None
        assert row["not_after"] is not None
    (row,) = rows(Certified(entries_of(leaf_of(certificate, at=2**63))))
    assert row["seen_at"] is None


def test_malformed_leaves_are_set_aside_and_the_others_read() -> None:
    good = leaf_of(authority().issue("a.example"))
    spoilt = good.merkle
    wrong = [
        (b"\0\0", "leaf-cut-short"),
        (spoilt[:12], "leaf-cut-short"),
        (spoilt[:10] + b"\0\2" + spoilt[12:], "leaf-unknown-type"),
        (spoilt[:100], "leaf-cut-short"),
        (spoilt[:12] + opaque(b"\x30\x03\x02\x01\x01", 3) + b"\0\0", "leaf-bad-certificate"),
        (spoilt[:12] + opaque(b"", 3) + b"\0\0", "leaf-bad-certificate"),
        (spoilt.replace(b"\x06\x03\x55\x1d\x11", b"\x06\x7f\x55\x1d\x11"), "leaf-bad-certificate"),
    ]
    certified = Certified(entries_of(good, *(Leaf(each, b"", b"") for each, _ in wrong), good))
    assert names(certified) == ["a.example", "a.example"]
    assert certified.skipped("log") == [(f"log:{n}", reason, None) for n, (_, reason) in enumerate(wrong, 1)]


def test_codes_have_words() -> None:
    for code in (*leaves.OUTCOMES[1:], *leaves.REASONS[1:], "log-lies", "log-waits"):
        assert all(words.skipped(code, language) for language in words.LANGUAGES)


def test_refusals_are_bounded() -> None:
    certificate = authority().issue(alternatives=[dns("no name") for _ in range(1500)])
    certified = Certified(entries_of(leaf_of(certificate)))
    told = certified.skipped("log")
    assert len(told) == entries.KEPT + 1
    assert told[-1] == ("log", "more", "500")
    assert told[0] == ("log:0", "bad-character", "no name")


@settings(deadline=None)
@given(st.integers(0, 2**30), st.binary(max_size=6), st.integers(0, 30))
def test_the_kernel_does_what_python_does(place: int, instead: bytes, cut: int) -> None:
    """On leaves that were changed anywhere, cut short or both."""
    certificate = authority().issue("a.example", "no name", "*.b.example", common_name="c.example", serial=77)
    given = []
    for precertificate in (False, True):
        merkle = leaf_of(certificate, precertificate).merkle
        at = place % len(merkle)
        turned = merkle[:at] + instead + merkle[at + len(instead) :]
        given.append(Leaf(turned[: len(turned) - cut], b"", b""))
    made = entries_of(*given)
    ours, plain = Certified(made), run(leaves.read_leaves.plain, made)
    assert ours.names == plain[0]
    assert (ours._numbers == plain[1].reshape(ours._numbers.shape)).all()
    assert (ours.offsets[: ours.names + 1] == plain[2][: ours.names + 1]).all()
    assert bytes(ours.values[: ours.offsets[ours.names]]) == bytes(plain[3][: ours.offsets[ours.names]])
    rows(ours)


def run(kernel: Any, given: Entries) -> Sequence[Any]:
    octets, count = given.octets, len(given.begins)
    numbers, values = np.zeros(count * leaves.WIDTH, np.int64), np.zeros(len(octets) + 2, np.uint8)
    offsets, owners = np.zeros(len(octets), np.int32), np.zeros(len(octets), np.int32)
    refused, filled = np.zeros(4000, np.int64), np.array([0, 0, 0, 1000], np.int64)
    begins, ends = given.begins.tolist(), given.ends.tolist()
    found = kernel(
        octets, [min(pair) for pair in zip(begins, ends, strict=True)], ends, count,
        numbers, values, offsets, owners, refused, filled,
    )  # fmt: skip
    return found, numbers, offsets, values


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_refused(garbage: bytes) -> None:
    Certified(Entries(0, [b""], garbage, np.array([0]), np.array([len(garbage)]))).skipped("log")
    for read in (lambda: entries.of_answer(garbage, 0, 9), lambda: entries.of_tile(garbage, 0, 2, 0)):
        with pytest.raises(FormatError):
            read()


def test_an_answer_of_get_entries() -> None:
    given = [leaf_of(authority().issue(f"n{i}.example")) for i in range(3)]
    document = json.dumps({"entries": [written(each) for each in given], "more": 1}).encode()
    assert names(Certified(entries.of_answer(document, 5, 9))) == ["n0.example", "n1.example", "n2.example"]
    assert len(entries.of_answer(document, 5, 2).hashes) == 2
    for wrong in (b'{"entries": []}', b'{"entries": [{"leaf_input": "?"}]}', b"{}", b"[]"):
        with pytest.raises(FormatError):
            entries.of_answer(wrong, 0, 9)


def test_tiles_are_whole() -> None:
    given = [
        leaf(b"", authority().issue(f"n{i}.example").tbs_certificate_bytes, True, AT, i, (b"a",)) for i in range(3)
    ]
    document = b"".join(each.tile for each in given)
    read = entries.of_tile(document, 0, 3, 1)
    assert names(Certified(read)) == ["n1.example", "n2.example"]
    assert read.hashes == [leaf_hash(each.merkle) for each in given[1:]]
    for wrong in (document[:-1], document + b"\0", document[:-40], b""):
        with pytest.raises(FormatError):
            entries.of_tile(wrong, 0, 3, 0)


@pytest.mark.skipif(not TILES.exists(), reason="the real tiles are in ../shared, which is not here")
@pytest.mark.parametrize("number", [0, 1])
def test_real_tiles_hold_the_names_the_oracle_reads(number: int) -> None:
    document = gzip.decompress((TILES / "data" / f"{number:03}.gz").read_bytes())
    read = entries.of_tile(document, 256 * number, 256, 256 * number)
    assert b"".join(read.hashes) == (TILES / "0" / f"{number:03}").read_bytes()
    certified = Certified(read)
    found: dict[int, set[str]] = {}
    for row in rows(certified):
        found.setdefault(row["index"], set()).add(row["name"])
    with gzip.open(TILES / "names" / f"{number:03}.gz") as lines:
        expected = [set(json.loads(line)["DNS"]) for line in lines]
    assert [found.get(256 * number + n, set()) for n in range(256)] == expected
    assert certified.skipped("log") == []
