"""``khien scan flows`` and ``khien flows``: flow records and captures in, the floods in them out, and what to do."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from khien import registry, words
from khien.app import machine, parts
from khien.app.configuration import Floods
from khien.cli.findings import one
from khien.cli.output import Output
from khien.cli.progress import Progress
from khien.cli.scan import expect_apart
from khien.cli.tally import Tally
from khien.contracts import Page, Seen, Watch
from khien.errors import InputError
from khien.flows import counts, mitigation, records, vectors
from khien.flows.judge import FLOOD
from khien.flows.records import HOST
from khien.model import Finding
from khien.sources.captures import progress
from khien.triage import life
from khien.words import number

_GAP = 60 * 1_000_000  # microseconds: a file that begins so much before or behind the last one's end is another stream
_RULE = "flood-"  # what the code of a rule begins with


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says besides the inputs. language: of what people read."""

    language: str
    format: str | None
    output: str | None
    input_format: str | None
    floods: Floods
    verbose: bool


def scan(inputs: Sequence[str], settings: Settings) -> int:
    """Scans the inputs one after the other; answers the exit status."""
    started = time.perf_counter()
    source = parts.captures(inputs, settings.input_format)
    tally = Tally("flows-read")
    expect_apart(inputs, settings.output)
    floods: dict[str, Finding] = {}
    with Output(settings.output) as output:
        with Progress(inputs, settings.language, progress, "flows-rate") as shown:
            for page, seen in _seen(source.read(None), settings.floods):
                if page is not None:
                    tally.rows += page.rows.num_rows
                    if page.skipped is not None and page.skipped.num_rows:
                        tally.skip(page.skipped)
                    shown.move(page.cursor, tally.rows)
                for finding in life.findings(seen.findings, source="", at=machine.clock()):
                    floods[finding.id] = life.revise(floods.get(finding.id, finding), finding)
        tally.found = len(floods)
        ranked = sorted(floods.values(), key=lambda each: (each.start or each.raised, each.subject))
        output.write(_written(ranked, settings, output.live))
    whole = settings.verbose or (sys.stderr is not None and sys.stderr.isatty())
    for line in tally.lines(time.perf_counter() - started, settings.language, whole):
        click.echo(line, err=True)
    if not tally.rows and tally.skipped:
        raise InputError(f"nothing in {', '.join(inputs)} could be read as flows: name the format with --input-format")
    return 1 if floods else 0


def _seen(pages: Iterator[Page], floods: Floods) -> Iterator[tuple[Page | None, Seen]]:
    """What is seen in pages; files that do not follow upon each other in time are watched one by one."""
    start = parts.flood_watch(floods, whole=True)
    engine = machine.engine()
    watch: Watch = start(engine, None)
    file, latest = 0, 0
    for page in pages:
        if page.rows.num_rows:
            columns = records.columns(page.rows)
            begin = int(columns.first.min())
            if progress(page.cursor)[0] != file and latest and not -_GAP <= begin - latest <= _GAP:
                yield None, watch.finish()
                watch, latest = start(engine, None), 0
            file = progress(page.cursor)[0]
            latest = max(latest, int(columns.last.max()))
        yield page, watch.take(page.rows)
    yield None, watch.finish()


def _written(floods: Sequence[Finding], settings: Settings, live: bool) -> bytes:
    if (settings.format or ("table" if live else "jsonl")) == "jsonl":
        return b"".join(msgspec.json.encode(row(each)) + b"\n" for each in floods)
    return table(floods, settings.language).encode()


def row(finding: Finding) -> dict[str, object]:
    """A flood as programs get it. pps, bps: packets and bits a second at the peak."""
    scope, prefix = records.target(finding.subject)
    measures = finding.measures
    peak = finding.start and finding.start + timedelta(seconds=measures["peak"] - finding.start.timestamp())
    rule = next(each for each in finding.reasons if each.code in words.RULES)
    return {
        "victim": finding.subject,
        "prefix": finding.subject if scope != HOST else records.network(scope, prefix),
        "vectors": finding.techniques,
        "start": finding.start,
        "peak": peak,
        "end": finding.end,
        "pps": round(measures["packets"], 1),
        "bps": round(measures["bits"], 1),
        "sources": int(measures["sources"]) if "sources" in measures else None,
        "rule": rule.code.removeprefix(_RULE),
        "score": round(finding.score, 4),
        "reasons": {
            language: [words.reason(each.code, each.params, language) for each in finding.reasons]
            for language in words.LANGUAGES
        },
    }


