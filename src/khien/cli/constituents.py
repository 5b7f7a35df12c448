"""``khien constituents``: who is protected, what is theirs and how that is proven, and how they hear."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import msgspec
from publicsuffixlist import PublicSuffixList

from khien import app, registry, words
from khien.cli.acting import acting
from khien.errors import FormatError, InputError
from khien.model import Asset, AssetKind, Constituent, Hearing, Proof
from khien.outward.dns import Names
from khien.pipeline import enrol
from khien.pipeline.prove import by_dns
from khien.triage import enrolment, proofs
from khien.triage.assets import Known
from khien.triage.enrolment import UNPROVEN, Change, Enrolment
from khien.words import number, printable

FORMATS = {"toml": "constituents", "csv": "constituents-csv"}  # of documents, to the parts that read and write them

_LARGEST = 16 << 20  # bytes of a document
_ANY = Known((), lambda _: False)  # what is kept already is not held to registers and suffixes again


@dataclass(frozen=True)
class Desk:
    """Where constituents are changed, against which register, under whose name and why."""

    data: Path | None
    protect: Path | None
    by: str | None
    why: str
    language: str

    @cached_property
    def place(self) -> Path:
        """The data directory."""
        return app.place(self.data)

    @cached_property
    def names(self) -> Mapping[str, Any]:
        """Protected names by id."""
        return {each.id: each for each in app.protected(self.protect).names}

    @cached_property
    def known(self) -> Known:
        """What assets are held to."""
        return Known(self.names, PublicSuffixList().is_public)

    @cached_property
    def officer(self) -> str:
        """Who changes something."""
        with app.store(self.place) as store:
            return acting(store, self.by)

    def amend(self, ids: Sequence[str], decide: enrol.Decide) -> int:
        """Makes a decision stand, and tells what changed."""
        audit = app.audit(self.place)
        with app.store(self.place) as store:
            changes = enrol.amend(store, audit, ids, decide, self.names, by=self.officer, why=self.why)
        _tell(changes, self.language)
        return 0


def everyone(data: Path | None, format: str, language: str) -> int:
    """Those who are constituents now; answers the exit status."""
    met = False
    with app.store(app.place(data)) as store:
        for each in enrol.everyone(store):
            met = True
            click.echo(_json(each) if format == "jsonl" else _short(each, language))
    if not met and format == "text":
        click.echo(words.phrase("no-constituents", language), err=True)
    return 0


def show(data: Path | None, id: str, format: str, language: str) -> int:
    """One constituent whole."""
    with app.store(app.place(data)) as store:
        found = _there(enrol.one(store, id), id)
    click.echo(_json(found) if format == "jsonl" else "\n".join(_whole(found, language)))
    return 0


def add(desk: Desk, id: str, own: Mapping[str, Any], claimed: Mapping[AssetKind, Sequence[str]]) -> int:
    """Enters a constituent, or adds to what is known of one. own: fields, None where nothing is said of them."""
    said = {name: value for name, value in own.items() if value is not None}
    new = [desk.known.asset(id, kind, text) for kind, texts in claimed.items() for text in texts]

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        before = kept.get(id)
        if before and before.constituent.left is None:
            one = msgspec.structs.replace(before.constituent, **said)
        elif "label" in said:
            one = Constituent(id=id, **said)
        else:
            raise InputError(f"{id} is no constituent yet: give --label, what people call them")
        whole = {each.id: each for each in (*new, *(before.current if before else ()))}
        wanted = Enrolment(constituent=one, assets=tuple(whole.values()))
        return [enrolment.replace(before, wanted, app.clock())]

    return desk.amend([id], decide)


def remove(desk: Desk, id: str, given_up: Mapping[AssetKind, Sequence[str]]) -> int:
    """Lets go of assets, or of the constituent where none is named; what was stays in the audit."""
    gone: list[tuple[AssetKind, str]] = [(kind, text) for kind, texts in given_up.items() for text in texts]

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        before = _there(kept.get(id), id)
        if not gone:
            return [enrolment.leave(before, app.clock())]
        ids = {_theirs(before, text, kind).id for kind, text in gone}
        rest = tuple(each for each in before.current if each.id not in ids)
        wanted = Enrolment(constituent=before.constituent, assets=rest)
        return [enrolment.replace(before, wanted, app.clock())]

    return desk.amend([id], decide)


def hear(desk: Desk, id: str, hearing: Hearing, stop: bool) -> int:
    """Adds a way to hear, or puts it in place of the one with its channel and address; stop: takes that away."""

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        before = _there(kept.get(id), id)
        others = [
            each
            for each in before.constituent.hears
            if (each.channel, each.address) != (hearing.channel, hearing.address)
        ]
        if stop and len(others) == len(before.constituent.hears):
            raise InputError(f"{id} does not hear by {hearing.channel} at {hearing.address!r}: khien constituents show")
        hears = tuple(others if stop else [*others, hearing])
        return [msgspec.structs.replace(before, constituent=msgspec.structs.replace(before.constituent, hears=hears))]

    return desk.amend([id], decide)


def explain(desk: Desk, id: str, value: str, kind: AssetKind | None, mail: bool) -> int:
    """Says what is to be published so that DNS proves an asset, or writes the mails that prove it."""
    with app.store(desk.place) as store:
        asset = _theirs(_there(enrol.one(store, id), id), value, kind)
    key = app.key(desk.place, proofs.KEY)
    if mail:
        for each in proofs.letters(asset, key, app.clock()):
            click.echo(f"To: {each.address}\nSubject: {each.subject}\n\n{each.text}\n")
        return 0
    asked = proofs.challenge(asset, key)
    click.echo(words.phrase("prove-publish", desk.language), err=True)
    for name in asked.names:
        click.echo(f'{name}. IN TXT "{asked.text}"')
    return 0


def prove(desk: Desk, id: str, value: str, kind: AssetKind | None, how: str, given: str) -> int:
    """Proves an asset by dns (given: a name server, or nothing), mail (given: the code) or an officer's word."""
    name = desk.officer

    def proven(asset: Asset) -> Proof:
        if how == "officer":
            return proofs.by_word(name, desk.why, app.clock())
        key = app.key(desk.place, proofs.KEY)
        if how == "mail":
            return proofs.by_mail(asset, key, given, app.clock())
        return by_dns(asset, key, Names((given,) if given else ()), app.clock())

    with app.store(desk.place) as store:
        asset = _theirs(_there(enrol.one(store, id), id), value, kind)
    proof = proven(asset)  # once, and not while the store waits

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        before = _there(kept.get(id), id)
        here = _theirs(before, asset.value, asset.kind)
        assets = (msgspec.structs.replace(each, proof=proof) if each == here else each for each in before.assets)
        return [msgspec.structs.replace(before, assets=tuple(assets))]

    return desk.amend([id], decide)


