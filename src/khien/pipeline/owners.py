"""What the holder of an account does with it: see all it is in, take it out, be told in future, take that back.

Who holds an address has shown it by a code that was sent there; nothing of code or address is kept. An officer takes an
account out for somebody who asked in person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from khien.breach import wishes
from khien.breach.exposed import Exposed
from khien.breach.place import Place, accounts_of
from khien.contracts import Store
from khien.errors import RefusedError
from khien.model import Collection, Delivery, Language, Record, Removed, Wish
from khien.pipeline import promises
from khien.pipeline.saving import until_saved
from khien.triage import tokens
from khien.triage.answers import withdrawn

LASTS = timedelta(days=730)  # a wish; who still wants it then says so again
MAIL = b"mail:"  # how the input of an address begins

_DAY = timedelta(days=1)
_MOST = 10_000  # collections, letters that wait

Accounts = Callable[[bytes], Mapping[int, bytes]]  # of an ACCOUNT INPUT, by epoch: the first 16 octets of its output


@dataclass(frozen=True)
class Owners:
    """accounts: finds the account of an ACCOUNT INPUT (breach.accounts), under each key there is."""

    store: Store
    place: Place
    accounts: Accounts = field(repr=False)

    def collections(self, spelled: bytes) -> tuple[Collection, ...]:
        """All that an account is in, the sensitive ones too: for its holder alone."""
        out, numbers = promises.removals(self.store), set[int]()
        for epoch, account in self.accounts(spelled).items():
            held = self.place.holding(self.store, accounts_of(epoch))
            if held and account not in out:
                numbers.update(Exposed.open(self.place.path(held)).collections(account))
        every = self.store.find(Collection, limit=_MOST, number=tuple(numbers)) if numbers else ()
        return tuple(each for each in every if each.gone is None)

    def wish(self, spelled: bytes) -> Wish | None:
        """The wish that stands for an account."""
        return next(iter(self.store.load(Wish, *self._ids(spelled)).values()), None)

    def remove(self, spelled: bytes, *, by: str, at: datetime, beside: Callable[[], Sequence[Record]] = tuple) -> None:
        """Takes an account out: no look-up knows it when this answers, and its rows go with the next merge."""
        ids = self._ids(spelled)

        def decide() -> Sequence[Record]:
            there = self.store.load(Removed, *ids)
            made = [
                Removed(id=account, epoch=epoch, carried=carried, at=at, by=by)
                for account, (epoch, carried) in ids.items()
            ]
            known = (msgspec.structs.replace(there.get(each.id, each), carried=each.carried) for each in made)
            return [*known, *beside()]

        until_saved(self.store, decide)

    def tell(
        self, spelled: bytes, language: Language, public: bytes, chance: Callable[[int], bytes], at: datetime
    ) -> None:
        """Keeps the wish to be told, for two years from now. public: what the address is sealed to."""
        ids, address, until = self._ids(spelled), spelled.removeprefix(MAIL).decode(), at.date() + LASTS
        sealed = {each: wishes.seal(address, public, chance(32)) for each in ids}

        def decide() -> Sequence[Record]:
            kept = self.store.load(Wish, *sealed)
            since = {each.id: each.at for each in kept.values()}  # what came in between is still told
            return [
                Wish(
                    id=account,
                    epoch=epoch,
                    carried=carried,
                    sealed=sealed[account],
                    language=language,
                    at=since.get(account, at),
                    until=until,
                )
                for account, (epoch, carried) in ids.items()
            ]

        until_saved(self.store, decide)

    def forget(self, spelled: bytes) -> None:
        """Takes the wish back, and what was on its way because of it."""
        ids = self._ids(spelled)

        def waiting() -> Sequence[Record]:
            return withdrawn(self.store.find(Delivery, about=tuple(ids), state="due", limit=_MOST))

        until_saved(self.store, waiting, gone=lambda: tuple(self.store.load(Wish, *ids).values()))

    def _ids(self, spelled: bytes) -> dict[str, tuple[int, bool]]:
        """Under which ids records of an account stand: the epoch of each, and whether there is a later one."""
        accounts = self.accounts(spelled)
        return {account.hex(): (epoch, epoch < max(accounts)) for epoch, account in accounts.items()}


def code(spelled: bytes, key: bytes, at: datetime) -> str:
    """What is sent to an address, and comes back from who reads its mail; good until the end of the next day (UTC)."""
    return tokens.code(key, _sent(spelled, at))


def expect(spelled: bytes, said: str, key: bytes, at: datetime) -> None:
    """RefusedError: this is no code that was sent to the address since yesterday."""
    if tokens.whose(said, key, [_sent(spelled, at), _sent(spelled, at - _DAY)]) is None:
        raise RefusedError("this is not the code that was sent to this address since yesterday: ask for a new one")


def _sent(spelled: bytes, day: datetime) -> str:
    return f"account {spelled.decode()} {day:%Y-%m-%d}"
