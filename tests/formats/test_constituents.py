"""Constituents come back from TOML and CSV as they were, and whatever is wrong is told with its line and field."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.formats import constituents
from khien.formats.constituents import Constituents, Sheet
from khien.model import AssetKind, Constituent, Hearing, Language, Proof, Quiet, Severity
from khien.testing.format import check_decoder, check_encoder
from khien.triage import enrolment
from khien.triage.assets import Known
from khien.triage.enrolment import Enrolment

KNOWN = Known({"saothuy", "saokim"}, lambda name: "." not in name)
TOML, CSV = Constituents(KNOWN), Sheet(KNOWN)
SMALL = b"""\
[[constituents]]
id = "saothuy"
label = "Ng\xc3\xa2n h\xc3\xa0ng Sao Th\xe1\xbb\xa7y"
sector = "bank"
patience = "PT2H"
domains = ["SaoThuyBank.vn", "saothuybank.vn."]
brands = ["saothuy"]
prefixes = ["203.0.113.0/24", "2001:db8::/32"]
mail_domains = ["saothuybank.vn"]

[[constituents.hears]]
channel = "mail"
address = "soc@saothuybank.vn"
quiet = { begin = "22:00", end = "06:00" }
after = "PT30M"

[[constituents]]
id = "dan-1"
label = "=1+1"
"""
SHEET = """\
id,label,sector,patience,domains,brands,prefixes,mail_domains,channel,address,quiet,after
saothuy,Ngân hàng Sao Thủy,bank,PT2H,SaoThuyBank.vn saothuybank.vn.,saothuy,203.0.113.0/24 2001:db8::/32,\
saothuybank.vn,mail,soc@saothuybank.vn,22:00-06:00,PT30M
dan-1,'=1+1,,,,,,,,,,
""".encode()
SAID = (
    Enrolment(
        constituent=Constituent(
            id="saothuy",
            label="Ngân hàng Sao Thủy",
            sector="bank",
            patience=timedelta(hours=2),
            hears=(
                Hearing(
                    channel="mail",
                    address="soc@saothuybank.vn",
                    quiet=Quiet(begin="22:00", end="06:00"),
                    after=timedelta(minutes=30),
                ),
            ),
        ),
        assets=(
            KNOWN.asset("saothuy", "domain", "saothuybank.vn"),
            KNOWN.asset("saothuy", "brand", "saothuy"),
            KNOWN.asset("saothuy", "prefix", "203.0.113.0/24"),
            KNOWN.asset("saothuy", "prefix", "2001:db8::/32"),
            KNOWN.asset("saothuy", "mail-domain", "saothuybank.vn"),
        ),
    ),
    Enrolment(constituent=Constituent(id="dan-1", label="=1+1")),
)
PARTS: list[Any] = [TOML, CSV]


def sorted_as_kept(enrolled: Enrolment) -> Enrolment:
    return msgspec.structs.replace(enrolled, assets=enrolled.current)


def texts(most: int) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=("C", "Z")) | st.just(" ")
    return st.text(letters, max_size=most).filter(lambda text: text == text.strip() and text.isprintable())


SPANS = st.integers(1, 43_200).map(lambda minutes: timedelta(minutes=minutes))
HEARINGS = st.builds(
    Hearing,
    channel=st.sampled_from(("mail", "webhook", "feed")),
    address=st.integers(0, 99).map(str),
    language=st.sampled_from(get_args(Language)),
    least=st.sampled_from(get_args(Severity)),
    digest=st.sampled_from(("at-once", "hourly", "daily")),
    quiet=st.none() | st.just(Quiet(begin="22:00", end="06:30", zone="Europe/Berlin")),
    secret_file=texts(20).filter(str.strip),
    after=SPANS,
).map(lambda each: msgspec.structs.replace(each, address=ADDRESSES[each.channel].format(each.address)))
ADDRESSES = {"mail": "a{}@a.vn", "webhook": "https://a.vn/{}", "feed": "{}"}
CLAIMS: st.SearchStrategy[tuple[AssetKind, str]] = st.one_of(
    st.tuples(st.sampled_from(("domain", "mail-domain")), st.integers(0, 99).map("{}.example.vn".format)),
    st.tuples(st.just("brand"), st.sampled_from(sorted(KNOWN.brands))),
    st.tuples(st.just("prefix"), st.integers(0, 255).map("203.0.{}.0/24".format)),
)


@st.composite
def enrolments(draw: st.DrawFn) -> list[Enrolment]:
    made = list[Enrolment]()
    for number in range(draw(st.integers(0, 3))):
        one = Constituent(
            id=f"c-{number}",
            label=draw(texts(30).filter(bool)),
            sector=draw(texts(10)),
            note=draw(texts(30)),
            patience=draw(SPANS),
            hears=tuple(draw(st.lists(HEARINGS, max_size=4, unique_by=lambda each: (each.channel, each.address)))),
        )
        assets = [KNOWN.asset(one.id, *claim) for claim in draw(st.lists(CLAIMS, max_size=6))]
        made.append(
            sorted_as_kept(Enrolment(constituent=one, assets=tuple({each.id: each for each in assets}.values())))
        )
    return made


@pytest.mark.parametrize(("part", "document"), [(TOML, SMALL), (CSV, SHEET)])
def test_a_document_is_read(part: Any, document: bytes) -> None:
    assert tuple(part.decode(document)) == SAID


@pytest.mark.parametrize("part", PARTS)
@settings(max_examples=50, deadline=None)
@given(records=enrolments())
def test_what_is_written_comes_back(part: Any, records: list[Enrolment]) -> None:
    assert not [fault for each in records for fault in enrolment.faults(each)]
    assert [sorted_as_kept(each) for each in part.decode(part.encode(records))] == records


@pytest.mark.parametrize(("part", "document"), [(TOML, SMALL), (CSV, SHEET)])
def test_the_contracts_hold(part: Any, document: bytes) -> None:
    check_encoder(part, None, [sorted_as_kept(each) for each in SAID])
    check_decoder(part, [document, part.encode(SAID), part.encode(())])


@pytest.mark.parametrize("part", PARTS)
def test_no_proof_and_nobody_who_left_is_written(part: Any) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    proof = Proof(how="officer", at=now, by="Lan", why="called back")
    proven = msgspec.structs.replace(
        SAID[0], assets=tuple(msgspec.structs.replace(each, proof=proof) for each in SAID[0].assets)
    )
    assert part.encode([proven, enrolment.leave(SAID[1], now)]) == part.encode(SAID[:1])
    fewer = enrolment.replace(SAID[0], msgspec.structs.replace(SAID[0], assets=SAID[0].assets[:1]), now)
    assert part.encode([fewer]) == part.encode([msgspec.structs.replace(SAID[0], assets=SAID[0].assets[:1])])


def test_no_cell_is_a_formula() -> None:
    assert b"\ndan-1,'=1+1," in CSV.encode(SAID)


def test_a_sheet_as_spreadsheets_write_it() -> None:
    text = "\ufeffid;label;domains;channel;address\r\na;A;a.vn;mail;x@a.vn\r\n\r\na;;b.vn;mail;y@a.vn\r\n;;;;\r\n"
    [found] = CSV.decode(text.encode())
    assert [each.value for each in found.current] == ["a.vn", "b.vn"]
    assert [each.address for each in found.constituent.hears] == ["x@a.vn", "y@a.vn"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((b'"bank"', b"7"), "constituents.toml:4: constituents[0].sector: Expected `str`, got `int`"),
        (
            (b'"bank"', b'"b"\nproof = "dns"'),
            "toml:5: constituents[0].proof: there is no such setting: there is id, label",
        ),
        ((b'"mail"\n', b'"mail"\nleas = "low"\n'), "toml:13: constituents[0].hears[0].leas: there is no such setting"),
        ((b'"mail"\n', b'"mail"\nleast = "x"\n'), "toml:13: constituents[0].hears[0].least: Invalid enum value 'x'"),
        ((b'"PT2H"', b'"2h"'), "toml:5: constituents[0].patience: Invalid ISO8601 duration"),
        ((b'label = "=1+1"', b""), "toml:17: constituents[1]: label is missing"),
        ((b"dan-1", b"saothuy"), "toml:18: constituents[1].id: 'saothuy' is given to two"),
        ((b"saothuybank.vn.", b"vn"), "toml:6: constituents[0].domains[1]: 'vn' is a public suffix"),
        ((b'["saothuy"]', b'["saothui"]'), "toml:7: constituents[0].brands[0]: there is no protected name 'saothui'"),
        ((b".0/24", b".7/24"), "constituents[0].prefixes[0]: '203.0.113.7/24' has bits behind its length"),
        (
            (b"soc@", b"soc at "),
            "toml:13: constituents[0].hears[0].address: 'soc at saothuybank.vn' is no mail address",
        ),
        ((b"22:00", b"25:00"), "toml:14: constituents[0].hears[0].quiet.begin: '25:00' is no hour"),
        (
            (b'[[constituents]]\nid = "d', b'[[other]]\nid = "d'),
            "constituents.toml:17: other: there is no such setting",
        ),
        ((SMALL, b"constituents = 1"), "toml:1: constituents: is no list of tables"),
        ((SMALL, b"constituents = [1]"), "toml:1: constituents[0]: Expected `object`, got `int`"),
        ((SMALL, b"[["), "constituents.toml:1: no valid TOML"),
        ((SMALL, b"\xff"), "constituents.toml:1: byte 0xff is not UTF-8"),
    ],
)
def test_what_is_wrong_in_toml(changed: tuple[bytes, bytes], said: str) -> None:
    with pytest.raises(FormatError) as caught:
        list(TOML.decode(SMALL.replace(*changed, 1)))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            b"id,label,domains\na,A,a.vn\n\nb,B,b.vn vn\n",
            "constituents.csv:4: constituents[1].domains[1]: 'vn' is a public",
        ),
        (b"id,label,least,channel\na,A,low,feed\na,,x,feed\n", "csv:3: constituents[0].hears[1].least: Invalid enum"),
        (b"id,label\na,A\na,B\n", "csv:2: constituents[0].label: 'B' here, 'A' in a row above"),
        (b"id,label\n,A\n", "csv:2: constituents[0].id: '' is no id"),
        (b"id,label\na\n", "csv:2: constituents[0]: label is missing"),
        (
            b"id,label,channel,quiet\na,A,feed,night\n",
            "csv:2: constituents[0].hears[0].quiet: Expected `object | null`",
        ),
        (b"id,label,quiet\na,A,22:00-06:00\n", "csv:2: constituents[0].hears[0]: channel is missing"),
        (b"id,label\na,A,B\n", "csv:2: has 3 cells for 2 columns: quote commas"),
        (b"id,name\n", "csv:1: there is no column 'name': there is id, label, sector"),
        (b"label\n", "csv:1: each column is there once, id among them"),
        (b"id,label,id\n", "csv:1: each column is there once"),
        (b'id,label\na,"A\n', "csv:2: is no CSV"),
        (b'id,label\na,"A"B\n', "csv:2: is no CSV"),
        (b"id,label\na,\xff\n", "constituents.csv:2: is not UTF-8"),
        (b"id\n" + b"a\n" * 50_001, "more than 50000 rows"),
        (b"x" * (9 << 20), "bytes, at most"),
    ],
)
def test_what_is_wrong_in_a_sheet(document: bytes, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        list(CSV.decode(document))
    assert said in str(caught.value)


def test_all_that_is_wrong_is_told_by_line_and_the_rest_counted() -> None:
    rows = b"".join(b"c-%d,,vn\n" % n for n in range(30))
    with pytest.raises(FormatError) as caught:
        list(CSV.decode(b"id,label,domains\n" + rows))
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert [int(line.split(":")[1]) for line in lines[:-1]] == list(range(2, 22))
    assert lines[-1] == "constituents.csv: and 10 more"


def test_a_document_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constituents, "MOST", 1)
    with pytest.raises(FormatError, match="2 of them, at most 1 are read"):
        list(TOML.decode(SMALL))
    monkeypatch.undo()
    monkeypatch.setattr(constituents, "MOST_ASSETS", 5)
    with pytest.raises(FormatError, match="more than 5 assets by here"):
        list(TOML.decode(SMALL))
