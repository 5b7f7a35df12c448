"""The holder of an address proves it by a code from their mailbox; a real mail server gets it, and nothing keeps it."""

import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import msgspec
import pytest
from litestar.testing import TestClient

from khien.app import machine, parts
from khien.app import owners as app
from khien.app.assembly import load as assembly_of
from khien.app.configuration import Breach
from khien.breach import wishes
from khien.channels.mail.post import Post
from khien.channels.mail.wishes import Wishes
from khien.cli import serve
from khien.detectors.lookalike import Lookalike
from khien.model import Delivery, Removed, Wish
from khien.pipeline import deliver, owners
from khien.stores.embedded.store import Embedded
from khien.web import site as assembly
from khien.web.wishes import Letters, People
from tests import exposing
from tests.channels.sides import MailSide, certificate
from tests.web.conftest import HOST, KEY, from_

CODES, OPENS = b"c" * 32, b"o" * 32
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LAN = "Lan.Nguyen@example.vn"
SPELLED = exposing.LAN
Ask = Callable[..., Any]


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailSide]:
    side = MailSide(certificate(tmp_path), security="none")
    yield side
    time.sleep(0.5)  # letters go out behind the answers: the last should have taken leave
    side.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with exposing.filled(tmp_path / "data") as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, store: Embedded, mail: MailSide, clock: Clock) -> People:
    data, count = tmp_path / "data", iter(range(1, 1 << 20))
    post = Post(host="127.0.0.1", port=mail.port, sender="khien@csirt.example", security="none", seconds=10)
    holders = app.owners(store, data, Breach())

    def chance(size: int) -> bytes:
        return next(count).to_bytes(size, "big")

    return People(holders, CODES, wishes.public_of(OPENS), Letters(post), clock, chance)


@pytest.fixture
def ask(tmp_path: Path, store: Embedded, people: People, detector: Lookalike) -> Iterator[Ask]:
    audit = machine.audit(tmp_path / "data")
    made = assembly.create(store, detector, {}, [HOST], audit=audit, key=KEY, people=people)
    with TestClient(made, base_url=f"http://{HOST}") as client:
        yield lambda what, **given: client.post(f"/breach/{what}", json=given)


@pytest.fixture
def near(tmp_path: Path, store: Embedded, people: People, detector: Lookalike) -> Iterator[Ask]:
    """Asks through a proxy on this machine, which says from where."""
    audit = machine.audit(tmp_path / "data")
    made = from_(assembly.create(store, detector, {}, [HOST], audit=audit, key=KEY, people=people), "127.0.0.1")
    with TestClient(made, base_url=f"http://{HOST}") as client:
        yield lambda what, at, **given: client.post(f"/breach/{what}", json=given, headers={"X-Forwarded-For": at})


def code(at: datetime = NOON) -> str:
    return owners.code(SPELLED, CODES, at)


def letters(mail: MailSide, count: int) -> list[tuple[str, str]]:
    """To whom, and what, once so many came."""
    until = time.monotonic() + 20
    while len(mail.raw) < count and time.monotonic() < until:
        time.sleep(0.02)
    told = zip(mail.envelopes, mail.messages(), strict=True)
    return [(to, str(message.get_content())) for (_, (to,)), message in told]  # type: ignore[attr-defined]


def test_a_code_comes_by_mail_and_shows_all_an_address_is_in(ask: Ask, mail: MailSide) -> None:
    asked = ask("prove", address=LAN, language="en")
    assert (asked.status_code, asked.json()) == (202, {"sent": True})
    ((to, text),) = letters(mail, 1)
    assert to == "lan.nguyen@example.vn"
    assert "shop" not in text.lower()
    said = re.search(r"[2-9A-Z]{5}-[2-9A-Z]{5}", text)
    assert said
    assert said[0] == code()
    shown = ask("proven", address=LAN, code=said[0].lower()).json()
    assert sorted(each["id"] for each in shown["collections"]) == ["clinic", "shop"]  # the sensitive one, too
    assert shown["until"] is None


