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

CERTIFIED = pa.schema(
    {
        "name": pa.string(),  # one of a certificate's: a row each
        "seen_at": TIME,  # when the log took the certificate in
        "issuer": pa.string(),  # organisation and common name, as people know it
        "serial": pa.string(),  # hex; with the issuer it stands for certificate and precertificate alike
        "not_before": TIME,
        "not_after": TIME,
        "log": pa.string(),  # as the list of logs describes it
        "index": pa.int64(),  # in the log
    }
)

EVIDENCE = pa.schema(
    {
        "subject": pa.string(),  # a host in A-labels, or an address
        "topic": pa.string(),  # what it is about; of a topic and source the newest row stands
        "code": pa.string(),  # what is so; triage.evidence has topics and codes
        "seen_at": TIME,
        "params": pa.map_(pa.string(), pa.string()),
    }
)

FLOWS = pa.schema(
    {
        "first": TIME,  # when its first packet passed the exporter, and its last
        "last": TIME,
        "source": pa.binary(16),  # IPv4 as IPv4-mapped IPv6, RFC 4291 section 2.5.5.2
        "target": pa.binary(16),
        "source_port": pa.uint16(),  # 0 where the protocol has none
        "target_port": pa.uint16(),  # of ICMP: type * 256 + code, as exporters write it
        "protocol": pa.uint8(),  # IANA; of IPv6 the last header that is no extension, or the extension that hides it
        "flags": pa.uint8(),  # TCP control bits of all its packets, or-ed; the two upper ones are ECN's
        "fragment": pa.uint8(),  # 1: some of its packets are fragments
        "packets": pa.int64(),  # as many as passed: those that were sampled, times the sampling interval
        "bytes": pa.int64(),  # of IP packets with their headers, likewise
        "sampling": pa.uint32(),  # one in so many packets was looked at; 1: each
    }
)

_KEY = {  # of what is counted over time: a target, or the targets in one prefix
    "scope": pa.uint8(),  # how many bits of the prefix count, of 128; an IPv4 /24 has 120
    "prefix": pa.binary(16),
}

FLOW_COUNTS = pa.schema(
    {
        "second": TIME,  # whole
        **_KEY,
        "vector": pa.uint8(),  # its place in flows.vectors
        "packets": pa.int64(),  # in 1/1024: those of this second, of flows that begin or end in it
        "bytes": pa.int64(),
        "noise": pa.int64(),  # variance of packets that sampling brings, in packets squared
        "packets_step": pa.int64(),  # as above, a second: by how much the flows that fill it whole change with it
        "bytes_step": pa.int64(),
        "noise_step": pa.int64(),
        "flows": pa.int64(),  # that begin in it
    }
)

RATES = pa.schema(
    {
        "second": TIME,
        **_KEY,
        "vector": pa.uint8(),
        "packets": pa.float64(),
        "bytes": pa.float64(),
        "noise": pa.float64(),  # variance of packets that sampling brings
        "seen": pa.float64(),  # seconds of this second that were looked at: less only where a short capture ends
    }
)

USUAL = pa.schema(
    {
        **_KEY,
        "vector": pa.uint8(),
        "packets": pa.float64(),  # a second, from which on it is more than the target is used to at this hour
    }
)

BASELINES = pa.schema(
    {
        "grid": TIME,  # the hour in which it was counted
        **_KEY,
        "vector": pa.uint8(),
        "bucket": pa.uint8(),  # of packets a second, see flows.baseline
        "seconds": pa.int64(),  # with a rate in this bucket
    }
)

_NETWORKS = pa.list_(pa.struct({"prefix": pa.binary(16), "scope": pa.uint8(), "share": pa.float64()}))
_LOAD = pa.struct(
    {
        "vector": pa.uint8(),
        "ports": pa.list_(pa.struct({"port": pa.uint16(), "share": pa.float64()})),
        "networks": _NETWORKS,
        "shortest": pa.uint16(),  # bytes of a packet; all but one in a hundred lie between
        "longest": pa.uint16(),
    }
)

SENDERS = pa.schema(
    {
        **_KEY,
        "distinct": pa.float64(),
        "entropy": pa.float64(),  # bits: of how packets fall on hashed sources
        "heaviest": pa.list_(pa.struct({"source": pa.binary(16), "packets": pa.int64()})),
        "networks": _NETWORKS,
        "loads": pa.list_(_LOAD),  # by vector
        "home": pa.list_(  # networks of ours that take part, with their devices that do
            pa.struct({"prefix": pa.binary(16), "scope": pa.uint8(), "devices": pa.list_(pa.binary(16))})
        ),
    }
)

