"""How a constituent shows that an asset is theirs: a text in DNS, a code by mail, an officer's word.

What is asked for is a keyed digest of the asset, which is different for each constituent, so nothing about it is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import NamedTuple

import msgspec

from khien import canon, words
from khien.errors import InputError, RefusedError
from khien.model import Asset, Proof, ProtectedName
from khien.names import register
from khien.triage import tokens

RECHECK = timedelta(days=90)  # after so long DNS is asked again whether a proof stands
GRACE = timedelta(days=14)  # for so long it may be missing there: a name server is soon set up wrongly
KEY = "proofs"  # the key of the house that challenges and codes are made with
LABEL = "_khien-challenge"
ROLES = ("security", "abuse", "postmaster")  # RFC 2142 sections 4 and 5; RFC 5321 section 4.5.1
MOST_PARTS = 16  # reverse zones that prove one prefix

_DAY = timedelta(days=1)
_MAILED = ("domain", "mail-domain")


class Challenge(NamedTuple):
    """What proves an asset in DNS: a TXT record with this text at each of these names."""

    names: tuple[str, ...]
    text: str


class Letter(NamedTuple):
    """A mail that is to be sent to a role address."""

    address: str
    subject: str
    text: str


def challenge(asset: Asset, key: bytes) -> Challenge:
    """What is to be published for an asset. InputError: DNS cannot prove it, and what can."""
    if asset.kind == "brand":
        raise InputError(f"{asset.value}: a protected name is proven by one of its official domains: prove that domain")
    zones = tuple(_reverse(asset.value)) if asset.kind == "prefix" else (asset.value,)
    if len(LABEL) + 1 + max(map(len, zones)) > canon.LONGEST_NAME:
        raise InputError(f"{asset.value} is too long for {LABEL} in front: give a word")
    return Challenge(tuple(f"{LABEL}.{zone}" for zone in zones), f"khien-proof={tokens.token(key, LABEL, asset.id)}")


def _reverse(prefix: str) -> Iterator[str]:
    """The reverse zones that a prefix fills: RFC 1035 section 3.5, RFC 3596 section 2.5."""
    network = ip_network(prefix)
    step = 8 if network.version == 4 else 4  # bits of a label
    bits = -(-network.prefixlen // step) * step
    parts = 1 << bits - network.prefixlen
    if parts > MOST_PARTS:
        raise InputError(f"{prefix}: {parts} reverse zones would have to prove it, {MOST_PARTS} at most: give a word")
    for part in network.subnets(new_prefix=bits):
        labels = part.network_address.reverse_pointer.split(".")
        yield ".".join(labels[(part.max_prefixlen - bits) // step :])


def letters(asset: Asset, key: bytes, at: datetime) -> Iterator[Letter]:
    """A mail to each role address of a domain, in both languages, with a code that is good until the day after (UTC).

    InputError: mail cannot prove it.
    """
    if asset.kind not in _MAILED:
        raise InputError(f"{asset.value}: mail proves domains only: publish the text in DNS, or give a word")
    for role in ROLES:
        said = {"domain": asset.value, "answer": tokens.code(key, _sent(asset, role, at))}
        texts = [words.phrase("challenge-letter", language, **said) for language in ("vi", "en")]
        subjects = [words.phrase("challenge-subject", language) for language in ("vi", "en")]
        yield Letter(f"{role}@{asset.value}", " / ".join(subjects), "\n\n".join(texts))


def by_mail(asset: Asset, key: bytes, given: str, at: datetime) -> Proof:
    """The proof that a code came back. RefusedError: it is none of this asset's, or too old."""
    roles = ROLES if asset.kind in _MAILED else ()
    sent = {_sent(asset, role, day): f"{role}@{asset.value}" for role in roles for day in (at, at - _DAY)}
    met = tokens.whose(given, key, sent)
    if met is None:
        raise RefusedError(f"{asset.value}: this is not a code that was sent for it since yesterday: send a new one")
    return Proof(how="mail", at=at, why=sent[met])


def _sent(asset: Asset, role: str, day: datetime) -> str:
    return f"{LABEL} {asset.id} {role} {day:%Y-%m-%d}"


def by_word(by: str, why: str, at: datetime) -> Proof:
    """An officer's word. InputError: nobody gives it, or no reason."""
    if not by.strip() or not why.strip():
        raise InputError("an officer's word has their name and a reason: say how they know")
    return Proof(how="officer", at=at, by=by, why=why)


def settle(assets: Sequence[Asset], names: Mapping[str, ProtectedName]) -> tuple[Asset, ...]:
    """The assets of one constituent, where each protected name is theirs while an official domain of it is proven so.

    An officer's word on a protected name stands for itself, and of what names does not hold nothing is said.
    """
    proven = {each.value: each.proof for each in assets if each.kind == "domain" and each.proof}

    def settled(asset: Asset) -> Asset:
        proof = asset.proof
        if asset.kind != "brand" or asset.value not in names or asset.left or (proof and proof.how != "estate"):
            return asset
        theirs = [each for each in official(names[asset.value]) if each in proven]
        if proof and proof.why in theirs:
            return asset
        made = Proof(how="estate", at=proven[theirs[0]].at, why=theirs[0]) if theirs else None
        return msgspec.structs.replace(asset, proof=made)

    return tuple(map(settled, assets))


def official(name: ProtectedName) -> Iterator[str]:
    """The confirmed official domains of a protected name that are written out."""
    for each in name.official:
        yield from register.members(each.domain) if each.verified else ()


def due(assets: Iterable[Asset], at: datetime) -> list[Asset]:
    """Those whose proof in DNS is to be looked up again; to be asked about once a day."""
    return [each for each in assets if each.proof and each.proof.how == "dns" and at - each.proof.at >= RECHECK]
