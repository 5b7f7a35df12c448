"""Every page, call and command, for every role: let in and refused as the tables say, from which the matrix is made."""

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from khien import audit, officers
from khien.app import machine
from khien.cli.acting import COMMANDS
from khien.cli.commands.root import khien
from khien.cli.main import run
from khien.detectors.lookalike import Lookalike
from khien.model import ROLES, Officer, Role
from khien.stores.embedded.store import Embedded
from khien.web import site as assembly
from khien.web.doors import ACCESS, STATE
from tests.web.conftest import HOST

FROM_AFAR = {"GET /metrics": "viewer"}  # what only programs on this machine read without a role
ANYONE = (None, *ROLES)  # None: nobody is signed in


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with machine.store(tmp_path_factory.mktemp("roles") / "data") as store:
        store.save(*(Officer(id=role, label=role, role=role) for role in ROLES))
        yield store


@pytest.fixture(scope="module")
def site(store: Embedded, detector: Lookalike) -> Litestar:
    return assembly.create(store, detector, {}, [HOST], audit=machine.audit(Path(str(store.disk))), key=b"k" * 32)


@pytest.fixture(scope="module")
def client(site: Litestar) -> Iterator[TestClient[Litestar]]:
    with TestClient(site, base_url=f"http://{HOST}") as client:
        yield client


def routes(site: Litestar) -> set[str]:
    """What the site answers, as ACCESS names it."""
    found = set[str]()
    for route in site.routes:
        assert isinstance(route, HTTPRoute) or route.path_format == "/static/{file_path}"
        path = re.sub("^/(?:en|vi)(?=/|$)", "/{lang}", route.path_format)
        methods = route.methods if isinstance(route, HTTPRoute) else {"GET"}
        found |= {f"{method} {path}" for method in methods - {"OPTIONS", "HEAD"}}
    return found


def test_every_route_is_in_the_table_and_nothing_else_is(site: Litestar) -> None:
    assert routes(site) == set(ACCESS)


def let(store: Embedded, role: Role, kind: str) -> dict[str, str]:
    """What a program, or a browser, of somebody with a role shows: another one each time, since some end it."""
    now, secret = datetime.now(UTC), officers.secret(secrets.token_bytes)
    officer = officers.one(store, role)
    session = officers.session(officer, secret, now)
    if kind == "session":
        store.save(session)
        return {"Cookie": f"__Host-khien={secret}"}
    store.save(officers.token(officers.Admitted(officer, session, role), secret, "test", role, 1, now))
    return {"Authorization": f"Bearer {secret}"}


def status(client: TestClient[Litestar], route: str, headers: dict[str, str]) -> int:
    method, path = route.split(" ")
    path = re.sub(r"\{\w+\}", "1", path.replace("{lang}", "vi").replace("{file_path}", "mark.svg"))
    body: dict[str, Any] = {"json": {}} if method == "POST" else {}
    return client.request(method, path, headers=headers, follow_redirects=False, **body).status_code


@pytest.mark.parametrize("route", sorted(ACCESS))
def test_every_route_for_every_role(client: TestClient[Litestar], store: Embedded, route: str) -> None:
    least = FROM_AFAR.get(route, ACCESS[route])
    for role in ANYONE:
        for kind in ("session", "token"):
            met = status(client, route, {} if role is None else let(store, role, kind))
            if least == "anyone" or (role is not None and officers.may(role, least)):
                assert met not in (401, 403), f"{role} by {kind} is refused"
                assert met < 500
            else:
                assert met == (401 if role is None else 403), f"{role} by {kind} is let in"


def test_what_was_refused_is_in_the_audit(client: TestClient[Litestar], store: Embedded) -> None:
    status(client, "GET /{lang}/desk/officers", let(store, "viewer", "session"))
    entries = list(audit.read(store))
    assert any((each.by, each.act) == ("viewer", "refused") for each in entries)
    log = client.app.state[STATE].audit
    assert audit.verify(entries, store.load(audit.Tree, audit.LEDGER)[audit.LEDGER], log.verifier).size == len(entries)


def commands(command: click.Command, path: str) -> Iterator[str]:
    """What can be run, by its words."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield path
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")
    else:
        yield path


def test_every_command_is_in_the_table_and_nothing_else_is() -> None:
    assert set(commands(khien, "khien")) == set(COMMANDS)


def named(path: str) -> click.Command:
    command: click.Command = khien
    for word in path.split(" ")[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


def test_what_takes_a_role_says_under_whose_name() -> None:
    for path, least in COMMANDS.items():
        whose = [each for each in named(path).params if each.opts == ["--by"] and each.metavar == "NAME"]
        assert bool(whose) == (least != "anyone"), path


GIVEN = {  # without how nothing is proven, and no role is asked
    "channel": "mail",
    "how": "dns",
    "collection": "shop",
    "url": "https://a.example",
    "epoch": "2",
    "harm": "fraud",
    "why": "known",
}


def arguments(command: click.Command, tmp_path: Path) -> list[str]:
    """The least that a command takes."""
    said: list[str] = []
    for each in command.params:
        if isinstance(each, click.Argument) and each.required:
            given = each.type.choices[0] if isinstance(each.type, click.Choice) else "nothing"
            said.append(str(tmp_path / "none.toml") if isinstance(each.type, click.Path) else str(given))
        elif each.required and isinstance(each.type, click.Path):
            said += [each.opts[0], str(tmp_path / "out")]
        elif each.required or each.name == "how":
            said += [each.opts[0], GIVEN[each.name or ""]]
    return said


@pytest.mark.parametrize("path", sorted(path for path, least in COMMANDS.items() if least != "anyone"))
def test_every_command_for_every_role(
    path: str, tmp_path: Path, store: Embedded, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.toml").write_text("")
    least = COMMANDS[path]
    assert least != "anyone"
    place = ["--data", str(store.disk)]
    for role in ROLES:
        refused = f"{role} has the role {role}, and {path} takes {least}"
        run([*path.split(" ")[1:], *arguments(named(path), tmp_path), *place, "--by", role])
        assert (refused in capsys.readouterr().err) == (not officers.may(role, least)), role
    store.save(*(Officer(id=role, label=role, role=role) for role in ROLES))  # whom a command let go


def test_whoever_is_no_officer_acts_under_their_own_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Embedded
) -> None:
    with machine.store(tmp_path / "data") as fresh:
        fresh.save(*officers.invite(store, "gone", "code", datetime.now(UTC), role="administrator"))
        (gone,) = fresh.find(Officer)
        fresh.save(*officers.leave(fresh, gone, datetime.now(UTC)))
    place = ["--data", str(tmp_path / "data")]
    assert run(["officers", "invite", "lan", "--role", "viewer", "--by", "gone", *place]) == 2
    assert "gone left" in capsys.readouterr().err
    assert run(["officers", "invite", "lan", "--role", "viewer", "--by", "root of the machine", *place]) == 0
    with machine.store(tmp_path / "data") as kept:
        assert [each.by for each in audit.read(kept)] == ["root of the machine"]
