"""Flow records as routers write them (IPv4 alone), many datagrams in one go."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from _exporter import TEMPLATE, UPTIME, template

from khien.flows.counts import SECOND
from khien.flows.datagrams import Datagrams, datagrams
from khien.flows.records import MAPPED, Columns

Array = np.ndarray[Any, Any]

A_DATAGRAM = 30  # records; of sFlow, whose samples carry headers, what a frame has room for:
SAMPLES = 9
_PEER = MAPPED + bytes((192, 0, 2, 1))
_HEADER = 64  # bytes of each packet that sFlow carries
_IPFIX = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 8), (1, 8), (152, 8), (153, 8))  # IANA numbers, lengths

_V5 = np.dtype(
    [
        ("head", [("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("at", ">u4"), ("rest", "V4"),
                  ("sequence", ">u4"), ("more", "V4")]),
        ("rows", [("source", ">u4"), ("target", ">u4"), ("_0", "V8"), ("packets", ">u4"), ("bytes", ">u4"),
                  ("first", ">u4"), ("last", ">u4"), ("source_port", ">u2"), ("target_port", ">u2"), ("_1", "V1"),
                  ("flags", "u1"), ("protocol", "u1"), ("_2", "V9")], A_DATAGRAM),
    ]
)  # fmt: skip
_V9 = np.dtype(
    [
        ("head", [("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("at", ">u4"), ("sequence", ">u4"),
                  ("domain", ">u4"), ("set", ">u2"), ("length", ">u2")]),
        ("rows", [("source", ">u4"), ("target", ">u4"), ("source_port", ">u2"), ("target_port", ">u2"),
                  ("protocol", "u1"), ("flags", "u1"), ("packets", ">u4"), ("bytes", ">u4"), ("first", ">u4"),
                  ("last", ">u4"), ("_0", "V8")], A_DATAGRAM),
    ]
)  # fmt: skip
_V10 = np.dtype(
    [
        ("head", [("version", ">u2"), ("size", ">u2"), ("at", ">u4"), ("sequence", ">u4"), ("domain", ">u4"),
                  ("set", ">u2"), ("length", ">u2")]),
        ("rows", [("source", ">u4"), ("target", ">u4"), ("source_port", ">u2"), ("target_port", ">u2"),
                  ("protocol", "u1"), ("flags", "u1"), ("packets", ">u8"), ("bytes", ">u8"), ("first", ">u8"),
                  ("last", ">u8")], A_DATAGRAM),
    ]
)  # fmt: skip
_SFLOW = np.dtype(
    [
        ("head", [("version", ">u4"), ("kind", ">u4"), ("agent", "V4"), ("part", ">u4"), ("sequence", ">u4"),
                  ("uptime", ">u4"), ("count", ">u4")]),
        ("rows", [("format", ">u4"), ("length", ">u4"), ("number", ">u4"), ("interface", ">u4"), ("rate", ">u4"),
                  ("pool", ">u4"), ("drops", ">u4"), ("ports", "V8"), ("records", ">u4"), ("raw", ">u4"),
                  ("raw_length", ">u4"), ("link", ">u4"), ("wire", ">u4"), ("stripped", ">u4"), ("size", ">u4"),
                  ("ethernet", "V12"), ("type", ">u2"), ("version", "u1"), ("_0", "V1"), ("total", ">u2"),
                  ("_1", "V5"), ("protocol", "u1"), ("_2", "V2"), ("source", ">u4"), ("target", ">u4"),
                  ("source_port", ">u2"), ("target_port", ">u2"), ("_3", "V8"), ("offset", "u1"), ("flags", "u1"),
                  ("_4", f"V{_HEADER - 48}")], SAMPLES),
    ]
)  # fmt: skip


def v5(flows: Columns) -> Datagrams:
    """Cisco, NetFlow Export Datagram Format, version 5; as of the others, rows that fill no datagram are left out."""
    made, at = _filled(_V5, flows, A_DATAGRAM)
    made["head"]["version"], made["head"]["count"], made["head"]["uptime"] = 5, A_DATAGRAM, UPTIME
    made["head"]["at"], made["head"]["sequence"] = at // SECOND, np.arange(len(made)) * A_DATAGRAM
    _since_start(made, flows, at)
    return _sent(made, at)


def v9(flows: Columns) -> Datagrams:
    """RFC 3954, its template before it."""
    made, at = _filled(_V9, flows, A_DATAGRAM)
    made["head"]["version"], made["head"]["count"], made["head"]["uptime"] = 9, A_DATAGRAM, UPTIME
    made["head"]["at"], made["head"]["sequence"], made["head"]["domain"] = at // SECOND, np.arange(len(made)), 1
    made["head"]["set"], made["head"]["length"] = TEMPLATE, _V9.itemsize - 20
    _since_start(made, flows, at)
    return _sent(made, at, template())


def ipfix(flows: Columns) -> Datagrams:
    """RFC 7011, its template before it."""
    made, at = _filled(_V10, flows, A_DATAGRAM)
    made["head"]["version"], made["head"]["size"], made["head"]["at"] = 10, _V10.itemsize, at // SECOND
    made["head"]["sequence"], made["head"]["domain"] = np.arange(len(made)) * A_DATAGRAM, 1
    made["head"]["set"], made["head"]["length"] = TEMPLATE, _V10.itemsize - 16
    for name, column in (("first", flows.first), ("last", flows.last)):
        made["rows"][name] = column[: made["rows"].size].reshape(made["rows"].shape) // 1000
    fields = b"".join(struct.pack(">HH", *field) for field in _IPFIX)
    sets = struct.pack(">HHHH", 2, 8 + len(fields), TEMPLATE, len(_IPFIX)) + fields
    return _sent(made, at, struct.pack(">HHIII", 10, 16 + len(sets), int(at[0]) // SECOND, 0, 1) + sets)


def sflow(flows: Columns) -> Datagrams:
    """sFlow version 5: a sample with the head of a packet, of Ethernet, for each row."""
    made, at = _filled(_SFLOW, flows, SAMPLES)
    head, rows = made["head"], made["rows"]
    head["version"], head["kind"], head["count"], head["sequence"] = 5, 1, SAMPLES, np.arange(len(made))
    rows["format"], rows["length"], rows["rate"], rows["records"] = 1, 32 + 24 + _HEADER, 300, 1
    rows["raw"], rows["raw_length"], rows["link"], rows["size"] = 1, 16 + _HEADER, 1, _HEADER
    rows["wire"], rows["total"], rows["type"], rows["version"], rows["offset"] = 518, 500, 0x0800, 0x45, 5 << 4
    return _sent(made, at)


KINDS: Mapping[str, Callable[[Columns], Datagrams]] = {"v5": v5, "v9": v9, "ipfix": ipfix, "sflow": sflow}


def _filled(kind: np.dtype, flows: Columns, each: int) -> tuple[Array, Array]:
    """Datagrams with what all kinds have, and when each is sent: with the last packet of what is in it."""
    n = len(flows.first) // each
    made = np.zeros(n, kind)
    for name in set(kind["rows"].base.names or ()) & set(flows._fields) - {"first", "last"}:
        column = getattr(flows, name)[: n * each]
        if column.ndim > 1:
            column = np.ascontiguousarray(column[:, 12:]).view(">u4")
        made["rows"][name] = column.reshape(n, each)
    return made, flows.last[: n * each].reshape(n, each).max(axis=1)


def _since_start(made: Array, flows: Columns, at: Array) -> None:
    """Times in milliseconds since the exporter started."""
    began = at // SECOND * 1000 - UPTIME
    for name, column in (("first", flows.first), ("last", flows.last)):
        made["rows"][name] = column[: made["rows"].size].reshape(made["rows"].shape) // 1000 - began[:, None]


def _sent(made: Array, at: Array, before: bytes = b"") -> Datagrams:
    """One exporter's, ``before`` first."""
    first = datagrams([(int(at[0]), _PEER, before)] if before else [])
    ends = len(before) + np.arange(1, len(made) + 1) * made.dtype.itemsize
    return Datagrams(
        octets=np.concatenate((first.octets, made.view(np.uint8).reshape(-1))),
        begins=np.concatenate((first.begins, ends - made.dtype.itemsize)),
        ends=np.concatenate((first.ends, ends)),
        received=np.concatenate((first.received, at)),
        exporters=np.zeros(len(first.begins) + len(made), np.int32),
        peers=(_PEER,),
    )


def part(sent: Datagrams, rows: slice) -> Datagrams:
    """Some of them, without a copy."""
    return Datagrams(sent.octets, *(column[rows] for column in sent[1:5]), peers=sent.peers)
