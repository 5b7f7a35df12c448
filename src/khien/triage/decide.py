"""From a finding to what people are told: whom it concerns, in which notice, when and how loud.

What was decided once is decided again without effect: the answer holds only what is new or changed. A constituent hears
of the first of a campaign at once; of the rest, and of what is learned later, in revisions of the same notice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from khien import canon, schema
from khien.errors import ObservableError
from khien.flows.judge import FLOOD, TAKES_PART
from khien.model import (
    Asset,
    Collection,
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Hearing,
    Notice,
    ProtectedName,
    Reason,
    Severity,
    Step,
    Subject,
    Text,
)
from khien.names.owners import registrable
from khien.triage import answers, campaign, hours
from khien.triage.life import KHIEN
from khien.triage.site import bare, spellings
from khien.triage.weigh import SEVERITIES, about, standing, weigh

EXPOSURE = "exposure"  # the detector of accounts of mail domains that leaked
DIGEST = "digest"  # the campaign of a notice that gathers others
CLOSE, RETURN = "close", "return"  # steps of a notice, beside those of answers and the states in OVER
OVER = ("gone", "dismissed")
LIVE = ("open", "acknowledged")
TELLING = frozenset({"evidence-titled", "evidence-listed", "evidence-reported", "evidence-sighted"})
SETTLES = timedelta(minutes=10)  # what is learned so soon after the last telling is told together

_RISEN, _JOINED = "risen", "joined"  # what is news of a notice: it is worse or surer; it tells of more
_MOST_SUBJECTS, _MOST_REASONS = 1_000, 40
_STRONG: Mapping[Severity, tuple[float, float]] = {
    "critical": (100.0, 1e10),
    "high": (10.0, 1e9),
    "medium": (2.0, 1e8),
}  # times the line, or bits a second
_OPENS = frozenset(("password", "session", "card", "bank-account", "identity-document"))  # who has it can act at once
_MANY = 1_000  # accounts, from which on that is critical


class Situation(NamedTuple):
    """A finding and all that bears on whom it is told to.

    evidence: of its subject and of names above. owners: those whose proven assets, given too, it touches. notices:
    theirs that are open, acknowledged or said to be theirs, and closed ones that hold the finding; deliveries: of
    these. protected, collection: what its claim names.
    """

    finding: Finding
    evidence: tuple[Evidence, ...] = ()
    owners: tuple[Constituent, ...] = ()
    notices: tuple[Notice, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    protected: ProtectedName | None = None
    collection: Collection | None = None
    assets: tuple[Asset, ...] = ()


class _Told(NamedTuple):
    """What a finding has to say to whoever it concerns. measures: figures of it; domain: what has one owner, of a
    site."""

    severity: Severity
    score: float
    subject: Subject
    reasons: tuple[Reason, ...]
    marks: tuple[str, ...]
    measures: Mapping[str, float]
    domain: str = ""


def decide(situation: Situation, at: datetime) -> tuple[Notice | Delivery, ...]:
    """The notices and deliveries that are new or revised because of a finding."""
    finding = situation.finding
    told = None if finding.suppressed or finding.state in OVER else _told(situation, at)
    records: dict[str, Notice | Delivery] = {}
    for owner in situation.owners:
        theirs = [each for each in situation.notices if each.constituent == owner.id]
        if told is not None and not any(is_ours(each, finding.id, told.domain) for each in theirs):
            records |= {each.id: each for each in _said(situation, owner, theirs, told, at)}
        elif finding.suppressed or finding.state in OVER:
            records |= {each.id: each for each in _settled(situation, theirs, at)}
    return tuple(records.values())


def is_digest(notice: Notice) -> bool:
    """Whether a notice only gathers what others say, for one hearing."""
    return notice.campaign == DIGEST


def named(notice: Notice) -> tuple[str, ...]:
    """What a notice tells of, each name once, in the order they came; the same with ``www.`` is no further name."""
    values: dict[str, str] = {}
    for each in notice.subjects:
        values.setdefault(spellings(each.value)[0], each.value)
    return tuple(values.values())


def is_ours(notice: Notice, finding: str, domain: str) -> bool:
    """Whether a constituent said of a notice that it is theirs, and so of a finding: the same, or the same owner.

    domain: what has one owner, of a site; empty of all else.
    """
    if notice.state != "ours" or is_digest(notice):
        return False
    return any(each.finding == finding or (domain and _domain(each) == domain) for each in notice.subjects)


def _told(situation: Situation, at: datetime) -> _Told | None:
    """What is to be said of a finding; None: it is watched."""
    finding = situation.finding
    if finding.claim in (FLOOD, TAKES_PART):
        subject = Subject(finding=finding.id, value=finding.subject, claim=finding.claim, unit="host")
        marks = campaign.of_flood(finding)
        return _Told(_of_flood(finding), finding.score, subject, finding.reasons, marks, finding.measures)
    if finding.detector == EXPOSURE:
        return _exposed(finding, situation.collection)
    weighed = weigh(finding, situation.evidence, situation.protected, at)
    if not weighed.warns:
        return None
    site = weighed.site
    stands = standing(about(finding, situation.evidence))
    subject = Subject(finding=finding.id, value=site.value, claim=finding.claim, unit=site.unit, site=site.kind)
    reasons = (*finding.reasons, *(each for each in weighed.reasons if each not in finding.reasons))
    marks = campaign.of_site(site, stands)
    return _Told(weighed.severity, weighed.score, subject, reasons, marks, finding.measures, site.domain)


def _exposed(finding: Finding, collection: Collection | None) -> _Told | None:
    """What is said of accounts that leaked: nothing of a collection that is gone, or that only holders may hear of."""
    if collection is None or collection.gone is not None or collection.sensitive:
        return None
    accounts = finding.measures.get("accounts", 0.0)
    severity: Severity = "medium" if _OPENS.isdisjoint(collection.kinds) else "high"
    if severity == "high" and accounts >= _MANY:
        severity = "critical"
    leaked = {"leaked": f"{collection.leaked:%Y-%m-%d}"} if collection.leaked else {}
    label = Text.of(collection.label)
    called = {"collection": label.en} | ({"collection-vi": label.vi} if label.vi != label.en else {})
    told = [Reason(code="leaked-on" if leaked else "leaked-in", params={**called, **leaked})]
    if collection.kinds:
        told.append(Reason(code="leaked-kinds", params={"kinds": ", ".join(collection.kinds)}))
    subject = Subject(finding=finding.id, value=finding.subject, claim=finding.claim)
    marks = (f"collection:{collection.number}",)  # all mail domains of one constituent come to one notice
    return _Told(severity, finding.score, subject, tuple(told), marks, {f"{finding.subject}.accounts": accounts})


def _of_flood(finding: Finding) -> Severity:
    """How bad a flood is: by how much it is over what is usual, and against the links that organisations have."""
    if finding.claim == TAKES_PART:
        return "medium"
    times = 0.5 / max(1 - finding.score, 1e-6)  # detectors.flood says how the score comes of it
    bits = finding.measures.get("bits", 0.0)
    for severity, (least, most) in _STRONG.items():
        if times >= least or bits >= most:
            return severity
    return "low"


def _holds(notice: Notice, finding: Finding) -> bool:
    return any(each.finding == finding.id for each in notice.subjects)


def _liveliest(notice: Notice) -> tuple[bool, datetime]:
    return notice.state != "closed", notice.raised


def _domain(subject: Subject) -> str:
    try:
        return registrable(bare(canon.host_of(subject.value) if subject.unit == "url" else subject.value))
    except ObservableError:
        return ""


def _said(
    situation: Situation, owner: Constituent, theirs: Sequence[Notice], told: _Told, at: datetime
) -> Iterator[Notice | Delivery]:
    """What a constituent is told of a finding that warns: a notice, new or revised, and its deliveries."""
    finding = situation.finding
    held = (each for each in theirs if not is_digest(each) and _holds(each, finding))
    before = max(held, key=_liveliest, default=None)
    if before is None:
        live = (each for each in theirs if each.state in LIVE and not is_digest(each))
        before = campaign.find(live, finding, told.marks, at)
    elif before.state == "closed" and any(each.act == answers.WITHDRAW for each in before.steps):
        return  # an officer took it back
    after = _new(situation, owner, told, at) if before is None else _revised(before, finding, told, at)
    if after == before:
        return
    yield after
    for hearing in owner.hears:
        if not hearing.after and is_loud(after, hearing):
            yield from _telling(situation, theirs, hearing, before, after, at)


def _new(situation: Situation, owner: Constituent, told: _Told, at: datetime) -> Notice:
    finding = situation.finding
    return Notice(
        id=schema.notice_id(owner.id, finding.id),
        constituent=owner.id,
        label=owner.label,
        sector=owner.sector,
        own=_is_own(situation, owner),
        campaign=campaign.joined("", told.marks),
        detector=finding.detector,
        severity=told.severity,
        score=told.score,
        subjects=(told.subject,),
        reasons=told.reasons[:_MOST_REASONS],
        measures=dict(told.measures),
        first_sign=finding.start or finding.raised,
        raised=at,
        revised=at,
    )


def _is_own(situation: Situation, owner: Constituent) -> bool:
    """Whether the site is the constituent's, who is not the one that it imitates."""
    theirs = {each.kind for each in situation.assets if each.constituent == owner.id}
    return "domain" in theirs and "brand" not in theirs


