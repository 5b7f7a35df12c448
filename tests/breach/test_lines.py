import csv
import io
import json
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khien.breach import leaked, lines, objects, sheets, stealer
from tests.breach import reference

Row = tuple[bytes, bytes]
Rows = list[Row]

LINES = {
    b"lan@example.vn:pa;ss:w": (b"lan@example.vn", b"pa;ss:w"),
    b"lan@example.vn;pa:ss": (b"lan@example.vn", b"pa:ss"),
    b"lan@example.vn|pa:ss": (b"lan@example.vn", b"pa:ss"),
    b"lan@example.vn\tpass": (b"lan@example.vn", b"pass"),
    b"lan@example.vn : a secret": (b"lan@example.vn", b"a secret"),
    b"lan@example.vn:  two blanks ": (b"lan@example.vn", b"  two blanks "),
    b"lan@example.vn,pass": (b"lan@example.vn", b"pass"),
    b"lan@example.vn pass": (b"lan@example.vn", b"pass"),
    b"lan@example.vn": (b"lan@example.vn", b""),
    b"lan@example.vn:": (b"lan@example.vn", b""),
    b" lan@example.vn:pass\r": (b"lan@example.vn", b"pass"),
    b"\xef\xbb\xbflan@example.vn:pass": (b"lan@example.vn", b"pass"),
    "nguyễn@ví-dụ.vn:mật khẩu".encode(): ("nguyễn@ví-dụ.vn".encode(), "mật khẩu".encode()),
    b"lan;pass:word": (b"lan", b"pass:word"),
    b"lan:pass,word": (b"lan", b"pass,word"),
    b":pass": (b"", b"pass"),
    b"lan:": (b"lan", b""),
    b"0912345678:pass": (b"0912345678", b"pass"),
    b"+84 912 345 678": (b"+84 912 345 678", b""),
    b"https://example.vn/login:lan:p:w": (b"lan", b"p:w"),
    b"https://example.vn:8080/a?b=1:2:lan@example.vn:p@ss:w": (b"lan@example.vn", b"p@ss:w"),
    b"https://example.vn:lan:pass": (b"lan", b"pass"),
    b"https://example.vn:8080:lan:pass": (b"lan", b"pass"),
    b"https://example.vn:0912345678:pass": (b"0912345678", b"pass"),
    b"https://example.vn/login lan@example.vn:pass": (b"lan@example.vn", b"pass"),
    b"https://example.vn/login|lan|p|w": (b"lan", b"p|w"),
    b"https://example.vn/;jsessionid=1:lan:pass": (b"lan", b"pass"),
    b"https://example.vn/to/https://example.com:80/x:lan:pass": (b"lan", b"pass"),
    b"android://a+b==@com.example.app/:lan:pass": (b"lan", b"pass"),
    b"example.vn/login:lan:pass": (b"lan", b"pass"),
    b"example.vn:lan@example.vn:pass": (b"lan@example.vn", b"pass"),
    b"lan@example.vn:pass:https://example.vn/login": (b"lan@example.vn", b"pass"),
    b"lan:pass:HTTP://example.vn": (b"lan", b"pass"),
    b"lan@example.vn:$HEX[3a20c3a9]": (b"lan@example.vn", b": \xc3\xa9"),
    b"lan@example.vn:$HEX[3a2]": (b"lan@example.vn", b"$HEX[3a2]"),
    b"no separator": "row-no-separator",
    b"https://example.vn/login:lan": "row-no-separator",
    b"https://example.vn/login": "row-no-separator",
    b"example.com": "row-no-separator",
    b":": "row-empty",
    b"lan\0@example.vn:pass": "row-nul",
    b"lan@example.vn:" + b"x" * lines.LONGEST: "row-too-long",
    b" \t\r": None,
    b"": None,
}
PIECES = [
    *(
        b"lan",
        b"lan@example.vn",
        b"@",
        b".",
        b"example.vn",
        b"http://",
        b"https://",
        b"//",
        b"/",
        b":",
        b";",
        b"|",
        b",",
    ),
    *(
        b" ",
        b"\t",
        b"\r",
        b"\0",
        b"8080",
        b"0912345678",
        b"?",
        b"#",
        b"=",
        b"s",
        b"\xef\xbb\xbf",
        b"\xe1\xba\xad",
        b"(",
    ),
]
pieces = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


def broken_of(read: leaked.Read) -> list[tuple[int, int, int]]:
    reasons = [leaked.REASONS.index(each) for each in read.reasons]
    return list(zip(read.offsets.tolist(), read.lengths.tolist(), reasons, strict=True))


