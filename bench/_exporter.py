"""An exporter: a process that sends flow records at a steady rate, dozens of datagrams with one call.

    python3 bench/_exporter.py v5|v9 RECORDS_A_DATAGRAM RECORDS_A_SECOND SECONDS PORT

Writes how many records it sent, and over how many seconds.
"""

import ctypes
import os
import socket
import struct
import sys
import time
from random import Random

import numpy as np

POOL, BATCH = 512, 64  # datagrams that are made, and that one call sends
TEMPLATE = 256
UPTIME = 3_600_000  # milliseconds
# Of the template, RFC 3954 section 8: addresses, ports, protocol, flags, packets, octets, first, last, interfaces, hop.
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 4), (22, 4), (21, 4), (10, 2), (14, 2), (15, 4))
_MESSAGE = struct.Struct("=QIxxxxQQQQixxxxIxxxx")  # mmsghdr, sendmmsg(2)


def main() -> int:
    kind, *numbers = sys.argv[1:]
    records, rate, seconds, port = int(numbers[0]), float(numbers[1]), float(numbers[2]), int(numbers[3])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.connect(("127.0.0.1", port))
        if kind == "v9":
            sending.send(template())
        make, at, step = (v5, 16, records) if kind == "v5" else (v9, 12, 1)
        chance = Random(1)
        pool = np.array([np.frombuffer(make(records, chance), np.uint8) for _ in range(POOL)])
        sent, took = steadily(sending, pool, at, step, rate / records, seconds)
    print(sent * records, took)
    return 0


def steadily(
    sending: socket.socket, pool: "np.ndarray", at: int, step: int, rate: float, seconds: float
) -> tuple[int, float]:
    """Sends so many datagrams a second, their sequence number (at, growing by step) written into each."""
    call = ctypes.CDLL(None, use_errno=True).sendmmsg
    vectors = np.array([(pool[n].ctypes.data, pool.shape[1]) for n in range(POOL)], np.uint64)
    messages = b"".join(_MESSAGE.pack(0, 0, vectors.ctypes.data + 16 * n, 1, 0, 0, 0, 0) for n in range(POOL))
    room = ctypes.create_string_buffer(messages)
    sequences = pool[:, at : at + 4]
    sent, started = 0, time.perf_counter()
    while (now := time.perf_counter() - started) < seconds:
        if now * rate - sent < BATCH:
            time.sleep(BATCH / rate / 2)
            continue
        first = sent % POOL
        numbers = (np.arange(1 + sent, 1 + sent + BATCH) * step).astype(">u4")
        sequences[first : first + BATCH] = numbers.view(np.uint8).reshape(BATCH, 4)
        taken = call(sending.fileno(), ctypes.byref(room, _MESSAGE.size * first), BATCH, 0)
        if taken != BATCH:
            raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {taken} of {BATCH} datagrams sent")
        sent += BATCH
    return sent, time.perf_counter() - started


def v5(records: int, chance: Random) -> bytes:
    """Cisco, NetFlow Export Datagram Format, version 5."""
    head = struct.pack(">HHIIIIBBH", 5, records, UPTIME, int(time.time()), 0, 0, 0, 0, 0)
    return head + b"".join(
        struct.pack(
            ">IIIHHIIIIHHBBBBHHBBH", source, target, 0, 1, 2, packets, octets, UPTIME - 2000, UPTIME - 1000, port, 53,
            0, 0, 17, 0, 0, 0, 0, 0, 0,
        )
        for source, target, port, packets, octets in (flow(chance) for _ in range(records))
    )  # fmt: skip


def v9(records: int, chance: Random) -> bytes:
    """RFC 3954 section 5: a header and a flow set."""
    flows = b"".join(
        struct.pack(
            ">IIHHBBIIIIHHI", source, target, port, 53, 17, 0, packets, octets, UPTIME - 2000, UPTIME - 1000, 1, 2, 0
        )
        for source, target, port, packets, octets in (flow(chance) for _ in range(records))
    )
    flows += bytes(-len(flows) % 4)
    return _head(records) + struct.pack(">HH", TEMPLATE, 4 + len(flows)) + flows


def template() -> bytes:
    """What v9 datagrams are read by."""
    fields = b"".join(struct.pack(">HH", *field) for field in FIELDS)
    return _head(1) + struct.pack(">HHHH", 0, 8 + len(fields), TEMPLATE, len(FIELDS)) + fields


def _head(records: int) -> bytes:
    return struct.pack(">HHIIII", 9, records, UPTIME, int(time.time()), 0, 1)


def flow(chance: Random) -> tuple[int, int, int, int, int]:
    """Source and target, source port, packets and octets of a flow: thousands of targets, nearly as many sources."""
    packets = chance.randint(1, 40)
    source, target = 0x0A000000 + chance.randrange(1 << 16), 0xC6120000 + chance.randrange(1 << 12)
    return source, target, chance.randrange(1024, 65536), packets, packets * chance.randint(60, 1400)


if __name__ == "__main__":
    sys.exit(main())
