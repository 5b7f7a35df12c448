"""The tables machines count: one Arrow schema per kind of observable, and FINDINGS."""

import hashlib

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

NAMES = pa.schema(
    {
        "name": pa.string(),  # as met: any case, trailing dot, wildcard or IDN form
        "seen_at": TIME,  # when the source saw it; null where it does not say
    }
)

SKIPPED = pa.schema(
    {
        "place": pa.string(),  # file and line, or offset
        "reason": pa.string(),  # a code that words renders
        "excerpt": pa.string(),  # at most 80 characters; null where the row may hold what must not be kept
    }
)

TABLES = {"names": NAMES, "skipped": SKIPPED}  # what pipelines land, by the name a store keeps it under

REASON = pa.struct({"code": pa.string(), "params": pa.map_(pa.string(), pa.string())})

FINDINGS = pa.schema(
    {
        "id": pa.binary(32),  # digest of (detector, kind, subject, claim, episode)
        "detector": pa.string(),
        "kind": pa.string(),  # of observable: domain, address, ...
        "subject": pa.string(),  # the observable
        "claim": pa.string(),  # what is asserted of it: the protected name, the vector, ...
        "episode": TIME,  # the bin in which it was first raised; null for what has no time
        "score": pa.float64(),  # in [0, 1]; ranks
        "start": TIME,
        "end": TIME,
        "techniques": pa.list_(pa.string()),
        "span": pa.list_(pa.int32(), 2),  # first and behind the last character of subject that matched; null where none
        "suppressed": pa.bool_(),  # known good: kept, shown on request, never warned about
        "reasons": pa.list_(REASON),
    }
)


def finding_id(detector: str, kind: str, subject: str, claim: str, episode: str = "") -> bytes:
    """The 32-byte identity of a finding: SHA-256 over its five parts, NUL between them."""
    return hashlib.sha256("\0".join((detector, kind, subject, claim, episode)).encode()).digest()