def rows_of(read: leaked.Read) -> Rows:
    return [(row["account"], row["secret"]) for row in read.rows.to_pylist()]


@pytest.mark.parametrize("line", LINES)
def test_a_line(line: bytes) -> None:
    for block in (line + b"\n", b"a:b\n" + line + b"\nc:d\n"):
        read = lines.combination(block, ended=False)
        before = Rows([(b"a", b"b")] if block.startswith(b"a:b") else [])
        expected = LINES[line]
        found = [expected] if isinstance(expected, tuple) else []
        assert rows_of(read) == [*before, *found, *([(b"c", b"d")] if before else [])]
        assert read.reasons == ([expected] if isinstance(expected, str) else [])
        assert read.used == len(block)
        for offset, length in zip(read.offsets, read.lengths, strict=True):
            assert block[offset : offset + length].strip(b" \t\r") in line


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=8))
@example([b"https://a:1:2:3", b"a.b/c;d=e:f:g", b"x@y.z :  s", b"https://a/b c@d.e:f", b"a:b:https://c:https://d"])
def test_the_kernel_and_the_plain_rules_agree(several: list[bytes]) -> None:
    read = lines.combination(b"\n".join(several), ended=True)
    met = [reference.combination(line) for line in several]
    assert rows_of(read) == [(row[0], leaked.decode(row[1])) for row in met if isinstance(row, tuple)]
    assert read.reasons == [leaked.REASONS[reason] for reason in met if isinstance(reason, int)]


@settings(max_examples=100, deadline=None)
@given(st.lists(pieces.map(lambda piece: piece + b"\n"), max_size=30), st.integers(1, 40))
def test_blocks_may_end_anywhere(several: list[bytes], size: int) -> None:
    text = b"".join(several)
    whole = rows_of(lines.combination(text, ended=True))
    found, at, end = Rows(), 0, size
    while at < len(text):
        read = lines.combination(text[at:end], ended=end >= len(text))
        found += rows_of(read)
        at += read.used
        end = max(end, at) + (0 if read.used else size)
    assert found == whole


