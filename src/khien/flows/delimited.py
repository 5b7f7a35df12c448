"""Flow records as text, a line each, under a line of column names: of Argus, nfdump, rwcut, Zeek, CICFlowMeter ...

Columns are known by their names, whatever their order. Where a line counts both directions (Argus' SrcBytes beside
TotBytes, Zeek's orig and resp), each direction in which something passed is a row of its own. Argus and Zeek tell TCP
flags by letters. Times without a zone are UTC. Bytes are as the writer counted them: Argus counts the link's headers
too.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np

from khien.errors import FormatError
from khien.flows import records
from khien.flows.reading import Read, Refused, Take
from khien.flows.vectors import ACK, FIN, ICMP, ICMPV6, PUSH, RST, SYN, TCP, UDP

HEAD = 4096  # bytes in which the line of names stands

_PIECE = 1 << 19  # bytes of text that a page is made from
_LONGEST_LINE = 1 << 14
_HEADER_LINES = 32
_DELIMITERS = "\t|,;"
_NOTHING = frozenset(("", "-", "(empty)"))

# What writers call a column, in small letters: Argus, nfdump (and CIDDS, made with it), SiLK's rwcut, Zeek, pmacct,
# nProbe, CICFlowMeter.
_NAMES = {
    "first": (
        "starttime", "stime", "ts", "firstseen", "date first seen", "first_switched", "flow_start_milliseconds",
        "timestamp_start", "timestamp", "start",
    ),
    "last": (
        "lasttime", "etime", "te", "lastseen", "date last seen", "last_switched", "flow_end_milliseconds",
        "timestamp_end", "end",
    ),
    "duration": ("dur", "duration", "td"),
    "microseconds": ("flow duration",),
    "source": ("srcaddr", "saddr", "sa", "sip", "id.orig_h", "src_ip", "ip_src", "ipv4_src_addr", "src ip addr",
               "source ip", "src ip"),
    "target": ("dstaddr", "daddr", "da", "dip", "id.resp_h", "dst_ip", "ip_dst", "ipv4_dst_addr", "dst ip addr",
               "destination ip", "dst ip"),
    "source_port": ("sport", "srcport", "sp", "id.orig_p", "src_port", "port_src", "l4_src_port", "src pt",
                    "source port", "src port"),
    "target_port": ("dport", "dstport", "dp", "id.resp_p", "dst_port", "port_dst", "l4_dst_port", "dst pt",
                    "destination port", "dst port"),
    "protocol": ("proto", "pr", "pro", "protocol", "ip_proto"),
    "state": ("state", "conn_state"),
    "flags": ("flags", "flg", "tcp_flags"),
    "history": ("history",),
    "packets": ("totpkts", "pkts", "ipkt", "packets"),
    "bytes": ("totbytes", "bytes", "ibyt"),
    "there_packets": ("srcpkts", "spkts", "orig_pkts", "in_pkts", "total fwd packets", "total fwd packet",
                      "tot fwd pkts"),
    "there_bytes": ("srcbytes", "sbytes", "orig_ip_bytes", "in_bytes", "total length of fwd packets",
                    "total length of fwd packet", "totlen fwd pkts"),
    "back_packets": ("dstpkts", "dpkts", "resp_pkts", "out_pkts", "total backward packets", "total bwd packets",
                     "tot bwd pkts"),
    "back_bytes": ("dstbytes", "dbytes", "resp_ip_bytes", "out_bytes", "total length of bwd packets",
                   "total length of bwd packet", "totlen bwd pkts"),
    "fins": ("fin flag count", "fin flag cnt"),
    "syns": ("syn flag count", "syn flag cnt"),
    "resets": ("rst flag count", "rst flag cnt"),
    "pushes": ("psh flag count", "psh flag cnt"),
    "acks": ("ack flag count", "ack flag cnt"),
}  # fmt: skip
_NEEDED = ("first", "source", "target", "protocol")

_PROTOCOLS = {
    "icmp": ICMP, "igmp": 2, "ipip": 4, "ip": 4, "tcp": TCP, "egp": 8, "igp": 9, "udp": UDP, "udt": UDP, "rtp": UDP,
    "rtcp": UDP, "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmp6": ICMPV6, "icmp-6": ICMPV6,
    "ipv6-icmp": ICMPV6, "icmpv6": ICMPV6, "ipv6-no": 59, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
    "sctp": 132, "udplite": 136,
}  # fmt: skip
_LETTERS = {"F": FIN, "S": SYN, "R": RST, "P": PUSH, "A": ACK, "U": 32, "E": 64, "C": 128}
_TALK = SYN | PUSH | ACK  # of a connection in which both have spoken, where no more is told
_STATES = {  # flags there and back that a state of Argus' or Zeek's means
    "REQ": (SYN, 0), "S0": (SYN, 0), "ACC": (SYN, SYN | ACK), "S1": (SYN | ACK, SYN | ACK), "EST": (_TALK, _TALK),
    "CON": (_TALK, _TALK), "FIN": (_TALK | FIN, _TALK | FIN), "CLO": (_TALK | FIN, _TALK | FIN),
    "SF": (_TALK | FIN, _TALK | FIN), "REJ": (SYN, RST | ACK), "RSTO": (_TALK | RST, _TALK),
    "RSTR": (_TALK, _TALK | RST), "RST": (SYN | RST, ACK | RST), "SH": (SYN | FIN, 0), "RSTOS0": (SYN | RST, 0),
}  # fmt: skip
_NONE = frozenset(("0", "0.0", ""))
_COUNTED = (("fins", FIN), ("syns", SYN), ("resets", RST), ("pushes", PUSH), ("acks", ACK))
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}  # as nfdump shortens numbers
_HISTORY = {"S": SYN, "H": SYN | ACK, "A": ACK, "D": PUSH | ACK, "F": FIN | ACK, "R": RST}  # Zeek's conn.log
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_LONGEST_VALUE = 64  # characters that are read of a value: nothing long is remembered
_LATEST = 253_402_214_400  # seconds: 9999-12-31


# first, last, source, target, their ports, protocol, flags, packets, bytes
_Row = tuple[int, int, bytes, bytes, int, int, int, int, int, int]


class Layout(NamedTuple):
    """How lines are written: between columns, where each column of _NAMES is, the line of names and its number."""

    delimiter: str
    columns: Mapping[str, int]
    names: str
    line: int


class _RowError(ValueError):
    """A line is no flow; its text is a code."""


class _Way(NamedTuple):
    """One direction of a line."""

    packets: int
    bytes: int
    flags: int


def recognise(head: bytes) -> Layout | None:
    """The layout of text that begins like this, or None where no line of it names the columns that flows need."""
    for number, ended in enumerate(head.decode("latin-1").split("\n")[:_HEADER_LINES], 1):
        line = ended.strip("\r")
        text = line.removeprefix("\xef\xbb\xbf").removeprefix("#fields").strip().strip("|")
        for delimiter in _DELIMITERS:
            names = [each.strip().strip('"').lower() for each in text.split(delimiter)]
            places = {name: place for place, name in reversed(list(enumerate(names)))}
            columns = {
                ours: places[theirs] for ours, known in _NAMES.items() for theirs in reversed(known) if theirs in places
            }
            if all(name in columns for name in _NEEDED) and columns.keys() & {"packets", "there_packets"}:
                return Layout(delimiter, columns, line, number)
    return None


def read(take: Take) -> Iterator[Read]:
    """A page for each piece of text; ``Refused.at`` is a line. FormatError: no line names the columns."""
    head = b""
    while len(head) < HEAD and (piece := take(HEAD - len(head))):
        head += piece
    layout = recognise(head)
    if layout is None:
        wanted = ", ".join(f"{name} ({_NAMES[name][0]})" for name in (*_NEEDED, "packets"))
        raise FormatError(f"no line names the columns of flow records: give it one with {wanted}")
    rest, number, dropping = head, 1, False
    while True:
        more = take(_PIECE)
        lines = (rest + more).split(b"\n")
        rest = lines.pop() if more else b""
        if dropping and lines:
            del lines[0]
            number, dropping = number + 1, False
        page = _Page()
        ended = page.add(lines, number, layout)
        number += len(lines)
        if len(rest) > _LONGEST_LINE:
            if not dropping:
                page.refused.append(Refused(number, "line-too-long"))
            rest, dropping = b"", True
        if page.rows or page.refused:
            yield page.read()
        if ended or not more:
            return


class _Page:
    """Rows while they are being read."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.refused: list[Refused] = []

    def add(self, lines: list[bytes], number: int, layout: Layout) -> bool:
        """Reads lines, the first of which is the number-th; whether the table ends in them."""
        for at, raw in enumerate(lines, number):
            line = raw.decode("latin-1").strip("\r")
            if at <= layout.line or not line or line[0] == "#" or line == layout.names:
                continue
            if line.startswith("Summary"):  # nfdump's sums
                return True
            try:
                self.rows += _flows(line.split(layout.delimiter), layout.columns)
            except _RowError as error:
                self.refused.append(Refused(at, str(error)))
        return False

    def read(self) -> Read:
        columns = records.empty(len(self.rows))
        columns.fragment[:], columns.sampling[:] = 0, 1
        if self.rows:
            first, last, source, target, *rest = zip(*self.rows, strict=True)
            columns.first[:], columns.last[:] = first, last
            for column, addresses in ((columns.source, source), (columns.target, target)):
                column[:] = np.frombuffer(b"".join(addresses), np.uint8).reshape(-1, records.ADDRESS)
            names = ("source_port", "target_port", "protocol", "flags", "packets", "bytes")
            for name, values in zip(names, rest, strict=True):
                getattr(columns, name)[:] = values
        return Read(records.batch(columns, len(self.rows)), tuple(self.refused))


