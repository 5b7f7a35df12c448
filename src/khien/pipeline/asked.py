"""What is answered to somebody who asks: about a link, a message, who sent it, or whom a payment code would pay.

A question is a batch of one through the detectors. What is personal in a message is masked before anything looks at
it. Nothing of a question is kept, and no error quotes it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import pyarrow as pa

from khien import canon, schema, words
from khien.contracts import Store
from khien.errors import FormatError, ObservableError
from khien.messages import judge, question
from khien.messages.links import MOST, links
from khien.messages.mask import masked
from khien.messages.numbers import number
from khien.messages.payment import money, payment
from khien.messages.question import About
from khien.model import Finding, Reason
from khien.pipeline.linked import CERTAINTY, MOST_REASONS, Judged, Judges, Sure, Verdict, judged, said, sure
from khien.triage import life

LONGEST_SENDER = 320  # characters
MOST_ADVICE = 5

_FREE = ("gmail.com", "yahoo.com", "yahoo.com.vn", "outlook.com", "hotmail.com", "icloud.com", "proton.me")

_SHORTENED = ("full-address", "not-proof", "own-way")
_BAD_LINK = ("not-open", "own-way", "entered", "paid", "report")
_BAD_SENDER = ("not-answer", "own-way", "entered", "paid", "keep")
_HACKED = ("hacked", "ask-owner", "entered", "paid", "tell-owner")  # the real site is the one to keep away from
_BROKEN_CODE = ("not-pay", "ask-payee", "paid")
_ADVICE: Mapping[tuple[About, Verdict], tuple[str, ...]] = {  # words.phrase says each, as asked-do-…
    ("link", "harmful"): _BAD_LINK,
    ("link", "looks-harmful"): _BAD_LINK,
    ("link", "belongs"): ("compare", "type"),
    ("link", "nothing"): ("not-proof", "own-way"),
    ("message", "harmful"): _BAD_LINK,  # of links: what tells a story is in AGAINST
    ("message", "looks-harmful"): _BAD_LINK,
    ("message", "nothing"): ("not-proof", "own-way", "no-code"),
    ("number", "harmful"): _BAD_SENDER,
    ("number", "looks-harmful"): _BAD_SENDER,
    ("number", "nothing"): ("call-back", "no-code", "no-money"),
    ("payment", "nothing"): ("ask-payee", "compare-name", "paid"),
}

AGAINST: Mapping[str, tuple[str, ...]] = {  # likewise, by the story of a message, what weighs most first
    story: tuple(codes.split())
    for story, codes in {
        "authority": "no-arrest hang-up not-open ask-police paid entered",
        "bank": "not-open call-bank entered paid no-code own-way",
        "parcel": "see-order not-open no-money entered paid",
        "job": "no-deposit not-open ask-firm paid keep",
        "investment": "no-invest no-more not-open paid keep",
        "loan": "lender no-fee not-open debt paid",
        "prize": "no-deposit not-open no-code entered paid",
        "family": "call-known know-first no-money paid tell-them",
        "romance": "no-money ask-friend no-pictures paid keep",
        "takeover": "no-code not-open see-devices entered report",
        "app": "no-app not-open own-way entered paid",
        "recovery": "no-recovery no-code not-open paid keep",
        "utility": "call-bill not-open no-money entered paid",
        "support": "no-remote no-app not-open entered paid",
        "blackmail": "not-fault no-image young call-now keep",
        "shopping": "see-first not-open ask-seller paid keep",
        "charity": "ask-charity no-money not-open paid report",
        "boss": "call-known know-first no-money paid tell-work",
        "benefit": "no-benefit-fee not-open ask-ward entered paid",
        "other": "not-answer not-open no-money paid no-code entered",
    }.items()
}
TRICKS: Mapping[str, str] = {  # likewise, by a trick, where the story has room for it
    "wants-secret": "no-code",
    "wants-app": "no-app",
    "wants-payment": "no-money",
    "money-first": "no-deposit",
}
_EMERGENCY = ("no-code", "no-money")  # nobody calls these numbers back to ask
_GENTLE = "blackmail"  # whoever is threatened is told nothing but what is for them
_MAYBE_THREATENED = ("not-proof", "no-image", "young", "call-now")  # where a threat is not sure


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question. sender: the number, name or address that a message came from; about: empty to recognise it."""

    text: str
    sender: str = ""
    about: Literal["", "link", "message", "number", "payment"] = ""


class Answer(msgspec.Struct, frozen=True):
    """What is said of a question.

    subject: the host of a link, the digits of a number, the domain of an address; empty of all else. reasons: two to
    five, the strongest first. advice: codes, at most five. listing: the id of what covers it. masked: a message as it
    was looked at. links: those in it, or the one that was asked about.
    """

    verdict: Verdict
    about: About
    subject: str
    reasons: tuple[Reason, ...]
    advice: tuple[str, ...]
    sure: Sure
    listing: str = ""
    findings: tuple[Finding, ...] = ()
    masked: str = ""
    links: tuple[Judged, ...] = ()


