"""Flow records from files of every kind: bytes in, rows out, or one line that says what is wrong."""

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from khien import schema
from khien.errors import ConfigError, FormatError, InputError
from khien.sources.captures import Captures, progress
from khien.testing.source import check_source
from tests.flows import test_flowtools, test_nfdump
from tests.flows.wire import enhanced as enhanced_block
from tests.flows.wire import ethernet, interface, ipv4, packed, pcap, section, tcp, udp

Put = Callable[[bytes], str]
SHARED = Path(__file__).parents[3] / "shared/data/flows"
AT = 1_600_000_000  # seconds
DOMAIN, TEMPLATE = 7, 300


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(content: bytes) -> str:
        path = tmp_path / f"input{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return str(path)

    return put


def read(*paths: str, cursor: bytes | None = None, **settings: object) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Rows, and how often what was skipped for each reason."""
    rows: list[dict[str, Any]] = []
    skipped: Counter[str] = Counter()
    for page in Captures(paths, **settings).read(cursor):  # type: ignore[arg-type]
        assert page.rows.schema == schema.FLOWS
        page.rows.validate(full=True)
        rows += page.rows.to_pylist()
        if page.skipped is not None:
            assert page.skipped.schema == schema.SKIPPED
            for each in page.skipped.to_pylist():
                skipped[each["reason"]] += int(each["excerpt"]) if each["reason"] == "more" else 1
                assert each["reason"] == "more" or each["excerpt"] is None, "nothing of a flow is kept"
    return rows, skipped


def ports(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(row["source_port"], row["target_port"]) for row in rows]


FRAMES = [ethernet(0x0800, ipv4(6, tcp(1000 + n, 80))) for n in range(5)]
TRAFFIC = pcap([(AT * 10**6 - n, frame) for n, frame in enumerate(FRAMES)])
TRAFFIC_NG = section() + interface() + b"".join(enhanced_block(frame, AT * 10**6) for frame in FRAMES)
SENT = [(1000 + n, 80) for n in range(5)]


def netflow_5(*source_ports: int) -> bytes:
    head = struct.pack(">HHIIIIBBH", 5, len(source_ports), 500_000, AT, 0, 1, 0, 0, 0)
    return head + b"".join(
        struct.pack(">IIIHHIIIIHHBBBBHHBBH", 0xC0000201, 0xC6336402, 0, 1, 2, 7, 700, 490_000, 499_000, port, 80,
                    0, 2, 6, 0, 0, 0, 0, 0, 0)
        for port in source_ports
    )  # fmt: skip


def message(*sets: tuple[int, bytes], at: int = AT) -> bytes:
    """An IPFIX message, RFC 7011 section 3.1."""
    body = b"".join(struct.pack(">HH", kind, 4 + len(contents)) + contents for kind, contents in sets)
    return struct.pack(">HHIII", 10, 16 + len(body), at, 1, DOMAIN) + body


FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 8), (1, 8))
LAID_OUT = message((2, struct.pack(">HH", TEMPLATE, len(FIELDS)) + b"".join(struct.pack(">HH", *f) for f in FIELDS)))


def told(*source_ports: int) -> bytes:
    return message(
        (TEMPLATE, b"".join(struct.pack(">IIHHBQQ", 0xC0000201, 0xC6336402, p, 80, 17, 7, 700) for p in source_ports))
    )


def exported(*payloads: bytes) -> bytes:
    return pcap((AT * 10**6, ethernet(0x0800, ipv4(17, udp(2000, 9995, each)))) for each in payloads)


ARGUS = (Path(__file__).parents[1] / "cases/files/flows.csv").read_bytes()
SAMPLES: dict[str, tuple[bytes, list[tuple[int, int]], dict[str, int]]] = {
    "traffic": (TRAFFIC, SENT, {}),
    "traffic in pcapng": (TRAFFIC_NG, SENT, {}),
    "traffic cut short": (TRAFFIC[:-1], SENT[:-1], {"cut-short": 1}),
    "traffic that is not IP": (pcap([(0, ethernet(0x0806, bytes(28)))]), [], {"not-ip": 1}),
    "exports": (exported(netflow_5(1, 2), LAID_OUT, told(3)), [(1, 80), (2, 80), (3, 80)], {}),
    "exports before their template": (exported(told(1), LAID_OUT, told(2)), [(1, 80), (2, 80)], {}),
    "nfdump 2": (test_nfdump.layout_2(test_nfdump.block([test_nfdump.record()] * 2)), [(53, 4444)] * 2, {}),
    "nfdump 1": (test_nfdump.layout_1(test_nfdump.block([test_nfdump.common()], 2)), [(53, 4444)], {}),
    "flow-tools": (test_flowtools.file(test_flowtools.record("<", 64), pack=True), [(53, 4444)], {}),
    "ipfix": (LAID_OUT + told(1, 2) + told(3), [(1, 80), (2, 80), (3, 80)], {}),
    "ipfix without a template": (told(1) + told(2), [], {"no-template": 2}),
    "ipfix cut short": (LAID_OUT + told(1) + told(2)[:-1], [(1, 80)], {"cut-short": 1}),
    "ipfix of a wrong length": (LAID_OUT + told(1) + b"\0\x0a\0\x0f" + bytes(99), [(1, 80)], {"bad-length": 1}),
    "ipfix and a few bytes": (LAID_OUT + told(1) + b"\0\0", [(1, 80)], {}),
    "a datagram": (netflow_5(1, 2), [(1, 80), (2, 80)], {}),
    "argus": (ARGUS, [(53, 4444), (4444, 53), (1234, 80)], {"not-ip": 1}),
    "nothing": (b"", [], {}),
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("packing", ["", "gzip", "zstd", "bz2", "xz"])
def test_samples(sample: str, packing: str, put: Put) -> None:
    content, found, skipped = SAMPLES[sample]
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        "gzip": gzip.compress,
        "zstd": lambda plain: pa.Codec("zstd").compress(plain, asbytes=True),
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    rows, others = read(put(packers[packing](content)))
    assert ports(rows) == found
    assert others == skipped


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("page_rows", [1, 2, 100])
def test_it_keeps_the_contract_of_sources(sample: str, page_rows: int, put: Put) -> None:
    check_source(Captures((put(SAMPLES[sample][0]), put(SAMPLES["ipfix"][0])), page_rows=page_rows))


def test_rows_keep_the_order_of_the_file_not_of_time(put: Put) -> None:
    rows, _ = read(put(TRAFFIC))
    assert [row["first"] for row in rows] == sorted((row["first"] for row in rows), reverse=True)


def test_a_named_format_is_kept_to(put: Put) -> None:
    content = exported(netflow_5(1, 2))
    assert ports(read(put(content), format="exports")[0]) == [(1, 80), (2, 80)]
    assert ports(read(put(content), format="traffic")[0]) == [(2000, 9995)]
    assert read(put(TRAFFIC), format="exports")[1] == {"not-udp": 5}
    with pytest.raises(FormatError, match="no line names the columns"):
        read(put(b"a,b\n1,2\n"), format="csv")
    with pytest.raises(ConfigError, match="none of traffic, exports"):
        Captures(("x",), format="sflow")
    with pytest.raises(ConfigError, match="1 or more"):
        Captures(("x",), page_rows=0)


def test_what_a_message_does_not_say_the_file_does(put: Put) -> None:
    path = put(message(at=0)[:2] + LAID_OUT[2:4] + bytes(4) + LAID_OUT[8:] + told(1)[:4] + bytes(4) + told(1)[8:])
    os.utime(path, (AT, AT))
    (row,), _ = read(path)
    assert row["first"] == row["last"] == datetime.fromtimestamp(AT, UTC)
    assert row["source"] == packed("192.0.2.1")


def test_many_that_are_no_flows_are_counted(put: Put) -> None:
    rows, others = read(put(pcap([(0, ethernet(0x0806, bytes(28)))] * 1500 + [(0, FRAMES[0])])))
    assert len(rows) == 1
    assert others == {"not-ip": 1000, "more": 500}


def test_places_are_lines_of_text_and_offsets_of_the_rest(put: Put) -> None:
    path = put(ARGUS)
    (told_of,) = [page.skipped for page in Captures((path,)).read(None) if page.skipped]
    assert told_of["place"].to_pylist() == [f"{path}:3"]
    path = put(LAID_OUT + told(1) + b"\0\x0a\0\x0f" + bytes(99))
    (told_of,) = [page.skipped for page in Captures((path,)).read(None) if page.skipped]
    assert told_of["place"].to_pylist() == [f"{path}@{len(LAID_OUT + told(1))}"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "is none of traffic"),
        (b"domain,seen\na.example,1\n", "is none of traffic"),
        (b"PK\3\4" + bytes(40), "zip"),
        (gzip.compress(TRAFFIC, mtime=0)[:-20], "cut short or damaged"),
        (TRAFFIC[:30], None),
        (TRAFFIC[:20], "within its header"),
        (TRAFFIC + b"\xff" * 40, "damaged from here on"),
        (b"\0\x0a\0\x10", None),
        (b"\0\5" + bytes(70_000), "goes on behind"),
        (test_nfdump.layout_2(encryption=1), "encrypted"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content: bytes, said: str | None, put: Put) -> None:
    path = put(content)
    if said is None:
        rows, others = read(path)
        assert not rows
        assert set(others) <= {"cut-short"}
        return
    with pytest.raises(FormatError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(str(tmp_path / "missing"))
    with pytest.raises(InputError, match="is a directory"):
        read(str(tmp_path))


def test_cursors_of_others_are_refused(put: Put) -> None:
    path = put(TRAFFIC)
    first, *_ = Captures((path,), page_rows=2).read(None)
    assert progress(first.cursor) == (0, len(TRAFFIC))
    assert ports(read(path, put(ARGUS), cursor=first.cursor)[0]) == [*SENT[2:], (53, 4444), (4444, 53), (1234, 80)]
    with pytest.raises(InputError, match="have changed"):
        read(put(ARGUS), cursor=first.cursor)
    with pytest.raises(InputError, match="no cursor"):
        read(path, cursor=b"nonsense")
    Path(path).write_bytes(pcap([(0, FRAMES[0])]))
    with pytest.raises(FormatError, match="ends before row 2"):
        read(path, cursor=first.cursor)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(exported(netflow_5(1))))))
    assert ports(read("-")[0]) == [(1, 80)]


@pytest.mark.parametrize("sample", ["traffic", "exports", "argus", "nfdump 2", "ipfix"])
def test_a_pipe_that_is_slow(sample: str) -> None:
    """In a process of its own, whose standard input comes in pieces."""
    content, found, _ = SAMPLES[sample]
    program = (
        "from khien.sources.captures import Captures\nfor p in Captures(('-',)).read(None): print(p.rows.num_rows)"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None
    for begin in range(0, len(content), 1 + len(content) // 3):
        running.stdin.write(content[begin : begin + 1 + len(content) // 3])
        running.stdin.flush()
    out, _ = running.communicate()
    assert sum(map(int, out.split())) == len(found)


# Rows of each file, and what is set aside. Of raw traffic: packets with IP by `tshark -Y "ip or ipv6"`, the rest of its
# frames; of exports: packet counters (cflow.packets) or flow samples by tshark, of 112, which it cannot read, the rows
# pmacct expects; of nfdump's: what it prints.
REAL: dict[str, tuple[int, dict[str, int]]] = {
    "attack_pcap/lucid_CIC-DDoS-2019-SynFlood.pcap.gz": (26316, {}),
    "attack_pcap/stopddos_amp.TCP.reflection.SYNACK.pcap.gz": (7996, {"not-ip": 4}),
    "attack_pcap/stopddos_amp.UDP.isakmp.pcap.gz": (3984, {}),
    "attack_pcap/stopddos_pkt.TCP.synflood.spoofed.pcap.gz": (37841, {}),
    "attack_pcap/suricata_cldap-leak.pcap": (11, {}),
    "attack_pcap/suricata_dhcp-request-flood.pcap.gz": (10000, {}),
    "attack_pcap/suricata_ipv6-denial6-5.pcap.gz": (35720, {}),
    "benign_pcap/ndpi_1kxun.pcap.gz": (1723, {}),
    "benign_pcap/ndpi_bitcoin.pcap.gz": (529, {}),
    "benign_pcap/ndpi_bittorrent.pcap.gz": (299, {}),
    "benign_pcap/ndpi_dnscrypt-v1-and-resolver-pings.pcap.gz": (608, {}),
    "benign_pcap/ndpi_instagram.pcap.gz": (846, {"not-ip": 1}),
    "benign_pcap/pcpp_example.pcap.gz": (4631, {}),
    "benign_pcap/pcpp_ip-frag.pcap.gz": (2996, {"not-ip": 4}),
    "benign_pcap/pcpp_many-protocols.pcap.gz": (4699, {"not-ip": 10}),
    "benign_pcap/sgr_Instagram.pcap.gz": (3977, {"not-ip": 35}),
    "benign_pcap/zeek_echo-connections.pcap.gz": (82582, {}),
    "export_pcap/ndpi_netflow-fritz.pcap": (0, {}),
    "export_pcap/ndpi_netflowv9.pcap": (0, {"no-template": 23}),
    "export_pcap/ndpi_sflow.pcap": (1, {}),
    "export_pcap/overflowd_netflow_first7s.pcap.gz": (35542, {}),
    "export_pcap/overflowd_sflow.pcap.gz": (5855, {}),
    "export_pcap/pmacct_100-IPFIXv10-CISCO-00.pcap": (12, {}),
    "export_pcap/pmacct_101-NFv9-CISCO-cust_primitives-00.pcap": (51, {}),
    "export_pcap/pmacct_102-NFv9-CISCO-f2rd-pretag-sampling-reload-00.pcap": (35, {}),
    "export_pcap/pmacct_104-IPFIXv10-IPv6-CISCO-sampling_option-00.pcap": (3, {}),
    "export_pcap/pmacct_106-IPFIXv10-HUAWEI-vrf_name-00.pcap": (3, {}),
    "export_pcap/pmacct_111-IPFIXv10-NFv9-IPv6-IPv4-mix_sources-00.pcap": (11, {}),
    "export_pcap/pmacct_111-IPFIXv10-NFv9-IPv6-IPv4-mix_sources-01.pcap": (13, {}),
    "export_pcap/pmacct_112-IPFIXv10-CISCO-options-map-reassignment-00.pcap": (9, {"no-template": 4}),
    "export_pcap/pmacct_400-IPFIXv10-BMP-CISCO-SRv6-multiple-sources-00.pcap.gz": (657, {"not-udp": 23}),
    "export_pcap/pmacct_400-IPFIXv10-BMP-CISCO-SRv6-multiple-sources-01.pcap.gz": (109, {"not-udp": 23}),
    "export_pcap/pmacct_401-IPFIXv10-BMP-IPv6-CISCO-MPLS-multiple-sources-00.pcap.gz": (748, {"not-udp": 23}),
    "export_pcap/pmacct_401-IPFIXv10-BMP-IPv6-CISCO-MPLS-multiple-sources-01.pcap.gz": (716, {"not-udp": 22}),
    "export_pcap/pmacct_500-IPFIXv10-BGP-CISCO-SRv6-00.pcap": (43, {"not-udp": 3}),
    "export_pcap/pmacct_501-IPFIXv10-BGP-IPv6-CISCO-MPLS-00.pcap.gz": (74, {"not-udp": 5}),
    "export_raw/ipfixfile/ipfixcol2_example_flows.ipfix.gz": (3979, {}),
    "export_raw/ipfixfile/ipfixcol_01-odid0.ipfix.gz": (4251, {}),
    "export_raw/ipfixfile/ipfixcol_01-odid4.ipfix.gz": (4243, {}),
    "export_raw/ipfixfile/ipfixcol_02-odid0.ipfix.gz": (121, {}),
    "export_raw/ipfixfile/ipfixcol_02-odid4.ipfix.gz": (117, {}),
    "export_raw/ipfixfile/ipfixcol_03-odid0-a.ipfix.gz": (151, {}),
    "export_raw/ipfixfile/ipfixcol_03-odid0-b.ipfix.gz": (111, {}),
    "export_raw/ipfixfile/ipfixcol_04-odid256,512.ipfix.gz": (22, {}),
    "export_raw/ipfixfile/ipfixcol_bad-length-in-set-very-long.ipfix.gz": (0, {"cut-short": 1}),
    "export_raw/ipfixfile/ipfixcol_bad-length-in-set.ipfix.gz": (0, {"cut-short": 1}),
    "export_raw/ipfixfile/ipfixcol_bad-template-field-count.ipfix.gz": (0, {"broken-template": 1, "no-template": 3}),
    "export_raw/ipfixfile/ipfixcol_enterprise-from-nfv9.ipfix.gz": (57, {"broken-template": 1, "no-template": 1}),
    "export_raw/ipfixfile/ipfixcol_header-and-zeros.ipfix.gz": (0, {"broken-set": 1}),
    "export_raw/ipfixfile/ipfixcol_missing-template-258.ipfix.gz": (4, {"no-template": 1}),
    "export_raw/ipfixfile/ipfixcol_only-data-no-templates.ipfix.gz": (0, {"no-template": 3}),
    "export_raw/ipfixfile/ipfixcol_withdrawal-message-256.ipfix.gz": (0, {}),
    "export_raw/telegraf/issue_14370_message.bin": (2, {}),
    "export_raw/telegraf/netflow_v5_example_netflow_v5.bin": (8, {}),
    "export_raw/telegraf/netflow_v9_example_netflow_v9.bin": (8, {}),
    "export_raw/telegraf/sflow_issue_15918_message.bin": (6, {}),
    "flows/slips_test1-malicious.nfdump.gz": (4593, {}),
    "flows/spark-netflow_ftv5.2016-01-13.nocompress.bigend.sample.gz": (1000, {}),
    "flows/spark-netflow_ftv7.2016-02-14.nocompress.bigend.sample.gz": (1000, {}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    path = SHARED / name
    if not path.is_file():
        pytest.skip("the shared captures are not here")
    rows, skipped = REAL[name]
    pages = list(Captures((str(path),)).read(None))
    assert sum(page.rows.num_rows for page in pages) == rows
    found = Counter(reason for page in pages if page.skipped for reason in page.skipped["reason"].to_pylist())
    assert found == skipped
