"""Plans and contacts as TOML files have them; docs/help.md has the form.

Whatever is wrong with a file is told at once, ``file:line: field: what, and the cure``.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple, TypeVar, get_args

import msgspec

from khien.errors import ConfigError, FormatError
from khien.formats.guide.records import HARMS, PARTS, YOUNG, Contact, Contacts, Letter, Plans, Said, Step
from khien.model import Language, Record
from khien.names import places, register

MOST_WORDS = 20  # in a sentence of advice
LARGEST = 1 << 20  # bytes of a file

_MOST_FAULTS = 20  # that are told
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ID = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")
_PHONE = re.compile(r"\+?[0-9]+(?: [0-9]+)*")

R = TypeVar("R", bound=Record)


class _Fault(NamedTuple):
    path: places.Path
    what: str


def parse_contacts(document: bytes, file: str, today: date = date.max) -> Contacts:
    """Whom to turn to, as a TOML file says; nobody made sure of anything after today. FormatError: everything that is
    wrong with it."""
    return _read(Contacts, document, file, lambda contacts: _of_contacts(contacts, today))


def parse_plans(document: bytes, file: str, contacts: Contacts) -> Plans:
    """What to do, as a TOML file says; whoever a step names is among contacts. FormatError: all that is wrong."""
    known = {each.id for each in contacts.contact}
    return _read(Plans, document, file, lambda plans: _of_plans(plans, known))


def held(contacts: Contacts, plans: Plans, file: str) -> Contacts:
    """The contacts of a file, all that plans name among them. FormatError: some are missing."""
    missing = sorted(plans.named - {each.id for each in contacts.contact})
    if missing:
        raise FormatError("\n".join(f"{file}: contact: none has the id {each!r}, which plans name" for each in missing))
    return contacts


def sentences(text: str) -> list[int]:
    """How many words each sentence of a text has."""
    return [len(each.split()) for each in _SENTENCE.split(text) if each]


def _read(kind: type[R], document: bytes, file: str, check: Callable[[R], Iterator[_Fault]]) -> R:
    if len(document) > LARGEST:
        raise FormatError(f"{file}: is larger than {LARGEST} bytes: no guide is")
    try:
        text, tables = register.table(document, file)
    except ConfigError as error:
        raise FormatError(str(error)) from error
    try:
        record = msgspec.convert(tables, kind)
        faults = list(check(record))
    except (msgspec.ValidationError, OverflowError) as error:
        faults = [_form(str(error))]
        record = None
    if record is None or faults:
        lines = places.lines(text, [each.path for each in faults])
        told = [f"{file}:{lines[each.path]}: {_field(each.path)}{each.what}" for each in faults[:_MOST_FAULTS]]
        more = [f"{file}: and {len(faults) - len(told)} more"] if len(faults) > len(told) else []
        raise FormatError("\n".join((*told, *more)))
    return record


def _form(message: str) -> _Fault:
    """What msgspec says, as where and what."""
    what, _, where = message.partition(" - at `$")
    path = tuple(int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]`]+", where))
    if unknown := re.match(r"Object contains unknown field `(.*)`", what):
        return _Fault((*path, unknown[1]), "there is no such field: leave it out")
    if missing := re.match(r"Object missing required field `(.*)`", what):
        return _Fault(path, f"{missing[1]} is missing")
    return _Fault(path, what)


def _field(path: places.Path) -> str:
    written = "".join(f"[{each}]" if isinstance(each, int) else f".{each[:64]}" for each in path)
    return f"{written.removeprefix('.')}: " if written else ""


def _of_contacts(contacts: Contacts, today: date) -> Iterator[_Fault]:
    if not contacts.contact:
        yield _Fault(("contact",), "nobody to turn to: write at least one [[contact]]")
    if not 1 <= contacts.stale_after <= 1_000:
        yield _Fault(("stale_after",), "is no number of days from 1 to 1000")
    yield from _ids(("contact",), contacts.contact)
    for number, each in enumerate(contacts.contact):
        path: places.Path = ("contact", number)
        for key, text in (("label", each.label), ("hours", each.hours), ("note", each.note)):
            if text is not None:
                yield from _texts((*path, key), text)
        if each.phone and not _PHONE.fullmatch(each.phone):
            yield _Fault((*path, "phone"), "has more than digits and single blanks: write it as it is dialled")
        for key in ("url", "source"):
            address = getattr(each, key)
            if address and not re.fullmatch(r"https://[^\s\"<>]+", address):
                yield _Fault((*path, key), "write an address that begins with https://")
        if not (each.phone or each.url or each.note):
            yield _Fault(path, "has neither phone nor url: give one, or a note on how to find it")
        if each.checked and each.checked > today:
            yield _Fault((*path, "checked"), f"is after today, {today}: write the day on which somebody made sure")
        if each.checked and not each.source:
            yield _Fault((*path, "checked"), "says when, but no source says by what: name it, or leave checked out")


def _of_plans(plans: Plans, known: set[str]) -> Iterator[_Fault]:
    letters = {each.id for each in plans.letter}
    yield from _ids(("letter",), plans.letter)
    for path, step in _steps(plans):
        yield from _of_step(path, step, known, letters)
    for key, around in (("around", plans.around), ("young", plans.young)):
        if around.brief and not around.brief.who:
            yield _Fault((key, "brief"), "names nobody to turn to: give one who")
        for where, steps in (("begin", around.begin), ("end", around.end)):
            if not any(step.who for step in steps):
                yield _Fault((key, where), "no step names anybody to turn to: give one who")
    met = Counter((each.harm, each.young) for each in plans.plan)
    wanted = {(harm, False) for harm in HARMS} | {(harm, True) for harm in YOUNG}
    for harm, young in sorted(wanted - met.keys()):
        yield _Fault(("plan",), f"none for {harm!r}{' with young' if young else ''}: write one")
    for number, each in enumerate(plans.plan):
        path: places.Path = ("plan", number)
        if (each.harm, each.young) not in wanted:
            yield _Fault((*path, "harm"), f"there is no such harm: {', '.join(YOUNG if each.young else HARMS)}")
        elif met[each.harm, each.young] > 1:
            yield _Fault((*path, "harm"), "has two plans: write one")
        yield from _texts((*path, "title"), each.title)
        yield from _texts((*path, "lead"), each.lead)
        for when in ("now", "days"):
            order = [PARTS.index(step.part) for step in each.step if step.when == when]
            if order != sorted(order):
                yield _Fault((*path, "step"), f"those of {when!r} do not go in the order {', '.join(PARTS)}")
        if not any(step.who for step in each.step):
            yield _Fault(path, "no step names anybody to turn to: give one who")
    if not plans.question:
        yield _Fault(("question",), "none: write at least one [[question]]")
    for number, each in enumerate(plans.question):
        yield from _texts(("question", number), each)
        if each.harm not in HARMS:
            yield _Fault(("question", number, "harm"), f"there is no such harm: {', '.join(HARMS)}")
    for number, each in enumerate(plans.letter):
        yield from _of_letter(("letter", number), each)


def _steps(plans: Plans) -> Iterator[tuple[places.Path, Step]]:
    """Every step there is, and where it stands."""
    listed: list[tuple[places.Path, tuple[Step, ...]]] = [(("close",), plans.close)]
    for key, around in (("around", plans.around), ("young", plans.young)):
        listed += [((key, "begin"), around.begin), ((key, "end"), around.end)]
        brief: places.Path = (key, "brief")
        if around.brief:
            yield brief, around.brief
    listed += [(("plan", number, "step"), each.step) for number, each in enumerate(plans.plan)]
    for path, steps in listed:
        for number, step in enumerate(steps):
            yield (*path, number), step


def _of_step(path: places.Path, step: Step, known: set[str], letters: set[str]) -> Iterator[_Fault]:
    yield from _texts(path, step)
    if step.close:
        yield from _texts((*path, "close"), step.close)
    for number, each in enumerate(step.who):
        if each not in known:
            yield _Fault((*path, "who", number), f"{each[:60]!r} is none of the contacts: add it to their file")
    if step.letter and step.letter not in letters:
        yield _Fault((*path, "letter"), f"there is no such letter: {', '.join(sorted(letters))}")


def _of_letter(path: places.Path, letter: Letter) -> Iterator[_Fault]:
    yield from _texts((*path, "label"), letter.label, longest=0)
    yield from _texts((*path, "text"), letter.text, longest=0)
    named = [each.name for each in letter.blank]
    for language in get_args(Language):
        used = letter.named(language)
        for name in sorted(used ^ set(named)):
            where = "is used and no blank" if name in used else "is a blank and not used"
            yield _Fault((*path, "text", language), f"{name[:60]!r} {where}")
    for number, each in enumerate(letter.blank):
        if not _ID.fullmatch(each.name) or named.count(each.name) > 1:
            yield _Fault((*path, "blank", number, "name"), "is no name of its own in a-z and hyphens")
        yield from _texts((*path, "blank", number, "label"), each.label)


def _ids(path: places.Path, named: Iterable[Contact | Letter]) -> Iterator[_Fault]:
    met = set[str]()
    for number, each in enumerate(named):
        if not _ID.fullmatch(each.id) or len(each.id) > 40:
            yield _Fault((*path, number, "id"), "is no id: write a-z and single hyphens, at most 40")
        if each.id in met:
            yield _Fault((*path, number, "id"), "is given to two: give each its own")
        met.add(each.id)


def _texts(path: places.Path, text: Said, longest: int = MOST_WORDS) -> Iterator[_Fault]:
    """Both languages are there, and no sentence is too long for who is afraid; longest: words, nought for any."""
    for language in get_args(Language):
        said = text.said(language)
        if not said.strip():
            yield _Fault((*path, language), "is empty: write it in both languages")
        elif longest and (most := max(sentences(said))) > longest:
            yield _Fault((*path, language), f"has a sentence of {most} words: at most {longest} are read in fear")
