"""The site: parts assembled from what they need, and the same from the settings of a parent process."""

import gc
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from litestar import Litestar, Router
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.compression import CompressionConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader, State
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import PathItem
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from publicsuffixlist import PublicSuffixList

from khien import words
from khien.app import breach, configuration, guides, machine, owners, registers
from khien.app.configuration import SERVING, Serving
from khien.app.epochs import Epochs
from khien.app.guides import Guide
from khien.audit import Audit
from khien.breach.place import FOLDER as BREACH
from khien.channels.mail.post import Post
from khien.contracts import Detector, Store
from khien.errors import ConfigError
from khien.model import Constituent, ProtectedName, Register
from khien.outward import http
from khien.outward.dns import Names
from khien.pipeline.control import Control
from khien.pipeline.linked import Judges
from khien.pipeline.outputs import Outputs
from khien.pipeline.steering import Enrolling, Staffing, Steering
from khien.pipeline.warn import Triage
from khien.triage import assets, proofs
from khien.web import accounts as leaked
from khien.web import (
    api,
    check,
    desk,
    desk_api,
    desk_listings,
    desk_officers,
    feeds,
    figures,
    learn,
    listings,
    lists,
    metrics,
    notices,
    pages,
    ranges,
    reading,
    recover,
    shares,
    watch,
    wishes,
)
from khien.web.accounts import Accounts
from khien.web.doors import STATE, Doors, caller, keep, officer
from khien.web.figures import Counted
from khien.web.lists import Listed
from khien.web.patience import Patience
from khien.web.reading import AtVersion, Leaking, Site
from khien.web.refusal import Refusals, add_headers, same_site, whole_path
from khien.web.render import FOLDER, Frame
from khien.web.wishes import Letters, People

LARGEST_BODY = 64 << 10  # bytes

T = TypeVar("T")

_DAY = 86_400  # seconds for which a browser may keep a file of the static folder


class Mounted(NamedTuple):
    """A raw ASGI application, without the guards and headers of the site, and how OpenAPI describes its paths."""

    app: ASGIApp
    paths: Mapping[str, PathItem]


def create(
    store: Store,
    detector: Detector,
    labels: Mapping[str, str],
    hosts: Sequence[str],
    *,
    audit: Audit,
    names: Mapping[str, ProtectedName] | None = None,
    key: bytes,
    public: str = "",
    replay: bool = False,
    contact: str = "",
    accounts: Accounts | None = None,
    people: People | None = None,
    guide: Guide | None = None,
    listed: Listed | None = None,
    exit: str = "",
    warm: bool = False,
) -> Litestar:
    """The site over a store and a detector of names.

    labels: what people call each protected name, by id. hosts: the only values of the header Host that are answered,
    with their ports. audit: where acts of officers are entered. names: what is protected, by id; key, public: as in
    reading.Site. replay: what is shown is dated, and every page says so. contact: where people write who object.
    accounts: what is answered about stolen accounts, if anything is; people: what holders of addresses are answered,
    likewise. guide: what people are told to do, None for what comes with Khiên. listed: what they are told of listings
    from, if of any. exit: as Frame has it. warm: a question is answered before the site is there.
    """
    frame = Frame(
        labels=labels,
        link=link,
        live=True,
        contact=contact,
        replay=replay,
        days=lambda: reading.days(store),
        exit=exit,
    )
    doors = Doors(store, audit)
    names = names or {}
    steering = Steering(store, audit, Triage(protected=names))
    enrolling = Enrolling(store, audit, names, assets.Known(names, PublicSuffixList().is_public))
    lure = registers.lure(Register(names=tuple(names.values())))
    judges = Judges(detector, lure, names, lure.used)
    site = Site(store, judges, frame, doors, steering, enrolling, Staffing(store, audit), key, public)
    if accounts:
        published = accounts.shares.published
        leaking = AtVersion(store, lambda: Leaking(reading.leaks(store), published()))
        site = replace(site, leaking=leaking, country=accounts.country)
    counted = Counted(store, machine.clock)
    made = Litestar(
        route_handlers=[
            pages.start,
            *(_pages(language) for language in words.LANGUAGES),
            Router("/api", route_handlers=(*api.ROUTES, *figures.API, *desk_api.ROUTES)),
            Router("/feeds", route_handlers=feeds.ROUTES, include_in_schema=False),
            metrics.metrics,
            *shares.ROUTES,
            *leaked.ROUTES,
            *wishes.ROUTES,
            *lists.ROUTES,
            create_static_files_router("/static", [FOLDER / "static"], cache_control=CacheControlHeader(max_age=_DAY)),
        ],
        dependencies={
            "site": Provide(lambda: site, sync_to_thread=False),
            "wanted": Provide(pages.wanted, sync_to_thread=False),
            "officer": Provide(officer, sync_to_thread=False),
            "caller": Provide(caller, sync_to_thread=True),
            "accounts": Provide(lambda: _there(accounts), sync_to_thread=False),
            "people": Provide(lambda: _there(people), sync_to_thread=False),
            "guide": Provide(lambda: guide or guides.shipped(), sync_to_thread=False),
            "counted": Provide(lambda: counted, sync_to_thread=False),
            "shares": Provide(lambda: _there(accounts).shares, sync_to_thread=False),
            "listed": Provide(lambda: _there(listed, "no listings are kept here"), sync_to_thread=False),
        },
        allowed_hosts=AllowedHostsConfig(allowed_hosts=list(hosts), www_redirect=False),
        guards=[_guard],
        state=State({STATE: doors}),
        middleware=[Patience()],
        request_max_body_size=LARGEST_BODY,
        exception_handlers={Exception: Refusals(frame)},
        before_send=[add_headers],
        compression_config=CompressionConfig(
            backend="gzip", exclude=[r"/static/.*\.(svg|gzip)$", "^/breach/accounts/", "^/lists/"]
        ),
        openapi_config=OpenAPIConfig(
            title="Khiên", version=version("khien"), path="/api", render_plugins=[JsonRenderPlugin()]
        ),
        logging_config=None,
    )
    made.asgi_handler = _heads(made.asgi_handler)
    if warm:
        check.warm(site)
    return made


