"""The register of protected names: what is shipped is whole, and whatever is wrong is told with its line."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import ConfigError
from khien.model import Register
from khien.names import register

GOOD = """\
# two names
[[names]]
id = "mau"
label = "Ngân hàng Mẫu"
sector = "bank"
words = [
    "mẫu bank",
    "maudigi",
]
short = ["mbk"]
lures = ["thẻ tín dụng"]
official = [
    { domain = "maubank.example.vn", verified = true, source = "a list" },
    { domain = "maubank.{vn,com.vn}", verified = false },
]
suppliers = [{ domain = "cdn-*.mau.net", verified = false, note = "content delivery" }]
contacts = ["https://maubank.example.vn/lien-he"]

[[names]]
id = "khac"
label = "Khác"
sector = "shop"
words = ["cuahangkhac"]

[[reserved_suffixes]]
domain = "gov.vn"
verified = true
source = "a list"
"""
LURES = """\
[[lures]]
id = "credential"
weight = 0.9
words = ["đăng nhập", "login"]
"""


def shipped(name: str) -> bytes:
    return files("khien").joinpath("data", name).read_bytes()


def test_reads_what_is_documented() -> None:
    read = register.parse(GOOD.encode(), "r.toml")
    first, second = read.names
    assert (first.id, first.words, first.short) == ("mau", ("mẫu bank", "maudigi"), ("mbk",))
    assert first.official[0].source == "a list"
    assert second.official == ()
    assert read.reserved_suffixes[0].domain == "gov.vn"


def test_windows_line_ends_are_read_the_same() -> None:
    assert register.parse(GOOD.replace("\n", "\r\n").encode(), "r.toml") == register.parse(GOOD.encode(), "r.toml")


def test_shipped_register_is_whole() -> None:
    read = register.parse(shipped("register-vn.toml"), "register-vn.toml")
    ids = {name.id for name in read.names}
    assert len(read.names) >= 260
    assert {"vietcombank", "vneid", "evn", "garena", "khien", "hoiphunu", "ngoinhabinhyen", "tongdai111"} <= ids
    official = [domain for name in read.names for domain in (*name.official, *name.suppliers)]
    assert sum(domain.verified for domain in official) >= 600
    assert any(suffix.domain == "gov.vn" and suffix.verified for suffix in read.reserved_suffixes)


def test_shipped_register_stands_in_order() -> None:
    read = register.parse(shipped("register-vn.toml"), "register-vn.toml")
    places = [(name.sector, name.id) for name in read.names]
    assert places == sorted(places)


def test_shipped_lures_are_whole() -> None:
    groups = register.parse_lures(shipped("lures.toml"), "lures.toml")
    assert {"credential", "loan", "card", "prize", "game", "state", "online"} <= {group.id for group in groups}
    weights = {group.id: group.weight for group in groups}
    assert weights["online"] < weights["credential"]


@pytest.mark.parametrize(
    ("word", "letters"),
    [("Thẻ tín dụng", "thetindung"), ("đăng-nhập", "dangnhap"), ("ĐẶT VÉ", "datve"), ("f88", "f88")],
)
def test_folds_words(word: str, letters: str) -> None:
    assert register.folded(word) == letters


def test_writes_patterns_out() -> None:
    assert list(register.members("shopee.{sg,co.th}")) == ["shopee.sg", "shopee.co.th"]
    assert list(register.members("a-*.vn")) == ["a-*.vn"]


WRONG = tomllib.loads((Path(__file__).parents[1] / "data" / "register-wrong.toml").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", WRONG, ids=[case["bad"].strip()[:30] for case in WRONG])
def test_tells_what_is_wrong_and_where(case: dict[str, str]) -> None:
    assert case["good"] in GOOD
    with pytest.raises(ConfigError) as error:
        register.parse(GOOD.replace(case["good"], case["bad"], 1).encode(), "r.toml")
    assert case["told"] in str(error.value)


def test_tells_all_at_once_in_the_order_of_lines() -> None:
    text = (
        GOOD.replace('sector = "shop"', 'sector = "person"')
        .replace('"maudigi"', '"a"')
        .replace('id = "khac"', "id = 1")
    )
    with pytest.raises(ConfigError) as error:
        register.parse(text.encode(), "r.toml")
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["20"]  # form first, then meaning
    with pytest.raises(ConfigError) as error:
        register.parse(text.replace("id = 1", 'id = "khac"').encode(), "r.toml")
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["8", "22"]


def test_tells_twenty_and_counts_the_others() -> None:
    text = "".join(f'[[names]]\nid = "n{n}"\nlabel = "n"\nsector = "x"\n' for n in range(30))
    with pytest.raises(ConfigError) as error:
        register.parse(text.encode(), "r.toml")
    told = str(error.value).splitlines()
    assert len(told) == 21
    assert told[-1] == "r.toml: and 10 more"


def test_stops_when_a_thousand_things_are_wrong() -> None:
    with pytest.raises(ConfigError, match="and at least 980 more"):
        register.parse(b"[[names]]\n" * 5000, "r.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "r.toml:1: names is missing"),
        (b"names = []", "r.toml:1: names: no protected names: write at least one [[names]]"),
        (b"names = 3", "r.toml:1: names: a list is needed, this is a number"),
        (b"names = [\n\n3]", "r.toml:3: names[0]: a table is needed, this is a number"),
        (b"\n\n\xff", "r.toml:3: byte 0xff is not UTF-8: save the file as UTF-8"),
        (b"a = 1\nb = ", "r.toml:2: no valid TOML: Invalid value"),
        (b"a = " + b"9" * 5000, "r.toml:1: no valid TOML: "),
        (b"a = " + b"[" * 100_000, "r.toml: brackets nested hundreds deep"),
        (b"a" + b".a" * 100_000 + b" = 1", "r.toml:1: more than 8 parts joined by dots"),
        (b'"\\u0061" = 1\nnames = []', "r.toml:1: a: unknown key"),
        (b"names = [" + b"{}," * 20_001 + b"]", "r.toml:1: names: 20001 of them, at most 20000 are read"),
        (b"#" * (register.LARGEST_FILE + 1), "r.toml: 8388609 bytes, at most 8388608 are read: split the file"),
        (b"names = [" + b"1," * 1_000_001 + b"]", "r.toml: more than 1000000 values between commas"),
    ],
    ids="empty none number inside encoding syntax huge deep dots escaped many large values".split(),
)
def test_refuses_what_is_no_register(text: bytes, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        register.parse(text, "r.toml")
    assert told in str(error.value)


def test_bounds_words_and_domains() -> None:
    words = ", ".join(f'"tu khoa {n:04}"' for n in range(201))
    with pytest.raises(ConfigError, match=r"r.toml:23: names\[1\].words: 201 words, at most 200 are read"):
        register.parse(GOOD.replace('"cuahangkhac"', words).encode(), "r.toml")
    pattern = "m.{" + ",".join(f"x{n}" for n in range(600)) + "}"
    with pytest.raises(ConfigError, match=r"r.toml:12: names\[0\].official: more than 500 domains"):
        register.parse(GOOD.replace("maubank.{vn,com.vn}", pattern).encode(), "r.toml")


def test_finds_lines_whatever_the_spelling() -> None:
    """Inline tables, headers of inner tables, quoted keys, strings over lines and comments with brackets."""
    text = '''
names = [  # ]] {{ "
    { id = "a", label = """
