"""Flow records as columns (schema.FLOWS): what every decoder fills and what everything behind it reads."""

from ipaddress import IPv6Address, ip_network
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from khien import schema

ADDRESS = 16  # bytes; IPv4 is mapped into IPv6
MAPPED = bytes(10) + b"\xff\xff"  # what stands before an IPv4 address there, RFC 4291 section 2.5.5.2

AHEAD, BEHIND = 5_000_000, 3_600_000_000  # microseconds that an exporter's clock may seem wrong by
HOST = 8 * ADDRESS  # bits of a prefix that is one address

Array = np.ndarray[Any, Any]


class Columns(NamedTuple):
    """The columns of schema.FLOWS as arrays of one length, addresses as 16 bytes a row; kernels write into them.

    first, last: microseconds since 1970.
    """

    first: Array  # i8
    last: Array  # i8
    source: Array  # u1, rows x 16
    target: Array  # u1, rows x 16
    source_port: Array  # u2
    target_port: Array  # u2
    protocol: Array  # u1
    flags: Array  # u1
    fragment: Array  # u1
    packets: Array  # i8
    bytes: Array  # i8
    sampling: Array  # u4


def empty(rows: int) -> Columns:
    """Room for so many rows; what is in them is not set. Arrow's memory pool hands out what it has had before."""
    return Columns(*(_room(kind, rows) for kind in schema.FLOWS.types))


def batch(columns: Columns, rows: int) -> pa.RecordBatch:
    """The first rows of columns as schema.FLOWS, without a copy: leave the columns alone from here on."""
    arrays = [
        pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(column[:rows])])
        for kind, column in zip(schema.FLOWS.types, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.FLOWS)


def columns(flows: pa.RecordBatch) -> Columns:
    """The columns of schema.FLOWS as arrays that only read, without a copy."""
    return Columns(*(_view(flows.column(field.name), field.type) for field in schema.FLOWS))


def in_time(flows: pa.RecordBatch, now: int) -> pa.RecordBatch:
    """Flows of exporters whose clocks are right; of the others, as if each had ended when its record came.

    now: microseconds since 1970, when these flows were received. No flow ends behind that, and none is exported an hour
    late: who says so has a wrong clock, or means to move ours.
    """
    last = columns(flows).last
    wrong = (last > now + AHEAD) | (last < now - BEHIND)
    if not wrong.any():
        return flows
    first = np.where(wrong, now - np.clip(last - columns(flows).first, 0, BEHIND), columns(flows).first)
    for name, values in (("first", first), ("last", np.where(wrong, now, last))):
        flows = flows.set_column(flows.schema.names.index(name), name, pa.array(values).cast(schema.TIME))
    return flows


def _view(column: pa.Array, kind: pa.DataType) -> Array:
    values = column.buffers()[1]
    if values is None:
        return np.empty(_shape(kind, 0), _dtype(kind))
    wide = int(np.prod(_shape(kind, 1)))
    flat = np.frombuffer(values, _dtype(kind), len(column) * wide, column.offset * kind.byte_width)
    return flat.reshape(_shape(kind, len(column)))


def _room(kind: pa.DataType, rows: int) -> Array:
    shape, dtype = _shape(kind, rows), np.dtype(_dtype(kind))
    return np.frombuffer(pa.allocate_buffer(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


def _shape(kind: pa.DataType, rows: int) -> tuple[int, ...]:
    return (rows, ADDRESS) if pa.types.is_fixed_size_binary(kind) else (rows,)


def _dtype(kind: pa.DataType) -> Any:
    if pa.types.is_fixed_size_binary(kind):
        return np.uint8
    return np.int64 if pa.types.is_timestamp(kind) else kind.to_pandas_dtype()


def written(scope: int, prefix: bytes) -> tuple[str, str]:
    """A target (how many bits count, prefix) as people write it, and its kind of observable: address or network."""
    if scope == HOST:
        address = IPv6Address(prefix)
        return str(address.ipv4_mapped or address), "address"
    return network(scope, prefix), "network"


def network(scope: int, prefix: bytes) -> str:
    """A prefix with its length, an IPv4 one as such."""
    address = IPv6Address(prefix)
    if address.ipv4_mapped and scope >= HOST - 32:
        return str(ip_network((address.ipv4_mapped, scope - HOST + 32)))
    return str(ip_network((address, scope)))


def target(text: str) -> tuple[int, bytes]:
    """The target that is written so. ValueError: it is none."""
    network = ip_network(text)
    packed = network.network_address.packed
    if network.version == 4:
        return network.prefixlen + 96, MAPPED + packed
    return network.prefixlen, packed


def widened(prefix: bytes, scope: int) -> bytes:
    """The prefix of so many bits that an address or a narrower prefix lies in."""
    shift = HOST - scope
    return (int.from_bytes(prefix) >> shift << shift).to_bytes(ADDRESS)


def inside(narrow: tuple[int, bytes], wide: tuple[int, bytes]) -> bool:
    """Whether a target lies in a wider one."""
    shift = HOST - wide[0]
    return narrow[0] > wide[0] and int.from_bytes(narrow[1]) >> shift == int.from_bytes(wide[1]) >> shift
