"""The site: parts assembled from what they need, and the same from the settings of a parent process."""

import os
import stat
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from litestar import Litestar, Router
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.compression import CompressionConfig
from litestar.datastructures import CacheControlHeader, State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from publicsuffixlist import PublicSuffixList

from khien import words
from khien.app import machine, registers
from khien.app.configuration import SERVING, Serving
from khien.audit import Audit
from khien.contracts import Detector, Store
from khien.errors import ConfigError
from khien.model import ProtectedName
from khien.pipeline.steering import Enrolling, Staffing, Steering
from khien.pipeline.warn import Triage
from khien.triage import assets
from khien.web import api, desk, desk_api, desk_officers, feeds, metrics, notices, pages, reading
from khien.web.doors import STATE, Doors, caller, keep, officer
from khien.web.reading import Site
from khien.web.refusal import Refusals, add_headers, same_site, whole_path
from khien.web.render import FOLDER, Frame

LARGEST_BODY = 64 << 10  # bytes

_DAY = 86_400  # seconds for which a browser may keep a file of the static folder


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
) -> Litestar:
    """The site over a store and a detector of names.

    labels: what people call each protected name, by id. hosts: the only values of the header Host that are answered,
    with their ports. audit: where acts of officers are entered. names: what is protected, by id; key, public: as in
    reading.Site. replay: what is shown is dated, and every page says so. contact: where people write who object.
    """
    frame = Frame(
        labels=labels,
        link=link,
        live=True,
        contact=contact,
        replay=replay,
        days=lambda: reading.days(store),
    )
    doors = Doors(store, audit)
    names = names or {}
    steering = Steering(store, audit, Triage(protected=names))
    enrolling = Enrolling(store, audit, names, assets.Known(names, PublicSuffixList().is_public))
    site = Site(store, detector, frame, doors, steering, enrolling, Staffing(store, audit), key, public)
    made = Litestar(
        route_handlers=[
            pages.start,
            *(_pages(language) for language in words.LANGUAGES),
            Router("/api", route_handlers=(*api.ROUTES, *desk_api.ROUTES)),
            Router("/feeds", route_handlers=feeds.ROUTES, include_in_schema=False),
            metrics.metrics,
            create_static_files_router("/static", [FOLDER / "static"], cache_control=CacheControlHeader(max_age=_DAY)),
        ],
        dependencies={
            "site": Provide(lambda: site, sync_to_thread=False),
            "wanted": Provide(pages.wanted, sync_to_thread=False),
            "officer": Provide(officer, sync_to_thread=False),
            "caller": Provide(caller, sync_to_thread=True),
        },
        allowed_hosts=AllowedHostsConfig(allowed_hosts=list(hosts), www_redirect=False),
        guards=[whole_path, same_site, keep],
        state=State({STATE: doors}),
        request_max_body_size=LARGEST_BODY,
        exception_handlers={Exception: Refusals(frame)},
        before_send=[add_headers],
        compression_config=CompressionConfig(backend="gzip", exclude=["/static/.*svg"]),
        openapi_config=OpenAPIConfig(
            title="Khiên", version=version("khien"), path="/api", render_plugins=[JsonRenderPlugin()]
        ),
        logging_config=None,
    )
    made.asgi_handler = _heads(made.asgi_handler)
    return made


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
    desk_pages = Router("/desk", route_handlers=(*desk.ROUTES, *desk_officers.ROUTES))
    routes = (*pages.ROUTES, *notices.ROUTES, desk_pages)
    return Router(f"/{language}", route_handlers=routes, dependencies={"language": spoken}, include_in_schema=False)


def link(language: str | None, page: str, /, **params: str) -> str:
    """Where a page of the site is, seen from any other."""
    if language is None:
        return f"/static/{page}"
    match page:
        case "picture":
            return f"/{language}/"
        case "finding":
            return f"/{language}/findings/{quote(params['id'], safe='')}"
        case "notice" | "unsubscribe":
            folder = "notices" if page == "notice" else page
            return f"/{language}/{folder}/{quote(params['id'], safe='')}/{quote(params['token'], safe='')}"
        case "desk/finding" | "desk/notice" | "desk/takedown" | "desk/constituent":
            return f"/{language}/{page}s/{quote(params['id'], safe='')}"
        case "desk/home" | "desk/door":
            return f"/{language}/desk"
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


def serve() -> Litestar:
    """For granian: the site as who started it asks for it."""
    machine.end_with_parent()  # a worker of granian's, whose parent may be killed
    asked = told()
    detector = registers.lookalike(Path(asked.protect) if asked.protect else None)
    names = {each.id: each for each in detector.register.names}
    labels = {each.id: each.label for each in names.values()}
    host, port = asked.site.address
    local = (f"localhost:{port}",) if host in ("127.0.0.1", "::1") else ()
    hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}", *local, *asked.site.hosts)
    hosts = (*hosts, *filter(None, (urlsplit(asked.site.public).netloc,)))
    store = machine.store(Path(asked.data))
    audit = machine.audit(Path(asked.data))
    return create(
        *(store, detector, labels, hosts),
        audit=audit, names=names, key=machine.key(Path(asked.data), machine.NOTICES),
        public=asked.site.public, replay=asked.replay, contact=asked.site.contact,
    )  # fmt: skip
