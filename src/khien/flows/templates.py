"""Templates as plans: which field of a record goes into which column of schema.FLOWS, and how.

What several fields say is taken from the first of them here that a template has: counts of what came in before counts
of what went out, counts since the last export before totals, exact clocks before the exporter's uptime. A field that a
template has twice stands for what a tunnel's outer header says and what the inner one does (in the order of treatment,
RFC 7011 section 8): the inner, the last, is whom the packets are for.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from khien.flows import fields
from khien.flows import netflow as nf
from khien.flows.elements import IANA, REVERSE
from khien.flows.packets import LINK_ETHERNET
from khien.flows.reference import VARIABLE, Template

Array = np.ndarray[Any, Any]
Operation = tuple[int, ...]  # netflow.OPERATION numbers

LINK_IP = 101  # a frame that begins with an IP header
SMALLEST = 8  # octets of a record of a flow; what is shorter tells nothing, and would be many rows of few octets

_SOURCES = {4: (8, 44), 16: (27, 170)}  # elements by their length: addresses, then prefixes
_TARGETS = {4: (12, 45), 16: (28, 169)}
_SOURCE_CODES = {4: (fields.SOURCE_4, fields.SET_SOURCE_4), 16: (fields.SOURCE_6, fields.SET_SOURCE_6)}
_TARGET_CODES = {4: (fields.TARGET_4, fields.SET_TARGET_4), 16: (fields.TARGET_6, fields.SET_TARGET_6)}
_COUNTS = {fields.BYTES: (1, 85, 231, 23, 171, 352, 353), fields.PACKETS: (2, 86, 298, 24, 172)}
_REVERSE = {  # of the other direction: RFC 5103, or a responder's
    fields.BYTES: ((REVERSE, 1), (REVERSE, 85), (IANA, 232)),
    fields.PACKETS: ((REVERSE, 2), (REVERSE, 86), (IANA, 299)),
}
_CLOCKS = (  # first, last, unit, microseconds of one where it is not a unit of its own
    (154, 155, fields.NTP),
    (156, 157, fields.NTP),
    (152, 153, fields.MILLISECONDS),
    (22, 21, fields.UPTIME),
    (150, 151, fields.SECONDS),
    (158, 159, fields.DELTA),
    (324, 324, fields.NTP),
    (325, 325, fields.NTP),
    (323, 323, fields.MILLISECONDS),
    (322, 322, fields.SECONDS),
)
_LENGTHS = {fields.NTP: (8,), fields.UPTIME: (4,)}
_SECTIONS = {315: LINK_ETHERNET, 104: LINK_ETHERNET, 313: LINK_IP}
_ICMP = ((32, fields.ICMP_BOTH, 1), (139, fields.ICMP_BOTH, 58))
_ICMP_APART = (  # type before code
    *((176, fields.ICMP_TYPE, 1), (177, fields.ICMP_CODE, 1), (178, fields.ICMP_TYPE, 58), (179, fields.ICMP_CODE, 58)),
)
_FRAGMENTS = (
    (88, fields.FRAGMENT_OFFSET, (1, 2)),
    (197, fields.FRAGMENT_FLAGS, (1,)),
    (64, fields.EXTENSIONS, (1, 2, 3, 4)),
)
_RATES = (  # what a record says of itself goes over what its sampler says, that over its interface's
    *(
        (10, fields.INTERFACE),
        (48, fields.SELECTOR),
        (302, fields.SELECTOR),
        (34, fields.INTERVAL),
        (50, fields.INTERVAL),
    ),
    *((305, fields.INTERVAL), (306, fields.SPACE), (309, fields.INTERVAL), (310, fields.POPULATION)),
)
SAMPLING = {34, 50, 305, 306, 309, 310, 311, 160}  # options with one of these are read


class Place(NamedTuple):
    """Where a field is in a record; length -1: variable."""

    piece: int
    offset: int
    length: int


class Plan(NamedTuple):
    """A template as numbers (netflow.PLAN of i4), and that of the other direction's flows, where it tells of both."""

    numbers: Array
    mirror: Array | None


