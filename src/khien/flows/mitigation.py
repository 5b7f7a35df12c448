"""From a found flood to a filter: what a router is told to drop, to slow down and to spare.

Khiên applies nothing itself. ``mitigation`` gives what the writers in ``khien.formats`` put into a router's own words:
traffic filtering rules (FlowSpec, RFC 8955 and RFC 8956), or, as the last resort, a black hole (RFC 7999). Each rule
takes as little as tells the attack apart; what the victim may live by is slowed down, to what it had on ordinary days
where that is told (``Attack.usual``; findings do not yet), else to a fiftieth of the attack.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar

from msgspec.structs import replace

from khien.errors import InputError
from khien.flows.senders import LONGEST
from khien.flows.vectors import ACK, FIN, ICMP, ICMPV6, NUMBERS, RST, SYN, TCP, VECTORS
from khien.model import Finding, Record

Network = IPv4Network | IPv6Network
T = TypeVar("T")

DISCARD = 0  # bytes per second: a rate of nought discards, RFC 8955 section 7.1
LEAST = 1200  # bytes per second, 9600 bit/s: what routers police at the least
TIMES = 2  # ordinary traffic may double before a limit touches it
UNKNOWN = 0.02  # of the attack may pass where nobody knows what is ordinary
PACKETS = 20  # of a TCP connection, each way: one of them opens it
HANDSHAKE = 60  # bytes of the packet that opens a connection, with its headers and options
# Bytes of a packet that opens a connection without options, and of an answer with the segment size alone (RFC 9293
# section 3.7.1), in IPv4: systems in use offer more, and are answered with more.
BARE = {"syn": 40, "syn-ack-reflection": 44}
IPV6 = 20  # bytes that its header is longer
NARROW = 64  # bytes between the shortest and the longest packet of an attack that its length tells apart
PORTS, SOURCES = 16, 32  # as many ports, protocols and networks as rules name; past that nothing is concentrated
TRACE = 0.02  # of the attack: less is not worth a rule
MOST, ALL = 0.9, 0.99  # of the packets: what ports or networks take together for rules to name them, and them alone

NEEDED = frozenset("dns isakmp stun sip l2tp openvpn game-server quic".split())  # whose answers victims live by
FLAGS = {  # TCP control bits that are set, of those that are looked at
    "syn": (SYN, SYN | ACK),
    "syn-ack-reflection": (SYN | ACK, SYN | ACK),
    "ack": (ACK, FIN | SYN | RST | ACK),
    "rst": (RST, RST),
    "fin": (FIN, FIN | SYN | RST),
}
_OF_TCP = frozenset(vector.name for vector in VECTORS if vector.protocols == (TCP,))
_PORTS = frozenset(vector.name for vector in VECTORS if vector.ports)
_UNNAMED = tuple(sorted(set(range(256)).difference(*(vector.protocols for vector in VECTORS))))
_UNAPPLIED = (
    "Khien applies nothing itself: read it, make it yours, then enter it.",
    "Khiên không tự áp dụng gì: hãy đọc, sửa cho hợp mạng của mình, rồi mới nhập.",
)
_DOUBTS = (  # what a person should know before entering rules
    "Sources may be forged: a rule by source may cut off who did nothing. A limit holds back good and bad alike.",
    "Địa chỉ nguồn có thể bị giả mạo: luật theo nguồn có thể chặn nhầm. Giới hạn tốc độ chặn cả gói tốt lẫn gói xấu.",
)
_END, _ABSENT = 256, 257  # greater than any octet


class Load(Record, frozen=True, kw_only=True):
    """What reaches an address or a network by one vector.

    vector: a name of khien.flows.vectors. packets, bits: per second. ports: target ports (of ICMP as in schema.FLOWS)
    and sources: networks, each with its share of all these packets, the greatest first. lengths: in bytes, between
    which nearly all the IP packets are, where that is known. protocols: IANA numbers, where the vector tells none.
    """

    vector: str
    packets: float
    bits: float
    ports: tuple[tuple[int, float], ...] = ()
    sources: tuple[tuple[Network, float], ...] = ()
    lengths: tuple[int, int] | None = None
    protocols: tuple[int, ...] = ()


class Attack(Record, frozen=True, kw_only=True):
    """A flood: loads at its peak; usual: what the victim has on ordinary days, None where nobody knows."""

    victim: Network
    loads: tuple[Load, ...]
    usual: tuple[Load, ...] | None = None


class Match(Record, frozen=True, kw_only=True):
    """Packets that have all of this; what is empty or None is not looked at. In the order of RFC 8955 section 4.2.2.

    flags: TCP control bits that are set, of those in the second number. lengths: of IP packets in bytes, both ends in.
    """

    destination: Network
    source: Network | None = None
    protocols: tuple[int, ...] = ()
    destination_ports: tuple[int, ...] = ()
    source_ports: tuple[int, ...] = ()
    icmp_types: tuple[int, ...] = ()
    flags: tuple[int, int] | None = None
    lengths: tuple[int, int] | None = None
    fragment: bool = False


class Rule(Record, frozen=True, kw_only=True):
    """What becomes of packets that match: rate bytes per second pass, 0 discards all. vector: what it is meant for."""

    match: Match
    rate: int
    vector: str


class Mitigation(Record, frozen=True, kw_only=True):
    """What a router may be told for the victim's sake, from made to until; nothing here is in force by itself.

    rules: the first that matches decides. blackhole: no rules, all to the victim is given up.
    """

    victim: Network
    made: datetime
    until: datetime
    rules: tuple[Rule, ...] = ()
    blackhole: bool = False


def mitigation(attack: Attack, *, made: datetime, lasts: timedelta = timedelta(hours=1)) -> Mitigation:
    """The rules against an attack, dated. InputError as ``rules``."""
    return Mitigation(victim=attack.victim, made=made, until=made + lasts, rules=rules(attack))


def blackhole(attack: Attack, *, made: datetime, lasts: timedelta = timedelta(hours=1)) -> Mitigation:
    """The last resort: the victim's address is given up so that others are reached, and the attacker has won."""
    return Mitigation(victim=attack.victim, made=made, until=made + lasts, blackhole=True)


