"""The life of a finding: what may be done with it, and how what is seen again joins what is kept.

A detector says the same thing of the same observable as often as it sees it; one finding stands for all of that. What
people decided about it is never undone by seeing it again, except that what was gone may come back.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from khien import schema
from khien.errors import TransitionError
from khien.model import Finding, Reason, State, Step

CONFIRM, DISMISS, ACT, LOSE, SEE, REOPEN = "confirm", "dismiss", "act", "lose", "see", "reopen"

MOVES: dict[tuple[State, str], State] = {  # the diagram in docs/findings.md is drawn from this table
    ("new", CONFIRM): "confirmed",
    ("new", DISMISS): "dismissed",
    ("new", LOSE): "gone",
    ("confirmed", ACT): "acted-on",
    ("confirmed", DISMISS): "dismissed",
    ("confirmed", LOSE): "gone",
    ("acted-on", DISMISS): "dismissed",
    ("acted-on", LOSE): "gone",
    ("gone", SEE): "back",
    ("gone", DISMISS): "dismissed",
    ("back", CONFIRM): "confirmed",
    ("back", ACT): "acted-on",
    ("back", DISMISS): "dismissed",
    ("back", LOSE): "gone",
    ("dismissed", REOPEN): "new",
}
KHIEN = "khien"  # who takes the steps that no person takes

_NEVER = datetime.min.replace(tzinfo=UTC)


def move(finding: Finding, act: str, *, by: str, at: datetime, why: str = "") -> Finding:
    """The finding after an act of somebody's. TransitionError: in its state this cannot be done; says what can."""
    state = MOVES.get((finding.state, act))
    if state is None:
        possible = ", ".join(each for met, each in MOVES if met == finding.state and each != SEE)
        raise TransitionError(f"finding {finding.id[:12]} is {finding.state}: it takes {possible}, not {act}")
    step = Step(at=at, act=act, by=by, why=why)
    return msgspec.structs.replace(finding, state=state, steps=(*finding.steps, step))


def revise(kept: Finding, again: Finding) -> Finding:
    """One finding of two that have the same id: what ends later says why, and of equals what was said later.

    First seen is the earlier of both. A finding that was gone is back when it was seen after it went.
    """
    newer = again if (again.end or _NEVER) >= (kept.end or _NEVER) else kept
    joined = msgspec.structs.replace(
        newer,
        start=min(filter(None, (kept.start, again.start)), default=None),
        raised=min(kept.raised, again.raised),
        source=kept.source,
        state=kept.state,
        steps=kept.steps,
    )
    if kept.state == "gone" and again.end is not None and again.end > kept.steps[-1].at:
        return move(joined, SEE, by=KHIEN, at=again.end)
    return joined


def findings(batches: Iterable[pa.RecordBatch], *, source: str, at: datetime) -> list[Finding]:
    """Records of batches of schema.FINDINGS, raised at a time; those that repeat an id come revised, once."""
    met: dict[str, Finding] = {}
    for row in (row for batch in batches if batch.num_rows for row in batch.to_pylist()):
        row["id"] = row["id"].hex()
        row["techniques"] = tuple(row["techniques"] or ())
        row["span"] = row["span"] and tuple(row["span"])
        row["suppressed"] = bool(row["suppressed"])
        row["measures"] = dict(row["measures"] or ())
        row["reasons"] = tuple(
            Reason(code=each["code"], params=dict(each["params"] or ())) for each in row["reasons"] or ()
        )
        finding = Finding(**row, source=source, raised=at)
        met[finding.id] = revise(met[finding.id], finding) if finding.id in met else finding
    return list(met.values())


def row(finding: Finding) -> dict[str, Any]:
    """A finding as the row of schema.FINDINGS it was made from."""
    known = {name: getattr(finding, name) for name in schema.FINDINGS.names}
    reasons = [{"code": each.code, "params": list(each.params.items())} for each in finding.reasons]
    known |= {"id": bytes.fromhex(finding.id), "techniques": list(finding.techniques), "reasons": reasons}
    return known | {"measures": list(finding.measures.items())}
