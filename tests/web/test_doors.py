"""The doors of the desk: who is let in, who is not, and what the audit says of it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.testing import TestClient

from khien import audit, officers, words
from khien.app import machine
from khien.audit import Audit
from khien.detectors.lookalike import Lookalike
from khien.errors import RefusedError
from khien.model import Entry, Officer, Pass, Role
from khien.stores.embedded.store import Embedded
from khien.web import doors
from khien.web import site as assembly
from khien.web.doors import STATE
from tests.web.authenticator import Authenticator, octets, text

NAME = "khien.example"
ORIGIN = f"https://{NAME}"
DESK = "/en/desk"


class House:
    """A site with its store, and a clock that a test moves."""

    def __init__(self, store: Embedded, detector: Lookalike) -> None:
        self.store = store
        self.now = datetime(2026, 11, 22, 9, tzinfo=UTC)
        log = Audit(Ed25519PrivateKey.generate(), lambda: self.now, secrets.token_bytes)
        self.audit = log
        self.site: Litestar = assembly.create(store, detector, {}, [NAME, "localhost:8460"], audit=log, key=b"k" * 32)

    def client(self, origin: str = ORIGIN) -> TestClient[Litestar]:
        return TestClient(self.site, base_url=origin)

    def invited(self, id: str, role: Role = "viewer", **given: Any) -> str:
        code = officers.code(secrets.token_bytes)
        self.store.save(*officers.invite(self.store, id, code, self.now, role=role, **given))
        return code

    def token(self, id: str, role: Role = "viewer") -> str:
        """A token of an officer, who is made where there is none."""
        officer = Officer(id=id, label=id, role=role)
        secret = officers.TOKEN + officers.secret(secrets.token_bytes)
        session = officers.session(officer, "x", self.now)
        let = officers.token(officers.Admitted(officer, session, role), secret, "test", role, 30, self.now)
        self.store.save(officer, let)
        return secret

    def acts(self) -> list[tuple[str, str]]:
        return [(each.by, each.act) for each in audit.read(self.store)]


@pytest.fixture
def house(tmp_path: Path, detector: Lookalike) -> Iterator[House]:
    with machine.store(tmp_path / "data") as store:
        yield House(store, detector)


@pytest.fixture
def client(house: House) -> Iterator[TestClient[Litestar]]:
    with house.client() as client:
        yield client


def device(**given: Any) -> Authenticator:
    return Authenticator(**{"name": NAME, "origin": ORIGIN} | given)


def join(client: TestClient[Litestar], name: str, code: str, key: Authenticator) -> Response:
    asked = client.post(f"{DESK}/join/challenge", json={"name": name, "code": code})
    if asked.status_code != 200:
        return asked
    made = {"name": name, "code": code, "label": "my phone", "credential": key.create(asked.json())}
    return client.post(f"{DESK}/join", json=made)


@contextmanager
def someone_else(client: TestClient[Litestar]) -> Iterator[None]:
    """A browser that shows nothing yet."""
    kept = dict(client.cookies)
    client.cookies.clear()
    yield
    client.cookies.clear()
    client.cookies.update(kept)


def ask(client: TestClient[Litestar]) -> dict[str, Any]:
    return client.post(f"{DESK}/challenge", json={}).json()


def sign_in(client: TestClient[Litestar], key: Authenticator) -> Response:
    return client.post(f"{DESK}/sign-in", json={"credential": key.get(ask(client))})


def inside(client: TestClient[Litestar]) -> bool:
    return client.get(f"{DESK}/audit").status_code == 200


def test_an_officer_joins_signs_out_and_signs_in(house: House, client: TestClient[Litestar]) -> None:
    key = device()
    assert not inside(client)
    answer = join(client, "lan", house.invited("lan", "approver"), key)
    assert answer.json() == {"to": DESK}
    cookie = answer.headers["set-cookie"]
    for each in ("__Host-khien=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert each.lower() in cookie.lower()
    assert inside(client)
    assert "my phone" in client.get(DESK).text

    first = dict(client.cookies)
    over = client.post(f"{DESK}/sign-out", follow_redirects=False)
    assert over.status_code == 303
    assert "Max-Age=0" in over.headers["set-cookie"]
    assert "Secure" in over.headers["set-cookie"], "browsers forget such a cookie in no other way"
    assert not inside(client)
    with someone_else(client):
        client.cookies.update(first)
        assert not inside(client), "what was signed out lets nobody in"

    assert sign_in(client, key).status_code == 200
    assert inside(client)
    assert dict(client.cookies) != first
    assert house.acts() == [
        ("lan", "signed-in"),
        ("lan", "passkey-added"),
        ("lan", "signed-out"),
        ("lan", "signed-in"),
    ]
    kept = b"".join(path.read_bytes() for path in Path(str(house.store.disk)).rglob("*") if path.is_file())
    assert client.cookies["__Host-khien"].encode() not in kept, "only its digest is kept"


@pytest.mark.filterwarnings("ignore:The base_url")
def test_on_this_machine_without_tls(house: House) -> None:
    with house.client("http://localhost:8460") as client:
        key = device(name="localhost", origin="http://localhost:8460")
        answer = join(client, "lan", house.invited("lan"), key)
        assert answer.headers["set-cookie"].startswith("khien=")
        assert "secure" not in answer.headers["set-cookie"].lower()
        assert inside(client)


WRONG: dict[str, dict[str, Any]] = {
    "another site's page": {"origin": "https://khien.example.evil.example"},
    "a page without TLS": {"origin": f"http://{NAME}"},
    "another port": {"origin": f"{ORIGIN}:8443"},
    "another site's passkey": {"name": "evil.example"},
    "nobody there": {"flags": 4},
    "nobody proven": {"flags": 1},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_passkey_is_refused(house: House, client: TestClient[Litestar], wrong: str) -> None:
    code = house.invited("lan")
    assert join(client, "lan", code, device(**WRONG[wrong])).status_code == 401
    key = device()
    assert join(client, "lan", code, key).status_code == 200
    client.cookies.clear()
    for name, value in WRONG[wrong].items():
        setattr(key, name, value)
    assert sign_in(client, key).status_code == 401
    assert not inside(client)


def test_an_unknown_or_forged_passkey_is_refused(house: House, client: TestClient[Litestar]) -> None:
    key = device()
    join(client, "lan", house.invited("lan"), key)
    client.cookies.clear()
    assert sign_in(client, device()).status_code == 401
    assert sign_in(client, device(id=key.id)).status_code == 401  # its id, another's key
    assert ("", "refused") in house.acts()


def test_a_copied_passkey_is_refused_and_told_of(house: House, client: TestClient[Litestar]) -> None:
    key = device()
    join(client, "lan", house.invited("lan"), key)
    copy = device(id=key.id, key=key.key, counter=0)
    for _ in range(3):
        assert sign_in(client, key).status_code == 200
    client.cookies.clear()
    assert sign_in(client, copy).status_code == 401
    assert house.acts()[-1] == ("lan", "passkey-cloned")
    assert not inside(client)


def test_a_passkey_that_does_not_count_is_no_copy(house: House, client: TestClient[Litestar]) -> None:
    key = device(counter=None)
    join(client, "lan", house.invited("lan"), key)
    assert sign_in(client, key).status_code == sign_in(client, key).status_code == 200


def test_an_answer_counts_once_for_its_question_and_five_minutes(house: House, client: TestClient[Litestar]) -> None:
    key = device(counter=None)
    join(client, "lan", house.invited("lan"), key)
    asked = ask(client)
    answer = {"credential": key.get(asked)}
    assert client.post(f"{DESK}/sign-in", json=answer).status_code == 200
    assert client.post(f"{DESK}/sign-in", json=answer).status_code == 401, "a replay"
    late = {"credential": key.get(ask(client))}
    house.now += timedelta(minutes=5)
    assert client.post(f"{DESK}/sign-in", json=late).status_code == 401
    made_up = {"publicKey": {"challenge": text(secrets.token_bytes(56))}}
    assert client.post(f"{DESK}/sign-in", json={"credential": key.get(made_up)}).status_code == 401
    longer = {"publicKey": {"challenge": text(octets(ask(client)["publicKey"]["challenge"]) + b"x")}}
    assert client.post(f"{DESK}/sign-in", json={"credential": key.get(longer)}).status_code == 401
    code = house.invited("binh")
    to_join = client.post(f"{DESK}/join/challenge", json={"name": "binh", "code": code}).json()
    assert client.post(f"{DESK}/sign-in", json={"credential": key.get(to_join)}).status_code == 401, "asked for else"


def test_an_invitation_works_once_for_its_officer_and_three_days(house: House, client: TestClient[Litestar]) -> None:
    code, other = house.invited("lan"), house.invited("binh")
    assert join(client, "lan", other, device()).status_code == 401
    assert join(client, "nobody", code, device()).status_code == 401
    assert join(client, "lan", "", device()).status_code == 401
    assert join(client, "lan", code.upper().replace("-", " "), device()).status_code == 200  # as people type
    assert join(client, "lan", code, device()).status_code == 401, "it was used"
    house.now += timedelta(days=3)
    assert join(client, "binh", other, device()).status_code == 401, "it is over"


def test_a_passkey_is_not_made_for_another_invitation(house: House, client: TestClient[Litestar]) -> None:
    code, other = house.invited("lan", "administrator"), house.invited("binh")
    asked = client.post(f"{DESK}/join/challenge", json={"name": "binh", "code": other}).json()
    made = {"name": "lan", "code": code, "label": "x", "credential": device().create(asked)}
    assert client.post(f"{DESK}/join", json=made).status_code == 401


def test_one_passkey_is_one_officers(house: House, client: TestClient[Litestar]) -> None:
    key = device()
    assert join(client, "lan", house.invited("lan"), key).status_code == 200
    assert join(client, "binh", house.invited("binh", "administrator"), key).status_code == 400


def test_who_leaves_or_is_invited_anew_is_out_at_once(house: House, client: TestClient[Litestar]) -> None:
    key, new = device(), device()
    join(client, "lan", house.invited("lan"), key)
    boss = {"Authorization": f"Bearer {house.token('binh', 'administrator')}"}
    anew = {"id": "lan", "role": "viewer", "anew": "true"}
    answer = client.post(f"{DESK}/officers/invite", data=anew, headers=boss)
    code = answer.text.partition("<pre>")[2].partition("</pre>")[0]
    assert not inside(client)
    assert sign_in(client, key).status_code == 401
    assert join(client, "lan", code, new).status_code == 200
    client.post(f"{DESK}/officers/leave", data={"id": "lan"}, headers=boss)
    assert not inside(client)
    assert sign_in(client, new).status_code == 401
    change = {"id": "lan", "role": "officer"}
    assert client.post(f"{DESK}/officers/role", data=change, headers=boss).status_code == 400
    assert ("binh", "officer-left") in house.acts()


def test_a_session_ends_after_twelve_hours(house: House, client: TestClient[Litestar]) -> None:
    join(client, "lan", house.invited("lan"), device())
    house.now += timedelta(hours=12)
    assert not inside(client)


def test_a_role_that_is_taken_away_is_gone_at_once(house: House, client: TestClient[Litestar]) -> None:
    join(client, "lan", house.invited("lan", "administrator"), device())
    assert client.get(f"{DESK}/officers").status_code == 200
    house.store.save(officers.grant(officers.one(house.store, "lan"), "viewer"))
    answer = client.get(f"{DESK}/officers")
    assert answer.status_code == 403
    assert words.page("error-role", "en") in answer.text
    assert house.acts()[-1] == ("lan", "refused")


def test_tokens_are_shown_once_and_do_what_their_role_may(house: House, client: TestClient[Litestar]) -> None:
    join(client, "lan", house.invited("lan", "officer"), device())
    page = client.post(f"{DESK}/tokens", data={"label": "nightly", "role": "viewer", "days": "7"})
    token = page.text.partition("<pre>")[2].partition("</pre>")[0]
    assert token.startswith(officers.TOKEN)
    assert token not in client.get(DESK).text
    assert client.post(f"{DESK}/tokens", data={"label": "more", "role": "approver", "days": "7"}).status_code == 400
    assert client.post(f"{DESK}/tokens", data={"label": "long", "role": "viewer", "days": "9999"}).status_code == 400
    shown = {"Authorization": f"Bearer {token}"}
    assert client.get(f"{DESK}/audit", headers=shown).status_code == 200
    assert client.get(f"{DESK}/officers", headers=shown).status_code == 403
    more = client.post(f"{DESK}/tokens", data={"label": "x", "role": "viewer", "days": "7"}, headers=shown)
    assert more.status_code == 403, "a token makes no tokens"
    session = {"Authorization": f"Bearer {client.cookies['__Host-khien']}"}
    assert client.get(f"{DESK}/audit", headers=session).status_code == 401, "a session is no token"
    with someone_else(client):
        client.cookies["__Host-khien"] = token
        assert not inside(client), "and a token no session"
    (let,) = (each for each in house.store.find(Pass) if each.kind == "token")
    client.post(f"{DESK}/revoke", data={"id": let.id})
    assert client.get(f"{DESK}/audit", headers=shown).status_code == 401


def test_nobody_ends_what_lets_others_in(house: House, client: TestClient[Litestar]) -> None:
    join(client, "lan", house.invited("lan", "approver"), device())
    house.token("binh")
    (theirs,) = house.store.find(Pass, officer="binh")
    assert client.post(f"{DESK}/revoke", data={"id": theirs.id}).status_code == 404
    assert client.post(f"{DESK}/revoke", data={"id": "x" * 64}).status_code == 404


def test_guessing_at_tokens_and_codes_is_slow(house: House, client: TestClient[Litestar]) -> None:
    good = {"Authorization": f"Bearer {house.token('lan')}"}
    for number in range(10):
        wrong = {"Authorization": f"Bearer khien_{number}"}
        assert client.get(f"{DESK}/audit", headers=wrong).status_code == 401
    answer = client.get(f"{DESK}/audit", headers=good)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert join(client, "lan", house.invited("lan"), device()).status_code == 429
    assert len(house.acts()) == 1, "one entry a minute"
    house.now += timedelta(minutes=1)
    assert client.get(f"{DESK}/audit", headers=good).status_code == 200


def test_other_sites_and_other_networks_change_nothing(house: House, client: TestClient[Litestar]) -> None:
    join(client, "lan", house.invited("lan"), device())
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post(f"{DESK}/sign-out", headers=header).status_code == 403
        assert client.post(f"{DESK}/sign-in", json={"credential": {}}, headers=header).status_code == 403
    assert inside(client)


def test_a_session_that_somebody_else_chose_is_none(house: House, client: TestClient[Litestar]) -> None:
    client.cookies.set("__Host-khien", "chosen", domain=NAME)
    join(client, "lan", house.invited("lan"), device())
    assert inside(client)
    with someone_else(client):
        client.cookies["__Host-khien"] = "chosen"
        assert not inside(client)


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "9.9.9.9", "198.51.100.7"),  # whoever is no proxy of ours says what they like
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "9.9.9.9, 203.0.113.5", "203.0.113.5"),
        ("::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("127.0.0.1", "x" * 999, "x" * 64),
        ("::ffff:198.51.100.7", None, "198.51.100.7"),
        ("::ffff:127.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("127.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("127.0.0.1", "[::ffff:203.0.113.5]:4711", "203.0.113.5"),
        ("127.0.0.1", "203.0.113.555:1", "203.0.113.555:1"),
    ],
)
def test_whom_tries_are_counted_by(peer: str, forwarded: str | None, network: str) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope: Any = {"type": "http", "headers": headers, "client": (peer, 1)}
    assert doors.network(ASGIConnection(scope)) == network


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=80).map(text),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=4),
    max_leaves=8,
)
PARTS = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")
ANSWERS = st.fixed_dictionaries(
    {"rawId": JSON, "id": JSON, "response": st.dictionaries(st.sampled_from(PARTS), JSON) | JSON, "type": JSON}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(answer=ANSWERS)
def test_whatever_is_sent_is_refused_and_nothing_else(house: House, answer: dict[str, Any]) -> None:
    passkeys = house.site.state[STATE].passkeys
    known = Officer(id="lan", label="Lan", role="viewer")
    with pytest.raises(RefusedError):
        passkeys.made(NAME, ORIGIN, known, "x", answer)
    with pytest.raises(RefusedError):
        passkeys.recognised(NAME, ORIGIN, [known], answer)


def test_pages_of_the_desk_say_what_they_hold(house: House, client: TestClient[Litestar]) -> None:
    assert words.page("door-no-script", "vi") in client.get("/vi/desk").text
    join(client, "lan", house.invited("lan", "administrator"), device())
    for path in ("", "/officers", "/audit", "/audit/0"):
        answer = client.get(f"/vi/desk{path}")
        assert answer.status_code == 200, path
        assert 'lang="vi"' in answer.text
    assert client.get("/vi/desk/audit/99").status_code == 404
    assert client.get("/vi/desk/audit/-1").status_code == 404
    house.store.save(Entry(id=audit.entry_id(0), at=house.now, by="x", act="signed-in", what="", salt="00" * 32))
    changed = client.get("/en/desk/audit/0")
    assert changed.status_code == 500
    assert words.page("entry-broken", "en").partition(".")[0] in changed.text