def test_the_answer_is_the_same_whatever_the_address(ask: Ask, mail: MailSide) -> None:
    mail.behave("never")
    answers = {
        (asked.status_code, asked.content, asked.headers.get("content-length"))
        for each in (LAN, "nobody@example.org")
        if (asked := ask("prove", address=each))
    }
    assert len(answers) == 1


def test_a_wrong_code_tells_nothing_and_ten_of_them_are_enough(ask: Ask) -> None:
    for _ in range(10):
        refused = ask("proven", address=LAN, code="AAAAA-AAAAA", wish="remove")
        assert refused.status_code == 401
        assert "clinic" not in refused.text
    assert ask("proven", address=LAN, code=code()).status_code == 429
    other = owners.code(exposing.AN, CODES, NOON)
    assert ask("proven", address="an@example.org", code=other).status_code == 200, "each address counts by itself"


def test_nobody_keeps_the_holder_of_an_address_out(near: Ask) -> None:
    """However many guess from everywhere, a right code from where none was guessed wrong is looked at."""
    guesses = [near("proven", f"192.0.2.{n}", address=LAN, code="AAAAA-AAAAA").status_code for n in range(100)]
    assert guesses == [401] * 100
    assert near("proven", "192.0.2.7", address=LAN, code="AAAAA-AAAAA").status_code == 429, "a second guess waits"
    assert near("proven", "198.51.100.1", address=LAN, code=code()).status_code == 200


def test_right_codes_do_not_count(ask: Ask) -> None:
    assert {ask("proven", address=LAN, code=code()).status_code for _ in range(80)} == {200}


@pytest.mark.parametrize(("days", "status"), [(0, 200), (1, 200), (2, 401)])
def test_a_code_is_good_until_the_day_after(ask: Ask, clock: Clock, days: int, status: int) -> None:
    said = code()
    clock.now = NOON + timedelta(days=days)
    assert ask("proven", address=LAN, code=said).status_code == status


def test_the_code_of_another_address_is_wrong(ask: Ask) -> None:
    assert ask("proven", address="an@example.org", code=code()).status_code == 401


def test_an_account_is_taken_out_at_once(ask: Ask, store: Embedded) -> None:
    assert ask("proven", address=LAN, code=code(), wish="remove").json()["collections"] == []
    (removed,) = store.find(Removed)
    assert removed.by == "khien"
    assert ask("proven", address=LAN, code=code(), wish="remove").status_code == 200


def test_who_wishes_to_be_told_is_kept_sealed_and_can_take_it_back(ask: Ask, store: Embedded, tmp_path: Path) -> None:
    told = ask("proven", address=LAN, code=code(), wish="tell", language="en").json()
    assert told["until"] == "2028-11-21"
    (wish,) = store.find(Wish)
    assert wishes.opened(wish.sealed, OPENS) == "lan.nguyen@example.vn"
    assert wish.language == "en"
    waits = Delivery(id="d" * 64, about=wish.id, revision=1, channel="wishes", address="", due=NOON)
    store.save(waits)
    assert ask("proven", address=LAN, code=code(), wish="forget").json()["until"] is None
    assert not store.find(Wish)
    assert store.load(Delivery, waits.id)[waits.id].state == "withdrawn"
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"lan.nguyen" not in path.read_bytes().lower()


def test_saying_it_again_lengthens_it_and_loses_nothing_in_between(ask: Ask, store: Embedded, clock: Clock) -> None:
    ask("proven", address=LAN, code=code(), wish="tell")
    clock.now = NOON + timedelta(days=30)
    ask("proven", address=LAN, code=code(clock.now), wish="tell")
    (wish,) = store.find(Wish)
    assert (wish.at, wish.until.isoformat()) == (NOON, "2028-12-21")


@pytest.mark.parametrize("address", ["", "lan", "+84912345678", "lan@", "x" * 400])
def test_what_is_no_address_is_refused(ask: Ask, address: str) -> None:
    assert ask("prove", address=address).status_code == 400
    assert ask("proven", address=address, code=code()).status_code == 400