def answer(asked: Asked, judges: Judges, store: Store | None, at: datetime) -> Answer:
    """ObservableError: there is nothing in it to ask about, or it is not what ``about`` says it is."""
    if len(asked.sender) > LONGEST_SENDER:
        raise ObservableError(f"a sender has at most {LONGEST_SENDER} characters, this one has {len(asked.sender)}")
    about = question.about(asked.text)
    if about == "link" and asked.sender.strip():
        about = "message"
    match asked.about or about:
        case "link":
            return _link(asked.text, judges, store, at)
        case "number":
            return _sender(asked.text, judges, store, at)
        case "payment":
            return _payment(asked.text)
        case _:
            return _message(asked, judges, store, at)


def _link(text: str, judges: Judges, store: Store | None, at: datetime) -> Answer:
    found = judged([text], judges, store, at)
    if not found:
        raise ObservableError("there is no name in it: write one with a dot, or a link")
    (one,) = found
    advice = _HACKED if one.hacked else _SHORTENED if one.shortened else _ADVICE["link", one.verdict]
    return Answer(
        one.verdict, "link", one.name, one.reasons, advice, one.sure, one.listing, one.findings, links=found
    )  # fmt: skip


def _message(asked: Asked, judges: Judges, store: Store | None, at: datetime) -> Answer:
    """As bad as the worst of its links and its tricks. That it names a real site says nothing of the message.

    Of its worst link the first reason is said; all of all links are with them.
    """
    text = masked(asked.text.strip())
    met = links(text)
    found = judged([*met, *_mail(asked.sender)], judges, store, at)
    sender = masked(asked.sender)
    rows = pa.record_batch([[text], [sender]], schema=schema.MESSAGES)
    lures = tuple(life.findings([judges.messages(rows)], source="", at=at))
    tricks = [each for each in lures if each.score >= judge.LIKELY]
    few = bool(judges.tricks(text, sender)) if not lures else not tricks
    verdict = _worst(found, bool(tricks))
    bad = sorted((each for each in found if each.verdict == verdict != "nothing"), key=lambda each: -each.score)
    score = max((each.score for each in tricks), default=0.0)
    return Answer(
        verdict=verdict,
        about="message",
        subject="",
        reasons=_once((*_why(text, met, bad, found, lures, judges, few), *_of(asked.sender, judges))),
        advice=_advice(lures, verdict, found, bool(met)),
        sure=_surest((sure(score), *(each.sure for each in bad))),
        listing=next((each.listing for each in bad), ""),
        findings=(*(finding for each in bad for finding in each.findings), *lures),
        masked=text,
        links=found,
    )


def _surest(every: Iterable[Sure]) -> Sure:
    return max(every, key=CERTAINTY.index)


def _why(
    text: str,
    met: Sequence[str],
    bad: Sequence[Judged],
    found: Sequence[Judged],
    lures: Sequence[Finding],
    judges: Judges,
    few: bool,
) -> Iterator[Reason]:
    """The strongest first; the story a message tells is said whatever else there is. met: the links of the text; few:
    there are tricks, too few."""
    told = [reason for each in bad[:1] for reason in (said("asked-link-bad", domain=each.name), each.reasons[0])]
    beside = [reason for each in found if each.verdict == "nothing" for reason in each.beside]
    told += [each for each in beside if each.code == "asked-shortened"][:1]
    strange = any(_strange(each) for each in lures)
    if not strange and (others := judges.strangers(text, met, found)):
        told, strange = [*told, *others], True
    told += [each for each in beside if each not in told][:1]
    tricked = any(each.score >= judge.LIKELY for each in lures)
    if lures and few:
        told.append(said("asked-few-tricks"))
    for each in lures:
        told += [*each.reasons[:-1][: max(0, MOST_REASONS - 1 - len(told))], each.reasons[-1]]
    yield from told
    if not (bad or strange or tricked or beside):
        yield said("asked-links-quiet", count=str(len(found))) if found else said("asked-no-links")
    if len(met) == MOST:
        yield said("asked-links-most", count=str(MOST))
    if not lures:
        yield said("asked-few-tricks" if few else "asked-no-tricks")


def _strange(lure: Finding) -> bool:
    """Whether it says already that a message calls itself one and leads to another."""
    return any(each.code == "lure-mismatch" for each in lure.reasons)


