"""NetFlow v5, v7, v9 and IPFIX said plainly and slowly: every field of every record by its IANA name.

Templates and options are read here and nowhere else. Records of flows are what netflow.py and fields.py are for; tests
hold them to ``flow``, which says in terms of names what their kernels do in terms of octets.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from ipaddress import IPv4Address, IPv6Address
from struct import unpack_from
from typing import NamedTuple

from khien.errors import FormatError
from khien.flows.elements import IANA, Element, Value, element, value
from khien.flows.fields import AHEAD, DAY, LARGEST_RATE, LONGEST_FLOW, OLDEST
from khien.flows.netflow import IPFIX, LARGEST, V5, V7, V9
from khien.flows.records import MAPPED

VARIABLE = 0xFFFF  # the length of a field that says in each record how long it is
SCOPES = {1: 144, 2: 10, 3: 141, 5: 145}  # what v9 calls System, Interface, Line Card, Template (RFC 3954 section 6.1)
CACHE = -1  # the enterprise of the scope that is no element

_CLASSIC = (  # of v5 and v7: number, offset, length
    *((8, 0, 4), (12, 4, 4), (15, 8, 4), (10, 12, 2), (14, 14, 2), (2, 16, 4), (1, 20, 4), (22, 24, 4), (21, 28, 4)),
    *((7, 32, 2), (11, 34, 2), (6, 37, 1), (4, 38, 1), (5, 39, 1), (16, 40, 2), (17, 42, 2), (9, 44, 1), (13, 45, 1)),
)


class Field(NamedTuple):
    """A field of a template; length in octets or VARIABLE."""

    enterprise: int
    number: int
    length: int

    @property
    def element(self) -> Element:
        """What it is."""
        return element(self.enterprise, self.number)


class Template(NamedTuple):
    """What the records of a set are; without fields: withdrawn. scopes: how many fields say what options are of."""

    id: int
    fields: tuple[Field, ...]
    scopes: int = 0
    size: int = 0  # octets of it in its set


class Message(NamedTuple):
    """The header of a datagram. exported: microseconds since 1970; uptime: milliseconds, None in IPFIX."""

    version: int
    domain: int
    exported: int
    uptime: int | None
    sequence: int
    sampling: int = 0


class Record(NamedTuple):
    """A record, and the template it was read by (None: v5, v7)."""

    template: Template | None
    values: Mapping[str, Value]


def classic(version: int) -> Template:
    """The template that v5 or v7 would have: fields that are nothing to us stand for what lies between."""
    fields: list[Field] = []
    behind = 0
    for number, offset, length in (*_CLASSIC, (0, 48 if version == V5 else 52, 0)):
        if offset > behind:
            fields.append(Field(IANA, 210, offset - behind))  # paddingOctets
        fields += [Field(IANA, number, length)] if length else []
        behind = offset + length
    return Template(0, tuple(fields))


def templates(octets: bytes, version: int, *, options: bool) -> Iterator[Template]:
    """The templates of a set's contents. FormatError: one is cut or of an id that is none."""
    at = 0
    while len(octets) - at >= 4 and octets[at : at + 2] != b"\0\0":  # padding
        template = _template(octets, at, version, options)
        yield template
        at += template.size


def _template(octets: bytes, at: int, version: int, options: bool) -> Template:
    begin = at
    name, count = unpack_from(">HH", octets, at)
    if count == 0 and version == IPFIX:
        return Template(name, (), size=4)
    if name < 256 or count == 0 or (options and len(octets) - at < 6):
        raise FormatError(f"template {name} at octet {at} of its set: ids begin at 256, templates have fields")
    scopes = unpack_from(">H", octets, at + 4)[0] if options else 0
    if options and version == V9:
        scopes, count = count // 4, (count + scopes) // 4
    at += 6 if options else 4
    fields: list[Field] = []
    for place in range(count):
        private = version == IPFIX and octets[at : at + 1] >= b"\x80"
        if len(octets) - at < (8 if private else 4):
            raise FormatError(f"template {name}: ends in its field {place + 1} of {count}")
        number, length = unpack_from(">HH", octets, at)
        at += 4
        enterprise = IANA
        if private:
            enterprise, number = unpack_from(">I", octets, at)[0], number & 0x7FFF
            at += 4
        if version == V9 and place < scopes:
            enterprise, number = (IANA, SCOPES[number]) if number in SCOPES else (CACHE, number)
        fields.append(Field(enterprise, number, length))
    return Template(name, tuple(fields), scopes, at - begin)


