"""An answer in sentences, in both languages: the same for pages, programs and the command line."""

from collections.abc import Callable

import msgspec

from khien import canon, words
from khien.messages.links import links
from khien.messages.question import About
from khien.model import Finding, Reason
from khien.pipeline.asked import Answer
from khien.pipeline.linked import Judged, Sure, Verdict

Sentences = dict[str, tuple[str, ...]]  # by language


class Link(msgspec.Struct, frozen=True):
    """A link of a message. name: its host; listing: the id of what covers it, empty where nothing does."""

    name: str
    verdict: Verdict
    reasons: Sentences
    listing: str = ""


class Told(msgspec.Struct, frozen=True):
    """An answer. verdict: ``nothing`` says that nothing was found, never more; said: what it comes to and how sure that
    is; subject: the host, number or domain that was looked at; masked: the message that was, what is personal masked.
    """

    verdict: Verdict
    about: About
    subject: str
    sure: Sure
    said: Sentences
    reasons: Sentences
    advice: Sentences
    listing: str
    masked: str
    links: tuple[Link, ...]
    findings: tuple[Finding, ...]


def told(answer: Answer) -> Told:
    """The answer, for whoever asked."""
    return Told(
        verdict=answer.verdict,
        about=answer.about,
        subject=answer.subject,
        sure=answer.sure,
        said=_each(lambda language: (headline(answer, language), certainty(answer, language))),
        reasons=reasons(answer),
        advice=_each(lambda language: tuple(words.phrase(f"asked-do-{each}", language) for each in answer.advice)),
        listing=answer.listing,
        masked=answer.masked,
        links=tuple(Link(each.name, each.verdict, reasons(each), each.listing) for each in answer.links),
        findings=answer.findings,
    )


def headline(answer: Answer | Judged, language: str) -> str:
    """What an answer comes to, in a few words."""
    brand = next((each.params["brand"] for each in answer.reasons if "brand" in each.params), "")
    return words.phrase(f"asked-{answer.verdict}", language, brand=words.printable(brand))


def certainty(answer: Answer, language: str) -> str:
    """How sure that is."""
    code = answer.sure
    if answer.verdict == "belongs":
        code = "sure-belongs"
    elif code != "sure" and _by_officer(answer):
        code = f"{code}-officer"
    return words.phrase(f"asked-{code}", language)


def _by_officer(answer: Answer) -> bool:
    """Whether what an answer comes to is what an officer decided; of a quiet message a program says the rest."""
    if answer.about == "message" and answer.verdict == "nothing":
        return False
    return any(each.by_officer for each in answer.links if each.verdict == answer.verdict and each.sure == answer.sure)


def reasons(answer: Answer | Judged) -> Sentences:
    """Why, by language."""
    return _each(lambda language: tuple(sentence(each, language) for each in answer.reasons))


def sentence(reason: Reason, language: str) -> str:
    """A reason for people to read; names in it are defanged, and nothing in it is unseen or turns the writing round."""
    params = {key: shown(text) if key in words.NAMES else words.printable(text) for key, text in reason.params.items()}
    if "said" in params:
        params["said"] = _quoted(params["said"])
    return words.reason(reason.code, params, language)


def _quoted(text: str) -> str:
    """A piece of a message, its links defanged."""
    for each in links(text):
        text = text.replace(each, canon.defang(each))
    return text


def shown(name: str) -> str:
    """A name as people may see it."""
    return words.printable(canon.defang(name))


def _each(said: Callable[[str], tuple[str, ...]]) -> Sentences:
    return {language: said(language) for language in words.LANGUAGES}
