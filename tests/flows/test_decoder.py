"""What a decoder remembers of exporters: templates, sampling, sequences; and what strangers cannot do to it."""

import json
import os
import re
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import decoder as decoding
from khien.flows import exports, fields, netflow, pcap, reference
from khien.flows.datagrams import Datagrams, datagrams
from khien.flows.decoder import Decoder
from tests.flows.test_netflow import EXPORTER, NOW, RECEIVED, a_set, flows_of, ipfix, rows, specifiers, template, v5, v9
from tests.flows.wire import SHARED, guarded, unpacked

PLAIN = ((0, 8, 4), (0, 12, 4), (0, 2, 4), (0, 1, 4))
RECORD = b"\1\1\1\1\2\2\2\2" + struct.pack(">II", 3, 300)


def counted(decoder: Decoder, address: bytes = EXPORTER) -> dict[str, int]:
    """What is not 0."""
    return {name: n for name, n in decoder.counts()[address].items() if n}


def test_records_wait_for_their_template() -> None:
    decoder = Decoder()
    assert rows(ipfix(a_set(256, RECORD)), decoder=decoder) == []
    assert counted(decoder) == {"datagrams": 1, "waiting": 1}
    late = datagrams([(RECEIVED + 60_000_000, EXPORTER, ipfix(a_set(2, template(256, *PLAIN)), sequence=1))])
    (row,) = flows_of(decoder.decode(late))
    assert (row.packets, row.bytes, row.last) == (3, 300, NOW * 10**6)
    assert counted(decoder) == {"datagrams": 2, "records": 1}


def test_a_template_is_of_its_domain_and_its_exporter() -> None:
    decoder = Decoder()
    learned = ipfix(a_set(2, template(256, *PLAIN)), domain=1)
    assert rows(learned, ipfix(a_set(256, RECORD), domain=2), decoder=decoder) == []
    other = datagrams([(RECEIVED, bytes(16), ipfix(a_set(256, RECORD), domain=1))])
    assert decoder.decode(other).num_rows == 0
    assert len(rows(ipfix(a_set(256, RECORD), domain=1), decoder=decoder)) == 1


def test_a_template_may_change_and_be_withdrawn() -> None:
    decoder = Decoder()
    turned = ((0, 12, 4), (0, 8, 4), (0, 1, 4), (0, 2, 4))
    first, second = rows(
        ipfix(
            a_set(2, template(256, *PLAIN)), a_set(256, RECORD), a_set(2, template(256, *turned)), a_set(256, RECORD)
        ),
        decoder=decoder,
    )
    assert (first.source, first.packets) == (second.target, second.bytes)
    assert rows(ipfix(a_set(2, struct.pack(">HH", 256, 0)), a_set(256, RECORD)), decoder=decoder) == []
    assert counted(decoder)["waiting"] == 1


def options(number: int, scopes: int, *named: tuple[int, int, int]) -> bytes:
    """An options template of IPFIX."""
    return struct.pack(">HHH", number, len(named), scopes) + specifiers(*named)


SAMPLERS = [
    (((0, 149, 4), (0, 34, 4)), struct.pack(">II", 1, 100), 100),
    (((0, 149, 4), (0, 305, 4), (0, 306, 4)), struct.pack(">III", 1, 1, 999), 1000),
    (((0, 149, 4), (0, 305, 4), (0, 306, 4)), struct.pack(">III", 1, 10, 90), 10),
    (((0, 302, 4), (0, 309, 4), (0, 310, 4)), struct.pack(">III", 7, 1, 64), 64),
    (((0, 48, 1), (0, 50, 4)), struct.pack(">BI", 3, 256), 256),
    (((0, 302, 4), (0, 311, 8)), struct.pack(">Id", 7, 0.01), 100),
    (((0, 149, 4), (0, 34, 4)), struct.pack(">II", 1, 0), 1),
]


@pytest.mark.parametrize(("named", "record", "rate"), SAMPLERS)
def test_sampling_is_applied_from_when_it_is_known(named, record: bytes, rate: int) -> None:
    flows = ipfix(a_set(2, template(256, *PLAIN)), a_set(256, RECORD))
    told = ipfix(a_set(3, options(300, 1, *named)), a_set(300, record))
    before, after = rows(flows, told, flows)
    assert before[9:] == (3, 300, 1)
    assert after[9:] == (3 * rate, 300 * rate, rate)


