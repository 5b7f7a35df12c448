"""Packets, captures and buffers for tests, built by hand; and where real ones are, if they are."""

import ipaddress
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

SHARED = Path(__file__).parents[3] / "shared" / "data" / "flows"
ETHERNET = 1


def unpacked(path: Path) -> bytes:
    """What a real capture holds, compressed or not."""
    with pa.input_stream(str(path), compression="detect") as stream:
        return stream.read()


class Guarded(list[int]):
    """Numbers that are read and written only where they are: what runs over an edge fails."""

    def __getitem__(self, at: Any) -> Any:
        assert at >= 0, "reads before the buffer"
        return super().__getitem__(at)

    def __setitem__(self, at: Any, value: Any) -> None:
        assert at >= 0, "writes before the buffer"
        super().__setitem__(at, int(value))


def guarded(array: np.ndarray) -> Guarded:
    """The array as numbers without width, for kernels that are run as they stand."""
    return Guarded(array.reshape(-1).tolist())


def packed(address: str) -> bytes:
    """An address as columns hold it."""
    value = ipaddress.ip_address(address)
    return value.packed if value.version == 6 else bytes(10) + b"\xff\xff" + value.packed


def tcp(source: int, target: int, flags: int = 2) -> bytes:
    return struct.pack(">HHIIBBHHH", source, target, 1, 0, 0x50, flags, 512, 0, 0)


def udp(source: int, target: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HHHH", source, target, 8 + len(payload), 0) + payload


def ipv4(protocol: int, payload: bytes, *, source: str = "192.0.2.1", target: str = "198.51.100.2", place: int = 0,
         options: bytes = b"", size: int | None = None) -> bytes:  # fmt: skip
    """place: flags and fragment offset; size: what the header claims."""
    header = 20 + len(options)
    total = header + len(payload) if size is None else size
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    first = struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, total, 7, place, 64, protocol, 0)
    return first + ends + options + payload


def ipv6(protocol: int, payload: bytes, *, source: str = "2001:db8::1", target: str = "2001:db8::2",
         size: int | None = None) -> bytes:  # fmt: skip
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    return struct.pack(">IHBB", 6 << 28, len(payload) if size is None else size, protocol, 64) + ends + payload


def ethernet(kind: int, payload: bytes) -> bytes:
    return bytes(12) + kind.to_bytes(2, "big") + payload


def pcap(packets: Iterable[tuple[int, bytes]], *, order: str = "<", nano: bool = False, link: int = ETHERNET) -> bytes:
    """A capture of (microseconds since 1970, frame)."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    made = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for time, frame in packets:
        fraction = time % 10**6 * (1000 if nano else 1)
        made += struct.pack(order + "IIII", time // 10**6, fraction, len(frame), len(frame)) + frame
    return made


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = ETHERNET, options: bytes = b"", order: str = "<", snap: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(frame: bytes, ticks: int, interface: int = 0, order: str = "<") -> bytes:
    body = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)) + frame
    return block(6, body, order)
