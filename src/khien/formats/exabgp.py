"""Mitigation as a configuration of ExaBGP 4: a whole file, which ``exabgp --validate`` takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from khien.flows.mitigation import Match, Mitigation, Rule, remarks, spans

_WHERE = (
    "A whole file for ExaBGP 4. Replace the neighbor's addresses and numbers (RFC 5737, RFC 6996) by your own.",
    "Cả một tệp cho ExaBGP 4. Hãy thay địa chỉ và số hiệu của neighbor (RFC 5737, RFC 6996) bằng của mình.",
)
_NEIGHBOR = """\
neighbor 192.0.2.254 {
    router-id 192.0.2.253;
    local-address 192.0.2.253;
    local-as 64512;
    peer-as 64512;
    family { ipv4 unicast; ipv6 unicast; ipv4 flow; ipv6 flow; }
"""
_NEXT_HOP = {4: "192.0.2.1", 6: "100::1"}  # where nothing is: RFC 5635 section 4.1, RFC 6666
_FLAGS = ((1, "fin"), (2, "syn"), (4, "rst"), (8, "push"), (16, "ack"), (32, "urgent"))


@dataclass(frozen=True)
class Exabgp:
    """An encoder: what ExaBGP announces to routers."""

    name: ClassVar[str] = "exabgp"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Mitigation

    def encode(self, records: Iterable[Mitigation], /) -> bytes:
        """ASCII text."""
        made = tuple(records)
        rules = [rule for each in made for rule in each.rules]
        lines = [f"# {line}" for line in remarks(made, _WHERE)]
        lines.append(_NEIGHBOR.rstrip())
        if rules:
            flows = [line for number, rule in enumerate(rules, 1) for line in _route(number, rule)]
            lines += ["    flow {", *flows, "    }"]
        if any(each.blackhole for each in made):
            lines += ["    static {", *(_blackhole(each) for each in made if each.blackhole), "    }"]
        return "\n".join([*lines, "}", ""]).encode("ascii")


def _route(number: int, rule: Rule) -> list[str]:
    then = f"rate-limit {rule.rate:d}" if rule.rate else "discard"
    return [
        f"        route khien-{number}-{rule.vector} {{",
        f"            match {{ {' '.join(f'{condition};' for condition in _conditions(rule.match))} }}",
        f"            then {{ {then}; }}",
        "        }",
    ]


def _conditions(match: Match) -> list[str]:
    six = match.destination.version == 6
    numbers = {
        "next-header" if six else "protocol": match.protocols,
        "destination-port": match.destination_ports,
        "source-port": match.source_ports,
        "icmp-type": match.icmp_types,
    }
    made = [f"destination {match.destination.with_prefixlen}"]
    if match.source:
        made.append(f"source {match.source.with_prefixlen}")
    made += [f"{name} [ {' '.join(_spans(values))} ]" for name, values in numbers.items() if values]
    if match.flags:
        set_, of = match.flags
        made.append("tcp-flags " + "&".join(name if bit & set_ else f"!{name}" for bit, name in _FLAGS if bit & of))
    if match.lengths:
        made.append("packet-length >={:d}&<={:d}".format(*match.lengths))
    if match.fragment:
        made.append("fragment is-fragment")
    return made


def _spans(values: tuple[int, ...]) -> list[str]:
    return [f"={low:d}" if low == high else f">={low:d}&<={high:d}" for low, high in spans(values)]


def _blackhole(made: Mitigation) -> str:
    hop = _NEXT_HOP[made.victim.version]
    return f"        route {made.victim.with_prefixlen} next-hop {hop} community [ 65535:666 65535:65281 ];"
