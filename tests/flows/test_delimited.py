"""Tables of flows by the names of their columns: what Argus, nfdump, rwcut, Zeek and pmacct write."""

import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import delimited
from khien.flows.reading import Refused
from tests.flows.wire import packed

SHARED = Path(__file__).parents[3] / "shared/data/flows"
ARGUS = b"StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n"
BACK, ECHO = (80, 1234, 6, 20, 1, 60), (0, 32768, 58, 0, 1, 70)


def read(content: bytes) -> tuple[list[dict[str, Any]], list[Refused]]:
    pages = list(delimited.read(io.BytesIO(content).read))
    for page in pages:
        page.flows.validate(full=True)
    return [row for page in pages for row in page.flows.to_pylist()], [each for page in pages for each in page.refused]


def one(content: bytes) -> dict[str, Any]:
    (row,), refused = read(content)
    assert not refused
    return row


def brief(row: dict[str, Any]) -> tuple[Any, ...]:
    """Ports, protocol, flags, packets, bytes."""
    return tuple(row[name] for name in ("source_port", "target_port", "protocol", "flags", "packets", "bytes"))


def test_argus_gives_a_row_for_each_direction() -> None:
    there, back = read(
        ARGUS
        + b"2011/08/10 09:46:53.047277,3550.5,udp,212.50.71.179,39678,  <->,147.32.84.229,13363,CON,0,0,12,875,413,x\n"
    )[0]
    assert there["first"] == back["first"] == datetime(2011, 8, 10, 9, 46, 53, 47277, UTC)
    assert there["last"] - there["first"] == timedelta(seconds=3550.5)
    assert (there["source"], there["target"]) == (packed("212.50.71.179"), packed("147.32.84.229"))
    assert (back["source"], back["target"]) == (there["target"], there["source"])
    assert brief(there) == (39678, 13363, 17, 0, 6, 413)
    assert brief(back) == (13363, 39678, 17, 0, 6, 462)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"tcp,192.0.2.1,1234,   ->,192.0.2.2,80,S_,0,,1,60,60,", [(1234, 80, 6, 2, 1, 60)]),
        (b"tcp,192.0.2.1,1234,   ->,192.0.2.2,80,S_RA,0,0,3,180,120,", [(1234, 80, 6, 2, 2, 120), BACK]),
        (b"tcp,192.0.2.1,0x04d2,   ->,192.0.2.2,80,REQ,0,,3,180,180,", [(1234, 80, 6, 2, 3, 180)]),
        (b"tcp,192.0.2.1,1234,   <-,192.0.2.2,80,_SA,0,,3,180,0,", [(80, 1234, 6, 18, 3, 180)]),
        (b"icmp,192.0.2.1,0x0303,   ->,192.0.2.2,0x7208,URP,0,,1,70,70,", [(0, 771, 1, 0, 1, 70)]),
        (b"ipv6-icmp,2001:db8::1,0x0080,   ->,2001:db8::2,,ECO,0,,2,140,70,", [ECHO, (0, 0, 58, 0, 1, 70)]),
        (b"17,192.0.2.1,,   ->,192.0.2.2,,INT,,,0,0,0,", [(0, 0, 17, 0, 0, 0)]),
        (b"udp,192.0.2.1,1,  <->,192.0.2.2,2,CON,0,0,2,1000,999,", [(1, 2, 17, 0, 1, 999), (2, 1, 17, 0, 1, 1)]),
    ],
)  # fmt: skip
def test_argus(line: bytes, found: list[tuple[int, ...]]) -> None:
    rows, refused = read(ARGUS + b"2011/08/10 09:46:53.,0.0," + line + b"\n")
    assert [brief(row) for row in rows] == found
    assert {row["first"] for row in rows} == {datetime(2011, 8, 10, 9, 46, 53, tzinfo=UTC)}
    assert not refused


def test_nfdump_csv() -> None:
    content = (
        b"ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n"
        b"2018-01-12 15:37:30,2018-01-12 15:37:31,1.000,192.0.2.1,192.0.2.2,52324,902,TCP,......S.,0,0,1,60,9,9\n"
        b"2018-01-12 15:37:30.5,2018-01-12 15:37:29,0.000,192.0.2.1,192.0.2.2,0,3.1,ICMP,........,0,0,1,60,0,0\n"
        b"Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n2,120,2,1,1,1\n"
    )
    rows, refused = read(content)
    assert [brief(row) for row in rows] == [(52324, 902, 6, 2, 1, 60), (0, 769, 1, 0, 1, 60)]
    assert rows[0]["last"] == datetime(2018, 1, 12, 15, 37, 31, tzinfo=UTC)
    assert rows[1]["last"] - rows[1]["first"] == timedelta(seconds=1.5), "written the wrong way round"
    assert not refused