def records(template: Template, octets: bytes) -> Iterator[dict[str, Value]]:
    """The records of a set's contents; of fields that are there twice the last. What is left over is padding."""
    least = sum(1 if field.length == VARIABLE else field.length for field in template.fields)
    at = 0
    while least and len(octets) - at >= least:
        values: dict[str, Value] = {}
        for field in template.fields:
            length = field.length
            if length == VARIABLE:
                length = int.from_bytes(octets[at : at + 1])
                at += 1
                if length == 255:
                    length = int.from_bytes(octets[at : at + 2])
                    at += 2
            if at + length > len(octets):
                return
            name, kind = field.element
            values.pop(name, None)  # what is there twice stands where it is for the last time
            values[name] = value(kind, octets[at : at + length])
            at += length
        yield values


def header(datagram: bytes) -> Message:
    """FormatError: this is none of v5, v7, v9, IPFIX, or shorter than a header."""
    version = int.from_bytes(datagram[:2])
    if version not in (V5, V7, V9, IPFIX) or len(datagram) < (16 if version == IPFIX else 20 if version == V9 else 24):
        raise FormatError(
            f"{len(datagram)} octets of version {version}: an export begins with 5, 7, 9 or 10 and a header"
        )
    if version == IPFIX:
        exported, sequence, domain = unpack_from(">III", datagram, 4)
        return Message(version, domain, exported * 10**6, None, sequence)
    uptime, seconds = unpack_from(">II", datagram, 4)
    if version == V9:
        sequence, domain = unpack_from(">II", datagram, 12)
        return Message(version, domain, seconds * 10**6, uptime, sequence)
    nanoseconds, sequence, engine, sampling = unpack_from(">IIHH", datagram, 12)
    exported = seconds * 10**6 + (nanoseconds // 1000 if nanoseconds < 10**9 else 0)
    if version == V7:
        return Message(version, 0, exported, uptime, sequence)
    return Message(version, engine, exported, uptime, sequence, sampling & 0x3FFF)


def read(datagram: bytes, known: MutableMapping[tuple[int, int], Template]) -> Iterator[Record]:
    """All records whose templates are known by (domain, id), which this datagram's templates become.

    FormatError: what stands from there on cannot be read.
    """
    message = header(datagram)
    if message.version in (V5, V7):
        length = 48 if message.version == V5 else 52
        behind = 24 + length * int.from_bytes(datagram[2:4])
        for values in records(classic(message.version), datagram[24:behind]):
            yield Record(None, {name: each for name, each in values.items() if name != "paddingOctets"})
        return
    for kind, contents in _sets(datagram, message.version):
        if kind in ((0, 1) if message.version == V9 else (2, 3)):
            for template in templates(contents, message.version, options=bool(kind & 1)):
                known[message.domain, template.id] = template
        elif template := known.get((message.domain, kind)):
            yield from (Record(template, values) for values in records(template, contents))


def _sets(datagram: bytes, version: int) -> Iterator[tuple[int, bytes]]:
    behind = len(datagram) if version == V9 else min(len(datagram), int.from_bytes(datagram[2:4]))
    at = 20 if version == V9 else 16
    while behind - at >= 4:
        kind, length = unpack_from(">HH", datagram, at)
        if length < 4 or at + length > len(datagram):
            raise FormatError(f"a set of {length} octets at octet {at} of a datagram of {len(datagram)}")
        yield kind, datagram[at + 4 : at + length]
        at += length


class Flow(NamedTuple):
    """A row of schema.FLOWS; times in microseconds since 1970."""

    first: int
    last: int
    source: bytes
    target: bytes
    source_port: int
    target_port: int
    protocol: int
    flags: int
    fragment: int
    packets: int
    bytes: int
    sampling: int


def flow(values: Mapping[str, Value], message: Message, *, received: int, rate: int = 1) -> Flow | None:
    """The flow that a record tells of; None: it names no address. rate: the sampling interval where it names none.

    Of records that carry whole headers, of samplers' numbers and of the other direction this says nothing.
    """

    def of(*names: str, default: int = 0) -> int:
        return next((each for name in names if isinstance(each := values.get(name), int)), default)

    source, target = _address(values, "source"), _address(values, "destination")
    if source is None and target is None:
        return None
    protocol = of("protocolIdentifier", "nextHeaderIPv6")
    target_port = of("destinationTransportPort", "udpDestinationPort", "tcpDestinationPort")
    family = {1: "IPv4", 58: "IPv6"}.get(protocol)
    if family and values.keys() & {"icmpTypeCodeIPv4", "icmpTypeCodeIPv6"}:
        target_port = of(f"icmpTypeCode{family}") or target_port
    elif family:
        kind = values.get(f"icmpType{family}")
        target_port = kind << 8 if isinstance(kind, int) else target_port
        code = values.get(f"icmpCode{family}")
        target_port = target_port & 0xFF00 | code if isinstance(code, int) else target_port
    sampling = _sampling(values, rate)
    size = min(of(*_OCTETS), LARGEST)
    packets = min(of(*_PACKETS, default=int(size > 0)), LARGEST)
    extensions = of("ipv6ExtensionHeaders")
    pieces = of("fragmentOffset") & 0x1FFF or of("fragmentFlags") & 0x20 or extensions & 0x5000000A
    return Flow(
        *_times(values, message, received),
        source or bytes(16),
        target or bytes(16),
        of("sourceTransportPort", "udpSourcePort", "tcpSourcePort"),
        target_port,
        protocol,
        of("tcpControlBits") & 0xFF,
        int(pieces != 0),
        packets * sampling,
        size * sampling,
        sampling,
    )


_OCTETS = (
    *("octetDeltaCount", "octetTotalCount", "initiatorOctets", "postOctetDeltaCount", "postOctetTotalCount"),
    *("layer2OctetDeltaCount", "layer2OctetTotalCount"),
)
_PACKETS = (
    *("packetDeltaCount", "packetTotalCount", "initiatorPackets", "postPacketDeltaCount", "postPacketTotalCount"),
)
_CLOCKS = (
    *(("flowStartMicroseconds", "flowEndMicroseconds", 1), ("flowStartNanoseconds", "flowEndNanoseconds", 0.001)),
    *(("flowStartMilliseconds", "flowEndMilliseconds", 1000), ("flowStartSysUpTime", "flowEndSysUpTime", -1)),
    *(("flowStartSeconds", "flowEndSeconds", 10**6), ("flowStartDeltaMicroseconds", "flowEndDeltaMicroseconds", -2)),
    *((f"observationTime{unit}",) * 2 + (scale,) for unit, scale in (("Microseconds", 1), ("Nanoseconds", 0.001))),
    *((f"observationTime{unit}",) * 2 + (scale,) for unit, scale in (("Milliseconds", 1000), ("Seconds", 10**6))),
)


def _address(values: Mapping[str, Value], end: str) -> bytes | None:
    """What stands last and is set."""
    found = None
    for name, said in values.items():
        if name in (f"{end}IPv4Address", f"{end}IPv6Address") and isinstance(said, IPv4Address | IPv6Address):
            if found is None or any(said.packed):
                found = (MAPPED if said.version == 4 else b"") + said.packed
    return found


def _sampling(values: Mapping[str, Value], rate: int) -> int:
    def of(name: str) -> int:
        said = values.get(name)
        return min(said, LARGEST) if isinstance(said, int) else 0

    for name in ("samplingInterval", "samplerRandomInterval", "samplingPacketInterval"):
        rate = min(of(name) or rate, LARGEST_RATE)
    if "samplingPacketInterval" in values and "samplingPacketSpace" in values:
        rate = min((rate + of("samplingPacketSpace") + rate // 2) // rate, LARGEST_RATE)
    rate = min(of("samplingSize") or rate, LARGEST_RATE)
    if "samplingSize" in values and "samplingPopulation" in values:
        rate = min((of("samplingPopulation") + rate // 2) // rate or rate, LARGEST_RATE)
    return rate


def _times(values: Mapping[str, Value], message: Message, received: int) -> tuple[int, int]:
    def at(name: str, scale: float) -> int | None:
        said = values.get(name)
        if not isinstance(said, int):
            return None
        if scale == -1:
            uptime, base = message.uptime or 0, message.exported if message.uptime is not None else 0
            started = values.get("systemInitTimeMilliseconds")
            if isinstance(started, int):
                uptime, base = message.exported // 1000 - min(started, LARGEST), message.exported
            age = (uptime - said) & 0xFFFFFFFF
            return base - (age if age < 1 << 31 else age - (1 << 32)) * 1000
        if scale == -2:
            return message.exported - min(said, LARGEST)
        if scale <= 1:  # NTP's, which cannot be too large
            return said if scale == 1 else said // 1000
        return min(said, LARGEST) * int(scale)

    clocks = [(at(first, scale), at(last, scale)) for first, last, scale in _CLOCKS]
    first, last = next(
        (clock for clock in clocks if None not in clock),
        next((clock for clock in clocks if clock != (None, None)), (None, message.exported)),
    )
    lasted = next(
        (
            min(said, DAY) * scale
            for name, scale in (("flowDurationMilliseconds", 1000), ("flowDurationMicroseconds", 1))
            if isinstance(said := values.get(name), int)
        ),
        0,
    )
    first = (last or 0) - lasted if first is None else first
    last = first + lasted if last is None else last
    good = [OLDEST <= each <= received + AHEAD for each in (first, last)]
    if not any(good):
        return received - (last - first if 0 < last - first <= LONGEST_FLOW else 0), received
    first, last = (first if good[0] else last), (last if good[1] else first)
    return min(first, last), max(first, last)