def plan(template: Template) -> Plan | None:
    """How to read it; None: it has more fields of variable length than are followed, or its records have no octets."""
    places, lengths = _places(template)
    if len(lengths) > nf.MOST_VARIABLE + 1 or not sum(lengths) + len(lengths) - 1:
        return None
    if template.scopes:
        named = {number for enterprise, number in places if enterprise == IANA}
        return Plan(_numbers(nf.OPTIONS if named & SAMPLING else nf.OPTIONS_COUNTED, lengths, []), None)
    forward = list(_operations(places, reverse=False))
    codes = {code for code, *_ in forward}
    if codes >= {fields.NO_SOURCE, fields.NO_TARGET} or sum(lengths) + len(lengths) - 1 < SMALLEST:
        return Plan(_numbers(nf.COUNTED, lengths, []), None)
    if not any(key in places for keys in _REVERSE.values() for key in keys):
        return Plan(_numbers(nf.FLOWS, lengths, forward), None)
    mirror = _numbers(nf.FLOWS, lengths, list(_operations(places, reverse=True)))
    mirror[nf.IS_MIRROR] = 1
    return Plan(_numbers(nf.FLOWS, lengths, forward), mirror)


def classic(length: int) -> Array:
    """The plan of v5 (48 octets a record) or v7 (52)."""
    return _numbers(nf.FLOWS, [length], [(fields.CLASSIC, 0, 0, 0, 0)])


def _places(template: Template) -> tuple[dict[tuple[int, int], Place], list[int]]:
    """Of fields by enterprise and number, of those that are there twice the last; and the lengths of fixed pieces."""
    places: dict[tuple[int, int], Place] = {}
    lengths = [0]
    for field in template.fields:
        key = field.enterprise, field.number
        if field.length == VARIABLE:
            places[key] = Place(2 * len(lengths) - 1, 0, -1)
            lengths.append(0)
        else:
            places[key] = Place(2 * len(lengths) - 2, lengths[-1], field.length)
            lengths[-1] += field.length
    return places, lengths


def _numbers(kind: int, lengths: list[int], operations: list[Operation]) -> Array:
    numbers = np.zeros(nf.PLAN, np.int32)
    numbers[nf.KIND] = kind
    numbers[nf.LENGTH] = sum(lengths) + len(lengths) - 1
    numbers[nf.VARIABLE] = len(lengths) - 1
    numbers[nf.MIRROR] = -1
    numbers[nf.RATED] = any(code in range(fields.INTERVAL, fields.INTERFACE + 1) for code, *_ in operations)
    numbers[nf.N_OPERATIONS] = len(operations)
    numbers[nf.LENGTHS : nf.LENGTHS + len(lengths)] = lengths
    flat = [each for operation in operations for each in operation]
    numbers[nf.OPERATIONS : nf.OPERATIONS + len(flat)] = flat
    return numbers


def _operations(places: Mapping[tuple[int, int], Place], *, reverse: bool) -> Iterator[Operation]:
    """In the order they are to be done: what is read from whole headers first, then what fields say of it."""
    section = next((number for number in _SECTIONS if (IANA, number) in places), None)
    if section is not None:
        yield (fields.SECTION, *places[IANA, section], _SECTIONS[section])
    bare = section is None
    source, target = (_TARGETS, _SOURCES) if reverse else (_SOURCES, _TARGETS)
    yield from _address(places, source, _SOURCE_CODES, fields.NO_SOURCE, bare=bare)
    yield from _address(places, target, _TARGET_CODES, fields.NO_TARGET, bare=bare)
    ports = ((7, 180, 182), (11, 181, 183))
    for numbers, code, absent in zip(
        reversed(ports) if reverse else ports,
        (fields.SOURCE_PORT, fields.TARGET_PORT),
        (fields.NO_SOURCE_PORT, fields.NO_TARGET_PORT),
        strict=True,
    ):
        yield from _one(places, [(IANA, number) for number in numbers], code, absent, (1, 2), bare=bare)
    yield from _one(places, [(IANA, 4), (IANA, 193)], fields.PROTOCOL, fields.NO_PROTOCOL, (1,), bare=bare)
    flags = [(REVERSE, 6)] if reverse and (REVERSE, 6) in places else [(IANA, 6)]
    yield from _one(places, flags, fields.TCP_FLAGS, fields.NO_FLAGS, (1, 2), bare=bare)
    if bare:
        yield (fields.NO_FRAGMENT, 0, 0, 0, 0)
    for number, code, allowed in _FRAGMENTS:
        yield from _one(places, [(IANA, number)], code, None, allowed, bare=bare)
    if not reverse:
        yield from _icmp(places)
    yield from _counts(places, reverse=reverse, bare=bare)
    yield from _times(places, reverse=reverse)
    for number, code in _RATES:
        needs = {306: 305, 310: 309}.get(number)
        if needs is None or (IANA, needs) in places:
            yield from _one(places, [(IANA, number)], code, None, range(1, 9), bare=bare)


