"""Whether the text that proves an asset stands in DNS, and whether it still does."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import msgspec

from khien.audit import Audit
from khien.contracts import Store
from khien.errors import RefusedError, UnavailableError
from khien.model import Asset, Proof, ProtectedName
from khien.outward.dns import Names
from khien.pipeline import enrol
from khien.triage import life, proofs
from khien.triage.enrolment import Enrolment

_PATIENCE = 5.0  # seconds for one name


def by_dns(asset: Asset, key: bytes, dns: Names, at: datetime) -> Proof:
    """The proof that the text of proofs.challenge stands at all of its names.

    RefusedError: it does not at one, and what should. InputError: DNS cannot prove this asset. UnavailableError: nobody
    answers.
    """
    asked = proofs.challenge(asset, key)
    secure = True
    for name in asked.names:
        found = dns.ask(name, "TXT", _PATIENCE)
        if f'"{asked.text}"' not in found.values:
            raise RefusedError(f"{name} has no TXT record {asked.text}: publish it, wait until the zone is served")
        secure = secure and found.secure
    return Proof(how="dns", at=at, why="DNSSEC" if secure else "")


def again(
    store: Store,
    audit: Audit,
    key: bytes,
    dns: Names,
    names: Mapping[str, ProtectedName],
    told_to_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Looks up what proofs.due has: once a day, where nobody waits for it. names: protected, by id.

    A proof that is missing stands for proofs.GRACE more, and so does one that nobody answers for.
    """
    at = audit.clock()
    due = [(each.constituent.id, stale) for each in enrol.everyone(store) if (stale := proofs.due(each.assets, at))]
    for owner, stale in due:
        if told_to_stop():
            return
        looked = {each: _again(each, key, dns, at) for each in stale}  # before anything waits to be saved
        enrol.amend(store, audit, [owner], partial(_with, looked), names, by=life.KHIEN)


def _with(looked: Mapping[Asset, Asset], kept: Mapping[str, Enrolment]) -> list[Enrolment]:
    """The enrolments with assets as they were found; those that changed meanwhile stay."""
    return [
        msgspec.structs.replace(each, assets=tuple(looked.get(asset, asset) for asset in each.assets))
        for each in kept.values()
    ]


def _again(asset: Asset, key: bytes, dns: Names, at: datetime) -> Asset:
    assert asset.proof is not None  # it is due
    try:
        proof = by_dns(asset, key, dns, at)
    except (RefusedError, UnavailableError) as error:
        lapsed = at - asset.proof.at >= proofs.RECHECK + proofs.GRACE
        proof = None if lapsed and isinstance(error, RefusedError) else asset.proof
    return msgspec.structs.replace(asset, proof=proof)