def test_codes_are_rationed_by_network_and_silently_by_address(ask: Ask, mail: MailSide) -> None:
    statuses = [ask("prove", address=LAN).status_code for _ in range(11)]
    assert statuses == [202] * 10 + [429]
    assert len(letters(mail, 3)) == 3


def test_a_mailbox_gets_no_more_by_tags_and_so_much_a_day(near: Ask, mail: MailSide, clock: Clock) -> None:
    for hour in range(4):
        clock.now = NOON + timedelta(hours=hour)
        spelled = [f"lan.nguyen+{hour}{n}@example.vn" for n in range(5)]
        assert {near("prove", f"192.0.2.{hour}", address=each).status_code for each in spelled} == {202}
    assert len(letters(mail, 6)) == 6


def test_a_mail_domain_gets_so_much_an_hour(people: People) -> None:
    sent: list[str] = []
    post = people.letters and people.letters.post
    assert post

    class Kept(Letters):
        def put(self, to: Delivery, subject: str, text: str) -> None:  # noqa: ARG002
            sent.append(to.address)

    object.__setattr__(people, "letters", Kept(post))
    for n in range(310):
        people.send(b"mail:%d@example.vn" % n, "vi", str(n))
    people.send(b"mail:1@example.org", "vi", "elsewhere")
    assert len(sent) == 301


def test_where_too_many_wait_all_are_told_the_same(ask: Ask, people: People) -> None:
    letters = people.letters
    assert letters
    letters._begun = True  # pyright: ignore[reportPrivateUsage] # so that nothing is taken out
    for _ in range(4):
        ask("prove", address=LAN)  # the bound of this address is reached
    waits = Delivery(id="d" * 64, about="", revision=1, channel="mail", address="x@example.org", due=NOON)
    while not letters.full:
        letters.put(waits, "", "")
    answers = [ask("prove", address=each) for each in (LAN, "nobody@example.org")]
    assert [each.status_code for each in answers] == [503, 503]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("what", ["prove", "proven"])
def test_a_body_that_is_not_utf_8(
    tmp_path: Path, store: Embedded, people: People, detector: Lookalike, what: str
) -> None:
    made = assembly.create(store, detector, {}, [HOST], audit=machine.audit(tmp_path / "data"), key=KEY, people=people)
    with TestClient(made, base_url=f"http://{HOST}") as client:
        assert client.post(f"/breach/{what}", content=b'{"address": "\xff@example.vn"}').status_code == 400


def test_nothing_of_it_is_logged(ask: Ask, mail: MailSide, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "khien")
    mail.answers = {"RCPT": "550 <lan.nguyen@example.vn> unknown"}
    ask("prove", address=LAN)
    until = time.monotonic() + 20
    while not caplog.records and time.monotonic() < until:
        time.sleep(0.02)
    assert "ObservableError" in caplog.text
    assert "lan.nguyen" not in caplog.text.lower()


def test_without_mail_nobody_can_prove_anything(
    tmp_path: Path, store: Embedded, people: People, detector: Lookalike
) -> None:
    mute = People(people.owners, CODES, b"", None, people.clock, people.chance)
    audit = machine.audit(tmp_path / "data")
    for given, status in ((mute, 503), (None, 404)):
        made = assembly.create(store, detector, {}, [HOST], audit=audit, key=KEY, people=given)
        with TestClient(made, base_url=f"http://{HOST}") as client:
            assert client.post("/breach/prove", json={"address": LAN}).status_code == status