def _one(
    places: Mapping[tuple[int, int], Place],
    keys: list[tuple[int, int]],
    code: int,
    absent: int | None,
    lengths: range | tuple[int, ...],
    *,
    bare: bool,
) -> Iterator[Operation]:
    """The first of these fields that is there in a length that can be read; else what stands for none."""
    for key in keys:
        if key in places and places[key].length in lengths:
            yield (code, *places[key], 0)
            return
    if absent is not None and bare:
        yield (absent, 0, 0, 0, 0)


def _address(
    places: Mapping[tuple[int, int], Place],
    elements: Mapping[int, tuple[int, ...]],
    codes: Mapping[int, tuple[int, int]],
    absent: int,
    *,
    bare: bool,
) -> Iterator[Operation]:
    """The addresses of IPv4 and IPv6 as they stand in the record, the later, where it is set, over the earlier."""
    met: list[tuple[Place, int]] = []
    for length, numbers in elements.items():
        there = (places[IANA, number] for number in numbers if (IANA, number) in places)
        met += [(place, length) for place in there if place.length == length][:1]
    for place, length in sorted(met):
        yield (codes[length][place != min(met)[0]], *place, 0)
    if not met and bare:
        yield (absent, 0, 0, 0, 0)


def _icmp(places: Mapping[tuple[int, int], Place]) -> Iterator[Operation]:
    both = [each for each in _ICMP if (IANA, each[0]) in places]
    for number, code, protocol in both or _ICMP_APART:
        place = places.get((IANA, number))
        if place and place.length in (1, 2):
            yield (code, *place, protocol)


def _counts(places: Mapping[tuple[int, int], Place], *, reverse: bool, bare: bool) -> Iterator[Operation]:
    """Bytes before packets: where bytes passed and packets are not counted, one did."""
    for code, absent in ((fields.BYTES, fields.NO_BYTES), (fields.PACKETS, fields.SOME_PACKET)):
        keys = list(_REVERSE[code]) if reverse else [(IANA, number) for number in _COUNTS[code]]
        yield from _one(places, keys, code, absent, (-1, *range(1, 9)), bare=bare or code == fields.PACKETS)


def _times(places: Mapping[tuple[int, int], Place], *, reverse: bool) -> Iterator[Operation]:
    """A clock that shows both ends, else one end and how long it lasted, else when it was exported."""

    def end(number: int, unit: int) -> Place | None:
        for key in ((REVERSE, number), (IANA, number)) if reverse else ((IANA, number),):
            place = places.get(key)
            if place and place.length in _LENGTHS.get(unit, range(1, 9)):
                return place
        return None

    clocks = [(end(first, unit), end(last, unit), unit) for first, last, unit in _CLOCKS]
    first, last, unit = next(
        (clock for clock in clocks if clock[0] and clock[1]),
        next((clock for clock in clocks if clock[0] or clock[1]), (None, None, fields.SECONDS)),
    )
    started = places.get((IANA, 160)) if unit == fields.UPTIME else None
    for place, code, above in ((first, fields.FIRST, fields.FIRST_UP), (last, fields.LAST, fields.LAST_UP)):
        if place and started and started.length == 8:
            yield (code, *started, fields.MILLISECONDS)
            yield (above, *place, 0)
        elif place:
            yield (code, *place, unit)
    if first and last:
        return
    if not first and not last:
        yield (fields.LAST_EXPORTED, 0, 0, 0, 0)
    for number, scale in ((161, 1000), (162, 1)):
        place = end(number, fields.SECONDS)
        if place:
            yield (fields.LAST_AFTER if first else fields.FIRST_BEFORE, *place, scale)
            return
    yield (fields.LAST_IS_FIRST if first else fields.FIRST_IS_LAST, 0, 0, 0, 0)