def _flows(fields: list[str], columns: Mapping[str, int]) -> list[_Row]:
    """The rows of a line. _RowError: why it gives none."""
    if max(columns.values()) >= len(fields):
        raise _RowError("missing-column")
    line = {name: fields[at].strip(' "')[:_LONGEST_VALUE] for name, at in columns.items()}
    protocol = _protocol(line["protocol"])
    source, target = _address(line["source"]), _address(line["target"])
    first = _time(line["first"])
    last = _time(line["last"]) if line.get("last", "") not in _NOTHING else first + _duration(line)
    ports = _port(line.get("source_port", "")), _port(line.get("target_port", ""))
    home_ports = ports[1], ports[0]
    if protocol in (ICMP, ICMPV6) and ("history" in columns or "state" in columns):
        ports, home_ports = (0, _icmp(line, *ports)), (0, 0)
    there, back = _ways(line, protocol)
    first, last = min(first, last), max(first, last)
    rows: list[_Row] = []
    if there.packets or there.bytes or not (back.packets or back.bytes):
        rows.append((first, last, source, target, *ports, protocol, there.flags, there.packets, there.bytes))
    if back.packets or back.bytes:
        rows.append((first, last, target, source, *home_ports, protocol, back.flags, back.packets, back.bytes))
    return rows


