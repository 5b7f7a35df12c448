"""The live collector: flow records as routers export them, NetFlow, IPFIX and sFlow told apart by what they hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from time import monotonic
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError
from khien.flows import records
from khien.flows.datagrams import Datagrams
from khien.flows.decoder import Decoder
from khien.sources.flows.receiver import Address, Network, Receiver
from khien.sources.flows.spool import Cursor, Spool
from khien.sources.flows.tally import DROPPED, REFUSED, Tally

_MOST_KEPT = (1 << 30) - 1  # octets a kernel keeps for a socket: it doubles the number, which has 31 bits
_PAGE = 0.2  # seconds after which a page is yielded, empty or not: the contract grants 0.25


@dataclass(frozen=True)
class Flows:
    """What exporters send to ``listen`` over UDP, for as long as it is read.

    listen: addresses with a port, IPv6 in brackets; [::] is IPv6 alone. exporters: networks whose datagrams are taken,
    all without any: the sender of a datagram is easily forged, keep others out on the way as well. receive_buffer:
    octets the kernel is asked to keep for each address while this process does something else. spool: a directory for
    what is received, until it is ``horizon`` seconds old or takes ``spool_octets``; empty: nothing is written, and a
    killed process loses what it had not saved. With it a killed process loses what waits in its memory to be a page, a
    tenth of a second unless what is behind it is slow.
    """

    name: ClassVar[str] = "flows"
    yields: ClassVar[pa.Schema] = schema.FLOWS
    replayable: ClassVar[bool] = False

    listen: tuple[str, ...] = ("0.0.0.0:2055",)
    exporters: tuple[str, ...] = ()
    receive_buffer: int = 64 << 20
    spool: str = ""
    horizon: float = 30.0
    spool_octets: int = 2 << 30

    def __post_init__(self) -> None:
        if not self.listen:
            raise ConfigError("listen names no address: give one, for example 0.0.0.0:2055")
        for each in self.listen:
            address(each)
        for each in self.exporters:
            network(each)
        if not 1 <= self.horizon <= 3600:
            raise ConfigError(f"horizon is {self.horizon:g}: give seconds, 1 to 3600")
        for setting, most in (("receive_buffer", _MOST_KEPT), ("spool_octets", 1 << 40)):
            if not 1 << 16 <= getattr(self, setting) <= most:
                raise ConfigError(f"{setting} is {getattr(self, setting)}: give octets, 65,536 to {most:,}")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """What the spool still holds, also what cursor covers, page by page under the cursors it had; then what comes.

        It never ends; closed, it leaves nothing in the spool. UnavailableError: the address is taken, the disk is full.
        ConfigError: it cannot be listened at, or the spool is no place of ours.
        """
        at = Cursor.of(cursor)
        addresses, networks = [address(each) for each in self.listen], [network(each) for each in self.exporters]
        spool = Spool(Path(self.spool), self.horizon, self.spool_octets) if self.spool else None
        decoder, ended_well = Decoder(), False
        try:
            with Receiver(addresses, self.receive_buffer, networks) as receiver:
                if cursor is None:
                    yield Page(_NOTHING, at.encoded())
                last = at
                for frame in spool.replay(at) if spool else ():
                    if frame.before != last:
                        yield Page(_NOTHING, frame.before.encoded())
                    yield Page(_decoded(decoder, frame.datagrams), frame.behind.encoded())
                    last = frame.behind
                if last < at:
                    yield Page(_NOTHING, at.encoded())
                yield from self._live(receiver, spool, decoder, max(at, last))
        except GeneratorExit:
            ended_well = True
            raise
        finally:
            if spool:
                spool.close(clear=ended_well)

    def _live(self, receiver: Receiver, spool: Spool | None, decoder: Decoder, at: Cursor) -> Iterator[Page]:
        tally = Tally(", ".join(self.listen))
        while True:
            block = receiver.take(_PAGE)
            if spool:
                spool.tidy()
            if block is None:
                yield Page(_NOTHING, at.encoded())
                continue
            datagrams = block.datagrams()
            at = spool.write(datagrams) if spool else Cursor(at.segment, at.position + 1)
            rows = _decoded(decoder, datagrams)
            tally.count(REFUSED, block.refused)
            receiver.give_back(block)
            skipped = None
            if tally.is_due(monotonic()):
                tally.count(DROPPED, receiver.dropped())
                skipped = tally.tell(decoder.counts(), monotonic())
            yield Page(rows, at.encoded(), skipped)


def _decoded(decoder: Decoder, datagrams: Datagrams) -> pa.RecordBatch:
    latest = int(datagrams.received.max()) if len(datagrams.received) else 0
    return records.in_time(decoder.decode(datagrams), latest)


_NOTHING = pa.RecordBatch.from_pylist([], schema.FLOWS)


def address(text: str) -> Address:
    """``0.0.0.0:2055`` or ``[::]:2055``. ConfigError: it is neither."""
    found = re.fullmatch(r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\]):(\d{1,5})", text)
    try:
        if found is None:
            raise ValueError(text)
        host, port = ip_address(found[1] or found[2]), int(found[3])
        if port >= 1 << 16 or (host.version == 6) != (found[1] is None):
            raise ValueError(text)
    except ValueError:
        raise ConfigError(f"listen: {text!r} is no address with a port: give 0.0.0.0:2055 or [::]:2055") from None
    return Address(str(host), port)


def network(text: str) -> Network:
    """``192.0.2.0/24``, ``2001:db8::/32`` or one address. ConfigError: it is none of them."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ConfigError(f"exporters: {text!r} is no network: give 192.0.2.0/24 or 2001:db8::/32 ({error})") from None