def table(floods: Sequence[Finding], language: str) -> str:
    """Floods as lines of columns that line up; empty without any."""
    if not floods:
        return ""
    heads = ("victim", "vector", "since", "lasted", "packets", "bits", "sources")
    rows = [[words.phrase(f"column-{each}", language) for each in heads]]
    for each in floods:
        sources = each.measures.get("sources")
        rows.append(
            [
                each.subject,
                ", ".join(words.technique(vector, language) for vector in each.techniques),
                _moment(each.start),
                words.phrase("lasted", language, seconds=number(_lasted(each), language)),
                number(each.measures["packets"], language),
                number(each.measures["bits"] / 1e6, language, 1),
                "" if sources is None else number(sources, language),
            ]
        )
    return _aligned(rows, len(heads) - 4)


def _aligned(rows: Sequence[Sequence[str]], right: int) -> str:
    """Lines of columns that line up, from the column ``right`` on to their right ends."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if number >= right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _lasted(finding: Finding) -> float:
    """Seconds from the first to the last second of a flood, both counted."""
    return (finding.end - finding.start).total_seconds() + 1 if finding.start and finding.end else 0.0


def top(inputs: Sequence[str], by: str, limit: int, format: str, input_format: str | None, language: str) -> int:
    """Lists the targets that got most of what the inputs hold; answers the exit status."""
    source = parts.captures(inputs, input_format)
    known = counts.joined([])
    rows = 0
    with Progress(inputs, language, progress, "flows-rate") as shown:
        for page in source.read(None):
            rows += page.rows.num_rows
            known = counts.merged(counts.joined([known, counts.totals(page.rows)]))
            shown.move(page.cursor, rows)
    ranked = sorted(_by_target(known).items(), key=lambda each: (-each[1][by], each[0]))[:limit]
    if format == "jsonl":
        for target, sums in ranked:
            click.echo(msgspec.json.encode({"target": target, **sums}))
    elif ranked:
        heads = [
            words.phrase(f"column-{each}", language)
            for each in ("victim", "vector", "all-packets", "megabytes", "flows")
        ]
        lines = [
            [
                target,
                str(sums["vector"]),
                number(sums["packets"], language),
                number(sums["bytes"] / 1e6, language, 1),
                number(sums["flows"], language),
            ]
            for target, sums in ranked
        ]
        click.echo(_aligned([heads, *lines], 2), nl=False)
    return 0


def _by_target(known: counts.Counts) -> dict[str, dict[str, Any]]:
    """Packets, bytes and flows of each target, and the vector that brought most packets."""
    made: dict[str, dict[str, Any]] = {}
    order = np.argsort(-known.sums[:, 0], kind="stable")
    for place in order.tolist():
        target = records.written(HOST, known.prefix[place].tobytes())[0]
        packets, size, flows = (int(known.sums[place, at]) for at in (0, 1, -1))
        if target not in made:
            made[target] = {"vector": vectors.NAMES[known.vector[place]], "packets": 0, "bytes": 0, "flows": 0}
        sums = made[target]
        sums["packets"], sums["bytes"], sums["flows"] = (
            sums["packets"] + packets,
            sums["bytes"] + size,
            sums["flows"] + flows,
        )
    return made


def mitigate(data: Path | None, reference: str, router: str, blackhole: bool, hours: float) -> int:
    """Writes what a router may be told for the sake of a victim, against its latest flood; answers the exit status."""
    with machine.store(machine.place(data)) as store:
        floods = store.find(Finding, subject=reference, claim=FLOOD, limit=1_000)
        latest = max(floods, key=lambda each: each.end or each.raised, default=None)
        attack = mitigation.attack(latest or one(store, reference))
    make = mitigation.blackhole if blackhole else mitigation.mitigation
    made = make(attack, made=machine.clock(), lasts=timedelta(hours=hours))
    click.echo(registry.load("formats", router)().encode([made]), nl=False)
    return 0
