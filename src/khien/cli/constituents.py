"""``khien constituents``: who is protected, what is theirs and how that is proven, and how they hear."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import click
import msgspec
from publicsuffixlist import PublicSuffixList

from khien import registry, words
from khien.app import configuration, machine, registers
from khien.cli.acting import acting
from khien.errors import ConfigError, FormatError, InputError
from khien.model import Asset, AssetKind, Constituent, Hearing, Proof
from khien.outward.dns import Names
from khien.pipeline import enrol
from khien.pipeline.prove import by_dns
from khien.pipeline.steering import Enrolling
from khien.triage import enrolment, proofs, tokens
from khien.triage.assets import Known
from khien.triage.enrolment import UNPROVEN, Change, Enrolment
from khien.words import number, printable

FORMATS = {"toml": "constituents", "csv": "constituents-csv"}  # of documents, to the parts that read and write them

_LARGEST = 16 << 20  # bytes of a document
_NAMED = 5  # domains of a protected name that are named where one is to be proven
_ANY = Known((), lambda _: False)  # what is kept already is not held to registers and suffixes again


class _Named(TypedDict):
    """Under whose name something is done, and why."""

    by: str
    why: str


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
        return machine.place(self.data)

    @cached_property
    def names(self) -> Mapping[str, Any]:
        """Protected names by id."""
        return {each.id: each for each in registers.protected(self.protect).names}

    @cached_property
    def known(self) -> Known:
        """What assets are held to."""
        return Known(self.names, PublicSuffixList().is_public)

    @cached_property
    def officer(self) -> str:
        """Who changes something."""
        with machine.store(self.place) as store:
            return acting(store, self.by)

    def change(self, do: Callable[[Enrolling, _Named], Sequence[Change]]) -> None:
        """Does something to constituents, and tells what changed."""
        audit = machine.audit(self.place)
        with machine.store(self.place) as store:
            changes = do(Enrolling(store, audit, self.names, self.known), {"by": self.officer, "why": self.why})
        _tell(changes, self.language)

    def amend(self, ids: Sequence[str], decide: enrol.Decide) -> int:
        """Makes a decision stand, and tells what changed."""
        self.change(lambda it, named: enrol.amend(it.store, it.audit, ids, decide, it.names, **named))
        return 0


def everyone(data: Path | None, format: str, language: str) -> int:
    """Those who are constituents now; answers the exit status."""
    met = False
    with machine.store(machine.place(data)) as store:
        for each in enrol.everyone(store):
            met = True
            click.echo(_json(each) if format == "jsonl" else _short(each, language))
    if not met and format == "text":
        click.echo(words.phrase("no-constituents", language), err=True)
    return 0


def show(data: Path | None, id: str, format: str, language: str) -> int:
    """One constituent whole."""
    place = machine.place(data)
    with machine.store(place) as store:
        found = _there(enrol.one(store, id), id)
    if format == "jsonl":
        click.echo(_json(found))
        return 0
    feed = _site() + tokens.feed_path(machine.key(place, machine.NOTICES), id)
    click.echo("\n".join([*_whole(found, language), f"  {'atom':<15}  {feed}/atom.xml?language={language}"]))
    return 0


def _site() -> str:
    """The address of the site for others, and where nobody said, for this machine. ConfigError: the file is wrong."""
    given = configuration.document(configuration.CONFIG)[1].get("site") if configuration.CONFIG.exists() else None
    try:
        site = msgspec.convert(given, configuration.Site) if isinstance(given, dict) else configuration.Site()
    except msgspec.ValidationError as error:
        raise ConfigError(f"{configuration.CONFIG}: site: {error}: khien doctor says where") from error
    return (site.public or f"http://{site.listen}").rstrip("/")


def add(desk: Desk, id: str, own: Mapping[str, Any], claimed: Mapping[AssetKind, Sequence[str]]) -> int:
    """Enters a constituent, or adds to what is known of one. own: fields, None where nothing is said of them."""
    said = {name: value for name, value in own.items() if value is not None}
    new = [desk.known.asset(id, kind, text) for kind, texts in claimed.items() for text in texts]
    desk.change(lambda it, named: it.enter(id, said, new, **named))
    return 0


def remove(desk: Desk, id: str, given_up: Mapping[AssetKind, Sequence[str]]) -> int:
    """Lets go of assets, or of the constituent where none is named; what was stays in the audit."""
    gone: list[tuple[AssetKind, str]] = [(kind, text) for kind, texts in given_up.items() for text in texts]

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        before = _there(kept.get(id), id)
        if not gone and not desk.why.strip():
            theirs = f"{len(before.current)} assets with their proofs and {len(before.constituent.hears)} ways to hear"
            raise InputError(
                f"{id} would go whole, {theirs}, and nothing brings that back: say --why, or what is to go"
            )
        if not gone:
            return [enrolment.leave(before, machine.clock())]
        ids = {_theirs(before, text, kind).id for kind, text in gone}
        rest = tuple(each for each in before.current if each.id not in ids)
        wanted = Enrolment(constituent=before.constituent, assets=rest)
        return [enrolment.replace(before, wanted, machine.clock())]

    return desk.amend([id], decide)


def hear(desk: Desk, id: str, hearing: Hearing, stop: bool) -> int:
    """Adds a way to hear, or puts it in place of the one with its channel and address; stop: takes that away."""
    if stop:
        desk.change(lambda it, named: it.stop(id, hearing.channel, hearing.address, **named))
    else:
        desk.change(lambda it, named: it.hear(id, hearing, **named))
        _tell_of_channel(hearing.channel, desk.language)
    return 0


def _tell_of_channel(channel: str, language: str) -> None:
    """Where there is a khien.toml and it has no such channel: that nothing will go out there."""
    if not configuration.CONFIG.exists():
        return
    given = configuration.document(configuration.CONFIG)[1].get("channel", ())
    known = [str(each.get("name", each.get("kind"))) for each in given if isinstance(each, dict)]
    if channel not in known:
        said = {"channel": channel, "known": printable(", ".join(known)) or "-", "file": str(configuration.CONFIG)}
        click.echo(words.phrase("hear-no-channel", language, **said), err=True)


def explain(desk: Desk, id: str, value: str, kind: AssetKind | None, mail: bool) -> int:
    """Says what is to be published so that DNS proves an asset, or writes the mails that prove it."""
    asset = _claimed(desk, id, value, kind, "mail" if mail else "dns")
    key = machine.key(desk.place, proofs.KEY)
    if mail:
        for each in proofs.letters(asset, key, machine.clock()):
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
            return proofs.by_word(name, desk.why, machine.clock())
        key = machine.key(desk.place, proofs.KEY)
        if how == "mail":
            return proofs.by_mail(asset, key, given, machine.clock())
        return by_dns(asset, key, Names((given,) if given else ()), machine.clock())

    asset = _claimed(desk, id, value, kind, how)
    proof = proven(asset)  # once, and not while the store waits
    desk.change(lambda it, named: it.prove(id, asset.id, proof, **named))
    return 0


def take_in(desk: Desk, file: Path, format: str | None, vouched: bool, dry_run: bool) -> int:
    """Puts the constituents of a document in place of those kept under the same ids; others stay as they are."""
    wanted = {each.constituent.id: each for each in _read(desk, file, format)}
    proof = proofs.by_word(desk.officer, desk.why, machine.clock()) if vouched else None

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        made = (enrolment.replace(kept.get(key), each, machine.clock()) for key, each in wanted.items())
        return [_vouched(each, proof) if proof else each for each in made]

    if dry_run:
        with machine.store(desk.place) as store:
            plans = enrol.plan(store, list(wanted), decide, desk.names)
        _tell([change for each in plans for change in each.changes], desk.language)
        return 0
    return desk.amend(list(wanted), decide)


def give_out(data: Path | None, format: str, output: str | None) -> int:
    """Writes a document of those who are constituents now."""
    part = registry.load("formats", FORMATS[format])(_ANY)
    with machine.store(machine.place(data)) as store:
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


def _claimed(desk: Desk, id: str, value: str, kind: AssetKind | None, how: str) -> Asset:
    """The asset that is to be proven. InputError: it is none of theirs, or it is not proven so, and how it is."""
    with machine.store(desk.place) as store:
        asset = _theirs(_there(enrol.one(store, id), id), value, kind)
    if asset.kind == "brand" and how != "officer":
        domains = list(proofs.official(desk.names[asset.value])) if asset.value in desk.names else []
        which = f"claim and prove one of {', '.join(domains[:_NAMED])}" if domains else "none is confirmed"
        raise InputError(
            f"{asset.value}: a protected name is theirs by one of its official domains: {which}; or give an officer's"
            " word for it, with --how officer --why"
        )
    return asset


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


def _shown(proof: Proof | None, language: str) -> str:
    """How an asset is proven, since when, by whom and why."""
    if proof is None:
        return _proof(UNPROVEN, language)
    told = ", ".join(filter(None, (_proof(proof.how, language), f"{proof.at:%Y-%m-%d}", printable(proof.by))))
    return f"{told}: {printable(proof.why)}" if proof.why else told


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
        kind = words.page(f"asset-{asset.kind}", language)
        yield f"  {kind:<15}  {asset.value}: {_shown(asset.proof, language)}"
    for hearing in one.hears:
        yield f"  {hearing.channel:<15}  {printable(hearing.address)}: {printable(enrolment.told(hearing))}"
