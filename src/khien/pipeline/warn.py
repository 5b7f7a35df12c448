"""What follows from a page for people: evidence joined, more of it asked for, notices and their deliveries decided.

All of it becomes visible with the findings and the cursor of the page, in one transaction: a notice stands in the
outbox as soon as there is reason for it, once, whatever is cut off where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.contracts import Store
from khien.model import (
    Asset,
    Collection,
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Inquiry,
    Notice,
    ProtectedName,
    Record,
)
from khien.pipeline.collect import Work
from khien.triage import assets, decide, evidence
from khien.triage.site import above, bare, spellings

R = TypeVar("R", bound=Record)

EVIDENCE = "evidence"

_AT_ONCE = 5_000  # values that one search asks for
_MOST = 100_000  # records that one search answers
_NEWEST = 200  # notices of a constituent that a finding may join, or that say that it is theirs


class Overlay:
    """The store as it will be once what was decided so far is saved: what a page decides later builds on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fresh: dict[type[Record], dict[str, Record]] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Takes what was decided; what has the same id is replaced."""
        for each in records:
            self._fresh.setdefault(type(each), {})[each.id] = each  # pyright: ignore[reportAttributeAccessIssue] # a kind that is kept has one

    def load(self, kind: type[R], /, *ids: str) -> dict[str, R]:
        """As Store.load."""
        fresh: dict[str, Any] = self._fresh.get(kind, {})
        missing = [each for each in ids if each not in fresh]
        found = dict(self._store.load(kind, *missing)) if missing else {}
        return found | {each: fresh[each] for each in ids if each in fresh}

    def find(self, kind: type[R], /, **equal: Any) -> list[R]:
        """As Store.find, of one field or more, in no order."""
        fresh: dict[str, Any] = self._fresh.get(kind, {})
        found: dict[str, Any] = {}
        *rest, (name, values) = equal.items()
        for some in _some(values if isinstance(values, tuple) else (values,)):
            asked = cast("dict[str, Any]", {**dict(rest), name: some})
            found |= {each.id: each for each in cast("list[Any]", self._store.find(kind, limit=_MOST, **asked))}
        return self._with_fresh(found, fresh, equal)

    def newest(self, kind: type[R], order: str, limit: int, /, **equal: Any) -> list[R]:
        """As find, but no more of the store than the newest by a time."""
        found: dict[str, Any] = {
            each.id: each for each in cast("list[Any]", self._store.find(kind, order=f"-{order}", limit=limit, **equal))
        }
        return self._with_fresh(found, self._fresh.get(kind, {}), equal)

    def _with_fresh(self, found: dict[str, Any], fresh: Mapping[str, Any], equal: Mapping[str, Any]) -> list[Any]:
        kept = (each for key, each in found.items() if key not in fresh)
        return [*kept, *(each for each in fresh.values() if _fits(each, equal))]

    def changed(self) -> list[Record]:
        """What was decided, to be saved."""
        return [each for records in self._fresh.values() for each in records.values()]


def _some(values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    rest = iter(values)
    while some := tuple(islice(rest, _AT_ONCE)):
        yield some


def _fits(record: Record, equal: Mapping[str, Any]) -> bool:
    return all(
        getattr(record, name) in value if isinstance(value, tuple) else getattr(record, name) == value
        for name, value in equal.items()
    )


@dataclass(frozen=True)
class Triage:
    """How findings become notices. asks: sources of evidence that are at work, by their kind; protected: by id."""

    asks: tuple[str, ...] = ()
    protected: Mapping[str, ProtectedName] = field(default_factory=dict[str, ProtectedName])

    def follow(self, store: Store, work: Work, changed: Sequence[Record], at: datetime, /) -> Sequence[Record]:
        """collect.Warn.follow"""
        known = Overlay(store)
        findings = {each.id: each for each in changed if isinstance(each, Finding)}
        known.add(findings.values())
        stated = _stated(work, findings.values())
        kind = work.feed.source.name
        touched = self._join(known, stated, kind if kind in self.asks else work.feed.name, at)
        if kind in self.asks:
            known.add(_answered(known, kind, stated, at))
        if work.feed.source.yields != schema.EVIDENCE:
            touched.clear()  # that a certificate bears its name says nothing about a finding
        met = [each for each in findings.values() if not each.suppressed]
        if met:
            touched |= _listed(known, store, met, at)
            known.add(self._asked(known, [each for each in met if each.subject in touched or evidence.asks(each)], at))
        concerned = {each.id: each for each in met if each.kind != "domain" or evidence.asks(each)}
        concerned |= {each.id: each for each in known.find(Finding, subject=tuple(touched))} if touched else {}
        for finding in concerned.values():
            known.add(decide.decide(self._situation(known, finding, at), at))
        return [each for each in known.changed() if not isinstance(each, Finding)]

    def again(self, store: Store, findings: Iterable[Finding], at: datetime) -> Sequence[Record]:
        """Findings that no page of a source brought: and what follows for those whom they concern."""
        known = Overlay(store)
        for finding in findings:
            known.add([finding])
            known.add(decide.decide(self._situation(known, finding, at), at))
        return known.changed()

    def _join(self, known: Overlay, stated: pa.RecordBatch, source: str, at: datetime) -> set[str]:
        """Joins what was stated with what is kept, of subjects with a finding; answers the subjects of these."""
        if not stated.num_rows:
            return set()
        said: dict[str, set[str]] = {}
        for subject in stated["subject"].unique().to_pylist():
            for each in spellings(subject):
                said.setdefault(each, set()).add(subject)
        touched = {each.subject for each in known.find(Finding, subject=tuple(said))}
        subjects = {subject for each in touched for subject in said[each]}
        wanted = pa.array(list(subjects), pa.string())
        rows = stated.filter(pc.call_function("is_in", [stated["subject"]], pc.SetLookupOptions(wanted)))
        _revise(known, evidence.records(rows, source, at))
        return touched

    def _asked(self, known: Overlay, findings: Sequence[Finding], at: datetime) -> list[Inquiry]:
        """What is newly asked about findings."""
        subjects = {bare(each.subject) for each in findings}
        wanted = {schema.inquiry_id(source, subject): (source, subject) for source in self.asks for subject in subjects}
        there = known.load(Inquiry, *wanted)
        return [
            Inquiry(id=key, source=source, subject=subject, due=at)
            for key, (source, subject) in wanted.items()
            if key not in there
        ]

    def _situation(self, known: Overlay, finding: Finding, at: datetime) -> decide.Situation:
        owned = tuple(
            asset
            for kind, values in assets.wanted(finding)
            for asset in known.find(Asset, kind=kind, value=values)
            if asset.proof is not None and asset.left is None
        )
        owners = known.load(Constituent, *dict.fromkeys(each.constituent for each in owned))
        notices = {
            each.id: each
            for owner in owners
            for states in (decide.LIVE, ("ours",))
            for each in known.newest(Notice, "raised", _NEWEST, state=states, constituent=owner)
        }
        held = (schema.notice_id(owner, finding.id) for owner in owners)
        digests = (each for owner in owners.values() for each in decide.digests(owner, at))
        notices |= known.load(Notice, *held, *digests)
        return decide.Situation(
            finding=finding,
            evidence=tuple(known.find(Evidence, subject=tuple(above(finding.subject)))),
            owners=tuple(owners.values()),
            notices=tuple(notices.values()),
            deliveries=tuple(known.find(Delivery, about=(*notices,))),
            protected=self.protected.get(finding.claim),
            collection=known.load(Collection, finding.claim).get(finding.claim),
            assets=owned,
        )


def _stated(work: Work, findings: Iterable[Finding]) -> pa.RecordBatch:
    """What a page states: itself, where it is of evidence; which certificates its findings were met in."""
    if work.feed.source.yields == schema.EVIDENCE:
        return work.rows
    if work.feed.source.yields == schema.CERTIFIED:
        return evidence.of_certificates(work.rows, tuple(findings))
    return pa.RecordBatch.from_pylist([], schema.EVIDENCE)


def _revise(known: Overlay, said: Iterable[Evidence]) -> None:
    for each in said:
        kept = known.load(Evidence, each.id).get(each.id)
        known.add([evidence.revise(kept, each) if kept else each])


def _listed(known: Overlay, store: Store, findings: Sequence[Finding], at: datetime) -> set[str]:
    """Joins what lists had said before; answers the subjects of findings on them."""
    below: dict[str, set[str]] = {}
    for finding in findings:
        for each in above(finding.subject):
            below.setdefault(each, set()).add(finding.subject)
    rows = store.lookup(EVIDENCE, "subject", pa.array(list(below), pa.string())).combine_chunks()
    touched: set[str] = set()
    for batch in rows.to_batches():
        _revise(known, evidence.records(batch, "", at))
        touched |= {each for subject in batch["subject"].to_pylist() for each in below[subject]}
    return touched


def _answered(known: Overlay, source: str, stated: pa.RecordBatch, at: datetime) -> list[Inquiry]:
    """Inquiries that a page answers, and when each is due again."""
    subjects = stated["subject"].unique().to_pylist()
    asked = known.load(Inquiry, *(schema.inquiry_id(source, each) for each in subjects))
    said = {each: tuple(known.find(Evidence, subject=each)) for each in subjects}
    return [
        msgspec.structs.replace(each, asked=at, due=evidence.due_again(each, said[each.subject], at))
        for each in asked.values()
    ]