def attack(finding: Finding) -> Attack:
    """What a finding of a flood says of it. InputError: it is no finding of a flood, or says nothing of its vectors."""
    loads: dict[str, dict[str, Any]] = {}
    for measure, figure in finding.measures.items():
        vector, _, what = measure.partition(".")
        if vector not in NUMBERS or not what:
            continue
        load = loads.setdefault(vector, {"ports": [], "sources": []})
        kind, _, which = what.partition(".")
        if kind == "port":
            load["ports"].append((int(which), figure))
        elif kind == "from":
            load["sources"].append((ip_network(which), figure))
        else:
            load[kind] = figure
    if finding.detector != "flood" or not loads:
        raise InputError(f"finding {finding.id[:12]} is no flood whose vectors are known: khien findings lists others")
    return Attack(
        victim=ip_network(finding.subject), loads=tuple(_load(vector, load) for vector, load in loads.items())
    )


def _load(vector: str, told: Mapping[str, Any]) -> Load:
    lengths = (int(told["shortest"]), int(told["longest"])) if "longest" in told else None
    if lengths and lengths[1] >= LONGEST:  # longer ones were not told apart
        lengths = lengths[0], 0xFFFF
    return Load(
        vector=vector,
        packets=told["packets"],
        bits=told["bits"],
        ports=tuple(told["ports"]),
        sources=tuple(told["sources"]),
        lengths=lengths,
    )


def rules(attack: Attack) -> tuple[Rule, ...]:
    """What drops the attack and spares the rest, in the order routers look, RFC 8955 section 5.1.

    None where nothing tells the attack apart. InputError: a vector of no such name, a source of another IP version.
    """
    for load in attack.loads:
        if load.vector not in NUMBERS:
            raise InputError(f"attack on {attack.victim}: no vector {load.vector!r}: there is {', '.join(NUMBERS)}")
        for source, _ in load.sources:
            if source.version != attack.victim.version:
                raise InputError(f"attack on {attack.victim}: the source {source} is of another IP version")
    made: dict[Match, Rule] = {}
    for load in _worth_rules(attack.loads):
        for match, rate in _against(attack, load):
            made.setdefault(match, Rule(match=match, rate=rate, vector=load.vector))
    return tuple(sorted(made.values(), key=lambda rule: place(rule.match)))


def _worth_rules(loads: Sequence[Load]) -> list[Load]:
    """All but the smallest, which are a trace together: a rule may cost the victim more than they do."""
    packets, bits = (sum(each) or 1.0 for each in ((load.packets for load in loads), (load.bits for load in loads)))
    worth: list[Load] = []
    spared = 0.0
    for load in sorted(loads, key=lambda load: load.packets):
        spared += max(load.packets / packets, load.bits / bits)
        if spared > TRACE:
            worth.append(load)
    return worth[::-1]


def _against(attack: Attack, load: Load) -> Iterable[tuple[Match, int]]:
    """What to do about one load: matches, and the bytes per second that pass each."""
    pattern = _pattern(attack, load)
    if load.vector in _PORTS:
        return _answers(attack, load, pattern)
    bare = BARE.get(load.vector, 0) and BARE[load.vector] + (IPV6 if attack.victim.version == 6 else 0)
    if load.lengths and load.lengths[1] <= bare:
        return [(replace(pattern, lengths=load.lengths), DISCARD)]
    few, enough = _concentrated(load.sources, SOURCES)
    # Routers look past extension headers, RFC 8956 section 3.3: of those only the source is sure to be seen.
    passed_over = load.vector == "ipv6-extension" and attack.victim.version == 6
    seen = Match(destination=attack.victim) if passed_over else pattern
    made = [(replace(seen, source=source), DISCARD) for source in few]
    return made if enough else [*made, *_from_everywhere(attack, load, pattern)]


