"""Registration data, asked of servers on loopback: good ones, busy ones, and those that would do us harm."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import ConfigError, FormatError
from khien.sources.rdap import reader
from khien.sources.rdap.bootstrap import Bootstrap
from khien.sources.rdap.source import Rdap
from tests.loopback import Answer, Due, Liar, Web, bomb, reply, says, told

HERE = ("127.0.0.0/8",)


def card(name: str = "", mail: str = "") -> list[Any]:
    fields = [["version", {}, "text", "4.0"], ["fn", {}, "text", name], ["email", {}, "text", mail]]
    return ["vcard", [field for field in fields if field[3]]]


DOMAIN = {
    "objectClassName": "domain",
    "ldhName": "BANK.EXAMPLE",
    "status": ["client transfer prohibited", "active"],
    "events": [
        {"eventAction": "registration", "eventDate": "2026-11-20T10:00:00.5+07:00"},
        {"eventAction": "expiration", "eventDate": "2027-11-20T03:00:00Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-11-22T00:00:00Z"},
    ],
    "entities": [
        {"roles": ["registrant"], "vcardArray": card("Nguyen Van A", "a@home.example")},
        {
            "roles": ["registrar"],
            "vcardArray": card("Cheap Names, Ltd\u202e."),
            "entities": [{"roles": ["abuse"], "vcardArray": card("Abuse", "abuse@Registrar.Example")}],
        },
    ],
}
NETWORK = {
    "objectClassName": "ip network",
    "handle": "NET-1",
    "startAddress": "1.2.0.0",
    "endAddress": "1.2.255.255",
    "country": "vn",
    "cidr0_cidrs": [{"v4prefix": "1.2.0.0", "length": 16}],
    "entities": [{"roles": ["administrative", "abuse"], "vcardArray": card("Desk", "abuse@isp.example")}],
}
REGISTERED = {
    "domain": "bank.example",
    "created": "2026-11-20T03:00:00+00:00",
    "expires": "2027-11-20T03:00:00+00:00",
    "registrar": "Cheap Names Ltd .",
    "abuse": "abuse@registrar.example",
    "status": "client transfer prohibited,active",
}
HOSTED = {
    "address": "1.2.3.4",
    "network": "1.2.0.0/16",
    "handle": "NET-1",
    "country": "VN",
    "abuse": "abuse@isp.example",
}


def registry(connection: socket.socket, path: str, _: list[str]) -> None:
    """A good server: it knows bank.example and 1.2.0.0/16."""
    known = {"/domain/bank.example": DOMAIN, "/ip/1.2.3.4": NETWORK}
    reply(connection, json.dumps(known.get(path)).encode(), status="200 OK" if path in known else "404 Not Found")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def ask(stack: ExitStack, tmp_path: Path) -> Callable[..., tuple[Rdap, Web]]:
    """A source that asks a server which answers so, and the server."""

    def made(answer: Answer, *subjects: str, **settings: Any) -> tuple[Rdap, Web]:
        web = stack.enter_context(Web(answer))
        names = stack.enter_context(Liar(says("1.2.3.4")))
        bootstrap(tmp_path, {"example": web.url}, {"1.0.0.0/8": web.url})
        settings = {"seconds": 1.0, "rate": 100.0, "ports": (web.port,), "allow": HERE, **settings}
        return Rdap(Due(*subjects), str(tmp_path), servers=(names.at,), **settings), web

    return made


def bootstrap(folder: Path, domains: dict[str, str], networks: dict[str, str]) -> None:
    for name, services in (("dns", domains), ("ipv4", networks), ("ipv6", {})):
        document = {"version": "1.0", "services": [[[entry], [url]] for entry, url in services.items()]}
        (folder / f"{name}.json").write_text(json.dumps(document))


def test_tells_who_registered_a_domain_and_whose_network_it_is_in(ask: Any) -> None:
    source, web = ask(registry, "login.bank.example")
    assert told(source, 2) == [
        ("login.bank.example", "network", "hosted", HOSTED),
        ("login.bank.example", "registration", "registered", REGISTERED),
    ]
    assert all("Accept: application/rdap+json" in lines for lines in web.asked)


def test_what_is_not_registered_and_what_nobody_knows(ask: Any) -> None:
    source, _ = ask(registry, "free.example", "elsewhere.test")
    found = [fact for fact in told(source, 4) if fact[1] == "registration"]
    assert found == [
        ("elsewhere.test", "registration", "unknown", {}),
        ("free.example", "registration", "unregistered", {"domain": "free.example"}),
    ]


def test_a_domain_and_an_address_are_asked_for_once(ask: Any) -> None:
    source, web = ask(registry, *(f"n{number}.bank.example" for number in range(20)), at_once=1)
    assert len(told(source, 40)) == 40
    assert sorted(lines[0].split()[1] for lines in web.asked) == ["/domain/bank.example", "/ip/1.2.3.4"]


def endless(head: bytes, again: bytes) -> Answer:
    def answer(connection: socket.socket, *_: object) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)
            time.sleep(0.001)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"", b""),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"["),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 100_000),
        endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 10_000),
        lambda connection, *_: reply(connection, bomb(50 << 20), "Content-Encoding: gzip"),
        lambda connection, *_: reply(connection, b"", "Location: http://169.254.169.254/", status="302 Found"),
        lambda connection, *_: reply(connection, b"", "Location: /again", status="302 Found"),
        lambda connection, *_: reply(connection, b"[" * 200_000),
        lambda connection, *_: reply(connection, b"{}"),
        lambda connection, *_: reply(connection, json.dumps(NETWORK | {"objectClassName": "entity"}).encode()),
        lambda connection, *_: reply(connection, b"", status="500 Oops"),
    ],
)
def test_a_server_that_says_nothing_of_use_leaves_it_unknown(answer: Answer, ask: Any) -> None:
    source, _ = ask(answer, "a.example")
    assert told(source, 1) == [("a.example", "registration", "unknown", {})]


def test_a_server_that_asks_for_patience_is_left_for_so_long(ask: Any) -> None:
    busy = [True]

    def answer(connection: socket.socket, path: str, lines: list[str]) -> None:
        if path.startswith("/domain") and busy and busy.pop():
            reply(connection, b"", "Retry-After: 1", status="429 Too Many Requests")
        else:
            registry(connection, path, lines)

    source, web = ask(answer, "bank.example")
    facts = [fact[1:3] for fact in told(source, 2)]
    assert facts == [("network", "hosted"), ("registration", "unknown")], "it is due again"
    assert len([lines for lines in web.asked if "/domain" in lines[0]]) == 1


def test_a_server_that_asks_for_long_patience_leaves_it_unknown_and_is_not_asked_again(ask: Any) -> None:
    source, web = ask(
        lambda connection, *_: reply(connection, b"", "Retry-After: 7200", status="503 Busy"), "a.example", "b.example"
    )
    assert [fact[:3] for fact in told(source, 2)] == [
        ("a.example", "registration", "unknown"),
        ("b.example", "registration", "unknown"),
    ]
    assert len(web.asked) <= 4, "two looks at two names that were under way"


def test_a_busy_server_keeps_no_other_from_being_asked(ask: Any, stack: ExitStack) -> None:
    source, _ = ask(registry, at_once=2)
    busy = stack.enter_context(Web(lambda connection, *_: reply(connection, b"", status="429 Too Many Requests")))
    folder = Path(source.bootstrap_folder)
    services = [[["busy.example"], [busy.url]], *json.loads((folder / "dns.json").read_text())["services"]]
    (folder / "dns.json").write_text(json.dumps({"services": services}))
    waiting = [*(f"n{number}.busy.example" for number in range(600)), "bank.example"]
    source = replace(source, asks=lambda _, limit: waiting[:limit], ports=(*source.ports, busy.port))
    found = set[tuple[str, str]]()
    for page in source.read(None):
        for row in page.rows.to_pylist():
            found.add((row["subject"], row["code"]))
            if row["topic"] == "registration":
                waiting.remove(row["subject"])
        if not waiting:
            break
    assert ("bank.example", "registered") in found
    assert ("n599.busy.example", "unknown") in found
    assert len(busy.asked) <= 2


def test_private_addresses_are_nobodys_network(ask: Any, stack: ExitStack) -> None:
    source, web = ask(registry, "bank.example")
    inside = stack.enter_context(Liar(says("10.0.0.1 127.0.0.1 169.254.1.1")))
    source = Rdap(source.asks, source.bootstrap_folder, servers=(inside.at,), ports=source.ports, allow=HERE)
    assert [fact[1] for fact in told(source, 2, pages=10)] == ["registration"]
    assert not [lines for lines in web.asked if "/ip/" in lines[0]]


def test_the_longest_suffix_and_prefix_say_whom_to_ask(tmp_path: Path) -> None:
    bootstrap(
        tmp_path,
        {"VN": "http://a.example", "com.vn": "http://b.example/"},
        {"1.0.0.0/8": "http://c.example", "1.2.0.0/16": "http://d.example"},
    )
    (tmp_path / "ipv6.json").write_text(
        '{"services": [[["2001:200::/23"], ["http://e.example", "https://f.example"]]]}'
    )
    known = Bootstrap(tmp_path)
    assert [known.of_domain(each) for each in ("x.vn", "x.com.vn", "vn", "x.example")] == [
        "http://a.example/", "http://b.example/", "http://a.example/", None,
    ]  # fmt: skip
    assert [known.of_address(each) for each in ("1.1.1.1", "1.2.1.1", "2.1.1.1", "2001:200::1")] == [
        "http://c.example/", "http://d.example/", None, "https://f.example/",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"services": 1}', '{"services": [[["a"], []]]}', '{"services": [[[1], [2]]]}', "[" * 99_999],
)
def test_a_file_that_is_no_bootstrap_is_named(content: str, tmp_path: Path) -> None:
    bootstrap(tmp_path, {}, {})
    (tmp_path / "dns.json").write_text(content)
    with pytest.raises(ConfigError, match=r"dns\.json: is no bootstrap file"):
        Rdap(Due(), str(tmp_path))
    (tmp_path / "dns.json").unlink()
    with pytest.raises(ConfigError, match=r"dns\.json: cannot be read .*https://data\.iana\.org/rdap/dns\.json"):
        Rdap(Due(), str(tmp_path))


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    bootstrap(tmp_path, {}, {"1.2.3.4/8": "http://a.example"})
    with pytest.raises(ConfigError, match="is no prefix"):
        Rdap(Due(), str(tmp_path))
    with pytest.raises(ConfigError, match="give at_once"):
        Rdap(Due(), str(tmp_path), rate=0)


NONSENSE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["events", "entities", "status", "roles", "vcardArray", "country", "handle", "cidr0_cidrs", "startAddress"]


@settings(deadline=None)
@given(
    kind=st.sampled_from(["domain", "ip network", "entity"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), NONSENSE, max_size=6),
    entity=st.dictionaries(st.sampled_from(FIELDS), NONSENSE, max_size=4),
)
def test_whatever_an_answer_holds_texts_or_an_error_come_of_it(kind: str, fields: Any, entity: Any) -> None:
    document = json.dumps(
        {"entities": [entity | {"roles": ["abuse", "registrar"]}]} | fields | {"objectClassName": kind}
    )
    for read in (reader.domain, reader.network):
        try:
            found = read(document.encode())
        except FormatError:
            continue
        for name, value in found.items():
            assert value.isprintable(), name
            assert len(value) <= 20_000


def test_an_odd_field_leaves_the_others() -> None:
    odd = [{"eventAction": ["registration"], "eventDate": {}}, 5, None, *DOMAIN["events"]]
    answer = DOMAIN | {"events": odd, "status": [1, "active"], "entities": [None, *DOMAIN["entities"]]}
    told = reader.domain(json.dumps(answer).encode())
    assert told == {name: value for name, value in REGISTERED.items() if name != "domain"} | {"status": "active"}


def test_entities_within_entities_are_followed_for_a_few_steps() -> None:
    contact: dict[str, Any] = {"roles": ["abuse"], "vcardArray": card("x", "abuse@a.example")}
    for _ in range(3):
        contact = {"roles": ["technical"], "entities": [contact]}
    nested = {"objectClassName": "ip network", "entities": [contact]}
    assert reader.network(json.dumps(nested).encode())["abuse"] == "abuse@a.example"
    nested = {"objectClassName": "ip network", "entities": [{"entities": [contact]}]}
    assert reader.network(json.dumps(nested).encode())["abuse"] == ""


@pytest.mark.parametrize(
    "mail",
    [
        "abuse",
        "a@b@c.example",
        "a b@c.example",
        "a@",
        "<a@b.example>",
        "a@b.example,c@d.example",
        "a@b.example\r\nBcc: x",
        "a@1.2.3.4",
    ],
)
def test_a_contact_that_is_no_address_is_left_out(mail: str) -> None:
    answer = {"objectClassName": "ip network", "entities": [{"roles": ["abuse"], "vcardArray": card("x", mail)}]}
    assert reader.network(json.dumps(answer).encode())["abuse"] == ""


@pytest.mark.parametrize(
    "date", ["", "yesterday", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 5]
)
def test_a_date_that_is_none_is_left_out(date: Any) -> None:
    answer = {"objectClassName": "domain", "events": [{"eventAction": "registration", "eventDate": date}]}
    assert reader.domain(json.dumps(answer).encode())["created"] == ""
