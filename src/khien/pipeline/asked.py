"""What is answered to somebody who asks: about a link, a message, who sent it, or whom a payment code would pay.

A question is a batch of one through the detectors. What is personal in a message is masked before anything looks at
it. Nothing of a question is kept, and no error quotes it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec
import pyarrow as pa

from khien import schema
from khien.contracts import Store
from khien.errors import FormatError, ObservableError
from khien.messages import judge, question
from khien.messages.links import MOST, links
from khien.messages.mask import masked
from khien.messages.numbers import number
from khien.messages.payment import payment
from khien.messages.question import About
from khien.model import Finding, Reason
from khien.pipeline.linked import Judged, Judges, Sure, Verdict, judged, said, sure
from khien.triage import life

LONGEST_SENDER = 320  # characters

_FREE = ("gmail.com", "yahoo.com", "yahoo.com.vn", "outlook.com", "hotmail.com", "icloud.com", "proton.me")

_BAD_LINK = ("not-open", "own-way", "entered", "paid", "report")
_BAD_MESSAGE = ("not-answer", "not-open", "own-way", "entered", "paid", "keep", "report")
_ADVICE: Mapping[tuple[About, Verdict], tuple[str, ...]] = {  # words.phrase says each, as asked-do-…
    ("link", "harmful"): _BAD_LINK,
    ("link", "looks-harmful"): _BAD_LINK,
    ("link", "belongs"): ("compare", "type"),
    ("link", "nothing"): ("not-proof", "own-way"),
    ("message", "harmful"): _BAD_MESSAGE,
    ("message", "looks-harmful"): _BAD_MESSAGE,
    ("message", "nothing"): ("not-proof", "own-way", "no-code"),
    ("number", "harmful"): _BAD_MESSAGE,
    ("number", "looks-harmful"): _BAD_MESSAGE,
    ("number", "nothing"): ("call-back", "no-code", "no-money"),
    ("payment", "nothing"): ("ask-payee", "compare-name", "paid"),
}


AGAINST: Mapping[str, str] = {  # likewise, by what a message was found to tell (messages.judge), and by its tricks
    "authority": "no-arrest",
    "job": "no-deposit",
    "investment": "no-invest",
    "loan": "no-deposit",
    "prize": "no-deposit",
    "recovery": "no-deposit",
    "family": "know-first",
    "boss": "know-first",
    "romance": "no-money",
    "takeover": "no-code",
    "app": "no-app",
    "blackmail": "no-image",
    "wants-secret": "no-code",
    "wants-app": "no-app",
    "wants-payment": "no-money",
    "money-first": "no-deposit",
}


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question. sender: the number, name or address that a message came from; about: empty to recognise it."""

    text: str
    sender: str = ""
    about: Literal["", "link", "message", "number", "payment"] = ""


