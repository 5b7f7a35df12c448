"""What leaked, from files: packed, in whatever encoding, hostile; resumed anywhere, and nothing of it in an error."""

import bz2
import gzip
import lzma
import struct
import tarfile
import traceback
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from khien.breach import sheets
from khien.errors import ConfigError, FormatError, InputError
from khien.sources.dumps import forms, texts, walk
from khien.sources.dumps.hashes import Hashes
from khien.sources.dumps.source import Dumps
from khien.testing.source import check_source

KEY = b"0123456789abcdef"
COMBO = "".join(f"user{n}@example.vn:mật khẩu {n}\n" for n in range(400))
LOG = """\
Đường dẫn: https://example.vn/
Tên đăng nhập: lan@example.vn
Mật khẩu: a:b
Ứng dụng: Chrome

URL: https://example.com/
Tài khoản: 0912345678
Password: y
"""
Row = tuple[bytes, bytes]


def zstd(text: bytes) -> bytes:
    return pa.compress(text, "zstd", asbytes=True)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "gzip members": lambda text: gzip.compress(text[:999]) + gzip.compress(text[999:]),
}


def rows_of(source: Dumps, cursor: bytes | None = None) -> list[Row]:
    pages = [page.rows.to_pylist() for page in source.read(cursor)]
    return [(row["account"], row["secret"]) for page in pages for row in page]


def skipped_of(source: Dumps | Hashes) -> list[tuple[str, str, str]]:
    skipped = [page.skipped.to_pylist() for page in source.read(None) if page.skipped]
    return [tuple(each.values()) for page in skipped for each in page]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Dumps]:
    """A source of a file that holds what is given."""

    def write(content: bytes, **settings: Any) -> Dumps:
        path = tmp_path / "given"
        path.write_bytes(content)
        return Dumps(str(path), KEY, **settings)

    return write


@pytest.mark.parametrize("packing", PACKED)
def test_packed(packing: str, written: Callable[..., Dumps]) -> None:
    expected = rows_of(written(COMBO.encode()))
    assert len(expected) == 400
    source = written(PACKED[packing](COMBO.encode()), page_bytes=5000)
    assert rows_of(source) == expected
    check_source(source)


def archive(path: Path, members: Sequence[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)


def test_a_zip_archive_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0"
    archive(
        path,
        [
            ("VN/1/Passwords.txt", b"URL: https://e.example\nUsername: lan@example.vn\nPassword: x\n"),
            ("VN/1/Screenshot.png", picture),
            ("VN/2/combo.txt.gz", gzip.compress(COMBO.encode())),
            ("empty.txt", b""),
            ("VN/3/list.csv", b"email;password\nbinh@example.vn;y\n"),
        ],
    )
    source = Dumps(str(path), KEY, page_bytes=3000)
    found = rows_of(source)
    assert (found[0], found[1], found[-1]) == (
        (b"lan@example.vn", b"x"),
        (b"user0@example.vn", "mật khẩu 0".encode()),
        (b"binh@example.vn", b"y"),
    )
    assert len(found) == 402
    ((place, reason, digest),) = skipped_of(source)
    assert (place, reason, len(digest)) == ("2:0", "row-no-form", 16)
    check_source(source)
    assert [walk.progress(page.cursor) for page in source.read(None)][-1] <= path.stat().st_size


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "windows-1258"])
def test_encodings(encoding: str, written: Callable[..., Dumps]) -> None:
    text = "lan@example.vn:tôi là Lan\nbinh@example.vn:123\n" * 300
    marked = encoding in ("utf-8-sig", "utf-16")
    told = "" if marked else {"utf-16-le": "utf-16"}.get(encoding, encoding)
    source = written(text.encode(encoding), encoding=told, page_bytes=997)
    assert rows_of(source)[:2] == [(b"lan@example.vn", "tôi là Lan".encode()), (b"binh@example.vn", b"123")]
    assert len(rows_of(source)) == 600
    check_source(written(text[:999].encode(encoding), encoding=told, page_bytes=200))


def test_octets_stay_what_they_are(written: Callable[..., Dumps]) -> None:
    assert rows_of(written(b"lan@example.vn:\xff\xfe\x80x\n")) == [(b"lan@example.vn", b"\xff\xfe\x80x")]


def test_forms_are_seen(tmp_path: Path) -> None:
    for text, form in {
        "a@example.vn:x\nb@example.vn:y\n": "combo",
        "https://e.example/:a@example.vn:x\n": "combo",
        "URL: e\nUSER: a\nPASS: x\n\nURL: e\nUSER: a\nPASS: x\n": "stealer",
        LOG: "stealer",
        "Пользователь: a@example.vn\nПароль: x\n\nサイト：e\nユーザー名：b\nパスワード：y\n": "stealer",
        "* a banner\n" * 5 + "Country: VN\nMật khẩu (password): x\nE-mail/Username: a\n": "stealer",
        "Country: VN\nMachine: X\nIP: 192.0.2.1\n": None,
        "Email,Password\na@example.vn,x\n": "csv",
        "id;khách;mã\n1;a@example.vn;x\n": None,
        "\n\n" + '{"email": "a@example.vn"}\n': "jsonl",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3\n": "sha1",
        "no row of anything\n": None,
        "": None,
        "\0\1\2\3" * 40: None,
    }.items():
        path = tmp_path / "seen"
        path.write_text(text)
        assert (forms.seen(str(path), "").form or None) == form, text
    with pytest.raises(FormatError, match="say --form ntlm"):
        forms.recognise(b"8846F7EAEE8FB117AD06BDD830B7586C\n")