@pytest.mark.parametrize(("element", "kept"), [(302, (302, 4)), (48, (48, 4)), (10, (10, 4))])
def test_a_record_names_its_sampler_or_interface(element: int, kept: tuple[int, int]) -> None:
    told = ipfix(
        a_set(3, options(300, 1, (0, *kept), (0, 34, 4))), a_set(300, struct.pack(">IIII", 5, 100, 6, 2000)), domain=9
    )
    flows = ipfix(
        a_set(2, template(256, *PLAIN, (0, element, 4))),
        a_set(256, *(RECORD + number.to_bytes(4) for number in (5, 6, 7))),
    )
    assert [row.sampling for row in rows(told, flows)] == [100, 2000, 1]


def test_sampling_is_forgotten_with_its_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_EXPORTERS", 1)
    decoder = Decoder()
    told = ipfix(a_set(3, options(300, 1, (0, 302, 4), (0, 34, 4))), a_set(300, struct.pack(">II", 5, 100)))
    flows = ipfix(a_set(2, template(256, *PLAIN, (0, 302, 4))), a_set(256, RECORD + struct.pack(">I", 5)), domain=2)
    assert [row.sampling for row in rows(told, flows, decoder=decoder)] == [100]
    decoder.decode(datagrams([(RECEIVED, bytes(16), flows)]))
    assert [row.sampling for row in rows(flows, decoder=decoder)] == [1]


def test_v9_tells_of_interfaces_as_scopes() -> None:
    told = a_set(1, struct.pack(">HHHHHHH", 300, 4, 4, 2, 4, 34, 4), bytes(2)), a_set(300, struct.pack(">II", 5, 50))
    flows = a_set(0, template(256, *PLAIN, (0, 10, 2))), a_set(256, RECORD + b"\0\5", RECORD + b"\0\6")
    assert [row.sampling for row in rows(v9(*told, *flows))] == [50, 1]


def test_an_uptime_counts_from_what_options_say() -> None:
    named = (*PLAIN, (0, 22, 4), (0, 21, 4))
    flows = ipfix(a_set(2, template(256, *named)), a_set(256, RECORD + struct.pack(">II", 8000, 9000)))
    (unknown,) = rows(flows)
    assert (unknown.first, unknown.last) == (RECEIVED - 1_000_000, RECEIVED)
    told = ipfix(
        a_set(3, options(300, 1, (0, 149, 4), (0, 160, 8))), a_set(300, struct.pack(">IQ", 1, (NOW - 60) * 1000))
    )
    (known,) = rows(told, flows)
    assert (known.first, known.last) == ((NOW - 52) * 10**6, (NOW - 51) * 10**6)


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((0, 2, 4), 0),
        ((0, 2, 8), 4),
        ((0, 4, 2, 6), 0),
        ((2**32 - 2, 0, 2), 0),
        ((5_000_000, 0, 2), 0),
        ((0, 2**31), 0),
    ],
)
def test_what_v5_lost_is_counted_in_flows(numbers: tuple[int, ...], lost: int) -> None:
    decoder = Decoder()
    rows(*(v5(bytes(48), bytes(48), sequence=number) for number in numbers), decoder=decoder)
    assert counted(decoder).get("lost", 0) == lost


def test_what_v9_and_ipfix_lost_is_counted_in_their_own_way() -> None:
    decoder = Decoder()
    known = a_set(0, template(256, *PLAIN))
    rows(v9(known, sequence=7), v9(a_set(256, RECORD, RECORD), sequence=8), v9(sequence=11), decoder=decoder)
    assert counted(decoder)["lost"] == 2
    decoder = Decoder()
    known = ipfix(a_set(2, template(256, *PLAIN)), a_set(256, RECORD, RECORD), sequence=100)
    rows(known, ipfix(a_set(256, RECORD), sequence=102), ipfix(a_set(256, RECORD), sequence=108), decoder=decoder)
    assert counted(decoder)["lost"] == 5


def test_what_cannot_be_read_is_counted_by_why() -> None:
    decoder = Decoder()
    broken = (
        b"",
        b"\0",
        b"\0\1" + bytes(30),
        b"\0\x08" + bytes(30),
        v5(bytes(48))[:60],
        ipfix(a_set(256, RECORD))[:20],
    )
    rows(*broken, v9(struct.pack(">HH", 256, 3)), ipfix(a_set(2, struct.pack(">HHHH", 256, 9, 1, 4))), decoder=decoder)
    assert counted(decoder) == {
        "datagrams": 8,
        "unknown-version": 1,
        "cut-short": 4,
        "broken-set": 2,
        "broken-template": 1,
    } | {"unknown-version": counted(decoder)["unknown-version"], "cut-short": counted(decoder)["cut-short"]}