def test_rwcut() -> None:
    row = one(
        b"                sIP|            dIP|sPort|dPort|pro|   packets|     bytes|   flags|                  sTime|"
        b" duration|\n"
        b"      192.168.1.105|    128.63.2.53|  137|   53|  6|         3|       196|FS PA   |2009/02/12T00:00:00.625|"
        b"    4.500|\n"
    )
    assert brief(row) == (137, 53, 6, 27, 3, 196)
    assert row["first"] == datetime(2009, 2, 12, 0, 0, 0, 625_000, UTC)
    assert row["last"] - row["first"] == timedelta(seconds=4.5)


def test_zeek() -> None:
    content = (
        b"#separator \\x09\n#set_separator\t,\n#path\tconn\n"
        b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes"
        b"\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
        b"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tstring\tcount\n"
        b"1300475167.096535\tC1\t192.0.2.1\t5353\t192.0.2.2\t80\ttcp\t-\t1.5\t9\t9\tSF\tShADadFf\t5\t300\t4\t900\n"
        b"1300475168.0\tC2\t192.0.2.1\t8\t192.0.2.2\t0\ticmp\t-\t-\t-\t-\tOTH\t-\t1\t84\t0\t0\n"
        b"#close\t2011-03-18-19-06-08\n"
    )
    rows, refused = read(content)
    assert [brief(row) for row in rows] == [
        (5353, 80, 6, 27, 5, 300),
        (80, 5353, 6, 27, 4, 900),
        (0, 2048, 1, 0, 1, 84),
    ]
    assert rows[0]["first"] == datetime.fromtimestamp(1300475167, UTC) + timedelta(microseconds=96535)
    assert not refused


def test_pmacct() -> None:
    row = one(
        b"SRC_IP,DST_IP,SRC_PORT,DST_PORT,TCP_FLAGS,PROTOCOL,PACKETS,FLOWS,BYTES,TIMESTAMP_START,TIMESTAMP_END\n"
        b"192.0.2.1,192.0.2.2,1,2,18,tcp,5,1,500,2023-01-01 00:00:00.000001,1672531201000\n"
    )
    assert brief(row) == (1, 2, 6, 18, 5, 500)
    assert (row["first"], row["last"]) == (
        datetime(2023, 1, 1, 0, 0, 0, 1, UTC),
        datetime(2023, 1, 1, 0, 0, 1, tzinfo=UTC),
    )


def test_nfdump_as_people_read_it() -> None:
    row = one(
        b"Date first seen,Duration,Proto,Src IP Addr,Src Pt,Dst IP Addr,Dst Pt,Packets,Bytes,Flows,Flags,Tos,class\n"
        b"2017-03-15 00:01:16.632,81412.697,TCP  ,192.0.2.1,8000,192.0.2.2,44888,19,    1.2 M,1,.AP...,0,normal\n"
    )
    assert brief(row) == (8000, 44888, 6, 24, 19, 1_200_000)
    assert row["last"] - row["first"] == timedelta(seconds=81412.697)


def test_cicflowmeter() -> None:
    rows, refused = read(
        b"Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp, Flow Duration,"
        b" Total Fwd Packets, Total Backward Packets,Total Length of Fwd Packets, Total Length of Bwd Packets,"
        b"SYN Flag Count, ACK Flag Count\n"
        b"x,172.16.0.5,634,192.168.50.1,60495,17,2018-12-01 10:51:39.813448,28415,97,0,42680.0,0.0,0,0\n"
        b"y,172.16.0.5,634,192.168.50.1,80,6,7/7/2017 3:30,5,2,1,12.0,6.0,1,0\n"
    )
    assert [brief(row) for row in rows] == [
        (634, 60495, 17, 0, 97, 42680),
        (634, 80, 6, 2, 2, 12),
        (80, 634, 6, 0, 1, 6),
    ]
    assert rows[0]["last"] - rows[0]["first"] == timedelta(microseconds=28415)
    assert rows[1]["first"] == datetime(2017, 7, 7, 3, 30, tzinfo=UTC)
    assert not refused


