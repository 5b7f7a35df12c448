"""Exporters' datagrams into flow records: what has to be known of each exporter for it, and what went wrong.

The kernels of netflow.py do the work; here is what they ask for: domains, templates, sampling. All of it is bounded,
and who was not heard of for longest leaves first: a stranger who sends templates, domains or addresses without end
costs himself, not others.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from khien.compiled import warm
from khien.errors import FormatError
from khien.flows import fields, lookup, records, reference, sampling, sflow, templates
from khien.flows import netflow as nf
from khien.flows.datagrams import Datagrams
from khien.flows.datagrams import datagrams as in_a_row
from khien.flows.reference import Template

Array = np.ndarray[Any, Any]

MOST_EXPORTERS = 1 << 12
MOST_DOMAINS = 1 << 13
MOST_PLANS = 1 << 14
DOMAINS_EACH = 256  # of an exporter
PLANS_EACH = 1024  # of a domain
RATES_EACH = 1024  # of a domain, and of an exporter: samplers and interfaces
MOST_RATES = 1 << 16
WAITING_EACH = 1 << 18  # octets of an exporter that wait for a template
MOST_WAITING = 1 << 26  # of all
WAIT = 3_600_000_000  # microseconds; exporters send templates every half hour and more often
OPTIONS_EACH = 64  # records of options that are read of a set
BURST, A_SECOND = 256, 64  # templates that an exporter may change at once, and per second
RUNS = 1 << 15  # that are noted before rows are written

COUNTS = tuple(
    "datagrams records lost options not-flows waiting dropped unknown-version cut-short broken-set broken-template "
    "too-many-templates".split()
)  # of an exporter, by the numbers netflow.DATAGRAMS ...
_SFLOW_REFUSED = {sflow.OTHER_VERSION: nf.VERSION, sflow.CUT: nf.SHORT, sflow.BROKEN: nf.BROKEN_SET}

_Chunk = tuple[pa.RecordBatch, Array]  # rows, and the number of the datagram of each


@dataclass
class _Domain:
    """What one observation domain of an exporter has told: its plans and options' templates by their numbers."""

    slot: int
    key: int
    plans: dict[int, tuple[int, ...]] = field(default_factory=dict)
    options: dict[int, Template] = field(default_factory=dict)
    rates: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass
class _Exporter:
    """One address that sends. allowance: how many templates it may change at that time."""

    slot: int
    domains: dict[int, _Domain] = field(default_factory=dict)
    waiting: dict[tuple[int, int], list[tuple[int, bytes]]] = field(default_factory=dict)
    waits: int = 0
    allowance: float = BURST
    at: int = 0
    rates: set[tuple[int, int]] = field(default_factory=set)
    sequences: dict[bytes, int] = field(default_factory=dict)


