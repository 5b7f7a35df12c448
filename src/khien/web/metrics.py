"""What Khiên does, in figures for Prometheus (text format 0.0.4): read from the store whenever it is asked.

No label holds the name or the address of a person: sources, states, channels and detectors are all that is told apart.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from khien.app import machine
from khien.contracts import Store
from khien.model import Delivery, Finding, Notice, Record, SourceState, Takedown
from khien.pipeline import standing
from khien.web.doors import LOOPBACK, host_name
from khien.web.pages import Ours

SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
HOURS = (1, 2, 4, 8, 24, 48, 72, 168, 336, 720)
NEWEST = 1_000  # deliveries and takedowns that the histograms are of
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # a server in front: who asks is somewhere else


class Figures(Collector):
    """The metrics of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Every family, from the store as it stands."""
        states = self._store.find(SourceState, limit=10_000)
        yield from _of_sources(states)
        for name, kind in (
            ("findings", Finding),
            ("notices", Notice),
            ("deliveries", Delivery),
            ("takedowns", Takedown),
        ):
            yield self._counted(name, kind)
        yield _histogram(
            "khien_first_sign_to_notice_seconds",
            f"Seconds from the first sign until a channel had the notice, of the newest {NEWEST} deliveries.",
            SECONDS,
            standing.waits(self._store, NEWEST),
        )
        now = machine.clock()
        waits = [(now - since).total_seconds() for _, since in standing.waiting(self._store, now)[:1]]
        yield GaugeMetricFamily(
            "khien_delivery_wait_seconds",
            "For how long the oldest delivery that is due has been waiting; 0 where none is.",
            value=max(waits, default=0),
        )
        takedowns = self._store.find(Takedown, order="-due", limit=NEWEST)
        hours = [each.hours_up(now) for each in takedowns]
        yield _histogram(
            "khien_takedown_hours", f"Hours that sites were up, of the newest {NEWEST} takedowns.", HOURS, hours
        )

    def _counted(self, name: str, kind: type[Record]) -> Metric:
        fields = tuple(each for each in kind.counted if each != "day")
        family = GaugeMetricFamily(f"khien_{name}", f"How many {name} there are.", labels=fields)
        for values, count in self._store.count(kind, *fields).items():
            family.add_metric([str(value).lower() for value in values], count)
        return family


@get("/metrics", include_in_schema=False, sync_to_thread=True)
def metrics(site: Ours, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Everything, for a program on this machine, or one with the token of a viewer."""
    if not _is_here(request):
        site.doors.expect(request, "viewer")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(site.store))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _is_here(request: Request[Any, Any, Any]) -> bool:
    """Whether who asks is on this machine, and not behind a server on it that hands on what others ask."""
    if any(each in request.headers for each in FORWARDED):
        return False
    if host_name(request) not in LOOPBACK:
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:  # a socket that has no address
        return False


def _of_sources(states: Sequence[SourceState]) -> Iterator[Metric]:
    rows, skipped, found = (
        CounterMetricFamily(f"khien_source_{name}", text, labels=("source",))
        for name, text in (
            ("rows", "Rows that were read."),
            ("skipped", "Rows that were set aside."),
            ("findings", "Findings that were first met here."),
        )
    )
    lag, behind, read_at, trouble = (
        GaugeMetricFamily(f"khien_source_{name}", text, labels=("source",))
        for name, text in (
            ("lag_seconds", "From what the newest row tells of until it was read."),
            ("behind_rows", "Rows that are known of and not read."),
            ("read_timestamp_seconds", "When it was last read, since 1970."),
            ("in_trouble", "1 while it stands still."),
        )
    )
    for each in states:
        rows.add_metric([each.id], each.rows)
        skipped.add_metric([each.id], each.skipped)
        found.add_metric([each.id], each.findings)
        trouble.add_metric([each.id], bool(each.trouble))
        if (late := standing.lag(each)) is not None:
            lag.add_metric([each.id], late)
        if each.behind is not None:
            behind.add_metric([each.id], each.behind)
        if each.read_at is not None:
            read_at.add_metric([each.id], each.read_at.timestamp())
    yield from (rows, skipped, found, lag, behind, read_at, trouble)


def _histogram(name: str, text: str, bounds: Sequence[float], values: Sequence[float]) -> Metric:
    buckets = [(f"{bound:g}", float(sum(value <= bound for value in values))) for bound in bounds]
    family = HistogramMetricFamily(name, text)
    family.add_metric([], [*buckets, ("+Inf", float(len(values)))], sum(values))
    return family
