"""A takedown lives as its table says: who is written to, when again, and for how long the site was up."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import schema
from khien.errors import InputError, TransitionError
from khien.model import Evidence, Finding, Reason, SiteClass, Takedown, TakedownState
from khien.triage import takedown
from khien.triage.takedown import begin, chase, contacts, move

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOST = "vietc0mbank-login.top"
FOUND = Finding(
    id="f" * 64,
    detector="lookalike",
    kind="domain",
    subject=HOST,
    claim="vietcombank",
    score=0.97,
    raised=NOON,
    techniques=("ascii-lookalike",),
    reasons=(Reason(code="ascii-lookalike", params={"brand": "Vietcombank", "word": "x", "part": "x"}),),
)


def said(
    topic: str, code: str, at: datetime = NOON, since: datetime | None = None, of: str = HOST, **params: str
) -> Evidence:
    return Evidence(
        id=schema.evidence_id(of, topic, "test"), subject=of, topic=topic, code=code, source="test",
        since=since or at, at=at, params=params,
    )  # fmt: skip


def registered(days: int = 2, abuse: str = "abuse@registrar.example") -> Evidence:
    created = (NOON - timedelta(days=days)).isoformat()
    return said(
        "registration", "registered", domain=HOST, created=created, registrar="R", abuse=abuse, expires="", status=""
    )


def hosted(network: str = "EXAMPLE-NET", abuse: str = "abuse@host.example", country: str = "NL") -> Evidence:
    return said("network", "hosted", address="198.51.100.7", network=network, country=country, abuse=abuse, handle="H")


def answers(at: datetime = NOON, since: datetime | None = None, status: str = "200", url: str = "") -> Evidence:
    return said("page", "answers", at, since, status=status, title="Vietcombank", url=url)


def unanswered(at: datetime, since: datetime) -> Evidence:
    return said("page", "unanswered", at, since, why="timeout")


def known() -> list[Evidence]:
    return [registered(), hosted(), answers()]


def begun(evidence: Sequence[Evidence] | None = None) -> Takedown:
    return begin(FOUND, known() if evidence is None else evidence, by="Lan", at=NOON)


def addresses(
    kind: SiteClass, evidence: Sequence[Evidence], rounds: int = 0, subject: str = HOST
) -> list[tuple[str, str]]:
    made = Takedown(id="1", subject=subject, site=kind, claim="v", due=NOON, up=NOON, steps=begun().steps)
    for _ in range(rounds):
        made = move(made, takedown.REPORT, by="khien", at=NOON)
    return [(each.role, each.address) for each in contacts(made, {said.topic: said for said in evidence})]


def test_every_state_is_reached_and_can_be_left() -> None:
    states = set(TakedownState.__args__)
    assert {met for met, _ in takedown.MOVES} == states
    assert set(takedown.MOVES.values()) == states


def test_what_does_not_follow_is_refused_and_says_what_does() -> None:
    closed = move(begun(), takedown.CLOSE, by="Lan", at=NOON)
    with pytest.raises(TransitionError, match="is closed: it takes begin, not lose"):
        move(closed, takedown.LOSE, by="Lan", at=NOON)
    assert move(closed, takedown.BEGIN, by="Lan", at=NOON + DAY).state == "asked"


def test_it_begins_with_what_is_known() -> None:
    made = begun([*known(), said("resolution", "resolves", addresses="198.51.100.7", canonical="")])
    assert (made.state, made.due, made.site, made.unit) == ("asked", NOON, "registered-for-harm", "domain")
    assert made.facts["brand"] == "Vietcombank"
    assert (made.facts["address"], made.facts["registrar"], made.facts["title"]) == ("198.51.100.7", "R", "Vietcombank")
    assert [(each.act, each.by) for each in made.steps] == [("begin", "Lan")]
    assert begun([]).spells == ((NOON, None),)


def test_only_a_site_is_taken_down() -> None:
    flood = Finding(
        id="a" * 64, detector="flood", kind="address", subject="203.0.113.9", claim="flood", score=1, raised=NOON
    )
    with pytest.raises(InputError, match="of a site"):
        begin(flood, (), by="Lan", at=NOON)


@pytest.mark.parametrize(
    ("kind", "rounds", "roles"),
    [
        ("registered-for-harm", 0, ["registrar", "host"]),
        ("unclear", 0, ["host"]),
        ("unclear", 1, ["host", "registrar"]),
        ("hacked", 0, ["owner", "host"]),
        ("hacked", 5, ["owner", "host"]),
        ("shared-hosting", 5, ["host", "host"]),
    ],
)
def test_whom_it_is_written_to_follows_from_whose_fault_it_is(kind: SiteClass, rounds: int, roles: list[str]) -> None:
    evidence = [*known(), said("mail", "mail", hosts="mx.example")]
    assert [role for role, _ in addresses(kind, evidence, rounds)] == roles


def test_of_a_shared_site_the_platform_is_asked() -> None:
    assert addresses("shared-hosting", [], subject="vcb.github.io") == [("host", "abuse@github.io")]
    assert addresses("shared-hosting", [], subject="vcb.weebly.com") == [("host", "abuse@weebly.com")]


def test_who_only_hands_on_is_asked_as_such() -> None:
    evidence = [registered(), hosted("CLOUDFLARENET", "abuse@cloudflare.com")]
    assert addresses("registered-for-harm", evidence)[1] == ("cdn", "abuse@cloudflare.com")
    assert addresses("hacked", evidence) == [("cdn", "abuse@cloudflare.com")]  # nobody nearer is known


@pytest.mark.parametrize("abuse", ["", "nobody", "a@b", "a@b.example\r\nBcc: x@y.example", "a@b.example, c@d.example"])
def test_what_is_no_address_is_not_written_to(abuse: str) -> None:
    assert addresses("registered-for-harm", [registered(abuse=abuse), hosted(abuse=abuse)]) == []


def test_one_address_is_written_to_once() -> None:
    both = [registered(abuse="Abuse@one.example"), hosted(abuse="abuse@ONE.example")]
    assert addresses("registered-for-harm", both) == [("registrar", "abuse@one.example")]


def test_rounds_go_out_on_a_clock_while_it_is_up() -> None:
    made, sent = begun(), list[tuple[timedelta, int]]()
    for hours in range(24 * 30):
        at = NOON + hours * HOUR
        made, deliveries = chase(made, [registered(), hosted(), answers(at, NOON)], at)
        if deliveries:
            sent.append((at - NOON, len(deliveries)))
        assert chase(made, [answers(at, NOON)], at) == (made, ())
    assert [since for since, _ in sent] == [0 * DAY, DAY, 4 * DAY, 11 * DAY, 18 * DAY, 25 * DAY]
    assert {count for _, count in sent} == {2}
    assert (made.state, len(made.reports), made.revision) == ("reported", 12, 7)


def test_a_report_goes_to_the_outbox_under_an_id_of_its_round() -> None:
    reported, deliveries = chase(begun(), known(), NOON)
    assert [(each.address, each.channel, each.language, each.due) for each in deliveries] == [
        ("abuse@registrar.example", "abuse", "en", NOON),
        ("abuse@host.example", "abuse", "en", NOON),
    ]
    _, again = chase(reported, known(), NOON + DAY)
    assert not {each.id for each in deliveries} & {each.id for each in again}
    _, home = chase(begun(), [hosted(country="VN"), registered()], NOON)
    assert [each.language for each in home] == ["en", "vi"]


def test_with_nobody_to_write_to_it_looks_again_soon() -> None:
    waiting, deliveries = chase(begun([]), [], NOON)
    assert (waiting.state, deliveries) == ("asked", ())
    assert NOON < waiting.due <= NOON + HOUR
    assert chase(waiting, known(), waiting.due).takedown.state == "reported"


def test_hours_up_are_the_sum_of_its_spells() -> None:
    made, _ = chase(begun([*known()[:2], answers(NOON, NOON - 3 * HOUR)]), known(), NOON)
    gone, _ = chase(made, [said("resolution", "unresolved", NOON + 2 * HOUR, rcode="NXDOMAIN")], NOON + 3 * HOUR)
    assert (gone.state, gone.hours_up(NOON + DAY)) == ("gone", 5.0)
    assert chase(gone, known(), NOON + 4 * HOUR).takedown == gone  # what was seen before it went brings nothing back
    seen = NOON + 10 * HOUR
    back, deliveries = chase(gone, [*known()[:2], answers(seen)], seen + HOUR)
    assert [each.act for each in back.steps[-2:]] == ["see", "report"]
    assert (back.state, len(deliveries), back.hours_up(seen + 2 * HOUR)) == ("reported", 2, 7.0)


@pytest.mark.parametrize(
    ("seen", "gone"),
    [
        (unanswered(NOON + 30 * timedelta(minutes=1), NOON), False),
        (unanswered(NOON + 2 * HOUR, NOON), True),
        (answers(NOON + HOUR, NOON, status="404"), True),
        (answers(NOON + HOUR, NOON, status="503"), False),
        (said("resolution", "unresolved", NOON + HOUR, rcode="NXDOMAIN"), True),
        (said("resolution", "unknown", NOON + HOUR), False),
        (said("page", "unanswered", NOON + 2 * HOUR, NOON, of="else.top", why="timeout"), False),
        (said("page", "answers", NOON + HOUR, of=f"www.{HOST}", status="410", title="", url=""), True),
    ],
)
def test_when_it_is_gone(seen: Evidence, gone: bool) -> None:
    reported, _ = chase(begun(), known(), NOON)
    after, deliveries = chase(reported, [registered(), hosted(), seen], NOON + 3 * HOUR)
    assert (after.state == "gone", deliveries) == (gone, ())


def test_of_a_page_whose_address_is_known_only_that_page_counts() -> None:
    of_shop = "shop.example"
    url = f"https://{of_shop}/vcb"
    made = Takedown(
        id="1", subject=of_shop, url=url, unit="url", site="hacked", claim="v", state="reported", due=NOON + DAY,
        up=NOON, spells=((NOON, None),), steps=begun().steps,
    )  # fmt: skip
    root, page = (
        said("page", "answers", NOON + HOUR, of=of_shop, status="404", title="", url=each)
        for each in (f"https://{of_shop}/", url)
    )
    assert chase(made, [root], NOON + 2 * HOUR).takedown == made
    assert chase(made, [page], NOON + 2 * HOUR).takedown.state == "gone"


def test_what_is_down_when_it_begins_is_not_reported_as_up() -> None:
    made = begun([hosted(), unanswered(NOON - HOUR, NOON - DAY)])
    after, deliveries = chase(made, [hosted(), unanswered(NOON - HOUR, NOON - DAY)], NOON)
    assert (after.state, after.hours_up(NOON), deliveries) == ("gone", 0.0, ())


def test_what_stays_gone_is_closed_in_the_end() -> None:
    gone = move(begun(), takedown.LOSE, by="khien", at=NOON)
    assert chase(gone, [], NOON + 89 * DAY).takedown.state == "gone"
    closed = chase(gone, [], NOON + 91 * DAY).takedown
    assert (closed.state, closed.steps[-1].by) == ("closed", "khien")
    assert chase(closed, known(), NOON + 99 * DAY).takedown == closed


LOOKS = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from(("200", "404", "unanswered", "unresolved", "nothing"))), max_size=25
)


@given(LOOKS)
def test_spells_are_in_order_and_no_round_goes_out_while_it_is_down(looks: list[tuple[int, str]]) -> None:
    made, at = begun(), NOON
    since: dict[str, datetime] = {}
    last: dict[str, Any] = {}
    for hours, what in looks:
        at += hours * HOUR
        if what == "unresolved":
            last["resolution"] = said("resolution", "unresolved", at, rcode="NXDOMAIN")
        elif what != "nothing":
            code = "unanswered" if what == "unanswered" else "answers"
            since = {code: since.get(code, at)}
            last.pop("resolution", None)
            last["page"] = (
                unanswered(at, since[code]) if code == "unanswered" else answers(at, since[code], status=what)
            )
        made, deliveries = chase(made, [registered(), hosted(), *last.values()], at)
        if what in ("404", "unresolved"):
            assert not deliveries
            assert made.state in ("gone", "closed")
        if what == "200" and made.state != "closed":
            assert made.state == "reported"
    ends = [moment for spell in made.spells for moment in spell if moment is not None]
    assert ends == sorted(ends)
    assert all(end is not None for _, end in made.spells[:-1])
    assert 0 <= made.hours_up(at) <= (at - NOON) / HOUR


def test_the_page_says_what_the_code_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "takedown.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|[^|]*\| (.*) \|$", page, re.MULTILINE))
    told = {(state, act) for state, acts in rows.items() for act in re.findall(r"`(\w+)`", acts)}
    assert told == takedown.MOVES.keys()