def _from_everywhere(attack: Attack, load: Load, pattern: Match) -> list[tuple[Match, int]]:
    ports, enough = _concentrated(load.ports, PORTS)
    match load.vector:
        case "syn":
            return _connections(attack, load, pattern)
        case "udp":
            return _datagrams(attack, load, pattern)
        case "fragment" if attack.usual is None and any(_amplified(each) for each in attack.loads):
            return [(pattern, DISCARD)]  # the rest of answers that are too long for one packet
        case "icmp":  # never discarded: path MTU discovery needs it, RFC 4890 section 4.3.1
            types = tuple({port >> 8 for port in ports}) if enough else ()
            alone = types if len(types) == 1 else ()
            return [(replace(pattern, icmp_types=alone), _allowed(attack, load) or LEAST)]
        case _ if pattern == Match(destination=attack.victim):
            return []  # it would be all that the victim gets
        case _ if ports and load.vector in _OF_TCP:
            made = [(replace(pattern, destination_ports=ports), _allowed(attack, load))]
            return made if enough else [*made, (pattern, _allowed(attack, load))]
        case _:
            return [(pattern, _allowed(attack, load))]


def _amplified(load: Load) -> bool:
    return VECTORS[NUMBERS[load.vector]].amplified


def _pattern(attack: Attack, load: Load) -> Match:
    """What the packets of a vector look like, whoever sends them."""
    vector = VECTORS[NUMBERS[load.vector]]
    protocols = vector.protocols or (load.protocols if len(load.protocols) <= PORTS else _UNNAMED)
    if load.vector == "icmp":
        protocols = (ICMPV6,) if attack.victim.version == 6 else (ICMP,)
    return Match(
        destination=attack.victim,
        protocols=() if load.vector == "fragment" else protocols,
        source_ports=vector.ports,
        flags=FLAGS.get(load.vector),
        fragment=load.vector == "fragment",
    )


def _answers(attack: Attack, load: Load, pattern: Match) -> list[tuple[Match, int]]:
    """Answers of services: discarded, unless the victim lives by them; then their length may tell them apart."""
    usual = _usual(attack, load.vector)
    if not usual and (attack.usual is not None or load.vector not in NEEDED):
        return [(pattern, DISCARD)]
    made = [(pattern, _allowed(attack, load))]
    if load.lengths and load.lengths[1] - load.lengths[0] <= NARROW:
        if not any(load.lengths[0] <= each.bits / 8 / max(each.packets, 1e-9) <= load.lengths[1] for each in usual):
            made.append((replace(pattern, lengths=load.lengths), DISCARD))
    return made


def _connections(attack: Attack, load: Load, pattern: Match) -> list[tuple[Match, int]]:
    """SYN from everywhere: the attacked service stays within reach, and so do those that were used before."""
    attacked, enough = _concentrated(load.ports, PORTS)
    served = _served(attack, *_OF_TCP)
    allowed = _allowed(attack, load) or LEAST
    made = [(replace(pattern, destination_ports=attacked), allowed)] if attacked else []
    if served is None:
        return made if enough else [*made, (pattern, allowed)]
    others = tuple(sorted(set(served) - set(attacked)))
    if others:
        made.append((replace(pattern, destination_ports=others), allowed))
    return [*made, (pattern, DISCARD)]


def _datagrams(attack: Attack, load: Load, pattern: Match) -> list[tuple[Match, int]]:
    """UDP: the ports it goes to, where it has some; else all of it, beside the services whose answers are usual."""
    attacked, enough = _concentrated(load.ports, PORTS)
    allowed = _allowed(attack, load)
    served = _served(attack, "udp")
    unused = served is not None and not set(served) & set(attacked)
    made = [(replace(pattern, destination_ports=attacked), DISCARD if unused else allowed)] if attacked else []
    if enough:
        return made
    spared = [(_pattern(attack, each), _allowed(attack, each)) for each in attack.usual or () if each.vector in _PORTS]
    return [*made, *spared, (pattern, allowed)]


def _concentrated(shares: Sequence[tuple[T, float]], most: int) -> tuple[tuple[T, ...], bool]:
    """The first of shares that make up most together, none where that takes too many; and whether they are enough."""
    together = 0.0
    chosen: tuple[T, ...] = ()
    for count, (_, share) in enumerate(shares[:most], 1):
        together += share
        if together >= MOST:
            chosen = tuple(each for each, _ in shares[:count])
        if together >= ALL:
            return chosen, True
    return chosen, False