def test_all_versions_in_the_order_received() -> None:
    sampled = struct.pack(">IIIIIII", 5, 1, 0x0A000001, 0, 1, 0, 1)
    ip = struct.pack(">BBHHHBBH4s4sHHHH", 0x45, 0, 28, 1, 0, 64, 17, 0, b"\1\1\1\1", b"\2\2\2\2", 53, 9999, 8, 0)
    header = struct.pack(">IIII", 11, len(ip), 0, len(ip)) + ip
    sample = struct.pack(">IIIIIIII", 1, 1, 400, 400, 0, 1, 2, 1) + struct.pack(">II", 1, len(header)) + header
    sflow = sampled + struct.pack(">II", 1, len(sample)) + sample
    known = a_set(2, template(256, *PLAIN))
    decoder = Decoder()
    found = rows(v5(bytes(48)), sflow, ipfix(known, a_set(256, RECORD)), sflow, v5(bytes(48)), decoder=decoder)
    assert [row.sampling for row in found] == [1, 400, 1, 400, 1]
    assert counted(decoder)["records"] == 5


def test_batches_may_be_cut_anywhere() -> None:
    told = ipfix(a_set(3, options(300, 1, (0, 149, 4), (0, 34, 4))), a_set(300, struct.pack(">II", 1, 10)))
    flows = ipfix(a_set(256, RECORD, RECORD))
    sent = [flows, v5(bytes(48)), ipfix(a_set(2, template(256, *PLAIN))), flows, told, flows]
    whole, parts = Decoder(), Decoder()
    together = rows(*sent, decoder=whole)
    assert together == [row for each in sent for row in rows(each, decoder=parts)]
    assert whole.counts() == parts.counts()


def interpreted(kernel: Any) -> Callable[..., Any]:
    """The kernel as it stands, over arrays that fail where it leaves them."""

    def run(*values: Any) -> Any:
        lists = [guarded(each) if isinstance(each, np.ndarray) else each for each in values]
        answer = kernel.plain(*lists)
        for value, after in zip(values, lists, strict=True):
            if isinstance(value, np.ndarray) and value.flags.writeable:
                value.reshape(-1)[:] = after
        return answer

    return run