class Decoder:
    """Keeps what exporters said of their records, from datagrams to datagrams."""

    def __init__(self) -> None:
        warm(*KERNELS)  # while they are compiled, datagrams would be lost
        self._exporters: OrderedDict[bytes, _Exporter] = OrderedDict()
        self._by_slot: dict[int, tuple[bytes, _Exporter]] = {}
        self._free_exporters = list(range(MOST_EXPORTERS))
        self._free_domains = list(range(MOST_DOMAINS))
        self._free_plans = list(range(len(nf.CLASSIC), MOST_PLANS))
        self._domains: dict[int, tuple[_Exporter, _Domain]] = {}
        self._counts = np.zeros((MOST_EXPORTERS, nf.COUNTS), np.int64)
        self._domain_rows = np.zeros((MOST_DOMAINS, nf.DOMAIN), np.int64)
        self._plans = np.zeros((MOST_PLANS, nf.PLAN), np.int32)
        self._digests = np.full((MOST_PLANS, 2), -1, np.int64)
        self._domain_keys = lookup.Table(MOST_DOMAINS)
        self._plan_keys = lookup.Table(MOST_PLANS)
        self._rate_keys = lookup.Table(MOST_RATES)
        self._runs = np.empty((RUNS, nf.RUN), np.int64)
        self._starts, self._stops = (np.zeros(2 * nf.MOST_VARIABLE + 2, np.int64) for _ in range(2))
        self._waits = 0
        self._swept = 0
        for slot, length in zip(nf.CLASSIC, (48, 52), strict=True):
            self._plans[slot] = templates.classic(length)

    def counts(self) -> dict[bytes, dict[str, int]]:
        """What came of each exporter that is remembered, by its address of 16 bytes: COUNTS."""
        return {
            address: dict(zip(COUNTS, map(int, self._counts[each.slot]), strict=True))
            for address, each in self._exporters.items()
        }

    def decode(self, datagrams: Datagrams) -> pa.RecordBatch:
        """The flow records of datagrams (schema.FLOWS), in the order received."""
        if not len(datagrams.begins):
            return records.batch(records.empty(0), 0)
        self._sweep(int(datagrams.received.max()))
        owners = self._owners(datagrams)
        sampled = _is_sflow(datagrams)
        if not sampled.any():
            return _joined([batch for batch, _ in self._netflow(datagrams, owners, live=1)])
        numbers = np.flatnonzero(~sampled)
        chosen = datagrams._replace(
            begins=datagrams.begins[numbers],
            ends=datagrams.ends[numbers],
            received=datagrams.received[numbers],
            exporters=datagrams.exporters[numbers],
        )
        chunks = [(batch, numbers[of]) for batch, of in self._netflow(chosen, owners, live=1)]
        chunks.append(self._sflow(datagrams, np.flatnonzero(sampled), owners))
        order = np.argsort(np.concatenate([of for _, of in chunks]), kind="stable")
        return _joined([batch for batch, _ in chunks]).take(pa.array(order))

    def _netflow(self, datagrams: Datagrams, owners: Array, *, live: int) -> Iterator[_Chunk]:
        """Goes through datagrams; whenever something changes what records mean, those before it are written first."""
        at = np.zeros(nf.AT, np.int64)
        octets = datagrams.octets
        while True:
            stop = nf.walk(
                len(datagrams.begins), live, octets, datagrams.begins, datagrams.ends, datagrams.received,
                datagrams.exporters, owners, self._counts.reshape(-1), *self._domain_keys.arrays,
                self._domain_rows.reshape(-1), *self._plan_keys.arrays, self._plans.reshape(-1),
                self._digests.reshape(-1), self._starts, self._stops, self._runs.reshape(-1), RUNS, at,
            )  # fmt: skip
            if stop == nf.NO_TEMPLATE:
                self._wait(datagrams, at)
                continue
            yield from self._write(datagrams, at)
            if stop == nf.DONE:
                return
            if stop == nf.NEW_DOMAIN:
                self._add_domain(int(at[nf.AT_KEY]))
            elif stop == nf.NEW_OPTIONS:
                self._read_options(octets, at)
            elif stop == nf.NEW_TEMPLATES:
                number = int(at[nf.AT_DATAGRAM])
                for waited in self._read_templates(octets, at, int(datagrams.received[number])):
                    for batch, of in self._netflow(waited, np.repeat(owners[datagrams.exporters[number]], 1), live=0):
                        yield batch, np.full(len(of), number)

    def _write(self, datagrams: Datagrams, at: Array) -> Iterator[_Chunk]:
        """The rows of the runs noted so far."""
        noted, rows = int(at[nf.AT_RUNS]), int(at[nf.AT_ROWS])
        at[nf.AT_RUNS] = at[nf.AT_ROWS] = 0
        if not rows:
            return
        columns = records.empty(rows)
        fields.fill(
            noted, self._runs.reshape(-1), datagrams.octets, datagrams.received, self._plans.reshape(-1),
            *self._rate_keys.arrays, self._starts, self._stops, *columns,
        )  # fmt: skip
        runs = self._runs[:noted]
        batch, of = records.batch(columns, rows), np.repeat(runs[:, nf.RUN_DATAGRAM], runs[:, nf.RUN_COUNT])
        other_way = self._plans[runs[:, nf.RUN_PLAN], nf.IS_MIRROR] != 0
        if other_way.any():  # most flows have no other direction
            kept = ~np.repeat(other_way, runs[:, nf.RUN_COUNT]) | (columns.packets > 0) | (columns.bytes > 0)
            batch, of = batch.filter(pa.array(kept)), of[kept]
        yield batch, of

    def _sflow(self, datagrams: Datagrams, chosen: Array, owners: Array) -> _Chunk:
        """Samples of sFlow, and the same counts of them."""
        chosen = chosen[owners[datagrams.exporters[chosen]] >= 0]
        columns = records.empty(sflow.most_rows(datagrams, chosen))
        decoded = sflow.decode(datagrams, chosen, columns, 0)
        by_owner = owners[datagrams.exporters[chosen]]
        notes = decoded.notes
        others = notes[:, [sflow.COUNTERS, sflow.NO_PACKET, sflow.OTHER]].sum(axis=1)
        for count, amounts in (
            (nf.DATAGRAMS, np.ones(len(chosen))),
            (nf.RECORDS, notes[:, sflow.ROWS]),
            (nf.NOT_FLOWS, others),
            *((count, notes[:, sflow.OUTCOME] == outcome) for outcome, count in _SFLOW_REFUSED.items()),
        ):
            self._counts[:, count] += np.bincount(by_owner, amounts, MOST_EXPORTERS).astype(np.int64)
        whole = notes[:, sflow.OUTCOME] == sflow.WHOLE
        self._follow(by_owner[whole], decoded.agents[whole], notes[whole])
        return records.batch(columns, decoded.rows), np.repeat(chosen, notes[:, sflow.ROWS])

    def _follow(self, owners: Array, agents: Array, notes: Array) -> None:
        """Counts what sFlow's sequences of datagrams lack, each of a sub-agent of an agent."""
        senders = np.concatenate((owners[:, None].astype(np.int64), notes[:, [sflow.SUB_AGENT]]), axis=1)
        keys = np.concatenate((senders.view(np.uint8).reshape(len(senders), 16), agents), axis=1)
        order = np.lexsort(keys.T)  # stable: in the order received
        ends = np.flatnonzero((keys[order[1:]] != keys[order[:-1]]).any(axis=1)) + 1
        for group in np.split(order, ends) if len(order) else ():
            slot = int(owners[group[0]])
            sequences = self._by_slot[slot][1].sequences
            sender = keys[group[0]].tobytes()
            numbers = notes[group, sflow.SEQUENCE]
            steps = np.diff(numbers, prepend=sequences.pop(sender, int(numbers[0]) - 1))
            lost = int((steps - 1)[(steps > 0) & (steps <= nf.RESTARTED)].sum())
            late = int(((steps <= 0) & (steps >= -nf.LATE)).sum())
            self._counts[slot, nf.LOST] = max(self._counts[slot, nf.LOST] + lost - late, 0)
            sequences[sender] = int(numbers[-1])
            if len(sequences) > DOMAINS_EACH:
                sequences.pop(next(iter(sequences)))

    def _owners(self, datagrams: Datagrams) -> Array:
        """The exporters' places in counts; -1 of those that are too many at once."""
        owners = np.full(max(len(datagrams.peers), 1), -1, np.int32)
        met = np.flatnonzero(np.bincount(datagrams.exporters, minlength=len(datagrams.peers)))
        now = int(datagrams.received.max())
        for number in met[:MOST_EXPORTERS].tolist():
            address = datagrams.peers[number]
            if address not in self._exporters:
                if not self._free_exporters:
                    self._forget(self._stranger())
                self._exporters[address] = exporter = _Exporter(self._free_exporters.pop(), at=now)
                self._by_slot[exporter.slot] = address, exporter
                self._counts[exporter.slot] = 0
            self._exporters.move_to_end(address)
            owners[number] = self._exporters[address].slot
        return owners

    def _stranger(self) -> bytes:
        """Who is not heard of for longest, of those that never told of a flow; if there is none, of all."""
        strangers = (each for each, of in self._exporters.items() if not self._counts[of.slot, nf.RECORDS])
        return next(strangers, next(iter(self._exporters)))

    def _forget(self, address: bytes) -> None:
        exporter = self._exporters.pop(address)
        for domain in list(exporter.domains.values()):
            self._forget_domain(exporter, domain)
        for key in list(exporter.waiting):
            self._drop(exporter, key)
        del self._by_slot[exporter.slot]
        self._free_exporters.append(exporter.slot)

    def _add_domain(self, key: int) -> None:
        exporter = self._by_slot[key >> 36][1]
        if len(exporter.domains) >= DOMAINS_EACH:
            oldest = min(exporter.domains.values(), key=lambda each: self._domain_rows[each.slot, nf.TOUCHED])
            self._forget_domain(exporter, oldest)
        if not self._free_domains:
            self._forget_domain(*self._domains[int(self._domain_rows[:, nf.TOUCHED].argmin())])
        domain = _Domain(self._free_domains.pop(), key)
        exporter.domains[key] = domain
        self._domains[domain.slot] = exporter, domain
        self._domain_keys.put(key, domain.slot)
        self._domain_rows[domain.slot, [nf.NEXT, nf.BOOTED, nf.TOUCHED]] = -1, -1, 0
        self._domain_rows[domain.slot, nf.OWNER] = MOST_DOMAINS + exporter.slot
        self._rate(exporter, domain)

    def _rate(self, exporter: _Exporter, domain: _Domain) -> None:
        self._domain_rows[domain.slot, nf.RATE] = _rate_of(exporter, domain)
        self._domain_rows[domain.slot, nf.LOOKUPS] = any(
            kind != sampling.SYSTEM for each in exporter.domains.values() for kind, _ in each.rates
        )

    def _forget_domain(self, exporter: _Exporter, domain: _Domain) -> None:
        for number in list(domain.plans):
            self._withdraw(domain, number)
        for kind, number in domain.rates:
            self._rate_keys.remove(_rate_key(domain.slot, kind, number))
        del exporter.domains[domain.key], self._domains[domain.slot]
        self._domain_keys.remove(domain.key)
        self._free_domains.append(domain.slot)
        while exporter.rates and not exporter.domains:
            self._rate_keys.remove(_rate_key(MOST_DOMAINS + exporter.slot, *exporter.rates.pop()))

    def _withdraw(self, domain: _Domain, number: int) -> None:
        self._plan_keys.remove(domain.slot << 16 | number)
        domain.options.pop(number, None)
        self._free_plans += domain.plans.pop(number, ())

    def _read_templates(self, octets: Array, at: Array, now: int) -> Iterator[Datagrams]:
        """Learns the templates of the set that walk stands before; gives what waited for them."""
        exporter, domain = self._domains[int(at[nf.AT_DOMAIN])]
        contents, kind = _set(octets, at)
        version = int(at[nf.AT_VERSION])
        at[nf.AT_SET] += 4 + len(contents)
        elapsed, exporter.at = max(now - exporter.at, 0), max(now, exporter.at)
        exporter.allowance = min(exporter.allowance + elapsed * A_SECOND / 1e6, BURST)
        learned: list[int] = []
        try:
            begin = 0
            for template in reference.templates(contents, version, options=bool(kind & 1)):
                if exporter.allowance < 1:
                    self._counts[exporter.slot, nf.TOO_MANY_TEMPLATES] += 1
                    break
                learned += self._learn(exporter, domain, template, contents[begin : begin + template.size], kind & 1)
                begin += template.size
        except FormatError:
            self._counts[exporter.slot, nf.BROKEN_TEMPLATE] += 1
        for number in learned:
            waited = exporter.waiting.get((domain.key, number), [])
            if waited:
                self._drop(exporter, (domain.key, number), used=True)
                address = self._by_slot[exporter.slot][0]
                yield in_a_row((received, address, message) for received, message in waited)

    def _learn(self, exporter: _Exporter, domain: _Domain, template: Template, octets: bytes, seed: int) -> list[int]:
        """Makes a template's plan, where it is not what is kept already; answers its number if it did."""
        digest = nf.digest(octets, 0, len(octets), seed)
        kept = domain.plans.get(template.id)
        if kept and template.fields and self._digests[kept[0], 0] == digest:
            return []
        exporter.allowance -= 1
        if not template.fields:  # withdrawn, RFC 7011 section 8.1; the id of sets of templates stands for all of them
            for number in [template.id] if template.id > 255 else list(domain.plans):
                self._withdraw(domain, number)
            return []
        self._withdraw(domain, template.id)
        made = templates.plan(template)
        if made is None or len(domain.plans) >= PLANS_EACH:
            self._counts[exporter.slot, nf.BROKEN_TEMPLATE if made is None else nf.TOO_MANY_TEMPLATES] += 1
            return []
        self._make_room(domain, lambda: len(self._free_plans) > 1)
        slots = [self._free_plans.pop() for _ in ((0,) if made.mirror is None else (0, 1))]
        self._plans[slots[0]] = made.numbers
        self._digests[slots[0]] = digest, -1
        if made.mirror is not None:
            self._plans[slots[1]] = made.mirror
            self._plans[slots[0], nf.MIRROR] = slots[1]
        domain.plans[template.id] = tuple(slots)
        self._plan_keys.put(domain.slot << 16 | template.id, slots[0])
        if made.numbers[nf.KIND] == nf.OPTIONS:
            domain.options[template.id] = template
        return [template.id]

    def _make_room(self, kept: _Domain, enough: Callable[[], bool]) -> None:
        """Domains that were not heard of for longest are forgotten, until there is enough."""
        if enough():
            return
        heard = sorted(self._domains.values(), key=lambda owned: self._domain_rows[owned[1].slot, nf.TOUCHED])
        for exporter, domain in heard:
            if enough():
                return
            if domain is not kept:
                self._forget_domain(exporter, domain)

    def _read_options(self, octets: Array, at: Array) -> None:
        """Takes sampling intervals from the set that walk stands before, which it then passes."""
        exporter, domain = self._domains[int(at[nf.AT_DOMAIN])]
        contents, kind = _set(octets, at)
        self._digests[domain.plans[kind][0], 1] = at[nf.AT_DIGEST]
        before = dict(domain.rates)
        for number, values in enumerate(reference.records(domain.options[kind], contents)):
            if number >= OPTIONS_EACH:
                break
            booted = values.get("systemInitTimeMilliseconds")
            if isinstance(booted, int):
                self._domain_rows[domain.slot, nf.BOOTED] = min(booted, nf.LARGEST)
            rate = sampling.interval(values)
            if rate is not None and len(domain.rates) < RATES_EACH:
                domain.rates[sampling.sampler(values)] = rate
        if domain.rates == before:
            return
        self._make_room(domain, lambda: len(self._rate_keys) + 2 * RATES_EACH <= MOST_RATES)
        for (scope, number), rate in domain.rates.items():
            if scope != sampling.SYSTEM and before.get((scope, number)) != rate:
                self._rate_keys.put(_rate_key(domain.slot, scope, number), rate)
                if len(exporter.rates) < RATES_EACH or (scope, number) in exporter.rates:
                    exporter.rates.add((scope, number))
                    self._rate_keys.put(_rate_key(MOST_DOMAINS + exporter.slot, scope, number), rate)
        for each in exporter.domains.values():
            self._rate(exporter, each)

    def _wait(self, datagrams: Datagrams, at: Array) -> None:
        """Keeps the set that walk stands before, and the header before it, until its template comes."""
        exporter, domain = self._domains[int(at[nf.AT_DOMAIN])]
        contents, kind = _set(datagrams.octets, at)
        number = int(at[nf.AT_DATAGRAM])
        begin = int(datagrams.begins[number])
        header = datagrams.octets[begin : begin + (20 if at[nf.AT_VERSION] == nf.V9 else 16)].tobytes()
        length = len(contents) + 4
        if at[nf.AT_VERSION] == nf.IPFIX:
            header = header[:2] + (len(header) + length).to_bytes(2) + header[4:]
        message = header + kind.to_bytes(2) + length.to_bytes(2) + contents
        while exporter.waiting and exporter.waits + len(message) > WAITING_EACH:
            self._drop(exporter, next(iter(exporter.waiting)))
        if self._waits + len(message) > MOST_WAITING:
            self._counts[exporter.slot, nf.DROPPED] += 1
        else:
            waiting = exporter.waiting.setdefault((domain.key, kind), [])
            waiting.append((int(datagrams.received[number]), message))
            exporter.waits += len(message)
            self._waits += len(message)
            self._counts[exporter.slot, nf.WAITING] += 1
        at[nf.AT_SET] += length
        at[nf.AT_RECORDS] = nf.UNCOUNTED

    def _drop(self, exporter: _Exporter, key: tuple[int, int], *, used: bool = False) -> None:
        gone = exporter.waiting.pop(key)
        octets = sum(len(message) for _, message in gone)
        exporter.waits -= octets
        self._waits -= octets
        self._counts[exporter.slot, nf.WAITING] -= len(gone)
        self._counts[exporter.slot, nf.DROPPED] += 0 if used else len(gone)

    def _sweep(self, now: int) -> None:
        """Drops what has waited too long, once a minute."""
        if abs(now - self._swept) < WAIT // 60:
            return
        self._swept = now
        for exporter in self._exporters.values():
            for key in [key for key, sets in exporter.waiting.items() if sets[0][0] < now - WAIT]:
                self._drop(exporter, key)


