"""Whether who objects to a listing controls what is listed: a text in DNS, or in a file at the host; and for how long
what they said is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

import httpx
from msgspec import structs

from khien import canon
from khien.contracts import Store
from khien.errors import ConfigError, FormatError, InputError, RefusedError, UnavailableError
from khien.model import Asset, Listing
from khien.outward import http
from khien.outward.dns import Names
from khien.pipeline.paging import every
from khien.pipeline.prove import by_dns
from khien.pipeline.saving import until_saved
from khien.triage import proofs, tokens
from khien.triage.proofs import Challenge

KEPT = timedelta(days=365)  # after an objection was decided, what its owner said
WELL_KNOWN = "/.well-known/khien-challenge.txt"  # RFC 8615

Trouble = Literal[  # pages say each, as appeal-trouble-…
    "",
    "dns-missing",  # no such text is there yet
    "dns-silent",  # nobody answers for the name
    "file-missing",
    "file-other",  # it holds another text, or more
    "file-elsewhere",  # it leads to another address, or what is sent is no file
    "file-inside",  # the host is none of the public Internet
    "file-silent",  # the host has no address, or does not answer
]

_LARGEST = 1024  # octets of the file
_PATIENCE = 10.0  # seconds for it


@dataclass(frozen=True)
class Control:
    """Looks for a listing's challenge. key: of the house, from which challenges follow; servers: of names, else the
    system's; client: reaches the public Internet only, as outward.http has it; port: of https."""

    key: bytes = field(repr=False)
    servers: tuple[str, ...]
    client: httpx.Client
    port: int = 443

    def challenge(self, listing: Listing) -> Challenge:
        """What is to be published for a listing; of an address in a file alone, DNS has no name for it.

        InputError: its host is too long for a name in front.
        """
        if canon.is_address(canon.host_of(listing.value)):
            return Challenge((), f"khien-proof={tokens.token(self.key, proofs.LABEL, f'listing/{listing.id}')}")
        return proofs.challenge(_asset(listing), self.key)

    def file(self, listing: Listing) -> str:
        """Where a file with the challenge's text shows the same."""
        host = canon.host_of(listing.value)
        place = f"[{host}]" if ":" in host else host
        return f"https://{place}{'' if self.port == 443 else f':{self.port}'}{WELL_KNOWN}"

    def trouble(self, listing: Listing, how: Literal["dns", "file"]) -> Trouble:
        """What keeps the challenge from being seen; empty where it is there. InputError: nothing can prove it."""
        return self._by_dns(listing) if how == "dns" else self._by_file(listing)

    def _by_dns(self, listing: Listing) -> Trouble:
        try:
            by_dns(_asset(listing), self.key, self._dns, listing.since)
        except RefusedError:
            return "dns-missing"
        except (UnavailableError, ConfigError):
            return "dns-silent"
        return ""

    @cached_property
    def _dns(self) -> Names:
        """Made when it is first asked: a machine without name servers serves the rest all the same."""
        return Names(self.servers)

    def _by_file(self, listing: Listing) -> Trouble:
        text, url = self.challenge(listing).text, self.file(listing)
        try:
            answer = http.get(self.client, url, _LARGEST, seconds=_PATIENCE, redirects=0, cut=True)
        except FormatError:
            return "file-elsewhere"
        except RefusedError:
            return "file-inside"
        except UnavailableError:
            return "file-silent"
        if answer.status != 200:
            return "file-missing"
        return "" if answer.body.strip() == text.encode() else "file-other"


def forget(store: Store, at: datetime) -> int:
    """Takes out what owners said whose objections were decided long ago; answers how many those were. The log never
    had it."""
    gone: list[Listing] = []

    def decided() -> Sequence[Listing]:
        over = every(store, Listing, outcome=("kept", "removed", "expired"))
        gone[:] = [_silent(each) for each in over if _is_over(each, at)]
        return gone

    until_saved(store, decided)
    if gone:
        store.forget()
    return len(gone)


def _is_over(listing: Listing, at: datetime) -> bool:
    appeal = listing.appeal
    return bool(appeal and appeal.why and appeal.decided and appeal.decided <= at - KEPT)


def _silent(listing: Listing) -> Listing:
    return structs.replace(listing, appeal=listing.appeal and structs.replace(listing.appeal, why=""))


def _asset(listing: Listing) -> Asset:
    host = canon.host_of(listing.value)
    if canon.is_address(host):
        raise InputError(f"{host}: is an address, which DNS says nothing of")
    return Asset(id=f"listing/{listing.id}", kind="domain", value=host, constituent="")
