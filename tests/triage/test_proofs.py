"""What proves an asset is each constituent's own, and what was proven is settled and looked up again."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from khien.errors import InputError, RefusedError
from khien.model import Asset, AssetKind, Domain, Proof, ProtectedName
from khien.triage import proofs
from khien.triage.assets import Known

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = b"k" * 32
KNOWN = Known({"saothuy"}, lambda name: "." not in name)
OFFICIAL = (
    Domain(domain="saothuybank.{vn,com}", verified=True, source="its register"),
    Domain(domain="saothuy-*.vn", verified=True, source="its register"),
    Domain(domain="saothuybank.net", verified=False),
)
NAMES = {"saothuy": ProtectedName(id="saothuy", label="Sao Thủy", sector="bank", official=OFFICIAL)}


def asset(kind: AssetKind, value: str, proof: Proof | None = None, whose: str = "a") -> Asset:
    return msgspec.structs.replace(KNOWN.asset(whose, kind, value), proof=proof)


def by(how: str, at: datetime = NOW) -> Proof:
    return msgspec.convert({"how": how, "at": at}, Proof)


def test_what_is_to_be_published_differs_by_asset_constituent_and_key() -> None:
    mine = asset("domain", "saothuybank.vn")
    asked = proofs.challenge(mine, KEY)
    assert asked.names == ("_khien-challenge.saothuybank.vn",)
    assert asked.text.startswith("khien-proof=")
    others = [
        proofs.challenge(asset("domain", "saothuybank.vn", whose="b"), KEY),
        proofs.challenge(asset("domain", "saothuybank.com"), KEY),
        proofs.challenge(asset("mail-domain", "saothuybank.vn"), KEY),
        proofs.challenge(mine, b"K" * 32),
    ]
    assert len({asked.text, *(each.text for each in others)}) == 5


@pytest.mark.parametrize(
    ("prefix", "zones"),
    [
        ("203.0.113.0/24", ["113.0.203.in-addr.arpa"]),
        ("203.0.0.0/16", ["0.203.in-addr.arpa"]),
        ("203.0.112.0/23", ["112.0.203.in-addr.arpa", "113.0.203.in-addr.arpa"]),
        ("203.0.113.7/32", ["7.113.0.203.in-addr.arpa"]),
        ("203.0.113.4/31", ["4.113.0.203.in-addr.arpa", "5.113.0.203.in-addr.arpa"]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa"]),
        ("2001:db8:10::/47", ["0.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa"]),
    ],
)
def test_a_prefix_is_proven_in_all_of_its_reverse_zones(prefix: str, zones: list[str]) -> None:
    names = proofs.challenge(asset("prefix", prefix), KEY).names
    assert names == tuple(f"_khien-challenge.{each}" for each in zones)


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("brand", "saothuy", "proven by one of its official domains"),
        ("prefix", "203.0.113.128/25", "128 reverse zones would have to prove it, 16 at most: give a word"),
        ("domain", ".".join(["a" * 60] * 4), "too long for _khien-challenge"),
    ],
)
def test_what_dns_cannot_prove(kind: AssetKind, value: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        proofs.challenge(asset(kind, value), KEY)


def test_a_code_comes_back_from_a_role_address_until_the_day_after() -> None:
    mine = asset("mail-domain", "saothuybank.vn")
    letters = list(proofs.letters(mine, KEY, NOW))
    assert [each.address for each in letters] == [f"{role}@saothuybank.vn" for role in proofs.ROLES]
    for each in letters:
        assert "\n" not in each.subject
        code = next(line.strip() for line in each.text.splitlines() if line.startswith("    "))
        assert each.text.count(code) == 2  # in both languages
        for typed, later in ((code, 0), (code.lower().replace("-", " "), 24), (f" {code} ", 35)):
            at = NOW + timedelta(hours=later)
            assert proofs.by_mail(mine, KEY, typed, at) == Proof(how="mail", at=at, why=each.address)
        for wrong, whose, later in (
            (code, mine, 36),
            (code, mine, -13),
            (code, asset("mail-domain", "saothuybank.com"), 0),
            (code, asset("mail-domain", "saothuybank.vn", whose="b"), 0),
            (code[:-1], mine, 0),
            ("", mine, 0),
            ("\udcff", mine, 0),
        ):
            with pytest.raises(RefusedError, match="this is not a code"):
                proofs.by_mail(whose, KEY, wrong, NOW + timedelta(hours=later))


def test_mail_proves_no_prefix() -> None:
    mine = asset("prefix", "203.0.113.0/24")
    with pytest.raises(InputError, match="mail proves domains only"):
        list(proofs.letters(mine, KEY, NOW))
    with pytest.raises(RefusedError):
        proofs.by_mail(mine, KEY, "22222-22222", NOW)


def test_a_word_is_somebodys_and_has_a_reason() -> None:
    assert proofs.by_word("Lan", "called back", NOW) == Proof(how="officer", at=NOW, by="Lan", why="called back")
    for by_, why in (("", "called back"), ("Lan", " ")):
        with pytest.raises(InputError, match="their name and a reason"):
            proofs.by_word(by_, why, NOW)


@pytest.mark.parametrize(
    ("domain", "proof", "how"),
    [
        ("saothuybank.vn", by("dns"), "estate"),
        ("saothuybank.com", by("officer"), "estate"),
        ("saothuybank.vn", None, None),
        ("saothuybank.net", by("dns"), None),  # nobody confirmed that it is official
        ("www.saothuybank.vn", by("dns"), None),
        ("saothuy-shop.vn", by("dns"), None),  # a pattern is no domain
    ],
)
def test_a_protected_name_is_theirs_by_an_official_domain(domain: str, proof: Proof | None, how: str | None) -> None:
    settled = proofs.settle((asset("brand", "saothuy"), asset("domain", domain, proof)), NAMES)
    found = settled[0].proof
    assert (found and found.how) == how
    assert proofs.settle(settled, NAMES) == settled
    without = (settled[0], msgspec.structs.replace(settled[1], proof=None))
    assert proofs.settle(without, NAMES)[0].proof is None
    assert proofs.settle(without, {}) == without  # another register: nothing is known of it


def test_mail_of_an_official_domain_does_not_make_the_name_theirs() -> None:
    settled = proofs.settle((asset("brand", "saothuy"), asset("mail-domain", "saothuybank.vn", by("mail"))), NAMES)
    assert settled[0].proof is None


def test_an_officers_word_on_a_name_stands_for_itself() -> None:
    given = (asset("brand", "saothuy", by("officer")),)
    assert proofs.settle(given, NAMES) == given


def test_what_was_proven_in_dns_is_due_after_ninety_days() -> None:
    old, young = (by("dns", NOW - timedelta(days=days)) for days in (90, 89))
    stale = asset("domain", "saothuybank.vn", old)
    others = (asset("domain", "a.vn", young), asset("domain", "b.vn"), asset("domain", "c.vn", by("officer", old.at)))
    assert proofs.due([stale, *others], NOW) == [stale]
