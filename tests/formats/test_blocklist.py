"""Lists of what is listed: each as its golden file has it, as narrow as its listings, and taken by real servers."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.zone
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import registry
from khien.formats.blocklist import AdBlock, Edition, Hosts, Json, Plain, Rpz
from khien.listing import within
from khien.model import Listing, Reason, Unit
from khien.testing.format import check_encoder
from tests import listing

GOLDEN = Path(__file__).parent / "golden"
FORMATS = [name for name in registry.names("formats") if registry.load("formats", name).carries is Listing]
EDITION = Edition(42, datetime(2026, 11, 22, 3, tzinfo=UTC), "https://khien.example")
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
CI = bool(os.environ.get("CI"))
GIVEN: tuple[tuple[Unit, str, dict[str, Any]], ...] = (
    ("domain", "xn--lao-1na.example", {}),
    ("domain", "evil.example", {"reasons": (Reason(code="evidence-sighted", params={"partner": "ai"}),)}),
    ("host", "login.evil2.example", {"site": "unclear"}),
    ("host", "192.0.2.7", {"site": "unclear", "harm": "malware", "conduct": ("payload",)}),
    ("url", "https://shop.example/pay", {}),
    ("url", "http://shop.example:8080/pay/", {}),
    ("url", "https://shop.example/a$b*c", {}),
    ("url", "https://whole.example/", {}),
)
LISTED = tuple(
    msgspec.structs.replace(listing.proposal(unit, value, **more), state="listed", leaves=(number,))
    for number, (unit, value, more) in enumerate(GIVEN)
)


def text(name: str, edition: Edition = EDITION, listed: tuple[Listing, ...] = LISTED) -> str:
    return registry.load("formats", name)(edition).encode(listed).decode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_list_is_as_written_down(name: str) -> None:
    assert text(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_encoder(name: str) -> None:
    check_encoder(registry.load("formats", name)(), None, LISTED)


def test_each_says_version_date_count_terms_and_where_one_objects() -> None:
    for encoder, count in ((Plain, 3), (Hosts, 6), (AdBlock, 22), (Rpz, 6), (Json, 8)):
        said = encoder(EDITION).encode(LISTED).decode()
        for each in ("42", "2026-11-22T03:00:00Z", str(count), "CC0-1.0", "https://khien.example/vi/listings"):
            assert each in said, encoder


def test_lists_of_names_have_no_address() -> None:
    address = msgspec.structs.replace(listing.proposal("host", "8.8.8.8", site="unclear"), state="listed", leaves=(0,))
    taken = {each: "8.8.8.8" in text(each, listed=(address,)) for each in FORMATS}
    assert taken == {each: each in ("listings-json", "listings-adblock") for each in FORMATS}


# AdBlock: what a rule takes is what a listing covers, and nothing beside it.


def expression(rule: str) -> re.Pattern[str]:
    """A rule as Adblock Plus reads it, for those of our forms."""
    if rule.startswith("/") and rule.endswith("/"):
        return re.compile(rule[1:-1])
    begin = r"^https?://([^/?#]+\.)?" if rule.startswith("||") else "^"
    body = re.escape(rule.lstrip("|").rstrip("|^"))
    return re.compile(begin + body + {"|": "$", "^": r"([/:?]|$)"}.get(rule[-1], ""))


def blocked(url: str) -> bool:
    rules = [line for line in text("listings-adblock").splitlines() if line[:1] not in "![#"]
    return any(expression(rule).search(url) for rule in rules)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://evil.example/", True),
        ("http://a.b.evil.example/x?y", True),
        ("https://notevil.example/", False),
        ("https://evil.example.org/", False),
        ("https://login.evil2.example/x", True),
        ("https://www.login.evil2.example/", True),
        ("https://other.login.evil2.example/", False),
        ("https://evil2.example/", False),
        ("http://192.0.2.7/bin", True),
        ("https://shop.example/pay", True),
        ("http://shop.example/pay?id=1", True),
        ("https://shop.example/pay/more", False),
        ("https://shop.example/payment", False),
        ("https://shop.example/", False),
        ("https://sub.shop.example/pay", False),
        ("http://shop.example:8080/pay/more", True),
        ("https://shop.example/a$b*c", True),
        ("https://shop.example/a$b*cd", False),
        ("https://whole.example/", True),
        ("https://whole.example/about", False),
        ("https://other.example/?go=https://shop.example/pay", False),
    ],
)
def test_a_rule_takes_what_the_listing_covers_and_nothing_else(url: str, taken: bool) -> None:
    assert blocked(url) == taken
    places = {(each.unit, each.value.partition("://")[2] or each.value) for each in LISTED}
    units = {(unit, value.partition("://")[2] or value) for unit, value in within(url)}
    assert bool(places & units) == taken


# RPZ


_label = st.text("abcxyz0189_-", min_size=1, max_size=63).filter(lambda each: each.strip("-_") == each)
_units: st.SearchStrategy[Unit] = st.sampled_from(["domain", "host"])


@given(_units, st.lists(_label, min_size=1, max_size=6).map(".".join))
def test_a_zone_loads_whatever_is_listed(unit: Unit, name: str) -> None:
    one = msgspec.structs.replace(LISTED[0], unit=unit, value=name[:250].strip(".-_") + ".example")
    zone = dns.zone.from_text(Rpz(EDITION).encode([one]).decode(), "a" * 60 + ".rpz", relativize=False)
    assert zone.get_soa().serial == 42  # pyright: ignore[reportUnknownMemberType]


def test_the_serial_never_is_nought() -> None:
    assert " 1 60 " in text("listings-rpz", Edition())
    assert f" {5} 60 " in text("listings-rpz", Edition((1 << 32) + 5))


def server(name: str) -> str:
    found = shutil.which(name, path=SBIN)
    if found is None:
        if CI:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(command: list[str], folder: Path, answers: Callable[[], bool]) -> Generator[None]:
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            for _ in range(200):
                if answers():
                    break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            else:
                pytest.fail((folder / "log").read_text())
            yield
        finally:
            process.terminate()


def asked(port: int, name: str, kind: str = "A") -> Any:
    try:
        return dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=2)
    except (dns.exception.Timeout, OSError):
        return None


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


NAMED = """options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 recursion yes; allow-recursion {{ 127.0.0.1; }}; pid-file none; session-keyfile none; dnssec-validation no;
 response-policy {{ zone "khien.rpz"; }} qname-wait-recurse no; }};
