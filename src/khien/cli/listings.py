"""``khien list``, ``delist`` and ``listings``: what is listed, proposed, taken out, and by which rule it may not be."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from khien import officers, words
from khien.app import machine, registers
from khien.cli import findings
from khien.cli.acting import acting
from khien.cli.terminal import shown
from khien.contracts import Store
from khien.errors import FormatError, InputError, ListingError, ObservableError, RefusedError
from khien.listing import key, listing_id, narrowest, propose
from khien.model import Listing, ListingState, Officer, Record, Role, SiteClass, Text, Unit
from khien.pipeline import listed
from khien.pipeline.listings import Listings
from khien.words import printable

LARGEST_EVIDENCE = 64 << 20  # bytes
_LONGEST_LINE = 64 << 10  # bytes of a proposal
_EVER = 10_000  # days: more than any rule allows, and less than ends time
_REFUSED = 2  # exit status


class Proposal(Record, frozen=True, kw_only=True):
    """A line of a file of proposals. evidence: SHA-256 in hex of what shows the conduct, wherever that is kept."""

    value: str
    harm: str
    conduct: tuple[str, ...] = ()
    evidence: str = ""
    note: Text = Text(vi="", en="")
    unit: Unit | None = None
    site: SiteClass = "unclear"
    days: int = 90


def list_(
    data: Path | None,
    protect: Path | None,
    what: str,
    by: str | None,
    language: str,
    *,
    evidence: Path | None,
    note: str,
    note_en: str,
    unit: Unit | None,
    finding: str,
    days: int,
    **fields: Any,
) -> int:
    """Lists a site, or says which rule forbids it; answers the exit status."""
    given: dict[str, Any] = {"note": _noted(note, note_en), "unit": unit, "days": days}
    with _acting(data, protect, by) as (listings, name):
        if finding:
            found = findings.one(listings.store, finding)
            given |= {"finding": found.id, "reasons": found.reasons}
        digest = listings.store.put(_evidence(evidence)) if evidence else ""
        proposal = _proposal(listings, what, evidence=digest, **given, **fields)

        def listed() -> Listing:
            if listings.judged(proposal, name, listings.audit.clock()).state == "proposed":
                _expect_officers(listings.store, name, least="officer")
            return listings.list_(proposal, by=name)

        return _told(listed, what, language)


def delist(data: Path | None, protect: Path | None, reference: str, by: str | None, why: str, language: str) -> int:
    """Takes a listing out."""
    with _acting(data, protect, by) as (listings, name):
        id_ = one(listings.store, reference).id
        return _told(lambda: listings.remove(id_, by=name, why=why), reference, language)


def change(
    data: Path | None,
    reference: str,
    *,
    protect: Path | None,
    site: SiteClass | None,
    note: str,
    note_en: str,
    evidence: Path | None,
    days: int | None,
    by: str | None,
    why: str,
    language: str,
) -> int:
    """Changes what a listing says."""
    with _acting(data, protect, by) as (listings, name):
        id_, until = one(listings.store, reference).id, listings.audit.clock() + timedelta(days=min(days or 0, _EVER))
        given = {
            "site": site,
            "note": _noted(note, note_en) if note or note_en else None,
            "evidence": listings.store.put(_evidence(evidence)) if evidence else None,
            "until": until if days else None,
        }
        fields = {field: value for field, value in given.items() if value is not None}

        def changed() -> Listing:
            if listings.takes_two(id_, by=name, **fields):
                before = one(listings.store, id_).by
                first = next((each for each in before if _is_officer(listings.store, each, "officer")), before[-1])
                _expect_officers(listings.store, first, name, least="officer")
            return listings.change(id_, by=name, why=why, **fields)

        return _told(changed, reference, language)


def approve(data: Path | None, protect: Path | None, reference: str, by: str | None, language: str) -> int:
    """Lists what somebody else proposed."""
    with _acting(data, protect, by) as (listings, name):
        waits = one(listings.store, reference)
        if waits.state == "proposed" and name not in waits.by:  # else the rules say what is wrong
            _expect_officers(listings.store, waits.by[-1], least="officer")  # before them, who listed it earlier
            _expect_officers(listings.store, name, least="approver")
        return _told(lambda: listings.approve(waits.id, by=name), reference, language)


def decide(
    data: Path | None, reference: str, *, keep: bool, protect: Path | None, by: str | None, why: str, language: str
) -> int:
    """Decides on an objection."""
    with _acting(data, protect, by) as (listings, name):
        id_ = one(listings.store, reference).id
        if keep:
            _expect_officers(listings.store, name, least="approver")
        return _told(lambda: listings.decide(id_, keep, by=name, why=why), reference, language)


def import_(data: Path | None, protect: Path | None, file: Path, by: str | None, language: str) -> int:
    """Lists what a file proposes; answers the exit status."""
    with _acting(data, protect, by) as (listings, name), _opened(file).open("rb") as lines:
        done = listings.import_(_proposals(listings, lines, printable(str(file))), by=name)
    counts = {"listed": words.number(done.listed, language), "proposed": words.number(done.proposed, language)}
    click.echo(words.phrase("listings-imported-count", language, **counts))
    for rule, count in sorted(done.refused.items()):
        told = words.number(count, language)
        click.echo(words.phrase("listings-refused-count", language, rule=rule, count=told), err=True)
    return 0


def show(data: Path | None, state: ListingState | None, limit: int, format: str, language: str) -> int:
    """Listings, the newest first; answers the exit status: 1 where there is one."""
    with machine.store(machine.place(data)) as store:
        found = store.find(Listing, order="-since", limit=limit, **({"state": state} if state else {}))
    for each in found:
        click.echo(msgspec.json.encode(each).decode() if format == "jsonl" else _line(each, language))
    if not found and format == "text":
        click.echo(words.phrase("listings-none", language), err=True)
    return 1 if found else 0


def tell(data: Path | None, reference: str, language: str) -> int:
    """A listing whole, and what the log says of it."""
    with machine.store(machine.place(data)) as store:
        found = one(store, reference)
        leaves = [leaf for index in found.leaves if (leaf := listed.leaf(store, index))]
    click.echo(_line(found, language))
    for text in (
        found.note.said(language),
        *(words.reason(each.code, each.params, language) for each in found.reasons),
    ):
        click.echo(f"  {printable(text)}")
    click.echo(f"  SHA-256 {found.evidence}")
    for leaf in leaves:
        said = listed.said(leaf)
        act = f"{said.act} {printable(said.why)}".rstrip() if said else ""
        click.echo(f"  {listed.index_of(leaf)}  {leaf.at:%Y-%m-%d %H:%M} UTC  {act}")
    click.echo(f"  {found.id}")
    return 0


def one(store: Store, reference: str) -> Listing:
    """A listing by its id, or by what is listed. InputError: there is none, or more than one unit is."""
    ids = [reference]
    for unit in get_args(Unit):
        try:
            ids.append(listing_id(unit, key(unit, reference)))
        except ObservableError:
            continue
    found = [*store.load(Listing, *ids).values()]
    if len(found) == 1:
        return found[0]
    many = "more than one listing is" if found else "no listing is"
    raise InputError(f"{many} of {printable(reference)}: khien listings --format jsonl has their ids")


@contextmanager
def _acting(data: Path | None, protect: Path | None, by: str | None) -> Generator[tuple[Listings, str]]:
    """What is listed in the data directory, and under whose name the command acts."""
    directory = machine.named(data)
    with machine.store(directory) as store:
        known = registers.known(registers.protected(protect))
        yield machine.listings(directory, store, known), acting(store, by)


def _expect_officers(store: Store, *names: str, least: Role) -> None:
    """RefusedError: one of those who are to be two people is none that is known here, and how to make them known."""
    for name in names:
        if _is_officer(store, name, least):
            continue
        shown_ = printable(name)
        why = f"{shown_} is no officer here with the role {least}, and this takes two people who are known"
        if not any(not each.left for each in officers.every(store)):
            why = f"this takes two people, and no officer is known here, so that two people cannot be shown ({shown_})"
        raise RefusedError(f"{why}: khien officers invite NAME --role {least}, then --by NAME")


def _is_officer(store: Store, name: str, least: Role) -> bool:
    """Whether somebody is known here, has not left, and has this role at least."""
    found = store.load(Officer, name).get(name)
    return found is not None and not found.left and officers.may(found.role, least)


def _noted(vi: str, en: str) -> Text:
    """What an officer states. InputError: only in one language."""
    if bool(vi.strip()) != bool(en.strip()):
        raise InputError("give both --note and --note-en: people read it in their own language")
    return Text(vi=vi, en=en)


def _told(act: Callable[[], Listing], what: str, language: str) -> int:
    try:
        done = act()
    except ListingError as error:
        said = words.phrase(f"rule-{error.rule}", language)
        refused = words.phrase("listing-refused", language, value=shown(what), rule=error.rule, said=said)
        click.echo(refused, err=True)
        return _REFUSED
    click.echo(_line(done, language))
    if done.state == "proposed":
        click.echo(words.phrase("listing-waits", language, id=done.id))
    return 0


def _line(listing: Listing, language: str) -> str:
    state, harm = (words.phrase(f"listing-{name}-{getattr(listing, name)}", language) for name in ("state", "harm"))
    warned = "" if listing.blocks or listing.state in ("proposed", "removed", "expired") else "  "
    warned += words.phrase("listing-warns", language) if warned else ""
    return f"{shown(listing.value)}  {harm}  {state}  {listing.since:%Y-%m-%d} - {listing.until:%Y-%m-%d}{warned}"


def _proposal(listings: Listings, value: str, *, unit: Unit | None, days: int, **fields: Any) -> Listing:
    at = listings.audit.clock()
    return propose(unit or narrowest(value), value, at=at, until=at + timedelta(days=min(days, _EVER)), **fields)


def _proposals(listings: Listings, lines: Any, file: str) -> Iterator[Listing]:
    """FormatError: a line is no proposal, and which of which file."""
    decode = msgspec.json.Decoder(Proposal).decode
    for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), b""), 1):
        try:
            each = decode(line)
            yield _proposal(
                listings, each.value, unit=each.unit, days=each.days, harm=each.harm, conduct=each.conduct,
                evidence=each.evidence, note=each.note, site=each.site,
            )  # fmt: skip
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ObservableError) as error:
            raise FormatError(f"{file}: line {number} is no proposal: {error}") from error


def _opened(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return path


def _evidence(path: Path) -> bytes:
    with _opened(path).open("rb") as file:
        found = file.read(LARGEST_EVIDENCE + 1)
    if len(found) > LARGEST_EVIDENCE:
        raise InputError(f"{path} has more than {LARGEST_EVIDENCE >> 20} MiB: give what shows the conduct, no more")
    return found
