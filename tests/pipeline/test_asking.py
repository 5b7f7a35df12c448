"""Who asks, against real sites on loopback: one house, and two that hold a share each; and against those that lie."""

import hashlib
import json
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from khien.app import machine
from khien.app.configuration import Breach, Holder, Site
from khien.app.epochs import Epochs
from khien.breach import group, voprf
from khien.cli import serve
from khien.errors import CustodyError, FormatError, InputError, RefusedError, UnavailableError
from khien.model import Constituent
from khien.outward import http
from khien.pipeline import asking
from khien.pipeline.asking import Asking, Key, Remote, Share, outputs, reach
from khien.triage import tokens
from tests import exposing
from tests.exposing import AN, LAN, MINH
from tests.loopback import Web, reply

UNKNOWN = b"mail:nobody@example.vn"
SHARED = (b"mail:hoa@example.vn", b"mail:mai@example.vn")  # of the epoch whose key stands in two shares


class Houses(NamedTuple):
    """Two institutions: url of the site, of who holds the other share; tokens of a constituent at both."""

    url: str
    holder: str
    tokens: dict[str, str]
    data: Path


def free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def token(data: Path, name: str) -> str:
    return f"{name}.{tokens.token(machine.key(data, machine.NOTICES), tokens.MATCH, name)}"


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    data, theirs = (tmp_path_factory.mktemp(each) / "data" for each in ("ours", "theirs"))
    theirs.mkdir()
    other = Epochs(theirs, Breach(epoch=2, evaluations=300, admitted=("csirt",)))
    at, listen = free(), free()
    holder = Holder(epoch=2, url=f"http://{at}", public=voprf.public_of(other.secret(2)).hex())
    ours = Epochs(data, Breach(epoch=2, holders=(holder,), evaluations=300))
    with exposing.filled(data) as store:
        store.save(Constituent(id="bank", label="Bank"))
        keys = (int.from_bytes(each.secret(2), "little") for each in (ours, other))
        whole = (sum(keys) % group.ORDER).to_bytes(32, "little")
        made = dict(zip(SHARED, voprf.direct(whole, SHARED), strict=True))
        exposing.fill(store, data, made, {SHARED[0]: ("forum",), SHARED[1]: ("clinic", "shop")}, epoch=2)
    with (
        serve.holder(theirs, Site(listen=at), other.settings) as second,
        serve.site(data, None, Site(listen=listen), replay=False, breach=ours.settings) as served,
    ):
        assert second.address == f"http://{at}/"
        told = {"": token(data, "bank"), holder.url: token(theirs, "csirt")}
        yield Houses(served.address.rstrip("/"), holder.url, told, data)


@pytest.fixture
def asked(houses: Houses) -> Iterator[Asking]:
    with reach([houses.url, houses.holder]) as client:
        yield Asking(client, houses.url, secrets.token_bytes, tokens=houses.tokens)


EXPECTED = {LAN: ("shop",), MINH: ("shop", "forum"), AN: (), UNKNOWN: (), SHARED[0]: ("forum",), SHARED[1]: ("shop",)}


@pytest.mark.parametrize(("bulk", "at_once"), [(False, 1), (True, 3)])
def test_what_is_found(houses: Houses, bulk: bool, at_once: int) -> None:
    inputs = [*EXPECTED, *(b"mail:%d@example.vn" % n for n in range(300))]
    with reach([houses.url, houses.holder]) as client:
        asks = Asking(client, houses.url, secrets.token_bytes, tokens=houses.tokens, bulk=bulk, at_once=at_once)
        found = asks.found(inputs if bulk else inputs[:6])
        assert asks.found([]) == []
    assert found[:6] == [*EXPECTED.values()]
    assert not any(found[6:])


def test_what_is_told_of_what_is_found(asked: Asking) -> None:
    told = asked.collections()
    assert [each.id for each in told.collections] == ["forum", "shop"]
    assert told.kinds["password"].advice["vi"]


def test_the_keys_are_both_houses(asked: Asking, houses: Houses) -> None:
    one, two = asked.published()
    assert [(one.epoch, len(one.holders)), (two.epoch, len(two.holders))] == [(1, 1), (2, 2)]
    assert one.bits == two.bits == 8
    assert [each.url for each in two.holders] == ["", houses.holder]


def test_keys_that_were_seen_once_are_held_to(houses: Houses) -> None:
    pinned = (Key(1, (Share("", voprf.public_of(voprf.derive(b"\7" * 32, b"")).hex()),)),)
    with reach([houses.url]) as client:
        asks = Asking(client, houses.url, secrets.token_bytes, keys=pinned)
        with pytest.raises(CustodyError, match="another key"):
            asks.found([LAN])


