"""Every way names are written down and packed: bytes in, rows out, or one line that says what is wrong."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from khien import schema
from khien.errors import ConfigError, FormatError, InputError
from khien.sources import files
from khien.sources.files import Files, progress

Put = Callable[[bytes], str]
PACKINGS = ("gzip", "zstd", "bz2", "xz")


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(content: bytes) -> str:
        path = tmp_path / "input"
        path.write_bytes(content)
        return str(path)

    return put


def packed(packing: str, content: bytes) -> bytes:
    if packing == "zstd":
        return pa.Codec("zstd").compress(content, asbytes=True)
    return {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[packing](content)


def read(*paths: str, **settings: object) -> tuple[list[str], list[tuple[str, str]]]:
    """Names, and (line, reason) of what was skipped."""
    names: list[str] = []
    skipped: list[tuple[str, str]] = []
    for page in Files(paths, **settings).read(None):  # type: ignore[arg-type]
        assert page.rows.schema == schema.NAMES
        page.rows.validate(full=True)
        names += page.rows["name"].to_pylist()
        assert page.skipped is not None
        assert page.skipped.schema == schema.SKIPPED
        skipped += [(row["place"].rpartition(":")[2], row["reason"]) for row in page.skipped.to_pylist()]
    return names, skipped


SAMPLES: dict[str, tuple[bytes, list[str], list[tuple[str, str]]]] = {
    "plain": (
        b"\xef\xbb\xbf# seen today\r\nExample.COM.\r\n\r\n*.vietcombank.com.vn\nbad name.com\nhttps://user@a.example:8443/x?y\n"
        b"http://b.example/login\nxn--80ak6aa92e.com # copied\n1.2.3.4\n",
        ["Example.COM.", "*.vietcombank.com.vn", "a.example", "b.example", "xn--80ak6aa92e.com"],
        [("5", "bad-character"), ("9", "address")],
    ),
    "idn": (
        "bücher.example\nngânhàng。vn\nmũ\n".encode() + b"\xff.vn\n",
        ["bücher.example", "ngânhàng。vn"],
        [("3", "no-dot"), ("4", "bad-utf8")],
    ),
    "csv by header": (
        b"rank,domain,note\n1,a.example,x\n2,b.example\n3\n\n4,,x\n",
        ["a.example", "b.example"],
        [("4", "missing-column"), ("6", "empty")],
    ),
    "csv quoted": (
        b'id,"host"\n1,"a.example"\n"2\nmore ""text""",b.example\n3,"c.example"x\n4,"d.example\n',
        ["a.example", "b.example", "c.example"],
        [("6", "open-quote")],
    ),
    "csv without header": (b"1,google.com\n2,example.vn\n", ["google.com", "example.vn"], []),
    "tsv": (b"a.example\t2024-09-25\nb.example\t2024-09-25\n", ["a.example", "b.example"], []),
    "jsonl": (
        b'{"domain": "a.example"}\n"b.example"\n{"domain": \n{"other": 1}\n\n{"host": "c.example."}\n{"name": "localhost"}\n',
        ["a.example", "b.example", "c.example."],
        [("3", "bad-json"), ("4", "missing-column"), ("7", "no-dot")],
    ),
    "json array": (
        b'["a.example",\n {"host": "b.example", "x": ["}", "\\""]}\n, 5]\n',
        ["a.example", "b.example"],
        [("3", "missing-column")],
    ),
    "certstream": (
        b'{"message_type": "heartbeat", "timestamp": 1.5}\n'
        b'{"message_type": "certificate_update", "data": {"leaf_cert": {"all_domains": ["*.a.example", "a.example", "a.example"]}}}\n',
        ["*.a.example", "a.example"],
        [],
    ),
    "zone": (
        b"$TTL 1d\n$ORIGIN example.\n@ IN SOA ns1 admin (\n  1 ; serial )\n  2 )\n  NS ns1.example.\nshop 3600 IN NS ns1\nshop IN A 192.0.2.1\n"
        b'; nothing\nbank.example. 60 IN NS ns1.example.\nBANK.sub.example.\tIN\tTXT\t"( ; \\" "\nw\\101b A 192.0.2.1\na\\.b A 192.0.2.1\n$INCLUDE x\n',
        ["shop.example.", "bank.example.", "BANK.sub.example.", "web.example."],
        [("13", "bad-character"), ("14", "directive")],
    ),
    "zone of a registry": (
        b"com.\t900\tin\tsoa\ta.gtld-servers.net. x. 1 2 3 4 5\na.com.\t172800\tin\tns\tns1.a.com.\na.com.\t172800\tin\tns\tns2.a.com.\n"
        b"b.com.\t172800\tin\tns\tns1.a.com.\n",
        ["a.com.", "b.com."],
        [],
    ),
    "hosts": (
        b"# hosts\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 a.example b.example router # two\n0.0.0.0\tc.example\n0.0.0.0 nodot\nd.example\n",
        ["a.example", "b.example", "c.example", "d.example"],
        [("6", "no-dot")],
    ),
    "adblock": (
        b"[Adblock Plus 2.0]\n! title\n||a.example^\n||b.example^$third-party\n@@||good.example^\nc.example##.banner\n/ads/*\n||ex*mple.com^\nd.example\n"
        b"|https://e.example/x|\n||1.2.3.4^\n",
        ["a.example", "b.example", "d.example", "e.example"],
        [("8", "bad-character"), ("11", "address")],
    ),
    "nothing": (b"", [], []),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_formats(sample: str, put: Put) -> None:
    content, names, skipped = SAMPLES[sample]
    assert read(put(content)) == (names, skipped)


