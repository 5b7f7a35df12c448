"""Evidence: what may be stated about a subject, how statements join, and what is worth asking.

A source states facts as rows of schema.EVIDENCE; TOPICS says which there are. Of a topic and source the newest stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.model import Evidence, Finding, Inquiry

UNKNOWN = "unknown"  # a code: it was asked, and there was no answer
LIST = "list/"  # begins the topic of a list; its name follows
TOPICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # topic to code to the parameters it brings, all text
    "certificate": {"certified": ("name", "issuer", "serial", "not_before", "not_after", "log", "index")},
    "resolution": {"resolves": ("addresses", "canonical"), "unresolved": ("rcode",), UNKNOWN: ()},
    "nameservers": {"delegated": ("hosts",), "undelegated": ()},
    "mail": {"mail": ("hosts",), "no-mail": ()},
    "network": {"hosted": ("address", "network", "country", "abuse", "handle")},
    "registration": {
        "registered": ("domain", "created", "registrar", "abuse", "expires", "status"),
        "unregistered": ("domain",),
        UNKNOWN: (),
    },
    "page": {"answers": ("status", "title", "url"), "unanswered": ("why",)},
    LIST: {"listed": ("list", "url", "harm"), "delisted": ()},
    "report": {"reported": ("count", "channel")},
    "sighting": {"sighted": ("partner",)},
}

WORTH_ASKING = 0.186  # reached by one in 1,000 ordinary names and nine in ten imitations, docs/bench-names.md
SOONEST, LATEST = timedelta(minutes=2), timedelta(days=1)  # between two looks at the same
REGISTRY = "rdap"  # whose answers change seldom, and who answers few questions a second
SELDOM = timedelta(days=1), timedelta(days=7)  # the same of registrations
SLOWER = 4  # the next look comes after this part of the time for which nothing has changed
GIVEN_UP = timedelta(days=90)  # without a change: what is there then is there to stay
NEVER = datetime(9999, 12, 31, tzinfo=UTC)

_LONGEST = 1_000  # characters of a parameter: an address, a title and a URL that people read are shorter
_CERTIFICATE = TOPICS["certificate"]["certified"]


def parameters(topic: str, code: str) -> tuple[str, ...] | None:
    """What a fact brings; None: there is no such fact."""
    return TOPICS.get(LIST if topic.startswith(LIST) else topic, {}).get(code)


def records(batch: pa.RecordBatch, source: str, at: datetime) -> list[Evidence]:
    """Records of rows of schema.EVIDENCE, read at a time; of what repeats a subject and topic the newest. What is on a
    list is said by the list, whoever read it.

    What TOPICS does not know is left out; a parameter that is missing is empty, one too many is dropped. What would be
    seen in the future is seen now, else nothing could ever be newer.
    """
    met: dict[str, Evidence] = {}
    for row in batch.to_pylist():
        known = parameters(row["topic"], row["code"])
        if known is None:
            continue
        given, seen = dict(row["params"] or ()), min(row["seen_at"] or at, at)
        by = row["topic"].removeprefix(LIST) if row["topic"].startswith(LIST) else source
        said = Evidence(
            id=schema.evidence_id(row["subject"], row["topic"], by),
            subject=row["subject"],
            topic=row["topic"],
            code=row["code"],
            source=by,
            since=seen,
            at=seen,
            params={name: (given.get(name) or "")[:_LONGEST] for name in known},
        )
        met[said.id] = revise(met[said.id], said) if said.id in met else said
    return list(met.values())


def revise(kept: Evidence, again: Evidence) -> Evidence:
    """One statement of two that have the same id: the newest stands, since the earlier where both say the same.

    In any order and however often, the same stands in the end; since is exact where they come in the order of time.
    """
    older, newer = sorted((kept, again), key=_standing)
    if older.code != newer.code:
        return newer
    return msgspec.structs.replace(newer, since=min(older.since, newer.since))


def _standing(said: Evidence) -> tuple[Any, ...]:
    """What stands is the greatest; of what was said at the same time one and the same, whichever came first.

    That there was no answer says nothing, and stands only where nothing else was ever said.
    """
    return said.code != UNKNOWN, said.at, said.code, sorted(said.params.items())


def of_certificates(rows: pa.RecordBatch, findings: Sequence[Finding]) -> pa.RecordBatch:
    """Which certificates of schema.CERTIFIED bear the names that were found, as schema.EVIDENCE about them."""
    spelt = pc.call_function("utf8_lower", [rows["name"]])
    plain = pc.call_function("utf8_rtrim", [spelt], pc.TrimOptions("."))
    wanted = pc.SetLookupOptions(pa.array([each.subject for each in findings], pa.string()))
    found = rows.filter(pc.call_function("is_in", [plain], wanted))
    return pa.RecordBatch.from_pylist(list(_certified(found)), schema.EVIDENCE)


def _certified(found: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for row in found.to_pylist():
        told = {name: row[name] for name in _CERTIFICATE}
        for moment in ("not_before", "not_after"):
            told[moment] = told[moment] and told[moment].isoformat()
        yield {
            "subject": row["name"].lower().rstrip(".").removeprefix("*."),
            "topic": "certificate",
            "code": "certified",
            "seen_at": row["seen_at"],
            "params": [(name, "" if value is None else str(value)) for name, value in told.items()],
        }


def asks(finding: Finding) -> bool:
    """Whether a finding is worth asking others about: what scores less would need more than they can answer.

    Only names are: whom a flood hits and with what is known from its packets.
    """
    return finding.kind == "domain" and not finding.suppressed and finding.score >= WORTH_ASKING


def due_again(inquiry: Inquiry, said: Sequence[Evidence], at: datetime) -> datetime:
    """When what was asked and answered is to be asked again; NEVER: it has long been as it is.

    said: what stands about the subject. What has just changed is looked at every few minutes, what stays as it is ever
    more seldom, at least once a day; registrations from once a day to once a week.
    """
    changed = max((each.since for each in said if each.source == inquiry.source), default=None)
    if changed is None:  # there was nothing to state
        changed = inquiry.asked or at
    if at - changed > GIVEN_UP:
        return NEVER
    soonest, latest = SELDOM if inquiry.source == REGISTRY else (SOONEST, LATEST)
    return at + min(max((at - changed) / SLOWER, soonest), latest)