def test_an_import_asks_the_other_house(houses: Houses, tmp_path: Path) -> None:
    """Both shares make what accounts are kept by; this house's alone makes something else."""
    secret = tmp_path / "token"
    secret.write_text(houses.tokens[houses.holder])
    secret.chmod(0o600)
    with reach([houses.url]) as client:
        (public,) = [each.public for each in Asking(client, houses.url, secrets.token_bytes).published()[1].holders[1:]]
    holder = Holder(epoch=2, url=houses.holder, public=public, token_file=str(secret))
    keyed = Epochs(houses.data, Breach(epoch=2, holders=(holder,))).outputs(2, secrets.token_bytes)
    (output,) = keyed(SHARED[:1])
    ours = Epochs(houses.data, Breach(epoch=2))
    assert output not in voprf.direct(ours.secret(2), SHARED[:1])
    alone = Epochs(houses.data, Breach()).outputs(1, secrets.token_bytes)
    assert alone([LAN]) == exposing.outputs(houses.data, [LAN])


def test_one_house_alone_finds_nothing(houses: Houses) -> None:
    """Whoever has our key of the shared epoch, and all we serve, does not find who is in it."""
    alone = Epochs(houses.data, Breach(epoch=2)).keys([2])
    with reach([houses.url]) as client:
        assert Asking(client, houses.url, secrets.token_bytes, keys=alone).found(SHARED) == [(), ()]


def test_the_wire_tells_nothing(houses: Houses) -> None:
    """What leaves is points that are new each time, and buckets that only who has the key can read something from."""
    heard: list[tuple[str, bytes]] = []

    def hear(sent: Any) -> None:
        heard.append((str(sent.url), sent.read()))

    with reach([houses.url, houses.holder]) as client:
        client.event_hooks = {"request": [hear]}
        for _ in range(2):
            Asking(client, houses.url, secrets.token_bytes).found([LAN])
    points = [element for _, content in heard if content for element in json.loads(content)["elements"]]
    assert len(points) == 6, "one at each holder: of the first epoch one holds the key, of the second two"
    assert len(set(points)) == 4, "both holders of an epoch get the same"
    sent = b"\n".join(url.encode() + content for url, content in heard)
    for told in (b"lan", b"example.vn", LAN):
        for written in (told, told.hex().encode(), hashlib.sha1(told).hexdigest().encode()):
            assert written not in sent
    paths = [url.removeprefix(houses.url) for url, _ in heard]
    asked = {path.removeprefix("/breach/accounts/") for path in paths if path.startswith("/breach/accounts/")}
    assert len(asked) == 2
    assert all(re.fullmatch("[12]/[0-9a-f]{2}", each) for each in asked), "8 bits under each key, of 16 in all"


def test_who_asks_too_much_is_told_when_to_go_on(houses: Houses) -> None:
    with reach([houses.url]) as client:
        asks = Asking(client, houses.url, secrets.token_bytes, keys=(Key(1, (asking_share(houses),)),))
        with pytest.raises(UnavailableError, match=r"status 429.*in [0-9,]+ s"):
            asks.found([b"mail:%d@example.vn" % n for n in range(3 * 256)])


def asking_share(houses: Houses) -> Share:
    return Epochs(houses.data, Breach()).keys([1])[0].holders[0]


def test_a_token_that_admits_nobody(houses: Houses) -> None:
    with reach([houses.url]) as client:
        asks = Asking(client, houses.url, secrets.token_bytes, tokens={"": "bank.wrong"}, bulk=True)
        with pytest.raises(RefusedError, match="token"):
            asks.found([LAN])


LIES: list[tuple[bytes, str, type[Exception]]] = [
    (b"", "200 OK", FormatError),
    (b"{}", "200 OK", FormatError),
    (b"[" * 9000, "200 OK", FormatError),
    (b"x" * (2 << 20), "200 OK", FormatError),
    (json.dumps({"evaluated": [], "proof": ""}).encode(), "200 OK", FormatError),
    (json.dumps({"evaluated": ["00" * 32], "proof": "01" * 64}).encode(), "200 OK", FormatError),
    (json.dumps({"evaluated": ["ff" * 32], "proof": "01" * 64}).encode(), "200 OK", FormatError),
    (json.dumps({"evaluated": [voprf.public_of(b"\1" * 31 + b"\0").hex()]}).encode(), "200 OK", FormatError),
    (b"", "404 Not Found", FormatError),
    (b"", "301 Moved", FormatError),
    (b"", "503 Later", UnavailableError),
    (b"", "403 No", RefusedError),
]


@pytest.mark.parametrize(("body", "status", "refused"), LIES)
def test_a_holder_that_lies(body: bytes, status: str, refused: type[Exception]) -> None:
    def lie(connection: socket.socket, _path: str, _lines: list[str]) -> None:
        reply(connection, body, status=status)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):  # what is not read when it closes would break off the answer
            pass

    with Web(lie) as web, reach([web.url]) as client:
        remote = Remote(client, web.url, 1, voprf.public_of(b"\1" * 31 + b"\0").hex())
        with pytest.raises(refused):
            outputs([remote], [LAN], secrets.token_bytes)


def test_a_holder_with_another_key_is_found_out(houses: Houses) -> None:
    with reach([houses.holder]) as client:
        remote = Remote(client, houses.holder, 2, asking_share(houses).public, houses.tokens[houses.holder])
        with pytest.raises(CustodyError, match="another key than it published"):
            outputs([remote], [LAN], secrets.token_bytes)