def _worst(found: Iterable[Judged], tricked: bool) -> Verdict:
    verdicts = {each.verdict for each in found}
    if "harmful" in verdicts:
        return "harmful"
    return "looks-harmful" if tricked or "looks-harmful" in verdicts else "nothing"


def _advice(lures: Sequence[Finding], verdict: Verdict, found: Sequence[Judged], leads: bool) -> tuple[str, ...]:
    """What to do against the story that was met and the heaviest trick, or else against the links; leads: there are
    links."""
    bad = [each for each in found if each.verdict == verdict != "nothing"]
    tricks = [each for each in lures if each.score >= judge.LIKELY]
    if tricks and tricks[0].claim == _GENTLE:
        told = AGAINST[_GENTLE]
        return (*told[:-1], "not-open") if bad else told
    if tricks:
        story = AGAINST.get(tricks[0].claim, AGAINST[judge.OTHER])
        also = [
            TRICKS[code] for each in tricks for code in each.techniques if code in TRICKS and TRICKS[code] not in story
        ]
        every = (*story[:2], *also[:1], *story[2:])
        if bad and "not-open" not in every:
            every = ("not-open", *every)
    elif bad and all(each.hacked for each in bad):
        every = _HACKED
    elif verdict == "nothing" and any(each.claim == _GENTLE for each in lures):
        every = _MAYBE_THREATENED
    elif verdict == "nothing" and any(each.shortened for each in found):
        every = (*_SHORTENED, "no-code")
    else:
        every = _ADVICE["message", verdict]
    return tuple(each for each in dict.fromkeys(every) if leads or each != "not-open")[:MOST_ADVICE]


def _sender(text: str, judges: Judges, store: Store | None, at: datetime) -> Answer:
    """What kind of number, or whose domain; neither says who writes, and both may be forged."""
    found, met = judged(_mail(text), judges, store, at), number(text)
    if not found and not met:
        raise ObservableError("it is neither a number nor a mail address: write it as the telephone shows it")
    bad = [each for each in found if each.verdict.endswith("harmful")]
    reasons = [reason for each in found if each.name not in _FREE for reason in each.reasons]
    verdict: Verdict = bad[0].verdict if bad else "nothing"
    emergency = met and met.kind == "emergency"
    return Answer(
        verdict=verdict,
        about="number",
        subject=met.digits if met else found[0].name,
        reasons=_once((*reasons, *_of(text, judges))),
        advice=_EMERGENCY if emergency else _ADVICE["number", verdict],
        sure=bad[0].sure if bad else "unsure",
        listing=bad[0].listing if bad else "",
        findings=tuple(finding for each in found for finding in each.findings),
        links=found,
    )


def _of(sender: str, judges: Judges) -> Iterator[Reason]:
    """What can be said of who sent something: nobody's number is on a list."""
    if met := number(sender):
        foreign = met.kind == "foreign" and met.country
        yield said("asked-number-from", country=f"+{met.country}") if foreign else said(f"asked-number-{met.kind}")
        yield said("asked-number-no-list")
    for domain in _domain(sender):
        if domain in _FREE:
            yield said("asked-mail-free", domain=domain)
        yield said("asked-mail-forged")
    if brand := judges.called(canon.user(sender) if question.is_mail(sender) else sender):
        yield said("asked-sender-called", brand=brand)


def _mail(sender: str) -> list[str]:
    """A mail address, where its domain can be looked at as the host of a link is."""
    return [sender] if _domain(sender) else []


def _domain(sender: str) -> list[str]:
    """The domain of a mail address; of nothing else."""
    name = question.host(sender) if "@" in sender or "[at]" in sender.lower() else ""
    return [name] if name and not canon.is_address(name) else []


def _payment(text: str) -> Answer:
    """Whom a code would pay; whether they are honest none says. ObservableError: it is no code."""
    try:
        paid = payment(text)
    except FormatError as error:
        raise ObservableError(str(error)) from error
    reasons = [] if paid.whole else [said("asked-pay-broken")]
    reasons.append(
        said("asked-pay-to", account=paid.account, bank=paid.bank) if paid.account else said("asked-pay-other")
    )
    if paid.name:
        reasons.append(said("asked-pay-name", name=paid.name))
    if paid.amount:
        written = {f"amount-{each}": money(paid, each) for each in words.LANGUAGES}
        reasons.append(said("asked-pay-amount", amount=paid.amount, **written))
    reasons.append(said("asked-pay-no-list"))
    if not paid.whole:
        return Answer("looks-harmful", "payment", "", tuple(reasons), _BROKEN_CODE, "unsure")
    return Answer("nothing", "payment", "", tuple(reasons), _ADVICE["payment", "nothing"], "unsure")


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each once, in their order, as many as anybody reads."""
    return tuple({(each.code, *sorted(each.params.items())): each for each in reasons}.values())[:MOST_REASONS]