def test_nprobe() -> None:
    rows, _ = read(
        b"IPV4_SRC_ADDR,L4_SRC_PORT,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL,IN_BYTES,IN_PKTS,OUT_BYTES,OUT_PKTS,TCP_FLAGS,"
        b"FLOW_START_MILLISECONDS,FLOW_END_MILLISECONDS\n"
        b"192.0.2.1,1234,192.0.2.2,80,6,300,5,900,4,27,1424242193040,1424242193043\n"
    )
    assert [brief(row) for row in rows] == [(1234, 80, 6, 27, 5, 300), (80, 1234, 6, 0, 4, 900)]
    assert rows[0]["last"] - rows[0]["first"] == timedelta(milliseconds=3)


def test_lines_that_are_no_flows_are_told() -> None:
    good = b"2011/08/10 09:46:53,0,udp,192.0.2.1,1,->,192.0.2.2,2,INT,,,1,60,60,\n"
    rows, refused = read(
        ARGUS + good + b"\n" + ARGUS + good.replace(b"udp", b"arp") + good.replace(b"192.0.2.1", b"00:00:5e:00:53:01")
        + good.replace(b",1,60", b",x,60") + good.replace(b"2011/", b"") + b"a,b\n"
        + good.replace(b",0,udp", b",inf,udp") + good.replace(b",2,INT", b",65536,INT") + b"y" * 2_000_000
        + b"\n" + good
    )  # fmt: skip
    assert len(rows) == 2
    assert [(each.at, each.code) for each in refused] == [
        (5, "not-ip"), (6, "bad-address"), (7, "bad-number"), (8, "bad-time"), (9, "missing-column"),
        (10, "bad-number"), (11, "bad-number"), (12, "line-too-long"),
    ]  # fmt: skip


def test_what_a_spreadsheet_wrote() -> None:
    content = b"\xef\xbb\xbf# of a day \x85\r\n" + ARGUS.replace(b",", b";").replace(b"\n", b"\r\n")
    content += b'"2011/08/10 09:46:53";0;udp;"192.0.2.1";1;->;192.0.2.2;2;INT;;;1;60;60;\r\nx;y\r\n'
    rows, refused = read(content)
    assert [brief(row) for row in rows] == [(1, 2, 17, 0, 1, 60)]
    assert refused == [Refused(4, "missing-column")]


def test_a_table_of_something_else_is_refused() -> None:
    assert delimited.recognise(b"domain,seen\na.example,1\n") is None
    with pytest.raises(FormatError, match="starttime"):
        read(b"domain,seen\na.example,1\n")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet='0123456789.:/-xSF_ ,\t²é"', max_size=12), min_size=1, max_size=16))
def test_any_line_is_a_flow_or_told(fields: list[str]) -> None:
    for header in (ARGUS, b"ts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_pkts\thistory\n"):
        rows, refused = read(header + ",".join(fields).encode() + b"\n" + "\t".join(fields).encode())
        assert len(rows) + len(refused) <= 4


@pytest.mark.parametrize(
    ("name", "lines", "packets", "octets", "others"),
    [
        ("test11-portscan", 66, 712, 181_904, 0),
        ("test2-malicious", 6750, 491_156, 348_705_565, 0),  # and a line of names amid them
        ("test3-mixed", 89, 186, 39_779, 0),
        ("test4-malicious", 394, 1180, 433_244, 2),  # ARP
        ("test5-mixed", 300, 29_639, 2_825_007, 4),  # Argus' own record, ARP, LLC
    ],
)
def test_real_tables_keep_their_sums(name: str, lines: int, packets: int, octets: int, others: int) -> None:
    path = SHARED / f"flows/slips_{name}.binetflow.gz"
    if not path.is_file():
        pytest.skip("the shared captures are not here")
    rows, refused = read(gzip.decompress(path.read_bytes()))
    assert {each.code for each in refused} <= {"not-ip"}
    assert len(refused) == others
    assert sum(row["packets"] for row in rows) == packets
    assert sum(row["bytes"] for row in rows) == octets
    assert lines - others <= len(rows) <= 2 * (lines - others)
