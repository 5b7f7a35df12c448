"""Of what sources state the newest stands, in whatever order it comes; and what is asked again grows seldom."""

from datetime import timedelta
from functools import reduce
from itertools import permutations, takewhile

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import schema
from khien.model import Evidence, Inquiry
from khien.triage import evidence
from tests.triage.situations import NOON, finding, flood, said

SUBJECT = "vietcombank-login.top"
STATEMENTS = st.builds(
    lambda code, minute, rcode: said(
        "resolution", code, at=NOON + timedelta(minutes=minute), **({"rcode": rcode} if code == "unresolved" else {})
    ),
    st.sampled_from(("resolves", "unresolved", "unknown")),
    st.integers(0, 9),
    st.sampled_from(("NXDOMAIN", "NODATA")),
)


def rows(*facts: tuple[str, str, dict[str, str]], minute: int = 0) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [
            {
                "subject": SUBJECT,
                "topic": topic,
                "code": code,
                "seen_at": NOON + timedelta(minutes=minute + place),
                "params": list(params.items()),
            }
            for place, (topic, code, params) in enumerate(facts)
        ],
        schema.EVIDENCE,
    )


@settings(deadline=None)
@given(STATEMENTS, STATEMENTS)
def test_the_order_of_two_statements_does_not_matter(one: Evidence, other: Evidence) -> None:
    assert evidence.revise(one, other) == evidence.revise(other, one)
    assert evidence.revise(evidence.revise(one, other), other) == evidence.revise(one, other)
    assert evidence.revise(one, one) == one


@settings(deadline=None)
@given(st.lists(STATEMENTS, min_size=3, max_size=4))
def test_in_any_order_the_same_stands(statements: list[Evidence]) -> None:
    ends = [reduce(evidence.revise, order) for order in permutations(statements)]
    assert len({(each.at, each.code, tuple(each.params.items())) for each in ends}) == 1


@settings(deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=6, unique_by=lambda each: each.at))
def test_since_is_when_it_began_to_hold(statements: list[Evidence]) -> None:
    ordered = sorted(statements, key=lambda each: each.at)
    stands = reduce(evidence.revise, ordered)
    spoken = [each for each in ordered if each.code != evidence.UNKNOWN] or ordered  # no answer contradicts nothing
    unbroken = takewhile(lambda each: each.code == stands.code, reversed(spoken))
    assert stands.since == min(each.at for each in unbroken)


@settings(deadline=None)
@given(st.permutations(range(5)))
def test_what_nobody_contradicts_joins_in_any_order(minutes: list[int]) -> None:
    joined = reduce(evidence.revise, (said("mail", "mail", at=NOON + timedelta(minutes=each)) for each in minutes))
    assert (joined.since, joined.at) == (NOON, NOON + timedelta(minutes=4))


def test_rows_become_records_the_newest_of_a_topic() -> None:
    batch = rows(("page", "unanswered", {"why": "timeout"}), ("page", "answers", {"title": "T", "more": "x"}))
    (record,) = evidence.records(batch, "site", NOON + timedelta(hours=1))
    assert record.code == "answers"
    assert record.params == {"status": "", "title": "T", "url": ""}
    assert record.id == schema.evidence_id(SUBJECT, "page", "site")


def test_what_is_not_known_is_left_out_and_the_future_is_now() -> None:
    batch = rows(("weather", "rains", {}), ("page", "burns", {}), ("list/x", "listed", {"list": "x"}), minute=600)
    (record,) = evidence.records(batch, "feeds", NOON)
    assert (record.topic, record.at) == ("list/x", NOON)


def test_a_parameter_is_bounded() -> None:
    (record,) = evidence.records(rows(("page", "answers", {"title": "x" * 100_000})), "site", NOON)
    assert len(record.params["title"]) == 1_000


def test_a_certificate_is_told_of_the_name_that_matched() -> None:
    moments = {"not_before": NOON, "not_after": NOON + timedelta(days=90)}
    certificate = {"seen_at": NOON, "issuer": "CA", "serial": "0a", "log": "log", "index": 7, **moments}
    given = ["Vietcombank-Login.top.", "other.example", "*.vietcombank-login.top", None]
    batch = pa.RecordBatch.from_pylist([{"name": name, **certificate} for name in given], schema.CERTIFIED)
    told = evidence.of_certificates(batch, [finding(), finding("*.vietcombank-login.top")])
    assert told.schema == schema.EVIDENCE
    assert told["subject"].to_pylist() == ["vietcombank-login.top"] * 2
    (record,) = evidence.records(told, "ct", NOON)
    assert record.params["index"] == "7"
    assert record.params["not_before"] == NOON.isoformat()
    assert evidence.of_certificates(batch, []).num_rows == 0


def test_what_is_worth_asking_about() -> None:
    assert evidence.asks(finding(score=evidence.WORTH_ASKING))
    assert not evidence.asks(finding(score=0.18))
    assert not evidence.asks(finding(suppressed=True))
    assert not evidence.asks(flood())


def test_what_just_changed_is_looked_at_often_and_what_stays_ever_more_seldom() -> None:
    inquiry = Inquiry(id="i", source="resolver", subject=SUBJECT, due=NOON)
    stated = (said("resolution", "resolves"), said("page", "unanswered", at=NOON + timedelta(days=80)))
    waits = [
        evidence.due_again(inquiry, stated, NOON + age) - (NOON + age)
        for age in (timedelta(0), timedelta(minutes=20), timedelta(hours=8), timedelta(days=30))
    ]
    assert waits == [timedelta(minutes=2), timedelta(minutes=5), timedelta(hours=2), timedelta(days=1)]
    assert evidence.due_again(inquiry, stated, NOON + timedelta(days=91)) == evidence.NEVER
    assert evidence.due_again(inquiry, (), NOON) == NOON + evidence.SOONEST