SMALL = {"MOST_EXPORTERS": 2, "MOST_DOMAINS": 4, "MOST_PLANS": 8, "MOST_RATES": 32, "RATES_EACH": 4}
SMALL |= {"PLANS_EACH": 4, "DOMAINS_EACH": 2, "RUNS": 4}


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Datagrams, some of them damaged."""
    fields_of = (*PLAIN, (0, 82, 65535), (0, 315, 65535), (0, 4, 1), (0, 48, 1), (29305, 2, 4))
    body = RECORD + b"\3abc" + b"\x20" + bytes(12) + b"\x08\0\x45" + bytes(17) + b"\6\1" + bytes(4)
    known = a_set(2, template(draw(st.integers(254, 262)), *fields_of))
    told = a_set(3, options(300, 1, (0, 48, 1), (0, 34, 4))), a_set(300, struct.pack(">BI", 1, 10))
    made = draw(
        st.sampled_from(
            [
                ipfix(known, a_set(256, body, body), *told),
                v9(a_set(0, template(256, *PLAIN)), a_set(256, RECORD)),
                ipfix(*told, domain=draw(st.integers(0, 9))),
                v5(bytes(48), bytes(48)),
            ]
        )
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(made) - 1))
        made = made[:at] + bytes([draw(st.integers(0, 255))]) + made[at + 1 :]
    return made[: draw(st.integers(0, len(made)))] if draw(st.booleans()) else made


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), mutated() | st.binary(max_size=200)), max_size=6))
def test_kernels_stay_in_their_arrays(sent: list[tuple[int, bytes]]) -> None:
    """Interpreted and compiled they find the same; where there is room for little, the oldest leaves."""
    given = datagrams((RECEIVED + i, bytes(15) + bytes([who]), each) for i, (who, each) in enumerate(sent))
    with pytest.MonkeyPatch.context() as patch:
        for name, small in SMALL.items():
            patch.setattr(decoding, name, small)
        compiled = Decoder()
        expected = compiled.decode(given)
        patch.setattr(netflow, "walk", interpreted(netflow.walk))
        patch.setattr(fields, "fill", interpreted(fields.fill))
        plain = Decoder()
        assert plain.decode(given).equals(expected)
        assert plain.counts() == compiled.counts()
        assert len(plain.counts()) <= SMALL["MOST_EXPORTERS"]


def test_strangers_cost_themselves() -> None:
    """Templates, domains, exporters and records without a template, each without end: what is kept stays bounded."""
    decoder = Decoder()
    known = ipfix(a_set(2, template(256, *PLAIN)))
    rows(known, decoder=decoder)
    for start in range(0, 9000, 3000):
        strangers = range(start, start + 3000)
        sent = [(RECEIVED + i, i.to_bytes(16), ipfix(a_set(999, bytes(900)), domain=i)) for i in strangers]
        sent += [(RECEIVED + start + 3000, EXPORTER, ipfix(a_set(256, RECORD)))]
        assert decoder.decode(datagrams(sent)).num_rows == 1
    assert len(decoder.counts()) == decoding.MOST_EXPORTERS
    many = (ipfix(a_set(2, *(template(256 + n, *PLAIN, (0, 5, k)) for n in range(60)))) for k in range(1, 60))
    stranger = bytes(16)
    assert decoder.decode(datagrams((RECEIVED, stranger, each) for each in many)).num_rows == 0
    assert counted(decoder, stranger)["too-many-templates"] > 0
    big = (ipfix(a_set(999, bytes(60_000)), domain=n) for n in range(20))
    decoder.decode(datagrams((RECEIVED, stranger, each) for each in big))
    assert counted(decoder, stranger)["waiting"] * 60_000 <= decoding.WAITING_EACH
    assert counted(decoder, stranger)["dropped"] > 0
    assert len(rows(ipfix(a_set(256, RECORD)), decoder=decoder)) == 1


needs_captures = pytest.mark.skipif(not SHARED.exists(), reason="the captures are not part of the repository")


def captured(path: Path) -> Iterator[Datagrams]:
    for frames in pcap.frames([unpacked(path)]):
        yield exports.exports(frames)[0]


def at_once(sent: Datagrams) -> Datagrams:
    """As if received when it was exported: these captures were given other times."""
    headers = (
        reference.header(sent.octets[begin:end].tobytes()) for begin, end in zip(sent.begins, sent.ends, strict=True)
    )
    return sent._replace(received=np.array([each.exported for each in headers], np.int64))


FLAGS = {name: 1 << bit for bit, name in enumerate("FIN SYN RST PSH ACK URG ECE CWR".split())}
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58, "vrrp": 112}
# pmacct renormalises by a sampling_map of its own after it was told to reload: that is not in the export
NOT_IN_THE_EXPORT = {"102-NFv9-CISCO-f2rd-pretag-sampling-reload/output-flow-01.json"}
EXPECTED = sorted(SHARED.glob("expected/*/output-flow-*.json"))


@needs_captures
@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: f"{path.parent.name[:3]}-{path.stem[-2:]}")
def test_rows_are_what_pmacct_expects(path: Path) -> None:
    """Its labels, networks, VRFs and routes come from its own maps, BGP and BMP, or are nothing to us."""
    name = path.parent.name
    if f"{name}/{path.name}" in NOT_IN_THE_EXPORT:
        pytest.skip("pmacct's own sampling map")
    expected: Counter[tuple[Any, ...]] = Counter()
    times: set[tuple[Any, ...]] = set()
    ours: set[tuple[Any, ...]] = set()
    met: Counter[tuple[Any, ...]] = Counter()
    flags: dict[tuple[Any, ...], int] = {}
    for row in map(json.loads, path.read_text().splitlines()):
        key = *(_packed(row[end]) for end in ("ip_src", "ip_dst")), row["port_src"], row["port_dst"]
        key = *key, PROTOCOLS[row["ip_proto"]]
        expected[key, "packets"] += row["packets"]
        expected[key, "bytes"] += row["bytes"]
        flags[key] = flags.get(key, 0) | sum(FLAGS[each] for each in row["tcp_flags"])
        if "timestamp_end" in row:  # without it the other one is not the export's, but pmacct's clock
            times.add((key, int(float(row["timestamp_start"])), int(float(row["timestamp_end"]))))
    decoder = Decoder()
    sent = [each for path in sorted(SHARED.glob(f"export_pcap/pmacct_{name}-*")) for each in captured(path)]
    found = [row for each in sent for row in flows_of(decoder.decode(at_once(each)))]
    for row in found:
        met[row[2:7], "packets"] += row.packets
        met[row[2:7], "bytes"] += row.bytes
        flags[row[2:7]] &= ~row.flags
        first, last = (-(-each // 10**6) for each in row[:2])  # as pmacct rounds
        ours.add((row[2:7], first, last))
    assert met == expected
    assert not any(flags.values())
    assert times <= ours


def _packed(address: str) -> bytes:
    value = ip_address(address)
    return value.packed if isinstance(value, IPv6Address) else reference.MAPPED + value.packed


def _oracle(name: str) -> str:
    """The tool's path; a machine without it skips, one that checks everything fails."""
    found = shutil.which(name)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    assert found is not None
    return found


