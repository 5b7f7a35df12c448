"""Constituents are changed under somebody's name, whole or not at all, and the audit says what and nobody's address."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import audit
from khien.audit import Audit
from khien.errors import InputError
from khien.model import Asset, Constituent, Domain, Hearing, Proof, ProtectedName
from khien.pipeline import enrol
from khien.stores.embedded.store import Embedded
from khien.triage import enrolment
from khien.triage.assets import Known
from khien.triage.enrolment import Enrolment

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KNOWN = Known({"saothuy"}, lambda _: False)
OFFICIAL = Domain(domain="saothuybank.vn", verified=True, source="its register")
NAMES = {"saothuy": ProtectedName(id="saothuy", label="Sao Thủy", sector="bank", official=(OFFICIAL,))}
MAIL = Hearing(channel="mail", address="soc@saothuybank.vn")
AUDIT = Audit(Ed25519PrivateKey.from_private_bytes(b"a" * 32), lambda: NOW, lambda size: b"s" * size)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with Embedded.at(tmp_path, lambda: NOW) as made:
        yield made


def entered(id: str = "a", *assets: Asset, label: str = "A") -> Enrolment:
    return Enrolment(constituent=Constituent(id=id, label=label, hears=(MAIL,)), assets=assets)


def put(store: Embedded, *wanted: Enrolment) -> list[enrolment.Change]:
    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        return [enrolment.replace(kept.get(each.constituent.id), each, NOW) for each in wanted]

    return enrol.amend(store, AUDIT, [each.constituent.id for each in wanted], decide, NAMES, by="Lan", why="asked")


def acts(store: Embedded) -> list[tuple[str, str, dict[str, str]]]:
    return [(each.act, each.what, each.params) for each in audit.read(store)]


def proven(store: Embedded) -> Enrolment:
    proof = Proof(how="dns", at=NOW)

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        assets = (
            each if each.kind == "brand" else msgspec.structs.replace(each, proof=proof) for each in kept["a"].assets
        )
        return [msgspec.structs.replace(kept["a"], assets=tuple(assets))]

    enrol.amend(store, AUDIT, ["a"], decide, NAMES, by="Lan")
    found = enrol.one(store, "a")
    assert found is not None
    return found


BRAND, DOMAIN = KNOWN.asset("a", "brand", "saothuy"), KNOWN.asset("a", "domain", "saothuybank.vn")


def test_what_is_entered_is_kept_and_again_changes_nothing(store: Embedded) -> None:
    assert len(put(store, entered("a", DOMAIN), entered("b"))) == 7
    assert [each.constituent.id for each in enrol.everyone(store)] == ["a", "b"]
    assert enrol.one(store, "a") == entered("a", DOMAIN)
    assert enrol.one(store, "c") is None
    told = acts(store)
    assert put(store, entered("b"), entered("a", DOMAIN)) == []
    assert acts(store) == told


def test_the_audit_says_what_changed_and_nobodys_address(store: Embedded) -> None:
    put(store, entered("a", DOMAIN, BRAND))
    assert proven(store).current[0].proof == Proof(how="estate", at=NOW, why="saothuybank.vn")
    put(store, entered("a", label="B"))
    enrol.amend(store, AUDIT, ["a"], lambda kept: [enrolment.leave(kept["a"], NOW)], NAMES, by="Lan", why="asked")
    first, *given, last, left = acts(store)
    added = "add label, add patience, add hears, add brand saothuy, add domain saothuybank.vn"
    removed = "change label, remove brand saothuy, remove domain saothuybank.vn"
    assert first == ("constituent-changed", "a", {"changed": added, "why": "asked"})
    assert last == ("constituent-changed", "a", {"changed": removed, "why": "asked"})
    assert left == ("constituent-left", "a", {"why": "asked"})
    assert sorted(each[2]["kind"] for each in given) == ["brand", "domain"]
    domain = {"kind": "domain", "value": "saothuybank.vn", "how": "dns", "why": ""}
    assert ("proof-given", "a", domain) in given
    assert "soc@" not in str(acts(store))
    assert list(enrol.everyone(store)) == []


def test_nonsense_is_not_kept(store: Embedded) -> None:
    put(store, entered("a"))
    with pytest.raises(InputError, match="a: label: is empty"):
        put(store, entered("b"), entered("a", label=""))
    assert [each.constituent.id for each in enrol.everyone(store)] == ["a"]


def test_what_somebody_changed_meanwhile_is_decided_on(store: Embedded) -> None:
    put(store, entered("a", DOMAIN))
    once = [True]

    def decide(kept: Mapping[str, Enrolment]) -> list[Enrolment]:
        if once and once.pop():
            put(store, entered("a", DOMAIN, BRAND))
        constituent = msgspec.structs.replace(kept["a"].constituent, label="B")
        return [msgspec.structs.replace(kept["a"], constituent=constituent)]

    changes = enrol.amend(store, AUDIT, ["a"], decide, NAMES, by="Lan")
    assert [each.field for each in changes] == ["label"]
    found = enrol.one(store, "a")
    assert found is not None
    assert (found.constituent.label, len(found.current)) == ("B", 2)


def test_a_long_list_of_changes_is_cut(store: Embedded) -> None:
    put(store, entered("a", *(KNOWN.asset("a", "domain", f"{n:04}.vn") for n in range(1_000))))
    [(_, _, params)] = acts(store)
    assert params["changed"].endswith(", add domain 0016.vn, and 983 more")
    found = enrol.one(store, "a")
    assert found is not None
    assert len(found.current) == 1_000


def test_a_plan_changes_nothing(store: Embedded) -> None:
    [plan] = enrol.plan(store, ["a"], lambda _: [entered("a", DOMAIN)], NAMES)
    assert plan.kept is None
    assert [each.field for each in plan.changes] == ["label", "patience", "hears", "domain"]
    assert enrol.one(store, "a") is None