def _rate_of(exporter: _Exporter, domain: _Domain) -> int:
    """The interval of records that name no sampler: the domain's, its only sampler's, and so of the exporter."""
    every = [rates for each in exporter.domains.values() for rates in each.rates.items()]
    for rates in (list(domain.rates.items()), every):
        for wanted in (sampling.SYSTEM, sampling.SAMPLER):
            found = {rate for (kind, _), rate in rates if kind == wanted}
            if len(found) == 1:
                return found.pop()
    return 1


def _rate_key(place: int, kind: int, number: int) -> int:
    return place << 33 | kind << 32 | number


def _set(octets: Array, at: Array) -> tuple[bytes, int]:
    """The contents and the id of the set that walk stands before."""
    begin = int(at[nf.AT_SET])
    kind, length = (int.from_bytes(octets[place : place + 2].tobytes()) for place in (begin, begin + 2))
    return octets[begin + 4 : begin + length].tobytes(), kind


def _is_sflow(datagrams: Datagrams) -> Array:
    """Which begin with a version of 32 bits: the others' have 16 (sFlow version 5, section 5)."""
    long = datagrams.ends - datagrams.begins >= 4
    begins = np.where(long, datagrams.begins, 0)
    octets = datagrams.octets if len(datagrams.octets) >= 2 else np.ones(2, np.uint8)
    return long & (octets[begins] == 0) & (octets[begins + 1] == 0)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if not batches:
        return records.batch(records.empty(0), 0)
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


KERNELS = (nf.walk, fields.fill, sflow.read_datagrams)
