"""Mitigation as configuration of Juniper Junos: a fragment to ``load merge``.

Words from the Junos CLI Reference: ``flow`` and ``static`` at [edit routing-options], for IPv6 at
[edit routing-options rib inet6.0].
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from khien.flows.mitigation import Match, Mitigation, Rule, remarks, spans

_WHERE = (
    "For Junos: load merge terminal, at the top; BGP groups carry it with family inet flow and family inet6 flow, or,",
    "of a black hole, with an export policy for static routes that have the community 65535:666.",
    "Cho Junos: load merge terminal, ở mức gốc; các nhóm BGP cần family inet flow và family inet6 flow; với lỗ đen",
    "thì cần export policy cho static route mang community 65535:666.",
)
_FLAGS = ((1, "fin"), (2, "syn"), (4, "rst"), (8, "push"), (16, "ack"), (32, "urgent"))


@dataclass(frozen=True)
class Juniper:
    """An encoder: what is loaded on a Junos router."""

    name: ClassVar[str] = "juniper"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Mitigation

    def encode(self, records: Iterable[Mitigation], /) -> bytes:
        """ASCII text."""
        made = tuple(records)
        lines = [f"# {line}" for line in remarks(made, _WHERE)]
        lines.append("routing-options {")
        lines += _tables([each for each in made if each.victim.version == 4], "    ")
        six = _tables([each for each in made if each.victim.version == 6], "        ")
        if six:
            lines += ["    rib inet6.0 {", *six, "    }"]
        return "\n".join([*lines, "}", ""]).encode("ascii")


def _tables(made: list[Mitigation], indent: str) -> list[str]:
    """What stands in one routing table: flow routes, and addresses that are given up."""
    rules = [rule for each in made for rule in each.rules]
    holes = [each for each in made if each.blackhole]
    lines: list[str] = []
    if rules:
        flows = [line for number, rule in enumerate(rules, 1) for line in _route(number, rule)]
        order = [] if indent != "    " else ["    term-order standard;"]  # RFC 8955 section 5.1, not Junos' older one
        lines += ["flow {", *order, *(f"    {line}" for line in flows), "}"]
    if holes:
        communities = "community [ 65535:666 no-export ]"
        routes = [f"    route {each.victim.with_prefixlen} {{ discard; {communities}; }}" for each in holes]
        lines += ["static {", *routes, "}"]
    return [indent + line for line in lines]


def _route(number: int, rule: Rule) -> list[str]:
    then = f"rate-limit {8 * rule.rate:d}" if rule.rate else "discard"  # bit/s
    return [
        f"route khien-{number}-{rule.vector} {{",
        "    match {",
        *(f"        {condition};" for condition in _conditions(rule.match)),
        "    }",
        f"    then {then};",
        "}",
    ]


def _conditions(match: Match) -> list[str]:
    numbers = {
        "protocol": match.protocols,
        "destination-port": match.destination_ports,
        "source-port": match.source_ports,
        "icmp6-type" if match.destination.version == 6 else "icmp-type": match.icmp_types,
    }
    made = [f"destination {match.destination.with_prefixlen}"]
    if match.source:
        made.append(f"source {match.source.with_prefixlen}")
    made += [f"{name} [ {' '.join(_spans(values))} ]" for name, values in numbers.items() if values]
    if match.flags:
        set_, of = match.flags
        made.append(
            'tcp-flags "' + " & ".join(name if bit & set_ else f"!{name}" for bit, name in _FLAGS if bit & of) + '"'
        )
    if match.lengths:
        made.append("packet-length {:d}-{:d}".format(*match.lengths))
    if match.fragment:
        made.append("fragment is-fragment")
    return made


def _spans(values: tuple[int, ...]) -> list[str]:
    return [f"{low:d}" if low == high else f"{low:d}-{high:d}" for low, high in spans(values)]