class Answer(msgspec.Struct, frozen=True):
    """What is said of a question.

    subject: the host of a link, the digits of a number, the domain of an address; empty of all else. reasons: two at
    least. advice: codes. listing: the id of what covers it. masked: a message as it was looked at. links: those in it,
    or the one that was asked about.
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
    return Answer(
        one.verdict, "link", one.name, one.reasons, _ADVICE["link", one.verdict], one.sure, one.listing, one.findings,
        links=found,
    )  # fmt: skip


def _message(asked: Asked, judges: Judges, store: Store | None, at: datetime) -> Answer:
    """As bad as the worst of its links and its tricks. That it names a real site says nothing of the message.

    Of a link that is bad the first reason is said; all of them are with the links.
    """
    text = masked(asked.text.strip())
    met = links(text)
    found = judged([*met, *_domain(asked.sender)], judges, store, at)
    rows = pa.record_batch([[text], [masked(asked.sender)]], schema=schema.MESSAGES)
    lures = tuple(life.findings([judges.messages(rows)], source="", at=at))
    tricks = [each for each in lures if each.score >= judge.LIKELY]
    verdict = _worst(found, bool(tricks))
    bad = [each for each in found if each.verdict == verdict != "nothing"]
    reasons = [reason for each in bad for reason in (said("asked-link-bad", domain=each.name), each.reasons[0])]
    reasons += [reason for each in lures for reason in each.reasons]
    if lures and not tricks:
        reasons.append(said("asked-few-tricks"))
    if not bad:
        reasons.append(said("asked-links-quiet", count=str(len(found))) if found else said("asked-no-links"))
    if len(met) == MOST:
        reasons.append(said("asked-links-most", count=str(MOST)))
    if not lures:
        reasons.append(said("asked-no-tricks"))
    score = max((each.score for each in (*bad, *tricks)), default=0.0)
    return Answer(
        verdict=verdict,
        about="message",
        subject="",
        reasons=_once((*reasons, *_of(asked.sender, judges))),
        advice=_advice(tricks, verdict, bool(met)),
        sure="sure" if verdict == "harmful" else sure(score),
        listing=next((each.listing for each in bad), ""),
        findings=(*(finding for each in bad for finding in each.findings), *lures),
        masked=text,
        links=found,
    )


def _worst(found: Iterable[Judged], tricked: bool) -> Verdict:
    verdicts = {each.verdict for each in found}
    if "harmful" in verdicts:
        return "harmful"
    return "looks-harmful" if tricked or "looks-harmful" in verdicts else "nothing"


def _advice(tricks: Iterable[Finding], verdict: Verdict, leads: bool) -> tuple[str, ...]:
    """What to do against the stories and tricks that were met, then in any case; leads: there is a link."""
    told = (code for each in tricks for code in (each.claim, *each.techniques))
    every = (*(AGAINST[code] for code in told if code in AGAINST), *_ADVICE["message", verdict])
    return tuple(each for each in dict.fromkeys(every) if leads or each != "not-open")


def _sender(text: str, judges: Judges, store: Store | None, at: datetime) -> Answer:
    """What kind of number, or whose domain; neither says who writes, and both may be forged."""
    found, met = judged(_domain(text), judges, store, at), number(text)
    if not found and not met:
        raise ObservableError("it is neither a number nor a mail address: write it as the telephone shows it")
    bad = [each for each in found if each.verdict.endswith("harmful")]
    reasons = [reason for each in found if each.name not in _FREE for reason in each.reasons]
    verdict: Verdict = bad[0].verdict if bad else "nothing"
    return Answer(
        verdict=verdict,
        about="number",
        subject=met.digits if met else found[0].name,
        reasons=_once((*reasons, *_of(text, judges))),
        advice=_ADVICE["number", verdict],
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
    if brand := judges.called(sender):
        yield said("asked-sender-called", brand=brand)


def _domain(sender: str) -> list[str]:
    """The domain of a mail address; of nothing else."""
    name = question.host(sender) if "@" in sender or "[at]" in sender.lower() else ""
    return [name] if name and not question.is_address(name) else []


def _payment(text: str) -> Answer:
    """Whom a code would pay; whether they are honest none says. ObservableError: it is no code."""
    try:
        paid = payment(text)
    except FormatError as error:
        raise ObservableError(str(error)) from error
    reasons = [said("asked-pay-to", account=paid.account, bank=paid.bank) if paid.account else said("asked-pay-other")]
    if paid.name:
        reasons.append(said("asked-pay-name", name=paid.name))
    if paid.amount:
        reasons.append(said("asked-pay-amount", amount=paid.amount))
    if not paid.whole:
        reasons.append(said("asked-pay-broken"))
    reasons.append(said("asked-pay-no-list"))
    return Answer("nothing", "payment", "", tuple(reasons), _ADVICE["payment", "nothing"], "unsure")


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each once, in their order."""
    told: list[Reason] = []
    for each in reasons:
        if each not in told:
            told.append(each)
    return tuple(told)
