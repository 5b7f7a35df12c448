"""What people are told when it already happened: plans of steps, contacts, letters, each text in both languages."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Literal, get_args

from khien.model import Record

HARMS: Mapping[str, str] = {  # what happened, to the letter in its address: a history tells no more than that
    "money": "a",
    "card": "b",
    "code": "c",
    "app": "d",
    "account": "e",
    "sim": "f",
    "threatened": "g",
    "spread": "h",
    "identity": "i",
    "stalked": "j",
    "impersonated": "k",
}
BANK_FIRST = ("money", "card", "code", "sim")  # minutes decide whether the money can be held
YOUNG = ("threatened", "spread", "stalked", "money", "account")  # those that have a path for who is under 18 too

Part = Literal["life", "money", "accounts", "evidence", "report", "after"]  # in the order in which they are done
PARTS: tuple[Part, ...] = get_args(Part)
Standing = Literal["checked", "stale", "unconfirmed", "known"]  # known: by the reader, with nothing to go out of date

_BLANK = re.compile(r"\[\[(.*?)\]\]")


class Said(Record, frozen=True, kw_only=True):
    """A text in both languages."""

    vi: str
    en: str

    def said(self, language: str) -> str:
        """The text in a language."""
        return self.vi if language == "vi" else self.en


class Contact(Record, frozen=True, kw_only=True):
    """Somebody to turn to. phone: as it is dialled; url: https; hours: when somebody answers; note: what to know first.

    checked: when somebody last made sure of it, with source to show for it; None where nobody did.
    """

    id: str
    label: Said
    phone: str = ""
    url: str = ""
    hours: Said | None = None
    note: Said | None = None
    checked: date | None = None
    source: str = ""

    @property
    def dialled(self) -> str:
        """The number as a telephone takes it."""
        return self.phone.replace(" ", "")

    @property
    def paid(self) -> bool:
        """Whether whoever calls pays for it, beyond a call as any other."""
        return self.dialled.startswith("1900")


class Contacts(Record, frozen=True, kw_only=True):
    """Whom to turn to. stale_after: days after which what was checked is to be checked again."""

    stale_after: int = 180
    contact: tuple[Contact, ...] = ()

    def standing(self, contact: Contact, today: date) -> Standing:
        """How far one may be trusted."""
        if contact.checked is None:
            return "unconfirmed" if contact.phone or contact.url else "known"
        return "stale" if today - contact.checked > timedelta(days=self.stale_after) else "checked"


class Step(Said, frozen=True, kw_only=True):
    """One thing to do. when: in the first ten minutes, or in the next days; who: contacts, letter: one that helps.

    whom: whether it is for everybody, or depends on who did it; close: what is said in its place where that person is
    close.
    """

    part: Part
    when: Literal["now", "days"] = "now"
    who: tuple[str, ...] = ()
    letter: str = ""
    whom: Literal["all", "close", "other"] = "all"
    close: Said | None = None

    def told(self, language: str, close: bool) -> str:
        """What to do, as the person who did it is close or not."""
        return (self.close if close and self.close else self).said(language)


class Around(Record, frozen=True, kw_only=True):
    """What every plan of a kind begins and ends with. brief: a line in place of begin where the bank comes first."""

    begin: tuple[Step, ...] = ()
    brief: Step | None = None
    end: tuple[Step, ...] = ()


class Plan(Record, frozen=True, kw_only=True):
    """What to do after one harm. title: as people say what happened; lead: what they should hear first."""

    harm: str
    young: bool = False
    title: Said
    lead: Said
    step: tuple[Step, ...]

    @property
    def id(self) -> str:
        """What stands for it in addresses."""
        return ("y" if self.young else "") + HARMS[self.harm]

    @property
    def bank_first(self) -> bool:
        """Whether the call to the bank comes before all else but one line on who is in danger."""
        return not self.young and self.harm in BANK_FIRST


class Question(Said, frozen=True, kw_only=True):
    """Something that whoever does not know what happened can answer with yes; then the plan of harm helps."""

    harm: str


class Blank(Record, frozen=True, kw_only=True):
    """What is filled into a letter, under its name. long: it takes more than a line."""

    name: str
    label: Said
    long: bool = False


class Letter(Record, frozen=True, kw_only=True):
    """A letter to be filled in on the reader's own device: ``[[name]]`` stands for a blank."""

    id: str
    label: Said
    blank: tuple[Blank, ...]
    text: Said

    def named(self, language: str) -> set[str]:
        """The names of blanks in the text."""
        return set(_BLANK.findall(self.text.said(language)))

    def parts(self, language: str) -> Iterator[tuple[str, Blank | None]]:
        """The text in order: pieces of it, and blanks."""
        known = {each.name: each for each in self.blank}
        for number, piece in enumerate(_BLANK.split(self.text.said(language))):
            yield piece, known[piece] if number % 2 else None


class Plans(Record, frozen=True, kw_only=True):
    """What to do. around: what plans begin and end with, young: those for who is under 18; close: what to know first
    where the person who did it is close."""

    around: Around
    young: Around
    close: tuple[Step, ...]
    plan: tuple[Plan, ...]
    question: tuple[Question, ...]
    letter: tuple[Letter, ...]

    def of(self, harm: str, young: bool = False) -> Plan:
        """The plan for a harm."""
        return next(each for each in self.plan if (each.harm, each.young) == (harm, young))

    def first(self, young: bool, close: bool) -> tuple[Step, ...]:
        """What comes before every plan, in order: life, and how to go on where the person who did it is close."""
        begin = (self.young if young else self.around).begin
        return (*begin, *self.close) if close else begin

    def brief(self, plan: Plan) -> Step | None:
        """The line on who is in danger, in place of what comes first, where the bank comes before all else."""
        return self.around.brief if plan.bank_first else None

    def young_for(self, harm: str) -> str:
        """What stands in addresses for the path of who is under 18, after a harm or whatever happened: empty."""
        return self.of(harm, young=True).id if harm in YOUNG else ""

    @property
    def named(self) -> set[str]:
        """The contacts that steps name."""
        own = (step for each in self.plan for step in each.step)
        around = (step for each in (self.around, self.young) for step in (*each.begin, *each.end))
        brief = (each.brief for each in (self.around, self.young) if each.brief)
        return {who for steps in (own, around, brief, self.close) for step in steps for who in step.who}

    def steps(self, plan: Plan, when: Literal["now", "days"], close: bool) -> tuple[Step, ...]:
        """What to do then, in order, as the person who did it is close or not."""
        own = tuple(
            each for each in plan.step if each.when == when and each.whom in ("all", "close" if close else "other")
        )
        return own if when == "now" else (*own, *(self.young if plan.young else self.around).end)

    @property
    def talk(self) -> tuple[str, ...]:
        """Whom anybody may talk to, whatever happened."""
        return tuple(dict.fromkeys(who for step in (*self.around.begin, *self.around.end) for who in step.who))

    @property
    def letters(self) -> Mapping[str, Letter]:
        """The letters by id."""
        return {each.id: each for each in self.letter}

    def number(self, letter: str) -> int:
        """The number that stands for a letter in addresses, from 1."""
        return list(self.letters).index(letter) + 1
