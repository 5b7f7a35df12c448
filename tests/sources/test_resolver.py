"""What name servers say: asked of a real one on loopback, and of one that lies, stalls and talks nonsense."""

import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from khien.errors import ConfigError, UnavailableError
from khien.outward import asking
from khien.outward.dns import Names, registered
from khien.sources.resolver import Resolver
from tests.loopback import Due, Liar, Say, says, told

MANY = "\n".join(f"many.example. A 198.51.100.{n}" for n in range(100))  # too many for a datagram
ZONE = f"""$TTL 300
. SOA ns. hostmaster. 1 3600 600 86400 300
. NS ns.
ns. A 127.0.0.1
site.example. NS ns1.host.example.
inside.example. A 10.0.0.1
inside.example. A 127.0.0.1
quiet.example. MX 0 .
text.example. TXT "nothing else"
six.example. AAAA 2001:db8::6
loop.example. CNAME pool.example.
pool.example. CNAME loop.example.
strange.example. MX 1 a\\,b\\000c.example.
strange.example. MX 2 fine.example.
{MANY}
"""
SITE = """$TTL 300
@ SOA ns. hostmaster. 1 3600 600 86400 300
@ NS ns1.host.example.
@ NS ns2.host.example.
@ A 192.0.2.7
@ AAAA 2001:db8::7
@ MX 10 mx2.host.example.
@ MX 5 mx1.host.example.
www CNAME edge
edge CNAME host
host A 192.0.2.8
"""
CONFIGURATION = """options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 recursion no; pid-file none; session-keyfile none; dnssec-validation no; }};
controls {{ }};
zone "." {{ type primary; file "root.zone"; check-names ignore; check-integrity no; }};
zone "site.example" {{ type primary; file "site.zone"; check-integrity no; }};
"""


