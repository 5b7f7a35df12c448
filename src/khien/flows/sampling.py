"""What records of options say of sampling: PSAMP (RFC 5477), the flow selectors of RFC 7014, Cisco's of NetFlow v9."""

from collections.abc import Mapping

from khien.flows.elements import Value
from khien.flows.fields import LARGEST_RATE

SYSTEM, SAMPLER, INTERFACE = -1, 0, 1  # what sampling options are of; the kernel's keys count from SAMPLER


def interval(values: Mapping[str, Value]) -> int | None:
    """Of how many packets one was looked at, by a record of options; None where it does not say."""

    def of(name: str) -> int:
        said = values.get(name)
        return said if isinstance(said, int) else 0

    taken, left = of("samplingPacketInterval"), of("samplingPacketSpace")
    probability = values.get("samplingProbability")
    rate = None
    if taken and left:
        rate = (taken + left + taken // 2) // taken
    elif of("samplingSize") and of("samplingPopulation"):
        rate = (of("samplingPopulation") + of("samplingSize") // 2) // of("samplingSize")
    elif isinstance(probability, float) and 0 < probability <= 1:
        rate = round(min(1 / probability, LARGEST_RATE))
    elif values.keys() & {"samplingInterval", "samplerRandomInterval", "samplingPacketInterval"}:
        rate = of("samplerRandomInterval") or of("samplingInterval") or taken
    return None if rate is None else min(max(rate, 1), LARGEST_RATE)


def sampler(values: Mapping[str, Value]) -> tuple[int, int]:
    """What a record of options is of: a sampler or an interface and its number, or all."""
    for name, kind in (("samplerId", SAMPLER), ("selectorId", SAMPLER), ("ingressInterface", INTERFACE)):
        number = values.get(name)
        if isinstance(number, int):
            return kind, number & 0xFFFFFFFF
    return SYSTEM, 0