def _icmp(line: Mapping[str, str], source_port: int, target_port: int) -> int:
    """Type * 256 + code. Zeek has them as two ports, Argus as one in hexadecimal whose lower byte is the type."""
    if "history" in line:
        return (source_port & 0xFF) * 256 + (target_port & 0xFF)
    return (source_port & 0xFF) * 256 + (source_port >> 8) if line.get("source_port", "").startswith("0x") else 0


def _ways(line: Mapping[str, str], protocol: int) -> tuple[_Way, _Way]:
    """What passed from source to target, and what came back."""
    packets, octets = _count(line, "packets"), _count(line, "bytes")
    there, there_octets = _count(line, "there_packets"), _count(line, "there_bytes")
    back, back_octets = _count(line, "back_packets"), _count(line, "back_bytes")
    if there_octets < 0:
        there_octets = max(octets, 0) - max(back_octets, 0)
    if back_octets < 0:
        back_octets = max(octets - there_octets, 0)
    if there < 0 and back < 0 and back_octets and octets:
        # The total alone is told (CTU-13's Argus): packets are shared out as bytes are, one at least to who sent any.
        there = min(max(round(packets * there_octets / octets), there_octets > 0), max(packets - 1, 0))
    if there < 0:
        there = max(packets, 0) - max(back, 0)
    if back < 0:
        back = max(packets - there, 0)
    if min(there, there_octets) < 0:
        raise _RowError("bad-number")
    out, home = (0, 0)
    if protocol == TCP:
        out, home = _flags(line.get("history", ""), line.get("flags", ""), line.get("state", ""))
        out |= _union(flag for name, flag in _COUNTED if line.get(name, "0") not in _NONE) if "syns" in line else 0
    return _Way(there, there_octets, out), _Way(back, back_octets, home)