def test_labels_of_several_languages(written: Callable[..., Dumps]) -> None:
    assert rows_of(written(LOG.encode())) == [(b"lan@example.vn", b"a:b"), (b"0912345678", b"y")]


def test_a_password_in_front(written: Callable[..., Dumps]) -> None:
    text = b"pass;1:lan@example.vn\n:binh@example.vn\nlan:0912345678\nlan:x\n0987654321:an@example.vn\n"
    source = written(text + COMBO.encode(), page_bytes=3000)
    assert rows_of(source)[:5] == [
        (b"pass", b"1:lan@example.vn"), (b"binh@example.vn", b""), (b"0912345678", b""), (b"lan", b"x"),
        (b"0987654321", b"an@example.vn"),
    ]  # fmt: skip
    check_source(source)
    assert rows_of(written("mật khẩu:nguyễn@example.vn\nx: b@example.vn".encode())) == [
        ("nguyễn@example.vn".encode(), "mật khẩu".encode()), (b" b@example.vn", b"x"),
    ]  # fmt: skip
    assert rows_of(written(b"x:012345678\n", country="855")) == [(b"012345678", b"")]
    assert rows_of(written(b"user,pass\nlan,lan@example.vn\n")) == [(b"lan@example.vn", b"")], "a name is no password"


def test_columns_that_are_told(written: Callable[..., Dumps]) -> None:
    text = "Mã KH;Liên hệ;Di động 2;Bí mật\n1;lan@example.vn;0912345678;x\n".encode()
    for columns in ("account=Liên hệ,account=di dong 2,secret=BI MAT", "account=lien he,account=didong2,secret=bimat"):
        source = written(text, columns=columns)
        assert rows_of(source) == [(b"lan@example.vn", b"x"), (b"0912345678", b"")]
        assert forms.seen(source.path, "", "", columns) == forms.Seen(
            "csv", sheets.Names(["Liên hệ", "Di động 2"], ["Bí mật"], ["Mã KH"])
        )
    with pytest.raises(FormatError, match="names no columns of accounts in its first line: say what"):
        rows_of(written(text, columns="account=email"))
    with pytest.raises(FormatError, match="say which by --form, of a sheet by --columns account=NAME,secret=NAME"):
        rows_of(written(text))
    for wrong in ("email", "secret=", "mail=x", "account=x,secret=y,secret=z"):
        with pytest.raises(ConfigError, match="write account=NAME,secret=NAME"):
            written(text, columns=wrong)
    with pytest.raises(ConfigError, match="are of sheets"):
        written(text, columns="account=x", form="combo")


def test_what_is_called_like_no_column_is_not_told(written: Callable[..., Dumps]) -> None:
    source = written(b"email,pass,binh@example.vn,Secret-1987,id\na@example.vn,x,,,\n")
    assert forms.seen(source.path, "").names == sheets.Names(["email"], ["pass"], ["(3)", "(4)", "id"])


@pytest.mark.parametrize(
    "names", ["hòm thư,mk", "thu,matma", "Email khách hàng;Mật mã", "điện thoại di động|MK", "sodt\tmat khau"]
)
def test_names_of_columns(names: str, written: Callable[..., Dumps]) -> None:
    text = names + "\n" + next(mark for mark in ",;|\t" if mark in names).join(["lan@example.vn", "x"])
    assert rows_of(written(text.encode())) == [(b"lan@example.vn", b"x")]


def test_a_form_that_is_told(written: Callable[..., Dumps]) -> None:
    assert rows_of(written(b"URL: a@example.vn:x\n", form="combo")) != []
    source = written(COMBO.encode(), form="combo", page_bytes=3000)
    first = next(iter(source.read(None)))
    with pytest.raises(InputError, match="was begun with the form 'combo': go on with that"):
        list(written(COMBO.encode(), page_bytes=3000).read(first.cursor))
    with pytest.raises(ConfigError, match="form 'xml' is none of combo, stealer"):
        written(b"", form="xml")
    with pytest.raises(ConfigError, match="encoding 'utf-7' is none of utf-8"):
        written(b"", encoding="utf-7")


def test_rows_that_are_too_long_pass(written: Callable[..., Dumps]) -> None:
    long = b"a@example.vn:" + b"x" * 50_000
    source = written(b"lan@example.vn:x\n" + long + b"\nbinh@example.vn:y\n", page_bytes=4096)
    assert rows_of(source) == [(b"lan@example.vn", b"x"), (b"binh@example.vn", b"y")]
    assert [(place, reason) for place, reason, _ in skipped_of(source)] == [("17", "row-too-long")]
    check_source(source)
    endless = written(b"lan@example.vn:x\n" + b"\xff" * 30_000, page_bytes=4096)
    assert rows_of(endless) == [(b"lan@example.vn", b"x")]
    assert len(skipped_of(endless)) == 1


