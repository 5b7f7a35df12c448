"""Mitigation as configuration of Cisco IOS XR: a fragment for a router that announces FlowSpec to the others.

Words from the Routing Configuration Guide for Cisco ASR 9000 Series Routers, "Implementing BGP Flowspec", and
"Implementing Static Routes".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from khien.flows.mitigation import Match, Mitigation, Rule, remarks, spans

_FLOWSPEC = (
    "For IOS XR, in configuration mode of the FlowSpec controller (router bgp: address-family ipv4 or ipv6 flowspec).",
    "Cho IOS XR, nhập ở chế độ cấu hình trên bộ điều khiển FlowSpec (router bgp: address-family ipv4/ipv6 flowspec).",
)
_BLACKHOLE = (
    "For IOS XR, in configuration mode. Under router bgp, in the address family: redistribute static route-policy",
    "KHIEN-BLACKHOLE; the neighbors need send-community-ebgp and a policy that lets 65535:666 out to them.",
    "Cho IOS XR, nhập ở chế độ cấu hình. Trong router bgp, ở address-family: redistribute static route-policy",
    "KHIEN-BLACKHOLE; neighbor cần send-community-ebgp và policy cho phép gửi 65535:666.",
)
_POLICY = """\
route-policy KHIEN-BLACKHOLE
  if tag is 666 then
    set community (65535:666, no-export) additive
    pass
  endif
end-policy
!"""


@dataclass(frozen=True)
class Cisco:
    """An encoder: what is entered on an IOS XR router."""

    name: ClassVar[str] = "cisco"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Mitigation

    def encode(self, records: Iterable[Mitigation], /) -> bytes:
        """ASCII text."""
        made = tuple(records)
        holes = [each for each in made if each.blackhole]
        where = (_FLOWSPEC if any(each.rules for each in made) else ()) + (_BLACKHOLE if holes else ())
        lines = [f"! {line}" for line in remarks(made, where)]
        for version in (4, 6):
            rules = [rule for each in made if each.victim.version == version for rule in each.rules]
            if rules:
                lines += _policy(version, rules)
        if holes:
            lines += [_POLICY, "router static"]
            for each in holes:
                lines.append(f" address-family ipv{each.victim.version} unicast")
                lines += [f"  {each.victim.with_prefixlen} Null0 tag 666", " !"]
            lines.append("!")
        return "\n".join([*lines, ""]).encode("ascii")


def _policy(version: int, rules: list[Rule]) -> list[str]:
    """Classes, the policy that says what becomes of each, and where it is announced."""
    named = [(f"KHIEN-V{version}-{number}-{rule.vector.upper()}", rule) for number, rule in enumerate(rules, 1)]
    lines: list[str] = []
    for name, rule in named:
        lines.append(f"class-map type traffic match-all {name}")
        lines += [f" match {condition}" for condition in _conditions(rule.match)]
        lines += [" end-class-map", "!"]
    lines.append(f"policy-map type pbr KHIEN-V{version}")
    for name, rule in named:
        lines += [
            f" class type traffic {name}",
            f"  {_action(rule)}",
            " !",
        ]
    lines += [" class type traffic class-default", " !", " end-policy-map", "!"]
    lines += ["flowspec", f" address-family ipv{version}", f"  service-policy type pbr KHIEN-V{version}", " !", "!"]
    return lines


def _action(rule: Rule) -> str:
    """A rate is at most 4294967295 of its unit."""
    bits = 8 * rule.rate
    if not bits:
        return "drop"
    return f"police rate {bits:d} bps" if bits < 1 << 32 else f"police rate {bits // 1000:d} kbps"


def _conditions(match: Match) -> list[str]:
    family = f"ipv{match.destination.version}"
    numbers = {
        "protocol": match.protocols,
        "destination-port": match.destination_ports,
        "source-port": match.source_ports,
        f"{family} icmp-type": match.icmp_types,
    }
    made = [f"destination-address {family} {match.destination.with_prefixlen}"]
    if match.source:
        made.append(f"source-address {family} {match.source.with_prefixlen}")
    made += [f"{name} {' '.join(_spans(values))}" for name, values in numbers.items() if values]
    if match.flags:
        made.append("tcp-flag {:#x} bit-mask {:#x}".format(*match.flags))
    if match.lengths:
        made.append("packet length {:d}-{:d}".format(*match.lengths))
    if match.fragment:
        made.append("fragment-type is-fragment")
    return made


def _spans(values: tuple[int, ...]) -> list[str]:
    return [f"{low:d}" if low == high else f"{low:d}-{high:d}" for low, high in spans(values)]