def test_the_site_that_khien_run_starts_writes_by_the_mail_channel(
    tmp_path: Path, store: Embedded, mail: MailSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        'data = "data"',
        '[site]\npublic = "https://csirt.example"\ncontact = "024 1234"',
        "[[channel]]",
        'kind = "mail"',
        '[channel.post]\nsigned = "Trung tâm CSIRT"',
        f'host = "127.0.0.1"\nport = {mail.port}\nsecurity = "none"\nsender = "khien@csirt.example"',
        'reply_to = "desk@csirt.example"\ndkim_key_file = ""',
    ]
    Path("khien.toml").write_text("\n".join(lines))
    made = assembly_of(None)
    assert made.site
    assert set(made.channels) == {"mail", "wishes"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        site = msgspec.structs.replace(made.site, listen=f"127.0.0.1:{probe.getsockname()[1]}")
    with serve.site(made.data, None, site, replay=False, letters=parts.letters(made.channels)) as served:
        asked = httpx.post(f"{served.address}breach/prove", json={"address": LAN, "language": "vi"})
        assert asked.status_code == 202
        ((to, text),) = letters(mail, 1)
        assert to == "lan.nguyen@example.vn"
        assert text.replace("\r\n", "\n").endswith("\n\nTrung tâm CSIRT\n024 1234\nhttps://csirt.example\n")
        said = re.search(r"[2-9A-Z]{5}-[2-9A-Z]{5}", text)
        assert said
        told = {"address": LAN, "code": said[0], "wish": "tell"}
        assert httpx.post(f"{served.address}breach/proven", json=told).json()["until"]
    (wish,) = store.find(Wish)
    about = Delivery(id="d" * 64, about=wish.id, revision=1, channel="wishes", address=wish.id, due=NOON)
    store.save(about)
    last = Event()
    last.set()
    deliver.deliver(store, made.channels, lambda: NOON + timedelta(days=1), Event(), last)
    assert store.load(Delivery, about.id)[about.id].state == "sent"
    assert [to for to, _ in letters(mail, 2)] == ["lan.nguyen@example.vn"] * 2
    news = letters(mail, 2)[1][1].replace("\r\n", "\n")
    assert "shop" not in news.lower()
    assert news.endswith("\n\nTrung tâm CSIRT\n024 1234\nhttps://csirt.example\n")
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"lan.nguyen" not in path.read_bytes().lower()


@pytest.mark.parametrize(
    ("verb", "said", "left"),
    [
        ("RCPT", "550 5.1.1 <lan.nguyen@example.vn> nobody", 0),
        ("RCPT", "550 5.7.1 <lan.nguyen@example.vn> not from you", 1),
        ("RCPT", "450 4.2.1 <lan.nguyen@example.vn> later", 1),
        ("MAIL", "550 5.1.8 not from you", 1),
        ("DATA", "554 5.6.0 <lan.nguyen@example.vn> not this", 1),
    ],
)
def test_a_wish_ends_where_its_address_takes_no_mail_for_good(
    tmp_path: Path, store: Embedded, people: People, mail: MailSide, verb: str, said: str, left: int
) -> None:
    people.owners.tell(SPELLED, "vi", people.public, people.chance, NOON)
    (wish,) = store.find(Wish)
    opens = tmp_path / "opens.key"
    opens.touch(mode=0o600)
    opens.write_bytes(OPENS)
    assert people.letters
    channel = Wishes(post=people.letters.post, opens_file=str(opens))
    store.save(Delivery(id="d" * 64, about=wish.id, revision=1, channel="wishes", address=wish.id, due=NOON))
    mail.answers = {verb: said}
    last = Event()
    last.set()
    deliver.deliver(store, {"wishes": channel}, lambda: NOON, Event(), last)
    (told,) = store.find(Delivery)
    assert told.state == ("due" if said.startswith("4") else "refused")
    assert "lan.nguyen" not in told.why
    assert store.count(Wish) == {(): left}


def test_another_site_cannot_ask_in_somebodys_name(
    tmp_path: Path, store: Embedded, people: People, detector: Lookalike
) -> None:
    audit = machine.audit(tmp_path / "data")
    made = assembly.create(store, detector, {}, [HOST], audit=audit, key=KEY, people=people)
    with TestClient(made, base_url=f"http://{HOST}") as client:
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert client.post("/breach/prove", json={"address": LAN}, headers=headers).status_code == 403