async def _guard(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """One guard for three: Litestar copies the route's handler for each that it asks."""
    for each in (whole_path, same_site, keep):
        await each(connection, route)


def _there(what: T | None, else_: str = "stolen accounts are not answered for here") -> T:
    if what is None:
        raise NotFoundException(else_)
    return what


def beside(site: Litestar, mounted: Mapping[str, Mounted]) -> ASGIApp:
    """The site, and before it what is mounted, by how paths begin: Litestar takes longer than that does."""
    for each in mounted.values():
        site.openapi_schema.paths = {**(site.openapi_schema.paths or {}), **each.paths}
    apps = [(begins, _heads(each.app)) for begins, each in mounted.items()]

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for begins, app in apps:
                if scope["path"].startswith(begins):
                    return await app(scope, receive, send)
        return await site(scope, receive, send)

    return answered


def _heads(answer: ASGIApp) -> ASGIApp:
    """HEAD is answered as GET is, without the content (RFC 9110 section 9.3.2); Litestar has no handler for it."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        async def bare(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await answer({**scope, "method": "GET"}, receive, bare)
        else:
            await answer(scope, receive, send)

    return answered


def _pages(language: str) -> Router:
    spoken = Provide(lambda: language, sync_to_thread=False)
    desk_pages = Router("/desk", route_handlers=(*desk.ROUTES, *desk_listings.ROUTES, *desk_officers.ROUTES))
    answers = (*pages.ROUTES, *check.ROUTES, *notices.ROUTES, *recover.ROUTES, *listings.ROUTES, *watch.ROUTES)
    routes = (*answers, *figures.ROUTES, *learn.ROUTES, desk_pages)
    return Router(f"/{language}", route_handlers=routes, dependencies={"language": spoken}, include_in_schema=False)


def link(language: str | None, page: str, /, **params: str) -> str:
    """Where a page of the site is, seen from any other."""
    if language is None:
        return f"/static/{page}"
    match page:
        case "picture":
            return f"/{language}/"
        case "finding" | "listing":
            return f"/{language}/{page}s/{quote(params['id'], safe='')}"
        case "appeal":
            return f"/{language}/listings/{quote(params['id'], safe='')}/appeal"
        case "notice" | "unsubscribe":
            folder = "notices" if page == "notice" else page
            return f"/{language}/{folder}/{quote(params['id'], safe='')}/{quote(params['token'], safe='')}"
        case _ if page.partition("/")[0] == "help":  # neutral: a history keeps it
            return "/".join((f"/{language}/help", *(quote(each, safe="") for each in params.values() if each)))
        case "desk/finding" | "desk/listing" | "desk/notice" | "desk/takedown" | "desk/constituent":
            return f"/{language}/{page}s/{quote(params['id'], safe='')}"
        case "desk/home" | "desk/door":
            return f"/{language}/desk"
        case "learn/lesson":
            return f"/{language}/learn/{quote(params['id'], safe='')}"
        case "learn/slides" | "learn/posters":
            return f"/{language}/learn/kit/{page.removeprefix('learn/')}"
        case "desk/entry":
            return f"/{language}/desk/audit/{params['index']}"
        case "desk/assets" | "desk/proofs":
            return f"/{language}/desk/constituents/{quote(params['id'], safe='')}/{page.removeprefix('desk/')}"
        case _:
            return f"/{language}/{page}" + (f"?{urlencode(params)}" if params else "")


def told() -> Serving:
    """ConfigError: there is no such file, others may read or change it, or it does not hold what it should."""
    path = Path(os.environ.get(SERVING, ""))
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{SERVING}: {path} may be read by others: chmod 600 it")
        return msgspec.json.decode(path.read_bytes(), type=Serving)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{SERVING}: {path}: {error}: start the site with khien run or khien replay") from error


def serve() -> ASGIApp:
    """For granian: the site as who started it asks for it."""
    machine.end_with_parent()  # a worker of granian's, whose parent may be killed
    machine.without_core()  # it is asked about accounts, and has keys
    asked = told()
    detector = registers.lookalike(Path(asked.protect) if asked.protect else None)
    names = {each.id: each for each in detector.register.names}
    labels = {each.id: each.label for each in names.values()}
    store = machine.store(Path(asked.data))
    audit = machine.audit(Path(asked.data))
    site = create(
        *(store, detector, labels, hosts(asked.site)),
        audit=audit, names=names, key=machine.key(Path(asked.data), machine.NOTICES),
        public=asked.site.public, replay=asked.replay, contact=asked.site.contact, exit=asked.people.exit,
        accounts=_accounts(asked, store) if asked.breach.serve else None,
        people=_people(asked, store) if asked.breach.serve else None, guide=guides.load(asked.people),
        listed=_listed(asked, store, detector.register), warm=True,
    )  # fmt: skip
    whole = beside(site, _mounted(Path(asked.data), store)) if asked.breach.serve else site
    gc.collect()
    gc.freeze()  # what is there now stays: to look through it again and again would hold up whoever asks
    return whole


def hosts(site: configuration.Site) -> tuple[str, ...]:
    """The values of the header Host that a site answers."""
    host, port = site.address
    local = (f"localhost:{port}",) if host in ("127.0.0.1", "::1") else ()
    asked = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}", *local, *site.hosts)
    return (*asked, *filter(None, (urlsplit(site.public).netloc,)))


def _accounts(asked: Serving, store: Store) -> Accounts:
    """What is answered about stolen accounts; who is a constituent, or was named, asks as much as they like."""
    data = Path(asked.data)

    def known(name: str) -> bool:
        found = store.load(Constituent, name).get(name)
        return name in asked.breach.admitted or bool(found and not found.left)

    admits = shares.admitting(machine.key(data, machine.NOTICES), known)
    epochs = Epochs(data, asked.breach)
    held = shares.Shares.of(epochs, admits, partial(epochs.live, store))
    return Accounts(store, data / BREACH, held, asked.breach.country)


def _listed(asked: Serving, store: Store, register: Register) -> Listed:
    """What people are told of listings from, and how an owner of one shows that they are."""
    data, people = Path(asked.data), asked.people
    within = timedelta(hours=people.decide_hours)
    log = machine.listings(data, store, registers.known(register), within)
    resolve = Names(people.servers).addresses if people.servers else None
    client = http.client(f"Khien (+{asked.site.public or asked.site.contact or 'no address'})", resolve=resolve)
    return Listed(Outputs(log, asked.site.public), Control(machine.key(data, proofs.KEY), people.servers, client))


def _people(asked: Serving, store: Store) -> People:
    """What holders of addresses are answered; without mail none of them can show that they are."""
    data = Path(asked.data)
    reached = asked.site.contact, asked.site.public
    letters = Letters(msgspec.convert(asked.letters, Post), reached) if asked.letters else None
    key, public = machine.key(data, proofs.KEY), bytes.fromhex(asked.wishes)
    return People(owners.owners(store, data, asked.breach), key, public, letters, machine.clock, secrets.token_bytes)


def _mounted(data: Path, store: Store) -> dict[str, Mounted]:
    """What answers for stolen accounts, but for its pages."""
    held = ranges.Held(store, breach.place(data), machine.key(data, machine.PADDING))
    return {ranges.PATH: Mounted(ranges.RangeSite(held), ranges.OPENAPI)}
