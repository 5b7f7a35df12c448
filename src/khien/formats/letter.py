"""A notice as a letter: a subject, plain text, and the same as HTML that needs no styles and fetches nothing."""

from collections.abc import Sequence
from datetime import tzinfo
from html import escape
from typing import NamedTuple

from khien import words
from khien.model import Notice
from khien.triage.advice import Advice, advice


class Letter(NamedTuple):
    """What a mail program shows."""

    subject: str
    text: str
    html: str


class Beside(NamedTuple):
    """What a letter says beside its notice: a link to answer it, or a code where no link may be; whom to call, and who
    signs."""

    link: str = ""
    code: str = ""
    contact: str = ""
    signed: str = ""


def letter(notice: Notice, language: str, zone: tzinfo, beside: Beside) -> Letter:
    """A notice in a language, with times as they are in a zone."""
    told = advice(notice, language, zone)
    severity = words.notice(f"severity-{notice.severity}", language)
    code = "subject-over" if notice.state == "closed" else "subject"
    return Letter(
        subject=words.notice(code, language, severity=severity, headline=told.headline),
        text=_text(notice, told, language, beside),
        html=_html(notice, told, language, beside),
    )


def _greeting(notice: Notice, language: str) -> str:
    if not notice.label:
        return words.notice("greeting-nobody", language)
    return words.notice("greeting", language, label=words.printable(notice.label))


def _call(beside: Beside) -> list[str]:
    return [each for each in (beside.signed, beside.contact) if each]


def _mark(notice: Notice, language: str) -> str:
    return words.notice("mark", language, id=notice.id[:12], revision=str(notice.revision))


def _text(notice: Notice, told: Advice, language: str, beside: Beside) -> str:
    parts = [_greeting(notice, language), told.headline + "."]
    for code, lines in (("title-seen", told.seen), ("title-why", told.why)):
        parts.append("\n".join((words.notice(code, language).upper(), *(f"- {each}" for each in lines))))
    if told.do:
        steps = (f"{number}. {each}" for number, each in enumerate(told.do, 1))
        parts.append("\n".join((words.notice("title-do", language).upper(), *steps)))
    if beside.link:
        parts.append(f"{told.answer}\n{beside.link}")
    if beside.code:
        parts.append(f"{words.notice('code', language, signed=beside.signed)} {beside.code}")
    if call := _call(beside):
        parts.append("\n".join((words.notice("title-call", language).upper(), *call)))
    return "\n\n".join((*parts, _mark(notice, language))) + "\n"


def _html(notice: Notice, told: Advice, language: str, beside: Beside) -> str:
    parts = [f"<p>{escape(_greeting(notice, language))}</p>", f"<h1>{escape(told.headline)}</h1>"]
    for code, lines, kind in (
        ("title-seen", told.seen, "ul"),
        ("title-why", told.why, "ul"),
        ("title-do", told.do, "ol"),
    ):
        if lines:
            parts.append(f"<h2>{escape(words.notice(code, language))}</h2>{_list(kind, lines)}")
    if beside.link:
        link = escape(beside.link)
        parts.append(f'<p>{escape(told.answer)}<br><a href="{link}">{link}</a></p>')
    if beside.code:
        said = escape(words.notice("code", language, signed=beside.signed))
        parts.append(f"<p>{said} <strong>{escape(beside.code)}</strong></p>")
    if call := _call(beside):
        lines = "<br>".join(map(escape, call))
        parts.append(f"<h2>{escape(words.notice('title-call', language))}</h2><p>{lines}</p>")
    parts.append(f"<p><small>{escape(_mark(notice, language))}</small></p>")
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{escape(told.headline)}</title>'
        f"</head><body>\n{body}\n</body></html>\n"
    )


def _list(kind: str, lines: Sequence[str]) -> str:
    rows = "".join(f"<li>{escape(each)}</li>" for each in lines)
    return f"<{kind}>{rows}</{kind}>"