@pytest.mark.parametrize("page_bytes", [1, 7, 64])
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_page_is_a_place_to_resume(sample: str, page_bytes: int, put: Put) -> None:
    content, names, skipped = SAMPLES[sample]
    source = Files((put(content), put(content)), page_bytes=page_bytes)
    met: list[str] = []
    lines: list[str] = []
    cursor = None
    while (page := next(source.read(cursor), None)) is not None:
        met += page.rows["name"].to_pylist()
        lines += [place.rpartition(":")[2] for place in page.skipped["place"].to_pylist()] if page.skipped else []
        cursor = page.cursor
    assert met == 2 * names
    assert lines == 2 * [line for line, _ in skipped]


@pytest.mark.parametrize("packing", PACKINGS)
def test_archives_of_several_members(packing: str, put: Put) -> None:
    content = packed(packing, b"a.example\nb.ex") + packed(packing, b"ample\nc.example\n")
    assert read(put(content)) == (["a.example", "b.example", "c.example"], [])
    source = Files((put(content),), page_bytes=10)
    first = next(source.read(None))
    assert [n for page in source.read(first.cursor) for n in page.rows["name"].to_pylist()] == [
        "b.example",
        "c.example",
    ]


@pytest.mark.parametrize("packing", PACKINGS)
def test_truncated_archive(packing: str, put: Put) -> None:
    content = packed(packing, b"".join(b"host%d.example\n" % (n * 7919) for n in range(5000)))
    for size in (len(content) - 1, len(content) // 2, 12):
        with pytest.raises(
            FormatError, match=rf"input: the {packing} archive is cut short or damaged .*: fetch it again"
        ):
            read(put(content[:size]))


def test_seen_at_where_a_header_says_so(put: Put) -> None:
    text = (
        b"domain,x,first_seen\r\na.example,1,2024-09-25\r\nb.example,1,2024-09-25T10:00:00+07:00\r\nc.example,1,soon\r\n"
        + "é.example,1,2024-09-25 01:02\n".encode()
    )
    rows = next(Files((put(text),)).read(None)).rows
    assert rows["seen_at"].to_pylist() == [
        datetime(2024, 9, 25, tzinfo=UTC),
        datetime(2024, 9, 25, 3, tzinfo=UTC),
        None,
        datetime(2024, 9, 25, 1, 2, tzinfo=UTC),
    ]


def test_certstream_message_has_its_time(put: Put) -> None:
    message = {"data": {"leaf_cert": {"all_domains": ["a.example"]}, "seen": 1538635262.5}}
    rows = next(Files((put(json.dumps([message], indent=1).encode()),)).read(None)).rows
    assert rows["seen_at"].to_pylist() == [datetime.fromtimestamp(1538635262.5, UTC)]


def parquet(tmp_path: Path, **columns: pa.Array) -> str:
    path = tmp_path / "names.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return str(path)


def test_parquet(tmp_path: Path) -> None:
    names = pa.array(
        ["A.example.", None, "new\nline.example", "# b.example", "", "bücher.example", "c.example", "nodot"]
    )
    times = pa.array([None] * 6 + [datetime(2024, 9, 25, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("ms", "UTC"))
    path = parquet(tmp_path, n=pa.array(range(8)), host=names.dictionary_encode(), seen_at=times)
    assert read(path) == (["A.example.", "bücher.example", "c.example"], [("3", "bad-character"), ("8", "no-dot")])
    pages = list(Files((path,)).read(None))
    assert len(pages) > 2
    assert [t for page in pages for t in page.rows["seen_at"].to_pylist()] == [
        None,
        None,
        datetime(2024, 9, 25, 1, 2, 3, tzinfo=UTC),
    ]
    for n, page in enumerate(pages):
        behind = [name for later in pages[n + 1 :] for name in later.rows["name"].to_pylist()]
        assert [name for p in Files((path,)).read(page.cursor) for name in p.rows["name"].to_pylist()] == behind


def test_parquet_that_is_none(tmp_path: Path, put: Put) -> None:
    whole = Path(parquet(tmp_path, domain=pa.array(["a.example"] * 100))).read_bytes()
    for broken in (whole[:-1], whole[: len(whole) // 2], b"PAR1" * 3):
        with pytest.raises(FormatError, match="no whole Parquet file"):
            read(put(broken))
    with pytest.raises(FormatError, match="no column of text; its columns are: n"):
        read(parquet(tmp_path, n=pa.array([1])))
    with pytest.raises(FormatError, match="no column 'url' of text"):
        read(parquet(tmp_path, n=pa.array(["a.example"])), column="url")


def test_column_asked_for(put: Put) -> None:
    assert read(put(b"domain,Site\nx.example,a.example\n"), column="site") == (["a.example"], [])
    assert read(put(b'{"domain": "x.example", "site": "a.example"}\n'), column="site") == (["a.example"], [])
    with pytest.raises(FormatError, match="no column 'url'; its first line has: domain, site"):
        read(put(b"domain,Site\nx.example,a.example\n"), column="url")
    with pytest.raises(FormatError, match="is a hosts file, which has no columns"):
        read(put(b"0.0.0.0 a.example\n"), column="url")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a.example\n".encode("utf-16"), "is UTF-16"),
        (b"a\0b", "is no text"),
        (b"PK\x03\x04....", "is a zip archive"),
        (b'["a.example", "b.exa', "line 1: the array breaks off"),
        (b'["' + b"a" * (3 << 20), "longer than"),
    ],
)
def test_what_is_no_list_of_names(content: bytes, says: str, put: Put) -> None:
    with pytest.raises(FormatError, match=rf"input: .*{says}"):
        read(put(content))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: there is no such file"):
        read(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="is a directory"):
        read(str(tmp_path))
    with pytest.raises(InputError, match="is no path"):
        read("a\0b")
    with pytest.raises(ConfigError, match="format 'xls' is none of plain, csv"):
        Files(("x",), format="xls")
    with pytest.raises(InputError, match="no cursor of the source files"):
        next(Files(("x",)).read(b"[1"))


def test_skipped_rows_are_kept_to_a_thousand_a_page_and_escaped(put: Put) -> None:
    page = next(Files((put(b"\x1b[31m\xc3\xa9" + b"x" * 100 + b".vn\n" + b"nodot\n" * 1500),)).read(None))
    assert page.skipped is not None
    rows = page.skipped.to_pylist()
    assert len(rows) == 1001
    assert rows[0]["excerpt"].startswith("\\x1b[31méxxx")
    assert max(len(row["excerpt"]) for row in rows) <= 80
    assert (rows[-1]["reason"], rows[-1]["excerpt"]) == ("more", "501")


def test_an_endless_line_is_one_skipped_row(put: Put) -> None:
    content = b"a.example\n" + b"x" * (5 << 20) + b"\nb.example\n" + b"y" * (2 << 20)
    for page_bytes in (1 << 18, 1 << 22, 1 << 24):
        assert read(put(content), page_bytes=page_bytes, format="plain") == (
            ["a.example", "b.example"],
            [("2", "line-too-long"), ("4", "line-too-long")],
        )


def test_progress_counts_packed_bytes(put: Put) -> None:
    content = packed("gzip", b"a.example\n" * 100_000)
    path = put(content)
    counts = [progress(page.cursor) for page in Files((path,), page_bytes=1 << 16).read(None)]
    assert counts == sorted(counts)
    assert counts[-2] == (0, len(content))
    assert counts[-1] == (1, 0)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed("zstd", b"a.example\nnodot\n"))))
    page = next(Files(("-",)).read(None))
    assert page.rows["name"].to_pylist() == ["a.example"]
    assert page.skipped is not None
    assert page.skipped["place"].to_pylist() == ["-:2"]