OPEN_FLOODS = pa.schema(
    {
        **_KEY,
        "episode": TIME,
        "start": TIME,
        "end": TIME,
        "peak": TIME,
        "packets": pa.float64(),  # a second, at the peak
        "bytes": pa.float64(),
        "vectors": pa.list_(pa.uint8()),
    }
)

_SECRET = {"khien": "secret"}


def secret(columns: pa.Schema) -> bool:
    """Whether rows of these columns are for memory alone: no store takes them."""
    return (columns.metadata or {}).get(b"khien") == b"secret"


LEAKED = pa.schema(
    {
        "account": pa.binary(),  # as met: an address, a number, a name somebody logs in with; empty where none is there
        "secret": pa.binary(),  # as met: what they log in with; empty where none is there
    },
    metadata=_SECRET,
)

HASHED = pa.schema(
    {
        "row": pa.int64(),  # of the LEAKED batch it was made from
        "account": pa.binary(16),  # keyed: of the canonical spelling; null where it is neither address nor number
        "domain": pa.binary(8),  # keyed: of the domain of an address; null of all else
        "sha1": pa.binary(20),  # of the secret, as in Pwned Passwords; null where there is none
        "ntlm": pa.binary(16),  # likewise
        "pair": pa.uint64(),  # keyed: of account and secret, so that the same pair counts once
    }
)

COUNTED = pa.schema(
    {
        "sha1": pa.binary(20),  # of a secret: from a list of hashes, which has one of the two
        "ntlm": pa.binary(16),
        "count": pa.int64(),  # how often it was met, as the list says; 1 where it does not
    },
    metadata=_SECRET,
)

CREDENTIALS = pa.schema(
    {
        "account": pa.binary(16),  # the first octets of its VOPRF output: nobody finds it again without the key
        "domain": pa.binary(8),  # keyed: of the domain of an address; null of a number
        "collection": pa.string(),  # a model.Collection's id
        "sensitive": pa.bool_(),  # its collection is named only to the proven holder of the address
    }
)

MAIL_DOMAINS = pa.schema(
    {
        "domain": pa.binary(8),  # keyed, as in CREDENTIALS
        "name": pa.string(),  # of a proven mail domain of a constituent's
    }
)

MESSAGES = pa.schema(
    {
        "text": pa.string(),  # as somebody got it, what is personal in it masked (messages.mask)
        "sender": pa.string(),  # as their telephone shows it: a number, masked likewise, or a name; empty where unknown
    },
    metadata=_SECRET,
)

SKIPPED = pa.schema(
    {
        "place": pa.string(),  # file and line, or offset
        "reason": pa.string(),  # a code that words renders
        "excerpt": pa.string(),  # at most 80 characters; of a row that must not be kept a keyed digest, or null
    }
)

FLOOD_RATES = pa.schema(
    {
        "second": TIME,
        "finding": pa.string(),  # the id of a flood that was found
        "vector": pa.string(),
        "packets": pa.float64(),
        "bytes": pa.float64(),
    }
)

TABLES = {
    "names": NAMES,
    "evidence": EVIDENCE,
    "skipped": SKIPPED,
    "flood_rates": FLOOD_RATES,
    "baselines": BASELINES,
}  # what pipelines land, by the name a store keeps it under

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
        "measures": pa.map_(pa.string(), pa.float64()),  # figures people ask for, by name
    }
)


def finding_id(detector: str, kind: str, subject: str, claim: str, episode: str = "") -> bytes:
    """The 32-byte identity of a finding: SHA-256 over its five parts, NUL between them."""
    return hashlib.sha256("\0".join((detector, kind, subject, claim, episode)).encode()).digest()


def evidence_id(subject: str, topic: str, source: str) -> str:
    """The identity of what a source says of a subject on a topic, in hex."""
    return _digest(subject, topic, source)


def inquiry_id(source: str, subject: str) -> str:
    """The identity of what is asked of a source about a subject, in hex."""
    return _digest(source, subject)


def asset_id(kind: str, value: str, constituent: str) -> str:
    """The identity of what is a constituent's, in hex."""
    return _digest(kind, value, constituent)


def notice_id(constituent: str, about: str) -> str:
    """The identity of a notice, in hex; about: a campaign, or a finding's id."""
    return _digest(constituent, about)


def delivery_id(about: str, revision: int, channel: str, address: str) -> str:
    """The identity of a delivery, in hex."""
    return _digest(about, str(revision), channel, address)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