def _usual(attack: Attack, *vectors: str) -> list[Load]:
    return [load for load in attack.usual or () if load.vector in vectors and load.packets > 0]


def _served(attack: Attack, *vectors: str) -> tuple[int, ...] | None:
    """The ports the victim is used on by these vectors; None where that is not known, or they are too many to name."""
    loads = _usual(attack, *vectors)
    ports = tuple(sorted({port for load in loads for port, _ in load.ports}))
    known = attack.usual is not None and all(load.ports for load in loads)
    return ports if known and len(ports) <= PORTS else None


def _allowed(attack: Attack, load: Load) -> int:
    """Bytes per second that may pass: what is usual, doubled; DISCARD where nothing is.

    A connection shows all its flags at once in flow records, so that what is usual is known of all TCP together. What
    only ends connections is not missed.
    """
    if attack.usual is None:
        return max(LEAST, round(UNKNOWN * load.bits / 8))
    usual = _usual(attack, *(_OF_TCP if load.vector in _OF_TCP else (load.vector,)))
    if not usual:
        return DISCARD
    if load.vector in ("rst", "fin"):
        return LEAST
    if load.vector in ("ack", "tcp") or load.vector not in _OF_TCP:
        return max(LEAST, round(TIMES * sum(each.bits for each in usual) / 8))
    return max(LEAST, round(TIMES * sum(each.packets for each in usual) / PACKETS * HANDSHAKE))


def place(match: Match) -> tuple[tuple[int, ...], ...]:
    """Sorts matches as routers do: component by component, one that is not looked at last, RFC 8955 section 5.1.

    Prefixes: the more specific first, then the lower. All else: by its octets, the longer first where one begins the
    other. What ends a component is greater than any octet, so that both fall out of comparing tuples. (Flags and
    lengths are put by their numbers: of two rules that differ in nothing else, neither takes what the other spares.)
    """
    components = (
        [_bits(match.destination), _bits(match.source) if match.source else ()]
        + [_values(each) for each in (match.protocols, match.destination_ports, match.source_ports, match.icmp_types)]
        + [match.flags or (), _pairs(match.lengths or ()), (1,) if match.fragment else ()]
    )
    return tuple((*component, _END) if component else (_ABSENT,) for component in components)


def _bits(network: Network) -> tuple[int, ...]:
    return tuple(map(int, f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]))


def _values(values: tuple[int, ...]) -> tuple[int, ...]:
    """Octets of a list of numbers: operator and value each, two for a span; RFC 8955 section 4.2.1.1."""
    pairs = [
        pair for low, high in spans(values) for pair in ([(0x01, low)] if low == high else [(0x03, low), (0x45, high)])
    ]
    octets: list[int] = []
    for count, (operator, value) in enumerate(pairs, 1):
        operator |= 0x80 if count == len(pairs) else 0
        octets += (operator, value) if value < 256 else (operator | 0x10, *divmod(value, 256))
    return tuple(octets)


def _pairs(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(octet for value in values for octet in divmod(value, 256))


def spans(values: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers in rising order as the first and last of each run of neighbours."""
    made: list[tuple[int, int]] = []
    for value in sorted(values):
        if made and value <= made[-1][1] + 1:
            made[-1] = made[-1][0], value
        else:
            made.append((value, value))
    return made


def remarks(made: Iterable[Mitigation], where: Iterable[str]) -> list[str]:
    """The lines above a text, in both languages: what it is, until when, and where it goes, as its writer says.

    In ASCII, Vietnamese without its marks: routers' parsers take nothing else.
    """
    made = tuple(made)
    lines = [line for each in made for line in _about(each)]
    doubts = _DOUBTS if any(each.rules for each in made) else ()
    return [_ascii(line) for line in (*lines, *_UNAPPLIED, *doubts, *where)]


def _about(made: Mitigation) -> tuple[str, ...]:
    victim = made.victim.with_prefixlen
    begin, end = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" for at in (made.made, made.until))
    dated = (
        f"Khien: against a flood on {victim}. Made {begin}; take it out by {end}.",
        f"Khiên: chống tấn công tràn ngập vào {victim}. Lập lúc {begin}; gỡ bỏ trước {end}.",
    )
    if made.blackhole:
        return (
            *dated,
            f"LAST RESORT: all traffic to {victim} is lost, its ordinary traffic too. The attack reaches its aim.",
            f"BIỆN PHÁP CUỐI CÙNG: mất mọi lưu lượng tới {victim}, kể cả lưu lượng thường. Kẻ tấn công đạt mục đích.",
        )
    if not made.rules:
        return (
            *dated,
            "No rule: nothing that a router looks at tells this attack from other traffic.",
            "Không có luật nào: không dấu hiệu nào bộ định tuyến xem được tách tấn công này khỏi lưu lượng khác.",
        )
    return dated


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