two [[names]] "" lines""", sector = 'x', words = ["abcd"], official = [
        { domain = "a.vn", verified = false }, { "domain" = 'A.vn', verified = false } ] },
]
[[reserved_suffixes]]
"domain" = "vn"
'verified' = true
'''
    with pytest.raises(ConfigError) as error:
        register.parse(text.encode(), "r.toml")
    assert [line.split(": ")[0:2] for line in str(error.value).splitlines()] == [
        ["r.toml:5", "names[0].official[1].domain"],
        ["r.toml:9", "reserved_suffixes[0].verified"],
    ]
    inner = """[[names]]
id = "a"
label = "a"
sector = "a"
words = ["abcd"]
[[names.official]]
domain = "A.vn"
verified = false
"""
    with pytest.raises(ConfigError, match=r"r.toml:7: names\[0\].official\[0\].domain: 'A.vn': write it as a.vn"):
        register.parse(inner.encode(), "r.toml")


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("0.9", "1.5", "l.toml:3: lures[0].weight: 1.5 is not between 0 and 1"),
        ("0.9", "nan", "l.toml:3: lures[0].weight: nan is not between 0 and 1"),
        ("0.9", '"high"', "l.toml:3: lures[0].weight: a number is needed, this is 'high'"),
        ('"login"', '"dang nhap"', "l.toml:4: lures[0].words[1]: 'dang nhap' is given twice"),
        ('["đăng nhập", "login"]', "[]", "l.toml:4: lures[0].words: empty: write at least one word"),
        ("weight = 0.9\n", "", "l.toml:1: lures[0]: weight is missing"),
        (LURES, "lures = []", "l.toml:1: lures: no groups: write at least one [[lures]]"),
    ],
)
def test_tells_what_is_wrong_with_lures(good: str, bad: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        register.parse_lures(LURES.replace(good, bad, 1).encode(), "l.toml")
    assert told in str(error.value)


def parses_or_refuses(text: bytes) -> None:
    try:
        read: object = register.parse(text, "f.toml")
    except ConfigError as error:
        read = error
    assert isinstance(read, Register) or str(read).startswith("f.toml:")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    parses_or_refuses(text)


PIECES = """[ ] { } = , # . * - \\ " ' \"\"\" \'\'\' true 1e400 nan 1979-05-27 đ a.b=1""".split()
PIECES += ["[[names]]\n", "[names.official]\n", "0x" + "f" * 5000, "\n", "\r", "\0"]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 20), st.sampled_from(PIECES)), min_size=1, max_size=5)
)
def test_a_damaged_register_is_read_or_refused(damage: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for place, gone, put in damage:
        text = text[:place] + put + text[place + gone :]
    parses_or_refuses(text.encode())


def test_documented_examples_are_valid() -> None:
    text = (Path(__file__).parents[2] / "docs" / "register.md").read_text("utf-8")
    shown = [block.partition("```")[0].encode() for block in text.split("```toml\n")[1:]]
    assert register.parse(shown[0], "docs/register.md").names[0].id == "maubank"
    assert register.parse_lures(shown[1], "docs/register.md")[0].id == "credential"