def _revised(notice: Notice, finding: Finding, told: _Told, at: datetime) -> Notice:
    """A notice with what a finding now says; the same where that is nothing new. Severity only rises while it is open.

    What weighs most gives the reasons; the others bring what it does not have.
    """
    subjects = {each.finding: each for each in notice.subjects}
    if finding.id not in subjects and len(subjects) >= _MOST_SUBJECTS:
        return notice
    subjects[finding.id] = told.subject
    reopened, returned = notice.state == "closed", finding.id in over(notice)
    severity = told.severity if reopened else max(notice.severity, told.severity, key=SEVERITIES.index)
    bigger = finding.claim == FLOOD and told.score > notice.score  # of it the peak is told
    bigger = bigger or (finding.detector == EXPOSURE and not told.measures.items() <= notice.measures.items())
    more_said = _codes(told.reasons) - _codes(notice.reasons) or tuple(subjects.values()) != notice.subjects
    if not (reopened or returned or bigger or more_said or severity != notice.severity):
        return notice
    leads = told.score >= notice.score or len(subjects) == 1
    first, second = (told, notice) if leads else (notice, told)
    more = (each for each in second.reasons if each.code not in _codes(first.reasons))
    returns = Step(at=at, act=RETURN, by=KHIEN, why=finding.id)
    return msgspec.structs.replace(
        notice,
        revision=notice.revision + 1,
        revised=at,
        state="open" if reopened else notice.state,
        severity=severity,
        score=max(notice.score, told.score),
        subjects=tuple(subjects.values()),
        reasons=(*first.reasons, *more)[:_MOST_REASONS],
        measures=_measures(notice, finding, told, leads=leads),
        campaign=campaign.joined(notice.campaign, told.marks),
        steps=(*notice.steps, returns) if returned else notice.steps,
    )


