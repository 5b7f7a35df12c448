"""Mitigation as a configuration of BIRD 2: a file to include, which ``bird -p`` takes by itself too."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from khien.flows.mitigation import Match, Mitigation, Rule, remarks, spans

_WHERE = (
    "For BIRD 2: include this file in bird.conf, and export the tables khien_flow4 and khien_flow6 (channels flow4",
    "and flow6), or the protocols khien_hole4 and khien_hole6, to your routers.",
    "Cho BIRD 2: include tệp này trong bird.conf, rồi export các bảng khien_flow4, khien_flow6 (kênh flow4, flow6)",
    "hoặc các giao thức khien_hole4, khien_hole6 tới các bộ định tuyến của mình.",
)
_TRAFFIC_RATE = 0x80060000  # extended community: type, subtype, AS number 0; RFC 8955 section 7.1


@dataclass(frozen=True)
class Bird:
    """An encoder: what BIRD announces to routers."""

    name: ClassVar[str] = "bird"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Mitigation

    def encode(self, records: Iterable[Mitigation], /) -> bytes:
        """ASCII text."""
        made = tuple(records)
        lines = [f"# {line}" for line in remarks(made, _WHERE)]
        for version in (4, 6):
            here = [each for each in made if each.victim.version == version]
            rules = [rule for each in here for rule in each.rules]
            if rules:
                lines += [f"flow{version} table khien_flow{version};", f"protocol static khien_static{version} {{"]
                lines += [f"    flow{version} {{ table khien_flow{version}; }};", *map(_route, rules), "}"]
            holes = [each for each in here if each.blackhole]
            if holes:
                lines += [f"protocol static khien_hole{version} {{", f"    ipv{version};", *map(_blackhole, holes), "}"]
        return "\n".join([*lines, ""]).encode("ascii")


def _route(rule: Rule) -> str:
    rate = int.from_bytes(struct.pack(">f", rule.rate), "big")
    community = f"(generic, {_TRAFFIC_RATE:#x}, {rate:#x})"
    conditions = " ".join(f"{condition};" for condition in _conditions(rule.match))
    return (
        f"    # {rule.vector}: {rule.rate:d} bytes/s\n"
        f"    route flow{rule.match.destination.version} {{ {conditions} }}"
        f" {{ bgp_ext_community.add({community}); }};"
    )


def _conditions(match: Match) -> list[str]:
    numbers = {
        "next header" if match.destination.version == 6 else "proto": match.protocols,
        "dport": match.destination_ports,
        "sport": match.source_ports,
        "icmp type": match.icmp_types,
    }
    made = [f"dst {match.destination.with_prefixlen}"]
    if match.source:
        made.append(f"src {match.source.with_prefixlen}")
    made += [f"{name} {','.join(_spans(values))}" for name, values in numbers.items() if values]
    if match.flags:
        made.append("tcp flags {:#04x}/{:#04x}".format(*match.flags))
    if match.lengths:
        made.append("length {:d}..{:d}".format(*match.lengths))
    if match.fragment:
        made.append("fragment is_fragment")
    return made


def _spans(values: tuple[int, ...]) -> list[str]:
    return [f"{low:d}" if low == high else f"{low:d}..{high:d}" for low, high in spans(values)]


def _blackhole(made: Mitigation) -> str:
    communities = "bgp_community.add((65535, 666)); bgp_community.add((65535, 65281));"
    return f"    route {made.victim.with_prefixlen} blackhole {{ {communities} }};"
