"""What people were promised, whatever the key: who was taken out stays out, who wished to be told is told.

A promise is a record under what its account is in the epochs that have a key when it is made, and no output says what
it would be under a key that comes later. So whoever takes in evaluates an account that is new there under earlier keys,
too, as long as a promise stands that no later key has; where one is met, it is made again. A key is kept that long.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from khien.contracts import Store
from khien.model import Removed, Wish
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved

P = TypeVar("P", Removed, Wish)

_KINDS = (Removed, Wish)


def removals(store: Store) -> frozenset[bytes]:
    """The accounts that were taken out, by their first octets: no look-up and no merge knows them."""
    return frozenset(bytes.fromhex(each.id) for each in every(store, Removed))


def standing(store: Store, epoch: int) -> tuple[int, ...]:
    """Epochs before this one with promises that no later key has: who takes in evaluates under their keys, too."""
    met = {each for kind in _KINDS for (each,) in store.count(kind, "epoch", carried=False)}
    return tuple(sorted(each for each in met if each < epoch))


def of(store: Store, epoch: int) -> list[Removed | Wish]:
    """All promises of an epoch; with its key goes what they are good for."""
    return [*every(store, Removed, epoch=epoch), *every(store, Wish, epoch=epoch)]


def carry(store: Store, pairs: Mapping[str, str], epoch: int) -> None:
    """Makes promises again under an epoch's key. pairs: ids of accounts under an earlier key, to theirs under it."""
    until_saved(store, lambda: [*_carried(store, Removed, pairs, epoch), *_carried(store, Wish, pairs, epoch)])


def _carried(store: Store, kind: type[P], pairs: Mapping[str, str], epoch: int) -> Sequence[P]:
    earlier = [each for each in store.load(kind, *pairs).values() if not each.carried]
    there = store.load(kind, *(pairs[each.id] for each in earlier))
    made = [msgspec.structs.replace(each, id=pairs[each.id], epoch=epoch) for each in earlier]
    done = [msgspec.structs.replace(each, carried=True) for each in earlier]
    return [*done, *(each for each in made if each.id not in there)]