def _measures(notice: Notice, finding: Finding, told: _Told, *, leads: bool) -> dict[str, float]:
    """Of a series the figures of what weighs most; of accounts those of each mail domain."""
    if finding.detector == EXPOSURE:
        return {**notice.measures, **told.measures}
    return dict(told.measures) if leads else notice.measures


def _codes(reasons: Iterable[Reason]) -> frozenset[str]:
    return frozenset(each.code for each in reasons)


def is_loud(notice: Notice, hearing: Hearing) -> bool:
    """Whether a hearing wishes to hear of what is so severe."""
    return SEVERITIES.index(notice.severity) >= SEVERITIES.index(hearing.least)


def _telling(
    situation: Situation, theirs: Sequence[Notice], hearing: Hearing, before: Notice | None, after: Notice, at: datetime
) -> Iterator[Notice | Delivery]:
    """The deliveries by which a hearing is told of a notice, new or revised."""
    news = _news(before, after)
    if hearing.digest != "at-once":
        if news is not None:
            yield from _gathered(theirs, hearing, after, at)
        return
    earlier = [
        each
        for each in situation.deliveries
        if (each.about, each.channel, each.address) == (after.id, hearing.channel, hearing.address)
    ]
    if news is None and earlier:
        return
    soonest = at
    if went := [each.sent or each.due for each in earlier if each.state in ("sending", "sent", "uncertain")]:
        soonest = max(at, max(went) + SETTLES) if news == _RISEN else hours.next_hour(at)
    due = hours.due(hearing, after.severity, soonest)
    waiting = [each for each in earlier if each.state == "due"]
    if any(each.due <= due for each in waiting):
        return  # it brings the notice as it is then
    yield from answers.withdrawn(waiting)
    yield delivery(after, hearing, due)