@lru_cache(1 << 10)
def _flags(history: str, flags: str, state: str) -> tuple[int, int]:
    """TCP flags there and back, as far as they are told."""
    if history not in _NOTHING:
        return (
            _union(_HISTORY.get(letter, 0) for letter in history if letter.isupper()),
            _union(_HISTORY.get(letter.upper(), 0) for letter in history if letter.islower()),
        )
    if flags.isascii() and flags.isdigit():
        return int(flags[:4]) & 0xFF, 0
    if flags not in _NOTHING:
        return _lettered(flags), 0
    out, both, home = state.upper().partition("_")
    return (_lettered(out), _lettered(home)) if both else _STATES.get(out, (0, 0))


def _lettered(letters: str) -> int:
    return _union(_LETTERS.get(letter, 0) for letter in letters)


def _union(flags: Iterator[int]) -> int:
    made = 0
    for each in flags:
        made |= each
    return made


@lru_cache(256)
def _protocol(text: str) -> int:
    name = text.lower()
    if name.isascii() and name.isdigit() and len(name) <= 3 and int(name) < 256:
        return int(name)
    if name not in _PROTOCOLS:
        raise _RowError("not-ip")
    return _PROTOCOLS[name]


@lru_cache(1 << 16)
def _address(text: str) -> bytes:
    try:
        packed = ip_address(text.partition("%")[0]).packed
    except ValueError:
        raise _RowError("bad-address") from None
    return records.MAPPED + packed if len(packed) == 4 else packed


@lru_cache(1 << 16)
def _port(text: str) -> int:
    """A port, in decimal or hexadecimal; nfdump writes ICMP's type and code with a dot between them."""
    if text in _NOTHING:
        return 0
    try:
        kind, dot, code = text.partition(".")
        port = int(kind, 16 if kind.startswith("0x") else 10)
        port = port * 256 + int(code or "0") if dot else port
    except ValueError:
        raise _RowError("bad-number") from None
    if not 0 <= port < 65536:
        raise _RowError("bad-number")
    return port


def _count(line: Mapping[str, str], name: str) -> int:
    """A number of a line, -1 where it has no such column."""
    text = line.get(name)
    return -1 if text is None else _number(text)


@lru_cache(1 << 16)
def _number(text: str) -> int:
    """A whole number, also as nfdump shortens it: 1.2 M."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    if text in _NOTHING:
        return 0
    return _finite(text.rstrip("KMGT"), _UNITS.get(text[-1], 1))


def _duration(line: Mapping[str, str]) -> int:
    """Microseconds."""
    seconds, microseconds = line.get("duration", ""), line.get("microseconds", "")
    if seconds not in _NOTHING:
        return _finite(seconds, 1_000_000)
    return _finite(microseconds, 1) if microseconds not in _NOTHING else 0


def _finite(text: str, unit: int) -> int:
    """So many units, as a whole number of at most 18 digits."""
    try:
        value = float(text) * unit
    except ValueError:
        raise _RowError("bad-number") from None
    if not 0 <= value < 1e18:  # nor is it no number
        raise _RowError("bad-number")
    return round(value)


def _time(text: str) -> int:
    """Microseconds since 1970 of a date and time, or of seconds since then: milliseconds, where it has 13 digits."""
    whole, _, fraction = text.partition(".")
    if text.isascii() and whole.isdigit() and len(whole) <= 13 and (not fraction or fraction.isdigit()):
        if len(whole) == 13:
            return int(whole) * 1000
        if int(whole) <= _LATEST:
            return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    return (_moment(text) - _EPOCH) // _MICROSECOND


def _moment(text: str) -> datetime:
    """A date and time, the year first, or the day first as CICFlowMeter writes it."""
    try:
        moment = datetime.fromisoformat(text.replace("/", "-").rstrip("."))
    except ValueError:
        moment = _day_first(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day_first(text: str) -> datetime:
    for form in ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %I:%M:%S %p"):
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    raise _RowError("bad-time")