def test_a_slow_pipe_is_answered_before_it_ends() -> None:
    script = (
        "from khien.sources.files import Files\nprint(next(iter(Files(('-',)).read(None))).rows['name'].to_pylist())"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"a.example\n")
        process.stdin.flush()
        assert process.stdout.read() == b"['a.example']\n"  # while standard input stays open


@pytest.mark.parametrize(
    ("line", "blocks"), [(b"x", 100), (b"example.com\n", 100), (b'1,"\n', 2), (b'"a.example"\n', 100)]
)
def test_memory_is_bounded(line: bytes, blocks: int) -> None:
    """Megabytes through a pipe, in a process of its own: it grows by less than 150."""
    script = (
        "import resource, sys; from khien.sources.files import Files\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for page in Files(('-',), format=sys.argv[1]).read(None): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    block = line * ((1 << 20) // len(line))
    list(Files((os.devnull,)).read(None))  # compiled before it is measured
    with subprocess.Popen(
        [sys.executable, "-c", script, "csv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(blocks):
            process.stdin.write(block)
        process.stdin.close()
        kilobytes = int(process.stdout.read()) // (1024 if sys.platform == "darwin" else 1)
    assert process.returncode == 0
    assert kilobytes < 150_000


LINES = st.lists(
    st.sampled_from(
        [
            b"a.example",
            b",",
            b'"',
            b"\n",
            b"\n",
            b"\r\n",
            b"\t",
            b"(",
            b")",
            b";",
            b"\\",
            b"\\046",
            b"$ORIGIN x.",
            b"@",
            b" IN NS x",
            b"||",
            b"^",
            b"{",
            b"}",
            b"[",
            b"]",
            b'"domain":',
            b"0.0.0.0 ",
            b"*.",
            b".",
            b"\xc3\xa9",
            b"\xff",
            b"http://",
            b"#",
            b"x" * 64,
            b"\x00",
            b"domain",
            b'{"domain": "a.example"}',
            b'{"data":{"leaf_cert":{"all_domains":["a.b"]}}}',
            b"2024-09-25",
            b" ",
        ]
    )
    | st.binary(max_size=8),
    max_size=60,
).map(b"".join)


@pytest.mark.parametrize("format", [None, *files.FORMATS])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=LINES,
    page_bytes=st.sampled_from([1, 5, 50, 1 << 22]),
    packing=st.sampled_from([None, None, *PACKINGS]),
    cut=st.integers(0, 8),
)
def test_rows_or_our_error(
    format: str | None, put: Put, content: bytes, page_bytes: int, packing: str | None, cut: int
) -> None:
    stored = packed(packing, content)[: -cut or None] if packing else content
    path = put(stored)

    def outcome(page_bytes: int) -> object:
        try:
            return read(path, format=format, page_bytes=page_bytes)
        except FormatError as error:
            assert "\n" not in str(error)
            return "FormatError"

    assert outcome(page_bytes) == outcome(1 << 22)