def take_in(desk: Desk, file: Path, format: str | None, vouched: bool, dry_run: bool) -> int:
    """Puts the constituents of a document in place of those kept under the same ids; others stay as they are."""
    wanted = {each.constituent.id: each for each in _read(desk, file, format)}
    proof = proofs.by_word(desk.officer, desk.why, app.clock()) if vouched else None

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        made = (enrolment.replace(kept.get(key), each, app.clock()) for key, each in wanted.items())
        return [_vouched(each, proof) if proof else each for each in made]

    if dry_run:
        with app.store(desk.place) as store:
            plans = enrol.plan(store, list(wanted), decide, desk.names)
        _tell([change for each in plans for change in each.changes], desk.language)
        return 0
    return desk.amend(list(wanted), decide)


def give_out(data: Path | None, format: str, output: str | None) -> int:
    """Writes a document of those who are constituents now."""
    part = registry.load("formats", FORMATS[format])(_ANY)
    with app.store(app.place(data)) as store:
        document = part.encode(enrol.everyone(store))
    if output:
        Path(output).write_bytes(document)
    else:
        click.echo(document, nl=False)
    return 0


def _read(desk: Desk, file: Path, format: str | None) -> list[Enrolment]:
    """InputError: it is not there. FormatError: all that is wrong, each line on standard error, the first raised."""
    ending = format or file.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise InputError(f"{file}: {ending!r} is no format of constituents: give --format, {' or '.join(FORMATS)}")
    try:
        with click.open_file(str(file), "rb") as stream:
            document = stream.read(_LARGEST)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}: check the path") from error
    try:
        return list(registry.load("formats", FORMATS[ending])(desk.known, str(file)).decode(document))
    except FormatError as error:
        first, *more = str(error).splitlines()
        for line in more:
            click.echo(f"khien: {printable(line)}", err=True)
        raise FormatError(first) from error


