"""Makes src/khien/data/sample: real, dated, bundled streams of names and of flows for the first minute.

names.tsv.zst: certificate names of real days (`ct_stream`, Unlicense) with imitations among them that stand on a list
that may be bundled (ChongLuaDao's under BSD-3, hostsVN's under MIT) and that a person has read and said so
(`vn_hand_labelled`): automatic labels accuse innocents. For the same reason certificate names that the detector itself
would accuse, and nobody has read, are left out; those it knows to be good are all there. Rows are name, first day seen,
list; in the order of days.

flows.pcap.zst: what a provider's router exported in three seconds (overflowd, BSD-3; addresses anonymised there), and
with it what a second router would have exported, with an active timeout of a second, of a recorded flood between
documentation addresses (suricata-verify's ipv6-denial6-5, MIT). The flood keeps its times and the export is moved to
them; both routers and the collector get documentation addresses.

    python3 generate/sample.py ../shared/data
"""

import struct
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pyarrow as pa

from khien import schema
from khien.app import parts, registers
from khien.flows import records

FOLDER = Path(__file__).parent.parent / "src/khien/data/sample"
STREAM = 60_000  # certificate names: about every eighth
BUNDLED = {"chongluadao_urls": "ChongLuaDao (BSD-3-Clause)", "hostsvn": "hostsVN (MIT)"}

EXPORTED = 620  # datagrams of the export: they take 3.4 seconds
BEFORE = 1_000_000  # microseconds that the export begins before the flood
VICTIM = "2001:db8:1::1"
ACTIVE = 1_000_000  # microseconds after which the second router tells of a flow that goes on
AUTHENTICATION = 51  # IPv6 extension header
NETFLOW, IPFIX, COLLECTOR = "192.0.2.1", "192.0.2.2", "192.0.2.9"  # RFC 5737
TEMPLATE = ((152, 8), (153, 8), (27, 16), (28, 16), (4, 1), (2, 8), (1, 8))  # IANA's elements, and their octets


def rows(path: Path) -> list[list[str]]:
    """Rows of a list."""
    with pa.input_stream(path, compression="zstd" if path.suffix == ".zst" else None) as stream:
        return [line.split("\t") for line in stream.read().decode().splitlines() if line]


def names(folder: Path) -> bytes:
    """The stream of names."""
    read = {row[0] for row in rows(folder / "vn_hand_labelled.tsv")[1:] if row[1] != "-"}
    chosen = []
    for name, day, lists in rows(folder / "vn_lists_union.tsv.zst"):
        origins = [text for tag, text in BUNDLED.items() if any(each.startswith(tag) for each in lists.split(","))]
        if origins and name in read:
            chosen.append((day, name, origins[0]))
    stream = rows(folder / "ct_stream.tsv.zst")
    batch = [pa.array([row[0] for row in stream]), pa.nulls(len(stream), schema.TIME)]
    found = registers.lookalike()(pa.record_batch(batch, schema=schema.NAMES))
    met = set(found["subject"].to_pylist())
    known = set(found.filter(found["suppressed"])["subject"].to_pylist())  # what is known good is to be seen too
    apart = len(stream) // STREAM
    chosen += [
        (day, name, "CertStream-World (Unlicense)")
        for number, (name, day, *_) in enumerate(stream)
        if name in known or (number % apart == 0 and name not in met)
    ]
    text = "name\tfirst_seen\tlist\n" + "".join(f"{name}\t{day}\t{origin}\n" for day, name, origin in sorted(chosen))
    return text.encode()


def flows(folder: Path) -> bytes:
    """The capture of what two routers exported."""
    told = flood(folder / "attack_pcap/suricata_ipv6-denial6-5.pcap.gz")
    export = list(datagrams(folder / "export_pcap/overflowd_netflow_first7s.pcap.gz"))[:EXPORTED]
    seconds = (told[0][0] - BEFORE - export[0][0]) // 1_000_000  # whole: a NetFlow v5 header holds those
    sent = [(at + ACTIVE, IPFIX, message) for at, message in told]
    for at, message in export:
        (stood,) = struct.unpack_from(">I", message, 8)
        moved = message[:8] + struct.pack(">I", stood + seconds) + message[12:]
        sent.append((at + seconds * 1_000_000, NETFLOW, moved))
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        frame(at, router, message) for at, router, message in sorted(sent)
    )


def datagrams(path: Path) -> Iterator[tuple[int, bytes]]:
    """Microseconds since 1970, and what UDP carried, of a pcap of Ethernet frames with IPv4 in them."""
    with pa.input_stream(path, compression="gzip") as stream:
        capture = stream.read()
    place = 24
    while place < len(capture):
        seconds, micros, size, _ = struct.unpack_from("<4I", capture, place)
        yield seconds * 1_000_000 + micros, capture[place + 16 + 14 + 20 + 8 : place + 16 + size]
        place += 16 + size


def flood(path: Path) -> list[tuple[int, bytes]]:
    """Messages of IPFIX (RFC 7011), each with when what it tells of began: the template, then a record a second."""
    pages = [page.rows for page in parts.captures([str(path)]).read(None) if page.rows.num_rows]
    seen = records.columns(pa.concat_batches(pages))
    chosen = (seen.target == np.frombuffer(ip_address(VICTIM).packed, np.uint8)).all(axis=1)
    chosen &= seen.protocol == AUTHENTICATION
    first, source, size = seen.first[chosen], seen.source[chosen], seen.bytes[chosen]
    assert (source == source[0]).all()
    begin = int(first.min())
    fields = b"".join(struct.pack(">HH", *each) for each in TEMPLATE)
    messages = [(begin - ACTIVE, 2, struct.pack(">HH", 256, len(TEMPLATE)) + fields)]
    ends = source[0].tobytes(), ip_address(VICTIM).packed
    for number in np.unique((first - begin) // ACTIVE).tolist():
        here = (first - begin) // ACTIVE == number
        times = int(first[here].min()), int(first[here].max())
        record = struct.pack(">QQ", *(at // 1000 for at in times)) + b"".join(ends)
        record += struct.pack(">BQQ", AUTHENTICATION, int(here.sum()), int(size[here].sum()))
        messages.append((begin + number * ACTIVE, 256, record))
    made, told = [], 0
    for at, kind, body in messages:
        head = struct.pack(">HHIII", 10, 20 + len(body), (at + ACTIVE) // 1_000_000, told, 1)
        made.append((at, head + struct.pack(">HH", kind, 4 + len(body)) + body))
        told += kind == 256  # data records, before this message
    return made


def frame(at: int, router: str, message: bytes) -> bytes:
    """A packet record of a pcap: Ethernet, IPv4 and UDP around what a router sent to the collector."""
    ends = ip_address(router).packed + ip_address(COLLECTOR).packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(message), 0, 0, 64, 17, 0) + ends
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]
    port = {NETFLOW: 9995, IPFIX: 4739}[router]
    octets = bytes(12) + b"\x08\x00" + head + struct.pack(">4H", port, port, 8 + len(message), 0) + message
    return struct.pack("<4I", at // 1_000_000, at % 1_000_000, len(octets), len(octets)) + octets


def main() -> None:
    shared = Path(sys.argv[1])
    FOLDER.mkdir(exist_ok=True)
    for name, content in (("names.tsv.zst", names(shared / "names")), ("flows.pcap.zst", flows(shared / "flows"))):
        target = FOLDER / name
        target.write_bytes(pa.Codec("zstd", compression_level=19).compress(content, asbytes=True))
        print(f"{name}: {target.stat().st_size} bytes of {len(content)}")


if __name__ == "__main__":
    main()