def answering(body: bytes) -> Callable[[socket.socket, str, list[str]], None]:
    def answer(connection: socket.socket, _path: str, _lines: list[str]) -> None:
        reply(connection, body)

    return answer


SHARE = {"url": "", "public": "00" * 32}
NO_KEYS = [
    [],
    [{"epoch": 1, "bits": 16, "holders": []}],
    [{"epoch": 1, "bits": 16, "holders": [SHARE]}] * 2,  # 32 bits are one account's
    [{"epoch": 1, "bits": 32, "holders": [SHARE]}],
    [{"epoch": n, "bits": 8, "holders": [SHARE]} for n in (1, 2, 3)],
    [{"epoch": 1, "bits": 16, "holders": [{"url": "", "public": "x"}]}],
    "x",
]


@pytest.mark.parametrize("keys", NO_KEYS)
def test_keys_that_are_none_or_too_many(keys: object) -> None:
    told = json.dumps({"suite": voprf.SUITE, "keys": keys}).encode()
    with Web(answering(told)) as web, pytest.raises(FormatError), asking.opened(web.url, secrets.token_bytes):
        pass


@pytest.mark.parametrize(
    "url",
    ["http://holder.example", "https://holder.example/path", "ftp://127.0.0.1", "x", "http://10.0.0.7", "https://a@b"],
)
def test_where_a_site_may_not_lead(url: str) -> None:
    keys = [{"epoch": 1, "bits": 16, "holders": [SHARE, {"url": url, "public": "00" * 32}]}]
    told = json.dumps({"suite": voprf.SUITE, "keys": keys}).encode()
    with Web(answering(told)) as web, pytest.raises(FormatError), asking.opened(web.url, secrets.token_bytes):
        pass


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "https://[::1]:1", "https://10.0.0.7:1", "https://localhost:1"])
def test_a_private_address_is_reached_where_somebody_typed_it(url: str) -> None:
    with reach(["https://csirt.example"], [url]) as client, pytest.raises(RefusedError, match="public Internet"):
        http.get(client, url, 100)
    with reach([url]) as client, pytest.raises(UnavailableError):
        http.get(client, url, 100)


def test_this_machine_needs_no_tls_where_somebody_typed_it() -> None:
    for url in ("http://csirt.example", "http://10.0.0.7"):
        with pytest.raises(InputError, match="https"):
            reach([url])
    with pytest.raises(FormatError, match="TLS"):
        reach(["https://csirt.example"], ["http://127.0.0.1"])
    reach(["http://127.0.0.1:1"], ["http://127.0.0.1:2"]).close()


@pytest.mark.parametrize("count", ["9" * 5000, "x", "", "-1", "²"])
def test_a_count_that_is_none(count: str) -> None:
    suffix = hashlib.sha1(b"123456").hexdigest().upper()[5:]
    web = Web(answering(f"{suffix}:{count}".encode("latin-1")))
    with web, reach([web.url]) as client, pytest.raises(FormatError, match="count"):
        Asking(client, web.url, secrets.token_bytes).count(b"123456")


def test_what_fills_a_bucket_up_is_no_row() -> None:
    rows = b"0123456789AB:a\r\n1123456789AB:b"
    for end in (b"\r", b"\r\n", b"\r\n\r\n\r\n\r"):
        filled, empty = (asking.bucket(each + end, 12, "https://csirt.example") for each in (rows, b""))
        assert (len(filled.tags), len(empty.tags)) == (2, 0)


NO_BUCKETS = [
    "x",
    "012345678901:",
    ":a",
    "0123456789AB",
    "0123456789AB:a\n1123456789AB:b",
    "1123456789AB:a\r\n0123456789AB:b",
    "0123456789AB:a\r\n0123456789AB:b",
    "0123456789AB:a\r\n\r\n1123456789AB:b",
    "0123456789A_:a",
    "é123456789AB:a",
]


@pytest.mark.parametrize("body", NO_BUCKETS)
def test_a_bucket_that_is_none(body: str) -> None:
    with pytest.raises(FormatError):
        asking.bucket(body.encode(), 12, "https://csirt.example")


@pytest.mark.parametrize(
    "url", ["csirt.example", "ftp://csirt.example", "https://", "https://a/b", "https://a/?b", "\0"]
)
def test_what_is_no_site(url: str) -> None:
    with pytest.raises(InputError, match="no address"):
        reach([url])


def test_accounts_stay_together() -> None:
    """Batches are no matter: each input gets what it gets alone."""
    key = voprf.derive(b"\3" * 32, b"")

    def held(elements: Sequence[bytes]) -> list[bytes]:
        assert len(elements) <= asking.MOST
        return voprf.evaluate(key, elements)

    inputs = [b"mail:%d@example.vn" % n for n in range(asking.MOST + 3)]
    assert outputs([held], inputs, secrets.token_bytes) == voprf.direct(key, inputs)