controls {{ }};
zone "khien.rpz" {{ type primary; file "khien.rpz"; allow-query {{ none; }}; }};
zone "example" {{ type primary; file "example.zone"; }};
"""
EXAMPLE = """$TTL 60
@ SOA localhost. root.localhost. 1 60 60 60 60
@ NS localhost.
* A 192.0.2.1
"""


def test_named_answers_as_the_zone_says(tmp_path: Path) -> None:
    program, port = server("named"), free_port()
    (tmp_path / "khien.rpz").write_text(text("listings-rpz"))
    (tmp_path / "example.zone").write_text(EXAMPLE)
    (tmp_path / "named.conf").write_text(NAMED.format(folder=tmp_path, port=port))
    command = [program, "-g", "-n", "1", "-c", str(tmp_path / "named.conf")]
    with running(command, tmp_path, lambda: asked(port, "fine.example") is not None):
        codes = {
            name: dns.rcode.to_text(asked(port, name).rcode())
            for name in (
                *("evil.example", "a.evil.example", "login.evil2.example", "www.login.evil2.example"),
                *("evil2.example", "x.login.evil2.example", "shop.example", "fine.example"),
            )
        }
    assert codes == dict.fromkeys(list(codes)[:4], "NXDOMAIN") | dict.fromkeys(list(codes)[4:], "NOERROR")


def test_knotd_serves_the_zone(tmp_path: Path) -> None:
    program, port = server("knotd"), free_port()
    (tmp_path / "khien.rpz").write_text(text("listings-rpz"))
    (tmp_path / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {tmp_path}\n  pidfile: {tmp_path}/knot.pid\n"
        f"database:\n  storage: {tmp_path}\ncontrol:\n  listen: {tmp_path}/control.sock\n"
        f'zone:\n  - domain: khien.rpz\n    file: "{tmp_path}/khien.rpz"\n'
    )

    def serves() -> bool:
        answer = asked(port, "khien.rpz", "SOA")
        return answer is not None and bool(answer.answer)

    with running([program, "-c", str(tmp_path / "knot.conf")], tmp_path, serves):
        assert asked(port, "khien.rpz", "SOA").answer[0][0].serial == 42
        for name in ("evil.example", "any.evil.example", "login.evil2.example"):
            assert asked(port, f"{name}.khien.rpz", "CNAME").answer[0][0].target.to_text() == "."
        assert asked(port, "shop.example.khien.rpz", "CNAME").rcode() == dns.rcode.NXDOMAIN