@needs_captures
@pytest.mark.parametrize("path", sorted(SHARED.glob("export_pcap/*")), ids=lambda path: path.name.split(".")[0])
def test_every_record_is_in_the_reference_and_in_tshark(path: Path) -> None:
    """Of what tshark reads as NetFlow the octets of every record are ours, one by one."""
    read: list[int] = []
    known: dict[bytes, dict[tuple[int, int], reference.Template]] = {}
    for each in captured(path):
        for begin, end, who in zip(each.begins, each.ends, each.exporters, strict=True):
            payload = each.octets[begin:end].tobytes()
            if payload[:2] != b"\0\0":
                for record in reference.read(payload, known.setdefault(each.peers[who], {})):
                    read += [record.values["octetDeltaCount"]] if "octetDeltaCount" in record.values else []
    said = subprocess.run(
        [_oracle("tshark"), "-r", str(path), "-d", "udp.port==2055-9999,cflow", "-T", "fields", "-e", "cflow.octets"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    theirs = [int(number) for number in re.split(r"[,\s]+", said) if number]
    assert not Counter(theirs) - Counter(read)


@needs_captures
def test_a_real_export_is_decoded_whole() -> None:
    decoder = Decoder()
    path = SHARED / "export_pcap" / "overflowd_netflow_first7s.pcap.gz"
    found = [row for each in captured(path) for row in flows_of(decoder.decode(each))]
    assert len(found) == 35_542
    assert (sum(row.packets for row in found), sum(row.bytes for row in found)) == (1_617_163, 1_183_164_452)
    (counts,) = decoder.counts().values()
    assert (counts["datagrams"], counts["records"]) == (1223, 35_542)


@needs_captures
@pytest.mark.parametrize("path", sorted(SHARED.glob("expected/telegraf/[in]*.out")), ids=lambda path: path.stem)
def test_fields_are_what_telegraf_expects(path: Path) -> None:
    """Every flow it expects is there, by what both have a name for."""
    expected: Counter[tuple[str, ...]] = Counter()
    for line in filter(None, path.read_text().splitlines()):
        said = dict(re.findall(r'(\w+)="?([^",\s]*)', line))
        if line.startswith("netflow,") and "dst" in said:
            size, packets = (said.get(f"in_{n}") or said.get(f"in_total_{n}") or "0" for n in ("bytes", "packets"))
            expected[said["dst"], said.get("dst_port", "0u"), size, packets] += 1
    known: dict[tuple[int, int], reference.Template] = {}
    payloads = [each.read_bytes() for each in sorted(SHARED.glob(f"export_raw/telegraf/{path.stem}_*"))]
    met: Counter[tuple[str, ...]] = Counter()
    for row in rows(*payloads):
        target = IPv6Address(row.target)
        met[str(target.ipv4_mapped or target), f"{row.target_port}u", f"{row.bytes}u", f"{row.packets}u"] += 1
    assert not expected - met
    assert sum(1 for each in payloads for _ in reference.read(each, known)) > 0


@needs_captures
@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False))
def test_damaged_exports_break_nothing(random: Any) -> None:
    path = random.choice(sorted(SHARED.glob("export_raw/telegraf/*.bin")))
    payload = bytearray(path.read_bytes())
    for _ in range(random.randrange(1, 9)):
        payload[random.randrange(len(payload))] = random.randrange(256)
    rows(bytes(payload), bytes(payload))
    with suppress(FormatError):
        list(reference.read(bytes(payload), {}))