def test_what_is_set_aside_is_told_by_a_keyed_digest(tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(b"a@example.vn:x\nnothing\nnothing\nother\n")
    same, again, other = skipped_of(Dumps(str(path), KEY))
    assert same[2] == again[2] != other[2]
    assert skipped_of(Dumps(str(path), bytes(16)))[0][2] != same[2]


def test_a_list_of_hashes(tmp_path: Path) -> None:
    path = tmp_path / "given"
    digests = [n.to_bytes(16, "big") for n in range(500)]
    path.write_text("".join(f"{each.hex()}:{n}\r\n" for n, each in enumerate(digests)) + "cut")
    source = Hashes(str(path), "ntlm", KEY, page_bytes=1000)
    rows = [row for page in source.read(None) for row in page.rows.to_pylist()]
    assert [row["ntlm"] for row in rows] == digests[1:]
    assert [row["count"] for row in rows] == list(range(1, 500))
    assert {row["sha1"] for row in rows} == {None}
    assert [reason for _, reason, _ in skipped_of(source)] == ["row-no-count", "row-no-digest"]
    check_source(Hashes(str(path), "ntlm", KEY, page_bytes=4000))
    path.write_text("lan@example.vn:x")
    with pytest.raises(FormatError, match="is of no form that is known"):
        list(Hashes(str(path), "sha1", KEY).read(None))


def crossed(path: Path) -> None:
    """An archive whose second member lies over its first."""
    archive(path, [("a", COMBO.encode()), ("b", COMBO.encode())])
    content = bytearray(path.read_bytes())
    first, second = content.find(b"PK\1\2"), content.rfind(b"PK\1\2")
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    for at in (first, second):
        content[at + 20 : at + 24] = struct.pack("<L", len(content))
    path.write_bytes(content)


def encrypted(path: Path) -> None:
    archive(path, [("a", COMBO.encode())])
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


def crowded(path: Path) -> None:
    archive(path, [(str(number), b"x") for number in range(10_001)])


def tarred(path: Path) -> None:
    (path.parent / "a.txt").write_text(COMBO)
    with tarfile.open(path, "w:gz") as made:
        made.add(path.parent / "a.txt", "a.txt")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (crossed, "lie over each other"),
        (encrypted, "member 1 of the zip archive is encrypted"),
        (crowded, "of more than 10,000 members"),
        (lambda path: path.write_bytes(b"PK\3\4" + b"x" * 99), "zip archive that is cut short"),
        (lambda path: path.write_bytes(gzip.compress(COMBO.encode())[:-900]), "cut short or damaged"),
        (lambda path: path.write_bytes(b"\x89PNG\0\0\0"), "is of no form that is known"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(gzip.compress(b"")), "is empty"),
        (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c" + COMBO.encode()), "is a 7z archive, .*: unpack it first"),
        (lambda path: path.write_bytes(b"Rar!\x1a\x07\1\0" + COMBO.encode()), "is a RAR archive"),
        (lambda path: tarred(path), "is a tar archive"),
    ],
)
def test_hostile_files(made: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    made(path)
    with pytest.raises(FormatError, match=said):
        list(Dumps(str(path), KEY).read(None))


def test_a_bomb(written: Callable[..., Dumps], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_FREE", 1 << 16)
    with pytest.raises(FormatError, match="unpacks to more than 1000 times its size"):
        for _ in written(bz2.compress(b"a@example.vn:x\n" * (1 << 18))).read(None):
            pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        list(Dumps(str(tmp_path / "none"), KEY).read(None))
    with pytest.raises(InputError, match="is a directory"):
        forms.seen(str(tmp_path), "")
    with pytest.raises(InputError, match="is no cursor of a dump"):
        list(Dumps(str(tmp_path / "none"), KEY).read(b"\xff"))


def test_another_file_by_now(written: Callable[..., Dumps]) -> None:
    *_, last = written(COMBO.encode(), page_bytes=5000).read(None)
    with pytest.raises(FormatError, match="it is another file by now"):
        list(written(COMBO[:900].encode()).read(last.cursor))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), form=st.sampled_from(["", *forms.FORMS[:4]]), size=st.integers(64, 300))
def test_anything_gives_rows_or_an_error_of_ours(content: bytes, form: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(b"SECRET-in-front:" + content + b":SECRET-behind\n")
    try:
        pages = list(Dumps(str(path), KEY, form=form, page_bytes=size).read(None))
    except FormatError:
        assert "SECRET" not in traceback.format_exc()
        return
    for page in pages:
        assert page.skipped is None or "SECRET" not in str(page.skipped.to_pylist())
        page.rows.validate(full=True)


def test_a_source_does_not_show_its_key() -> None:
    assert "0123456789abcdef" not in repr(Dumps("x", KEY)) + repr(Hashes("x", "sha1", KEY))