def _vouched(enrolled: Enrolment, proof: Proof) -> Enrolment:
    """An enrolment in which an officer gives their word for what is not proven."""
    assets = (
        msgspec.structs.replace(each, proof=proof) if each.proof is None and each.left is None else each
        for each in enrolled.assets
    )
    return msgspec.structs.replace(enrolled, assets=tuple(assets))


def _there(found: Enrolment | None, id: str) -> Enrolment:
    if found is None or found.constituent.left:
        raise InputError(f"there is no constituent {id[:64]!r}: khien constituents list names them")
    return found


def _theirs(enrolled: Enrolment, text: str, kind: AssetKind | None) -> Asset:
    """The asset that is meant. InputError: they claim none such, or two."""
    spelt = {text.strip()}
    for each in ("domain", "prefix"):
        with suppress(InputError):
            spelt.add(_ANY.canonical(each, text))
    met = [each for each in enrolled.current if each.value in spelt and kind in (None, each.kind)]
    if len(met) == 1:
        return met[0]
    if met:
        kinds = ", ".join(each.kind for each in met)
        raise InputError(f"{enrolled.constituent.id} claims {met[0].value} as {kinds}: say which by --kind")
    claimed = ", ".join(each.value for each in enrolled.current[:10]) or "nothing"
    raise InputError(f"{enrolled.constituent.id} does not claim {text[:64]!r}: there is {claimed}")


def _tell(changes: Sequence[Change], language: str) -> None:
    signs = {"add": "+", "remove": "-", "change": "~"}
    for each in changes:
        asset = each.field not in ("hears", *Constituent.__struct_fields__)
        said = (_proof(text, language) if asset and text else printable(text) for text in (each.was, each.now))
        which = f"{each.field} {printable(each.name)}".rstrip()
        click.echo(f"{signs[each.act]} {each.constituent}: {which}: {' → '.join(filter(None, said))}")
    click.echo(words.phrase("constituents-changed", language, count=number(len(changes), language)), err=True)


def _proof(how: str, language: str) -> str:
    return words.phrase(f"proof-{how}", language)


def _json(enrolled: Enrolment) -> str:
    return msgspec.json.encode(enrolled).decode()


def _short(enrolled: Enrolment, language: str) -> str:
    one = enrolled.constituent
    proven = sum(each.proof is not None for each in enrolled.current)
    counts = {"assets": len(enrolled.current), "proven": proven, "hears": len(one.hears)}
    told = words.phrase("constituent-short", language, **{key: number(n, language) for key, n in counts.items()})
    return f"{one.id:<16}  {printable(one.label)}  ({told})"


def _whole(enrolled: Enrolment, language: str) -> Iterator[str]:
    one = enrolled.constituent
    yield f"{one.id}  {printable(one.label)}" + (f"  ({printable(one.sector)})" if one.sector else "")
    if one.note:
        yield f"  {printable(one.note)}"
    for asset in enrolled.current:
        proof = asset.proof
        yield f"  {asset.kind:<11}  {asset.value}: {_proof(proof.how if proof else UNPROVEN, language)}" + (
            f", {proof.at:%Y-%m-%d} {printable(' '.join(filter(None, (proof.by, proof.why))))}".rstrip()
            if proof
            else ""
        )
    for hearing in one.hears:
        yield f"  {hearing.channel:<11}  {printable(hearing.address)}: {printable(enrolment.told(hearing))}"
