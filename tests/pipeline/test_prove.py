"""A text in DNS proves what is somebody's: asked of a real name server on loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import audit
from khien.audit import Audit
from khien.errors import InputError, RefusedError, UnavailableError
from khien.model import Asset, AssetKind, Constituent, Domain, Proof, ProtectedName
from khien.outward.dns import Names
from khien.pipeline import enrol, prove
from khien.stores.embedded.store import Embedded
from khien.triage import proofs
from khien.triage.assets import Known
from tests.loopback import Liar

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AUDIT = Audit(Ed25519PrivateKey.from_private_bytes(b"a" * 32), lambda: NOW, lambda size: b"s" * size)
KEY = b"k" * 32
KNOWN = Known({"saothuy"}, lambda _: False)
NAMES = {
    "saothuy": ProtectedName(
        id="saothuy",
        label="Sao Thủy",
        sector="bank",
        official=(Domain(domain="saothuybank.example", verified=True, source="its register"),),
    )
}
CONFIGURATION = """options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 recursion no; pid-file none; session-keyfile none; dnssec-validation no; }};
controls {{ }};
zone "." {{ type primary; file "root.zone"; check-names ignore; check-integrity no; }};
"""


def asset(kind: AssetKind, value: str, whose: str = "a") -> Asset:
    return KNOWN.asset(whose, kind, value)


MINE = asset("domain", "saothuybank.example")
LONG = asset("domain", "many.example")
WIDE = asset("prefix", "203.0.112.0/23")
HALF = asset("prefix", "198.51.100.0/23")
SIX = asset("prefix", "2001:db8::/32")
BEHIND = asset("mail-domain", "behind.example")


def published(*assets: Asset, most: int = 16) -> Iterator[str]:
    for each in assets:
        asked = proofs.challenge(each, KEY)
        yield from (f'{name}. TXT "{asked.text}"' for name in asked.names[:most])


def zone() -> str:
    head = ["$TTL 300", ". SOA ns. hostmaster. 1 3600 600 86400 300", ". NS ns.", "ns. A 127.0.0.1"]
    clutter = [f'_khien-challenge.many.example. TXT "{"x" * 40}{n}"' for n in range(60)]  # too many for a datagram
    behind = f'proofs.elsewhere.example. TXT "{proofs.challenge(BEHIND, KEY).text}"'
    cname = "_khien-challenge.behind.example. CNAME proofs.elsewhere.example."
    other = '_khien-challenge.other.example. TXT "v=spf1 -all" "khien-proof=aaaaaaaaaaaaaaaaaaaaaaaaaa"'
    rows = [*head, *published(MINE, LONG, WIDE, SIX), *published(HALF, most=1), *clutter, behind, cname, other]
    return "\n".join([*rows, ""])


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


def reaches(server: str, log: Path) -> None:
    for _ in range(200):
        try:
            Names((server,)).ask("ns", "A", 0.5)
        except UnavailableError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"named does not answer: {log.read_text()}")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Names]:
    program = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("named is missing: apt-get install bind9")
        pytest.skip("named is not installed")
    folder, port = tmp_path_factory.mktemp("named"), free_port()
    (folder / "root.zone").write_text(zone())
    (folder / "named.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        command = [program, "-g", "-n", "1", "-c", str(folder / "named.conf")]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                reaches(f"127.0.0.1:{port}", folder / "log")
                yield Names((f"127.0.0.1:{port}",))
            finally:
                process.terminate()


@pytest.mark.parametrize("proven", [MINE, LONG, WIDE, SIX, BEHIND], ids=lambda each: each.value)
def test_what_stands_there_proves(named: Names, proven: Asset) -> None:
    assert prove.by_dns(proven, KEY, named, NOW) == Proof(how="dns", at=NOW)


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (asset("domain", "nothing.example"), "_khien-challenge.nothing.example has no TXT record khien-proof="),
        (asset("domain", "other.example"), "publish it"),
        (asset("domain", "saothuybank.example", "b"), "has no TXT record"),  # what another was told to publish
        (asset("mail-domain", "saothuybank.example"), "has no TXT record"),
        (asset("domain", "www.saothuybank.example"), "has no TXT record"),
        (HALF, "_khien-challenge.101.51.198.in-addr.arpa has no TXT record"),
    ],
)
def test_what_does_not_is_refused(named: Names, claimed: Asset, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        prove.by_dns(claimed, KEY, named, NOW)


def test_another_key_proves_nothing(named: Names) -> None:
    with pytest.raises(RefusedError):
        prove.by_dns(MINE, b"K" * 32, named, NOW)


def test_dns_proves_no_protected_name(named: Names) -> None:
    with pytest.raises(InputError, match="prove that domain"):
        prove.by_dns(asset("brand", "saothuy"), KEY, named, NOW)


def saying(flags: int, rcode: int = 0) -> Callable[[dns.message.Message], bytes]:
    """Answers every TXT question with what MINE is to publish."""

    def say(question: dns.message.Message) -> bytes:
        answer = dns.message.make_response(question)
        answer.set_rcode(dns.rcode.Rcode(rcode))
        answer.flags |= flags
        if rcode == 0:
            text = f'"{proofs.challenge(MINE, KEY).text}"'
            answer.answer.append(dns.rrset.from_text(question.question[0].name, 0, "IN", "TXT", text))
        return answer.to_wire()

    return say


def test_dnssec_is_noted_where_the_name_server_says_that_it_holds() -> None:
    for flags, noted in ((dns.flags.RA, ""), (dns.flags.RA | dns.flags.AD, "DNSSEC")):
        with Liar(saying(flags)) as server:
            assert prove.by_dns(MINE, KEY, Names((server.at,)), NOW).why == noted


def test_who_answers_with_a_failure_proves_and_disproves_nothing() -> None:
    with Liar(saying(0, 2)) as server, pytest.raises(UnavailableError, match=r"_khien-challenge\.saothuybank"):
        prove.by_dns(MINE, KEY, Names((server.at,)), NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with Embedded.at(tmp_path, lambda: NOW) as made:
        yield made


def looked_again(store: Embedded, days: int, dns: Names, key: bytes = KEY) -> tuple[Proof | None, ...]:
    """How a domain that was proven so many days ago, and the protected name that follows from it, are then proven."""
    domain = msgspec.structs.replace(MINE, proof=Proof(how="dns", at=NOW - timedelta(days=days)))
    assets = proofs.settle((domain, asset("brand", "saothuy")), NAMES)
    store.save(Constituent(id="a", label="A"), *assets)
    prove.again(store, AUDIT, key, dns, NAMES)
    found = enrol.one(store, "a")
    assert found is not None
    return tuple(each.proof for each in sorted(found.assets, key=lambda each: each.kind, reverse=True))


@pytest.mark.parametrize("days", [90, 1000])
def test_what_still_stands_is_proven_anew(store: Embedded, named: Names, days: int) -> None:
    domain, brand = looked_again(store, days, named)
    assert domain == Proof(how="dns", at=NOW)
    assert brand is not None
    assert [(each.by, each.act) for each in audit.read(store)] == [("khien", "proof-given")]


@pytest.mark.parametrize(("days", "stands"), [(89, True), (90, True), (103, True), (104, False)])
def test_what_is_missing_lapses_after_a_while_with_what_followed_from_it(
    store: Embedded, named: Names, days: int, stands: bool
) -> None:
    proven = looked_again(store, days, named, b"K" * 32)  # another key: nothing of it is there
    assert [each is not None for each in proven] == [stands, stands]
    assert [each.act for each in audit.read(store)] == ([] if stands else ["constituent-changed"])


def test_what_nobody_answers_for_stands(store: Embedded) -> None:
    with Liar(saying(0, 2)) as server:
        domain, brand = looked_again(store, 1000, Names((server.at,)))
    assert domain == Proof(how="dns", at=NOW - timedelta(days=1000))
    assert brand is not None


def test_what_is_told_to_stop_stops(store: Embedded, named: Names) -> None:
    store.save(Constituent(id="a", label="A"), msgspec.structs.replace(MINE, proof=Proof(how="dns", at=LONG_AGO)))
    prove.again(store, AUDIT, KEY, named, NAMES, lambda: True)
    assert list(audit.read(store)) == []
