"""A watch over flows: takes them as they come, and hands what may be a flood to the detector, narrow before wide.

It is the memory that a keyed detector may not have: the window of the trailing horizon, the floods that are open, and
the sources of targets under suspicion. What leaves it are findings, and the rates of targets that are flooded; of every
other host nothing does.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from khien import schema
from khien.compiled import warm
from khien.contracts import Seen
from khien.flows import counts, judge, records, window
from khien.flows import senders as sending
from khien.flows.baseline import Baseline
from khien.flows.counts import PACKET, SECOND
from khien.flows.floors import CLASSES, OURS, Floors
from khien.flows.vectors import NAMES, NUMBERS
from khien.flows.window import Series, Window

STEP = 0.25  # seconds between two looks: as often as a live source has pages
FORGETS = 10  # seconds from one time that suspicions are dropped to the next
SUSPICION = 0.5  # of a floor: from there on the sources of a target are counted
_SHORT = 3  # seconds: in a shorter capture the seconds that it saw only in part are taken for as long as they were seen
_LEAST_SEEN = 0.1  # seconds
_MOST_HELD = 2_000_000  # flows
_MOST_LOOKED_AT = 512  # targets at a time, the hardest hit first: who samples little makes suspects of very many
_MOST_SUSPECTS = 512
_MOSTLY = 0.8
_MOST_ANSWERS = 8  # to one packet: who is asked to open a connection repeats the answer
_NAMED = 32  # sources, ports and networks of a target that the detector hears of
_AT_ONCE = 64  # targets whose series are held at a time
_MINUTE = 60  # seconds that are settled at once
_LATE = 30  # seconds after which little is still told of a second
_WORTH = 0.1  # of suspicion: prefixes that never get so much need no baseline
_SETTLED = 2  # seconds after which the rates of a second are written down

SINGLE_SOURCES = ("flood-heaviest", "home-devices")  # reasons that name addresses, while the flood goes on
ANSWERS = {"rst", "syn-ack-reflection", "ack", "icmp"}  # what a host sends back to who sends to it

Array = np.ndarray[Any, Any]
Target = tuple[int, bytes]
Detect = Callable[[pa.RecordBatch, Mapping[str, pa.Table]], Iterable[pa.RecordBatch]]
Folding = Callable[[pa.RecordBatch], pa.RecordBatch]


class _Open(NamedTuple):
    """A flood that is found: its finding as a row of schema.FINDINGS; up to which second its rates are written down;
    sealed: it is over, and what the window still holds of it changes nothing any more."""

    finding: Mapping[str, Any]
    written: int
    sealed: bool = False


class Watch:
    """Watches one stream of flows. Not for two threads."""

    def __init__(
        self,
        detect: Detect,
        counting: Folding,
        baselining: Folding,
        floors: Floors = OURS,
        home: Sequence[str] = (),
        *,
        known: Iterable[Mapping[str, Any]] = (),
        baselines: Iterable[pa.RecordBatch] = (),
        whole: bool = False,
    ) -> None:
        """detect: runs the detector over rows of schema.RATES, beside its tables; counting, baselining: the folds into
        schema.FLOW_COUNTS and BASELINES; home: prefixes whose devices are told of when they take part; known: floods
        found before, as rows of schema.FINDINGS; baselines: kept from before; whole: the stream is a capture from its
        beginning to its end, and may be shorter than a second."""
        warm(*counts.KERNELS, *window.KERNELS, *sending.KERNELS)  # while they are compiled, nothing is found
        self._detect = detect
        self._counting, self._baselining = counting, baselining
        self._floors = floors
        self._given = detect, counting, baselining, floors, home
        self._home = [records.target(each) for each in home]
        self._window = Window(floors.lines(SUSPICION))
        self._baseline = Baseline()
        for batch in baselines:
            self._baseline.take(batch)
        self._suspects: dict[Target, tuple[int, float]] = {}  # a bit for each vector; times its floor
        self._senders: dict[Target, dict[int, sending.Senders]] = {}  # by vector
        self._sender_rows: dict[Target, tuple[int, dict[str, Any]]] = {}  # with the second they are of
        known = list(known)
        floods = [row for row in known if row["claim"] == judge.FLOOD]
        self._open = {records.target(row["subject"]): _Open(row, _second(row["end"])) for row in floods}
        self._taking_part = {row["id"]: row for row in known if row["claim"] != judge.FLOOD}  # networks of ours
        self._whole = whole
        self._held: list[pa.RecordBatch] | None = [] if whole else None
        self._began = self._latest = self._looked = 0  # microseconds
        self._forgot = 0  # the second in which suspicions were dropped last
        self._settled = 0  # the second up to which baselines are written down
        self._over = False  # nothing more will come
        self._short = False  # and it was a capture of less than _SHORT seconds

    @property
    def newest(self) -> int:
        """The newest second that flows have told of."""
        return self._window.newest

    def take(self, flows: pa.RecordBatch) -> Seen:
        """Takes flows, and answers what is found by now."""
        if not flows.num_rows:
            return Seen()
        columns = records.columns(flows)
        self._began = min(self._began or int(columns.first.min()), int(columns.first.min()))
        if self._held is not None:
            self._held.append(flows)
            latest = max(int(records.columns(each).last.max()) for each in self._held)
            if latest - self._began < _SHORT * SECOND and sum(each.num_rows for each in self._held) < _MOST_HELD:
                return Seen()
            held, self._held = self._held, None
            return _joined([self._step(part) for each in held for part in self._parts(each)])
        return _joined([self._step(part) for part in self._parts(flows)])

    def finish(self, *, over: bool = True) -> Seen:
        """Answers what is found when nothing more will come; over: False: others will watch on, later, and only single
        sources are left out of what is open."""
        if not over:
            going = [each.finding for each in self._open.values() if not each.sealed]
            return _seen([_without_sources(row) for row in (*going, *self._taking_part.values())])
        held, self._held = self._held, None
        self._over = True
        if not held:
            return _joined([self._look(), self._sealed(None)])
        flows = pa.concat_batches(held)
        self._short = True
        return _joined([self._step(flows), self._sealed(None)])

    def idle(self, now: datetime) -> Seen:
        """Seals the floods that nothing was told of for long: what floods a network may silence its routers too."""
        return self._sealed(_second(now) - self._window.horizon)

    def anew(self) -> "Watch":
        """A watch that has taken nothing, and knows what this one has found: for a source that tells again."""
        known = [*(each.finding for each in self._open.values() if not each.sealed), *self._taking_part.values()]
        made = Watch(*self._given, known=known, whole=self._whole)
        made._baseline = self._baseline
        return made

    def _parts(self, flows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Flows in parts that are no longer than a quarter of the horizon, in the order of time."""
        last = records.columns(flows).last
        part = self._window.horizon * SECOND // 4
        if int(last.max()) - max(self._latest, int(last.min())) <= part:
            yield flows
            return
        number = last // part
        for each in np.unique(number):
            yield flows.take(pa.array(np.flatnonzero(number == each)))

    def _step(self, flows: pa.RecordBatch) -> Seen:
        self._latest = max(self._latest, int(records.columns(flows).last.max()))
        self._window.take(counts.of(self._counting(flows)), self._latest // SECOND)
        sending.gather(flows, {target: each[0] for target, each in self._suspects.items()}, self._senders)
        if not self._short and self._latest - self._looked < STEP * SECOND:
            return Seen()
        return _joined([self._look(flows), self._sealed(self._window.newest), self._settle()])

    def _look(self, flows: pa.RecordBatch | None = None) -> Seen:
        """Runs the detector over whatever may be over a line, narrow before wide.

        What a flooded target got is taken from the wider prefixes around it: those are flooded if the rest says so.
        """
        self._looked = self._latest
        over = self._window.over(_MOST_LOOKED_AT)
        self._forget(over)
        seen: list[Seen] = []
        raised: dict[Target, Array] = {}
        flooded: set[bytes] = set()
        for level in range(CLASSES):
            here = sorted(each for each in {*over, *self._going()} if self._floors.level(each[0]) == level)
            inner = _by_prefix(raised, {scope for scope, _ in here})
            amounts: dict[Target, Array] = {}
            floods: dict[Target, Mapping[str, Any]] = {}
            parts: list[Mapping[str, Any]] = []
            for begin in range(0, len(here), _AT_ONCE):
                series = self._window.series(here[begin : begin + _AT_ONCE])
                some = dict(zip(here[begin : begin + _AT_ONCE], series.amounts, strict=True))
                for target in some:
                    for narrow in inner.get(target, ()):
                        some[target] -= raised[narrow]
                if flows is not None:
                    self._suspect(flows, some)
                for batch in self._detect(self._batch(series), self._beside(some)):
                    rows = batch.to_pylist()
                    parts += [row for row in rows if row["claim"] != judge.FLOOD]
                    floods |= {records.target(row["subject"]): row for row in rows if row["claim"] == judge.FLOOD}
                amounts |= {target: some[target].copy() for target in some.keys() & floods.keys()}  # of all, too much
            raised |= {target: amounts[target] for target in floods}
            flooded |= {prefix for (_, prefix), row in floods.items() if not set(row["techniques"]) <= ANSWERS}
            answers = {target for target, row in floods.items() if self._answers(target, row, flooded)}
            floods = {target: row for target, row in floods.items() if target not in answers}
            parts = [row for row in parts if records.target(_victim(row)) in floods]
            news = [row for target, row in floods.items() if self._note(target, row)]
            news += [row for row in parts if self._taking_part.get(row["id"]) != row]
            self._taking_part |= {row["id"]: row for row in parts}
            seen.append(_seen(news, flood_rates=self._rates({target: amounts[target] for target in floods})))
        return _joined(seen)

    def _going(self) -> Iterator[Target]:
        return (target for target, each in self._open.items() if not each.sealed)

    def _suspect(self, flows: pa.RecordBatch, targets: Mapping[Target, Array]) -> None:
        """Counts the sources of targets that got near a line, from these flows on; of too many, of the hardest hit."""
        new: dict[Target, int] = {}
        for target, amounts in targets.items():
            vectors, times = 0, 0.0
            for vector in np.flatnonzero(amounts[:, :, 0].any(axis=1)).tolist():
                packets, bits = self._floors.of(target[0], NAMES[vector])
                most = amounts[vector, :, :2].max(axis=0)
                here = max(most[0] / (packets * PACKET), most[1] * 8 / bits)
                if here >= SUSPICION:
                    vectors |= 1 << vector
                    times = max(times, here)
            known = self._suspects.get(target)
            if not vectors or not (known or self._has_room(times)):
                continue
            before = known[0] if known else 0
            self._suspects[target] = before | vectors, times
            if vectors & ~before:
                new[target] = vectors & ~before
        sending.gather(flows, new, self._senders)

    def _has_room(self, times: float) -> bool:
        """Whether there is room for another suspect, if need be that of one who is nearer to its line than this."""
        if len(self._suspects) < _MOST_SUSPECTS:
            return True
        least = min(self._suspects, key=lambda each: self._suspects[each][1])
        if self._suspects[least][1] >= times:
            return False
        self._acquit(least)
        return True

    def _acquit(self, target: Target) -> None:
        """Forgets the sources of a target."""
        self._suspects.pop(target, None)
        self._senders.pop(target, None)
        self._sender_rows.pop(target, None)

    def _forget(self, over: Iterable[Target]) -> None:
        """Lets go of the sources of targets that are under suspicion no more, and of floods long over."""
        if self._window.newest - self._forgot < FORGETS:
            return
        self._forgot = self._window.newest
        for target in self._suspects.keys() - {*over, *self._going()}:
            self._acquit(target)
        for target, each in list(self._open.items()):
            if each.sealed and self._window.newest - _second(each.finding["end"]) > self._window.horizon + judge.QUIET:
                del self._open[target]

    def _answers(self, target: Target, row: Mapping[str, Any], flooded: Collection[bytes]) -> bool:
        """Whether what looks like a flood is what flooded hosts answer, and so goes back to who floods them."""
        senders = self._senders.get(target)
        if senders is None or not set(row["techniques"]) <= ANSWERS:
            return False
        heaviest = _all(senders).heaviest(_NAMED)
        of_flooded = sum(
            min(packets, _MOST_ANSWERS * self._sent_to(target, source))
            for source, packets in heaviest
            if source in flooded
        )
        return of_flooded >= _MOSTLY * sum(packets for _, packets in heaviest)

    def _sent_to(self, target: Target, host: bytes) -> int:
        """Packets of a target to a flooded host: who forges its address hides no more than these ask for."""
        return sum(
            packets
            for senders in self._senders.get((records.HOST, host), {}).values()
            for source, packets in senders.heaviest(sending.HEAVIEST)
            if records.widened(source, target[0]) == target[1]
        )

    def _note(self, target: Target, row: Mapping[str, Any]) -> bool:
        """Keeps a finding as open; answers whether it says anything new."""
        known = self._open.get(target)
        if known is not None and known.finding["episode"] == row["episode"]:
            if known.sealed:
                return False
            self._open[target] = known._replace(finding=row)
        else:
            self._open[target] = _Open(row, _second(row["start"]) - 1)
        return known is None or row != known.finding

    def _sealed(self, newest: int | None) -> Seen:
        """The floods that are over by a second (None: all): their findings a last time, single sources left out."""
        rows: list[Mapping[str, Any]] = []
        for target, each in self._open.items():
            if each.sealed:
                continue
            if newest is None or newest - _second(each.finding["end"]) > judge.QUIET:
                sealed = _without_sources(each.finding)
                rows.append(sealed)
                self._open[target] = each._replace(finding=sealed, sealed=True)
                parts = [row for row in self._taking_part.values() if row["episode"] == each.finding["episode"]]
                rows += map(_without_sources, parts)
                for row in parts:
                    del self._taking_part[row["id"]]
                self._acquit(target)
        return _seen(rows)

    def _settle(self) -> Seen:
        """What prefixes got in the minutes that are over, as baselines: floods, and the hosts that are flooded, not."""
        last = self._window.newest - _LATE
        if last - self._settled < _MINUTE:
            return Seen()
        begin, self._settled = max(self._settled + 1, self._window.oldest), last
        flooded = list(self._open)  # with those over for a little while: their last minute is among these
        wide = self._window.wide(_WORTH)
        spoilt = _by_prefix(flooded, {scope for scope, _ in wide})
        wide = [each for each in wide if each not in self._open and each not in spoilt]
        folded = list[pa.RecordBatch]()
        for at in range(0, len(wide), _AT_ONCE):
            series = self._window.series(wide[at : at + _AT_ONCE])
            here = slice(begin - series.oldest, last + 1 - series.oldest)
            part = series._replace(oldest=begin, amounts=series.amounts[:, :, here])
            folded.append(self._baselining(self._batch(part)))
        if not folded:
            return Seen()
        made = pa.concat_batches(folded)
        self._baseline.take(made)
        return _seen(baselines=made)

    def _batch(self, series: Series) -> pa.RecordBatch:
        """schema.RATES of targets: a row for each vector and second in which there was any."""
        target, vector, second = np.nonzero(series.amounts.any(axis=3))
        amounts = series.amounts[target, vector, second].astype(np.float64)
        seconds = series.oldest + second
        seen = np.ones(len(target))
        if self._short:
            begins, ends = seconds * SECOND, (seconds + 1) * SECOND
            looked = np.minimum(ends, self._latest) - np.maximum(begins, self._began)
            seen = np.clip(looked / SECOND, _LEAST_SEEN, 1.0)
        prefix = np.ascontiguousarray(series.prefix[target])
        n = len(target)
        return pa.RecordBatch.from_arrays(
            [
                pa.array(seconds * SECOND).cast(schema.TIME),
                pa.array(series.scope[target]),
                pa.Array.from_buffers(pa.binary(16), n, [None, pa.py_buffer(prefix)]),
                pa.array(vector.astype(np.uint8)),
                pa.array(amounts[:, 0] / PACKET),
                pa.array(amounts[:, 1]),
                pa.array(amounts[:, 2]),
                pa.array(seen),
            ],
            schema=schema.RATES,
        )

    def _beside(self, targets: Iterable[Target]) -> Mapping[str, pa.Table]:
        opened = [_open_row(target, self._open[target].finding) for target in targets if target in self._open]
        sent = [self._sent(target) for target in targets if target in self._senders]
        return {
            "usual": pa.Table.from_pylist(list(self._baseline.usual(list(targets), self._window.newest)), schema.USUAL),
            "open": pa.Table.from_pylist(opened, schema.OPEN_FLOODS),
            "senders": pa.Table.from_pylist(sent, schema.SENDERS),
        }

    def _sent(self, target: Target) -> dict[str, Any]:
        """A row of schema.SENDERS, made anew once a second: it is dear, and says little more a moment later."""
        made_in, row = self._sender_rows.get(target, (0, {}))
        if made_in != self._window.newest:
            row = _sender_row(target, self._senders[target], self._home)
            self._sender_rows[target] = self._window.newest, row
        return row

    def _rates(self, targets: Mapping[Target, Array]) -> pa.RecordBatch:
        """schema.FLOOD_RATES of the floods among targets, of the seconds that are settled and not yet written down."""
        rows: list[dict[str, Any]] = []
        settled = self._window.newest - (0 if self._over else _SETTLED)
        oldest = self._window.oldest
        for target, amounts in targets.items():
            known = self._open[target]
            begin = max(known.written + 1 - oldest, 0)
            end = max(min(settled, _second(known.finding["end"]) + judge.QUIET) + 1 - oldest, 0)
            here = amounts[:, begin:end, :2]
            for vector, second in zip(*np.nonzero(here.any(axis=2)), strict=True):
                at = (oldest + begin + int(second)) * SECOND
                packets, size = here[vector, second].tolist()
                rows.append(
                    {
                        "second": at,
                        "finding": known.finding["id"].hex(),
                        "vector": NAMES[vector],
                        "packets": packets / PACKET,
                        "bytes": float(size),
                    }
                )
            self._open[target] = known._replace(written=max(known.written, oldest + end - 1))
        return pa.RecordBatch.from_pylist(rows, schema.FLOOD_RATES)


def _without_sources(finding: Mapping[str, Any]) -> Mapping[str, Any]:
    reasons = [reason for reason in finding["reasons"] if reason["code"] not in SINGLE_SOURCES]
    return {**finding, "reasons": reasons}


def _victim(part: Mapping[str, Any]) -> str:
    """Whose flood a finding of a network that takes part is about."""
    return dict(part["reasons"][0]["params"])["victim"]


def _by_prefix(targets: Iterable[Target], scopes: Iterable[int]) -> Mapping[Target, Sequence[Target]]:
    """Targets by the wider prefixes, of these scopes, that they lie in."""
    made: dict[Target, list[Target]] = {}
    for (scope, prefix), wide in itertools.product(targets, scopes):
        if wide < scope:
            made.setdefault((wide, records.widened(prefix, wide)), []).append((scope, prefix))
    return made


def _open_row(target: Target, finding: Mapping[str, Any]) -> dict[str, Any]:
    measures = dict(finding["measures"])
    return {
        "scope": target[0],
        "prefix": target[1],
        "episode": finding["episode"],
        "start": finding["start"],
        "end": finding["end"],
        "peak": datetime.fromtimestamp(measures["peak"], UTC),
        "packets": measures["packets"],
        "bytes": measures["bits"] / 8,
        "vectors": [NUMBERS[name] for name in finding["techniques"]],
    }


def _all(senders: Mapping[int, sending.Senders]) -> sending.Senders:
    """Who sends by any vector."""
    made = sending.Senders()
    for each in senders.values():
        made.merge(each)
    return made


def _sender_row(target: Target, senders: Mapping[int, sending.Senders], home: Sequence[Target]) -> dict[str, Any]:
    whole = _all(senders)
    return {
        "scope": target[0],
        "prefix": target[1],
        "distinct": whole.distinct,
        "entropy": whole.entropy,
        "heaviest": [{"source": source, "packets": packets} for source, packets in whole.heaviest(_NAMED)],
        "networks": _networks(whole),
        "loads": [_load(vector, each) for vector, each in sorted(senders.items())],
        "home": [
            {"prefix": prefix, "scope": scope, "devices": devices[:_NAMED]}
            for (scope, prefix), devices in list(whole.at_home(home).items())[:_NAMED]
        ],
    }


def _load(vector: int, senders: sending.Senders) -> dict[str, Any]:
    shortest, longest = senders.lengths or (None, None)
    ports = [{"port": port, "share": share} for port, share in senders.ports(_NAMED)]
    return {
        "vector": vector, "ports": ports, "networks": _networks(senders), "shortest": shortest, "longest": longest,
    }  # fmt: skip


def _networks(senders: sending.Senders) -> list[dict[str, Any]]:
    return [each._asdict() for each in senders.networks(_NAMED)]


def _second(at: datetime) -> int:
    return int(at.timestamp())


def _seen(findings: Sequence[Mapping[str, Any]] = (), **tables: pa.RecordBatch) -> Seen:
    batch = pa.RecordBatch.from_pylist(list(findings), schema.FINDINGS)
    return Seen((batch,) if findings else (), {name: rows for name, rows in tables.items() if rows.num_rows})


def _joined(seen: Sequence[Seen]) -> Seen:
    """What was seen in several steps, as if in one."""
    tables: dict[str, list[pa.RecordBatch]] = {}
    for each in seen:
        for name, rows in each.tables.items():
            tables.setdefault(name, []).append(rows)
    findings = tuple(batch for each in seen for batch in each.findings)
    return Seen(findings, {name: pa.concat_batches(rows) for name, rows in tables.items()})