def free_port() -> int:
    """A port that was free a moment ago, for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("named is missing: apt-get install bind9")
        pytest.skip("named is not installed")
    folder, port = tmp_path_factory.mktemp("named"), free_port()
    (folder / "root.zone").write_text(ZONE)
    (folder / "site.zone").write_text(SITE)
    (folder / "named.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        command = [program, "-g", "-n", "1", "-c", str(folder / "named.conf")]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                until(lambda: answers(f"127.0.0.1:{port}"), lambda: (folder / "log").read_text())
                yield f"127.0.0.1:{port}"
            finally:
                process.terminate()


def answers(server: str) -> bool:
    try:
        return bool(Names((server,)).ask("ns", "A", 0.5).values)
    except UnavailableError:
        return False


def until(reached: Callable[[], bool], why: Callable[[], str] = str) -> None:
    for _ in range(200):
        if reached():
            return
        time.sleep(0.05)
    pytest.fail(f"it did not come to that: {why()}")


@pytest.fixture
def lying() -> Iterator[Callable[[Say], Liar]]:
    with ExitStack() as opened:
        yield lambda say: opened.enter_context(Liar(say))


def facts(server: str, *subjects: str, **settings: Any) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    source = Resolver(Due(*subjects), (server,), **settings)
    return {(fact[0], fact[1]): fact[2:] for fact in told(source, 3 * len(subjects))}


def test_tells_where_a_name_leads_who_serves_it_and_who_takes_its_mail(named: str) -> None:
    assert facts(named, "site.example", "www.site.example") == {
        ("site.example", "resolution"): (
            "resolves",
            {"addresses": "192.0.2.7,2001:db8::7", "canonical": "site.example"},
        ),
        ("site.example", "nameservers"): ("delegated", {"hosts": "ns1.host.example,ns2.host.example"}),
        ("site.example", "mail"): ("mail", {"hosts": "mx1.host.example,mx2.host.example"}),
        ("www.site.example", "resolution"): (
            "resolves",
            {"addresses": "192.0.2.8", "canonical": "host.site.example"},
        ),
        ("www.site.example", "nameservers"): ("delegated", {"hosts": "ns1.host.example,ns2.host.example"}),
        ("www.site.example", "mail"): ("no-mail", {}),
    }


@pytest.mark.parametrize(
    ("name", "code", "params"),
    [
        ("none.example", "unresolved", {"rcode": "NXDOMAIN"}),
        ("text.example", "unresolved", {"rcode": "NODATA"}),
        ("six.example", "resolves", {"addresses": "2001:db8::6", "canonical": "six.example"}),
        ("inside.example", "resolves", {"addresses": "10.0.0.1,127.0.0.1", "canonical": "inside.example"}),
        ("loop.example", "unknown", {}),
    ],
)
def test_what_a_name_has_decides_what_is_told(named: str, name: str, code: str, params: dict[str, str]) -> None:
    for page in Resolver(Due(name), (named,)).read(None):
        for row in page.rows.to_pylist():
            if row["topic"] == "resolution":
                assert (row["subject"], row["code"], dict(row["params"])) == (name, code, params)
                return


def test_many_addresses_are_told_bounded(named: str) -> None:
    code, params = facts(named, "many.example")["many.example", "resolution"]
    assert code == "resolves"
    assert len(params["addresses"].split(",")) == 16


def test_a_null_exchange_takes_no_mail_and_a_strange_one_is_left_out(named: str) -> None:
    assert facts(named, "quiet.example")["quiet.example", "mail"] == ("no-mail", {})
    assert facts(named, "strange.example")["strange.example", "mail"] == ("mail", {"hosts": "fine.example"})


def test_every_name_of_many_is_told_of_and_each_once(named: str) -> None:
    due = Due(*(f"n{number}.example" for number in range(300)))
    found = told(Resolver(due, (named,), rate=10_000), 900)
    assert len(found) == len({fact[:2] for fact in found}) == 900
    assert {source for source, _ in due.asked} == {"resolver"}


def test_a_name_that_is_silent_keeps_no_other_waiting(lying: Any) -> None:
    answer = says("192.0.2.1")
    liar = lying(lambda question: None if "silent" in question.question[0].to_text() else answer(question))
    source = Resolver(Due("silent.example", "quick.example"), (liar.at,), seconds=1)
    reading = source.read(None)
    rows = list[dict[str, Any]]()
    first = next(page for page in reading if page.rows.num_rows)
    assert {row["subject"] for row in first.rows.to_pylist()} == {"quick.example"}
    for page in reading:
        rows += page.rows.to_pylist()
        if any(row["subject"] == "silent.example" for row in rows):
            break
    assert [row["code"] for row in rows if row["subject"] == "silent.example"] == ["unknown"]


@pytest.mark.parametrize("said", [b"", b"\0", b"\0" * 12, b"\xff" * 4000], ids=repr)
def test_nonsense_is_no_answer(lying: Any, said: bytes) -> None:
    liar = lying(lambda question: question.to_wire()[:2] + said)
    assert told(Resolver(Due("a.example"), (liar.at,), seconds=0.5), 1) == [("a.example", "resolution", "unknown", {})]


def test_an_answer_is_kept_for_a_while(lying: Any) -> None:
    liar = lying(says("192.0.2.1", "10.0.0.1"))
    names = Names((liar.at,))
    assert [tuple(names.addresses("a.example", 1)) for _ in range(3)] == [("192.0.2.1",)] * 3
    assert len(liar.asked) == 1


def test_where_no_server_answers_the_cursor_says_so(lying: Any) -> None:
    mute = lying(lambda _: b"")
    asks = Due(*(f"{number}.example" for number in range(20)))
    pages = (page for page in Resolver(asks, (mute.at,), at_once=100, seconds=0.1).read(None) if page.rows.num_rows)
    assert any("none of the last 20" in asking.silence(page.cursor) for page in itertools.islice(pages, 20))


def test_what_was_told_and_not_saved_is_told_again_to_who_starts_anew(named: str) -> None:
    source = Resolver(Due("site.example"), (named,))
    assert told(source, 3) == told(source, 3)
    page = next(page for page in source.read(b"41") if page.rows.num_rows)
    assert page.cursor == b"42"


@pytest.mark.parametrize(
    "settings", [{"servers": ("ns.example",)}, {"servers": ("::1:x",)}, {"at_once": 0}, {"seconds": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give"):
        Resolver(Due(), **settings)


@pytest.mark.parametrize(
    ("host", "domain"),
    [("a.b.com.vn", "b.com.vn"), ("x.github.io", "github.io"), ("com.vn", "com.vn"), ("a.b.example", "b.example")],
)
def test_what_is_registered_is_below_a_suffix_that_a_registry_runs(host: str, domain: str) -> None:
    assert registered(host) == domain