def test_of_many_short_lines_a_part_is_read() -> None:
    text = b"a:b\n" * 10_000
    read = lines.combination(text, ended=True)
    assert rows_of(read) == [(b"a", b"b")] * (read.used // 4)
    assert 0 < read.used < len(text)


def test_secrets_that_look_like_digests_may_be_left_out() -> None:
    digests = [
        b"5f4dcc3b5aa765d61d8327deb882cf99",
        b"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
        b"$2y$10$abc",
        b"{SSHA}abc=",
        b"5f4dcc3b5aa765d61d8327deb882cf99:salt",
        b"0x" + b"a" * 64,
    ]
    words = [b"5f4dcc3b", b"$money", b"{x", b"word", b"g" * 32]
    text = b"".join(b"lan@example.vn:" + secret + b"\n" for secret in digests + words)
    assert [secret for _, secret in rows_of(lines.combination(text, True, hashed=True))] == [b""] * 6 + words
    assert [secret for _, secret in rows_of(lines.combination(text, True))] == digests + words


def test_blocks_of_stealers() -> None:
    text = (
        "=====\nSoft: Chrome\nURL: https://example.vn\nUsername: lan@example.vn\nPassword:  a b \r\n\n"
        "Host: y\nLogin: 0912345678\nPASS: p:w\nURL: z\nUSER: lan\nPassword: mật khẩu\na banner\n\n"
        "URL: a\nUsername:\nPassword: UNKNOWN\n\nUSER: u\nPASS: 1\nUSER: v\nPASS: 2"
    ).encode()
    rows = [(b"lan@example.vn", b" a b "), (b"0912345678", b"p:w"), (b"lan", "mật khẩu".encode()), (b"u", b"1")]
    read = stealer.blocks(text, ended=True)
    assert rows_of(read) == [*rows, (b"v", b"2")]
    assert (read.used, read.reasons) == (len(text), ["row-empty"])
    read = stealer.blocks(text, ended=False)
    assert rows_of(read) == rows
    assert text[read.used :] == b"USER: v\nPASS: 2"
    endless = b"x: y\n" * 20_000
    assert stealer.blocks(b"USER: u\n" + endless, ended=False).used


LABELS = (
    *(b"User", b"PASS", b" URL", b"Login\t ", b"Host", b"Soft", b"Hello", b"A", b"x" * 96, b"y" * 97, b"a\tb", b"1"),
    *(b"(", "Mật khẩu".encode(), "密码".encode(), "用户：".encode()),
)
VALUES = (
    b"",
    b" lan@example.vn",
    b"\t pw ",
    b" N/A",
    b"[Not Saved]\t",
    b"[not_saved",
    b" unknowns",
    b"\0",
    b"x" * 4096,
)
ENDS = (b"\n", b"\n\n", b"\r\r\n", b"\n===\n", b"\n \t\n", b"")
log = st.lists(
    st.tuples(*map(st.sampled_from, (LABELS, (b":", "：".encode(), b" : ", b"\t:", b""), VALUES, ENDS))).map(b"".join),
    max_size=12,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@example(b"USER: u\n" + b"x: y\n" * 20_000, False)
@example(b"USER: u\n" + b"x: y\n" * 20_000 + b"PASS: p\n", True)
@example(b"".join(b"k%c%c: u\n" % pair for pair in product(range(97, 123), repeat=2)) + b"USER: u\nPASS: p\n", True)
@given(log | st.binary(max_size=64), st.booleans())
def test_logs_of_stealers_are_read_by_their_plain_rules(text: bytes, ended: bool) -> None:
    read, plain = stealer.blocks(text, ended), reference.Log(text, ended)
    assert rows_of(read) == [(account, leaked.decode(secret)) for account, secret in plain.rows]
    assert broken_of(read) == plain.broken
    assert read.used == plain.used


def test_the_layout_of_a_sheet() -> None:
    names = 'id;"E-Mail";Số điện thoại;Mật khẩu\r\n'.encode()
    assert sheets.layout(names + b"1;2;3;4\n") == sheets.Layout(";", 1, 2, -1, 3, len(names))
    assert sheets.layout(b"\xef\xbb\xbfuser,pwd") == sheets.Layout(",", name=0, secret=1, begin=11)
    assert sheets.layout(b"user,age\n") is sheets.layout(b"\0email,x\n") is sheets.layout(b"") is None


def test_a_sheet() -> None:
    text = (
        b'1,lan@example.vn,0912345678,"pa""ss,\nw",z\r\n2,b@example.vn,,pw\n3,,,pw3\n,,,,\n"4"x,c@example.vn\n'
        b'5,"d@example.vn",,$HEX[3a],\n\n6,\0,,\n7,e@example.vn,,"open\n8,f@example.vn,,pw8'
    )
    read = sheets.sheet(text, True, sheets.Layout(",", 1, 2, -1, 3))
    assert rows_of(read) == [
        (b"lan@example.vn", b'pa"ss,\nw'), (b"0912345678", b""), (b"b@example.vn", b"pw"), (b"", b"pw3"),
        (b"d@example.vn", b":"), (b"f@example.vn", b"pw8"),
    ]  # fmt: skip
    assert read.reasons == ["row-empty", "row-broken", "row-nul", "row-broken"]
    assert read.used == len(text)
    read = sheets.sheet(text, False, sheets.Layout(",", 1, 2, -1, 3))
    assert text[read.used :].startswith(b"7,e@")  # may be closed behind the block


fields = st.text("ab,;\"\n ậ'", max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(fields, fields, fields), max_size=8), st.sampled_from(",;\t"))
def test_what_csv_writes_is_read(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    read = sheets.sheet(written.getvalue().encode(), True, sheets.Layout(delimiter, mail=0, secret=2))
    assert rows_of(read) == [(mail.encode(), secret.encode()) for mail, _, secret in rows if mail or secret]


def test_rows_without_end_are_given_up() -> None:
    text = b'"' + b"x" * 10 + b"\na@example.vn,b\n" + b"y" * (sheets.LONGEST + 1) + b"\nc@example.vn,d\n"
    read = sheets.sheet(text, False, sheets.Layout(",", mail=0, secret=1))
    assert rows_of(read) == [(b"a@example.vn", b"b"), (b"c@example.vn", b"d")]
    assert read.reasons == ["row-broken", "row-too-long"]


def test_objects() -> None:
    several = [
        {"Email": "lan@example.vn", "password": "mật khẩu"},
        {"_source": {"phone": 84912345678, "emails": ["x"], "email": ["a@example.vn", "b@example.vn"], "pwd": "z"}},
        {"user": "u", "pass": "p", "mail": None, "active": True},
        {"a": 1},
    ]
    text = ("[" + ",\n".join(map(json.dumps, several)) + '\n{bad\n]\n{"user": "u", "p').encode()
    read = objects.objects(text, ended=False)
    assert rows_of(read) == [
        (b"lan@example.vn", "mật khẩu".encode()), (b"a@example.vn", b"z"), (b"b@example.vn", b""),
        (b"84912345678", b""), (b"u", b"p"),
    ]  # fmt: skip
    assert read.reasons == ["row-empty", "row-broken"]
    assert text[read.used :] == b'{"user": "u", "p'
    for hostile in (b'{"a":' * 5000, b"\xff", b'"', b"1", b"{" + b" " * objects.LONGEST):
        assert objects.objects(hostile, ended=True).rows.num_rows == 0


KEYS = ("email", "Mail", "phone", "user", "password", "pwd", "a", "", "mật khẩu", "M\u1eadt", "e\\mail", "x" * 70)
WRITTEN = (  # values as they are written, some of which nobody should write
    *(
        '""',
        '"lan@example.vn"',
        '"mật khẩu 密码 𐐀"',
        '"\\u1ead\\n\\/\\"\\\\"',
        '"\\ud801\\uDC00\\ud800\\u0000"',
        '"\\udc00x"',
    ),
    *("0", "-0", "84912345678", "9" * 30, "1.5", "-1e+9", "1E-2", "true", "false", "null", "[]", "{}", "[[1]]"),
    *(
        '"\\x"',
        '"\\u12g4"',
        '"\\u123',
        '"\t"',
        '"open',
        "01",
        "1.",
        "-",
        "+1",
        "1e",
        "nul",
        "NaN",
        "-Infinity",
        "'a'",
        '"a" "b"',
    ),
)
written = st.recursive(
    st.sampled_from(WRITTEN),
    lambda within: st.one_of(
        st.lists(within, max_size=3).map(lambda each: "[" + " ,".join(each) + "]"),
        st.lists(st.tuples(st.sampled_from(KEYS).map(lambda key: f'"{key}"'), within), max_size=3).map(
            lambda each: "{ " + ",".join(map(":".join, each)) + "}"
        ),
    ),
    max_leaves=8,
)
jsonl = st.lists(
    st.tuples(st.sampled_from(KEYS), written).map(lambda each: '"{}" : {}'.format(*each)), min_size=1, max_size=4
).map(lambda each: ("{" + ", ".join(each) + "}").encode())
torn = st.tuples(
    jsonl, st.integers(0, 60), st.sampled_from((b"", b",", b"}", b"]", b'"', b"\xff", b"\xed\xa0\x80", b"\xf4\x90"))
)
ends = st.sampled_from((b"\n", b",\r\n", b"\n\n", b"]\n", b"{\n"))
line = jsonl | torn.map(lambda each: each[0][: each[1]] + each[2] + each[0][each[1] + 1 :])


@settings(max_examples=1000, deadline=None)
@example([(b'{"' + b'a":{"' * n + b'mail":"x"' + b"}" * (n + 1), b"\n") for n in (1, 2, 3, 58, 59, 60, 61, 9000)])
@example([(b'{"mail":' + b"[" * n + b'"x"' + b"]" * n + b"}", b"\n") for n in (1, 2, 58, 59, 60, 61, 9000)])
@example([(b'{"k%d":%d,"mail":"x%d"}' % (n, n, n), b"\n") for n in range(600)])
@example([(b"{" + b",".join(b'"k%d":"%d"' % (n, n) for n in range(5000)) + b',"mail":"x"}', b"\n")] * 2)
@example(
    [
        (b'{"%s":"x"}' % each, b"\n")
        for each in (b"m\\u0061il" + b"-" * 60, b"\\u002d" * 60 + b"mail", b"-" * 61 + b"mail")
    ]
)
@given(st.lists(st.tuples(line, ends), max_size=6))
def test_objects_are_read_by_their_plain_rules(several: list[tuple[bytes, bytes]]) -> None:
    text = b"".join(map(b"".join, several))
    rows, broken, at = list[Row](), list[tuple[int, int, int]](), 0
    for each in text.split(b"\n"):
        found = reference.jsonl(each)
        if isinstance(found, int):
            broken.append((at, len(each), found))
        else:
            rows += [(account, leaked.decode(secret)) for account, secret in found or ()]
        at += len(each) + 1
    read = objects.objects(text, ended=True)
    assert rows_of(read) == rows
    assert broken_of(read) == broken
    assert read.used == len(text)