def _news(before: Notice | None, after: Notice) -> str | None:
    """What of a revision is worth telling; None: nothing is."""
    if before is None or before.state == "closed":
        return _RISEN
    if after.severity != before.severity or TELLING & (_codes(after.reasons) - _codes(before.reasons)):
        return _RISEN
    returned = len(after.steps) > len(before.steps)
    if after.detector == EXPOSURE and any(
        int(after.measures[name]).bit_length() > int(count).bit_length() for name, count in before.measures.items()
    ):
        return _RISEN  # another power of two, so that what was told last is more than half of what there is
    further = after.subjects[len(before.subjects) :]  # each flood is one more, a name met again is none
    joined = any(each.claim == FLOOD for each in further) or len(named(after)) > len(named(before))
    return _JOINED if returned or joined else None


def delivery(notice: Notice, hearing: Hearing, due: datetime) -> Delivery:
    """A notice on its way to a hearing."""
    return Delivery(
        id=schema.delivery_id(notice.id, notice.revision, hearing.channel, hearing.address),
        about=notice.id,
        revision=notice.revision,
        channel=hearing.channel,
        address=hearing.address,
        language=hearing.language,
        secret_file=hearing.secret_file,
        due=due,
    )


def _gathered(theirs: Sequence[Notice], hearing: Hearing, notice: Notice, at: datetime) -> Iterator[Notice | Delivery]:
    """A digest with one more notice, and its delivery when the window ends.

    A digest is a notice of its own, one for each hearing and window; its subjects are those of the notices it gathers.
    """
    end = hours.window_end(hearing, at)
    known = _digest(notice.constituent, hearing, end)
    kept = next((each for each in theirs if each.id == known), None)
    if kept is None or kept.state == "closed":
        kept = msgspec.structs.replace(
            notice, id=known, revision=1, campaign=DIGEST, raised=at, revised=at, state="open", steps=()
        )
        yield kept
        yield delivery(kept, hearing, end)
        return
    subjects = {each.finding: each for each in (*kept.subjects, *notice.subjects)}
    more = (each for each in notice.reasons if each.code not in _codes(kept.reasons))
    yield msgspec.structs.replace(
        kept,
        severity=max(kept.severity, notice.severity, key=SEVERITIES.index),
        score=max(kept.score, notice.score),
        subjects=tuple(subjects.values())[:_MOST_SUBJECTS],
        reasons=(*kept.reasons, *more)[:_MOST_REASONS],
        revised=at,
    )


def _digest(constituent: str, hearing: Hearing, end: datetime) -> str:
    """The id of the digest of a hearing whose window ends then."""
    return schema.notice_id(constituent, "\0".join((DIGEST, hearing.channel, hearing.address, end.isoformat())))


def digests(owner: Constituent, at: datetime) -> Iterator[str]:
    """The ids of the digests in which a constituent's notices are gathered now."""
    for hearing in owner.hears:
        if hearing.digest != "at-once":
            yield _digest(owner.id, hearing, hours.window_end(hearing, at))


def _settled(situation: Situation, theirs: Sequence[Notice], at: datetime) -> Iterator[Notice | Delivery]:
    """Of the notices that hold a finding which is gone or was dismissed: closed, once all they tell of is."""
    finding = situation.finding
    step = Step(at=at, act="dismissed" if finding.suppressed else finding.state, by=KHIEN, why=finding.id)
    for notice in theirs:
        if not _holds(notice, finding) or notice.state not in LIVE or finding.id in over(notice):
            continue
        others = tuple(each for each in notice.subjects if each.finding != finding.id)
        if is_digest(notice) and others:
            yield msgspec.structs.replace(notice, subjects=others)
        else:
            yield from closed(notice, [step], situation.deliveries, at)


def closed(
    notice: Notice, steps: Sequence[Step], deliveries: Iterable[Delivery], at: datetime
) -> Iterator[Notice | Delivery]:
    """A notice with steps of its findings; closed, and not told any more, where with these all they tell of is over."""
    after = msgspec.structs.replace(notice, steps=(*notice.steps, *steps))
    if {each.finding for each in notice.subjects} <= over(after):
        close = Step(at=at, act=CLOSE, by=KHIEN)
        after = msgspec.structs.replace(
            after, state="closed", revision=notice.revision + 1, revised=at, steps=(*after.steps, close)
        )
        yield from answers.withdrawn(each for each in deliveries if each.about == notice.id)
    yield after


def over(notice: Notice) -> set[str]:
    """The findings of a notice that are gone or dismissed."""
    last = {each.why: each.act for each in notice.steps if each.act in (*OVER, RETURN)}
    return {finding for finding, act in last.items() if act in OVER}
