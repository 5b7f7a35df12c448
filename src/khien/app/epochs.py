"""The keys under which accounts are kept, an epoch each: this house's, and who else holds a share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from khien.app import machine
from khien.app.configuration import Breach, Holder
from khien.breach import voprf
from khien.breach.place import FOLDER, accounts_of, known_of
from khien.contracts import Store
from khien.errors import ConfigError, CustodyError, InputError, UnavailableError
from khien.model import Holding
from khien.pipeline.asking import BITS, LIVE, Chance, Evaluate, Key, Remote, Share, outputs, reach
from khien.sources.live.secret import secret

_NAME = "voprf-{}"  # of a key, by its epoch
Outputs = Callable[[Sequence[bytes]], list[bytes]]

_FILE = re.compile(r"voprf-([1-9][0-9]{0,4})\.key")


@dataclass(frozen=True)
class Epochs:
    """Those of a data directory, as its settings have them."""

    data: Path
    settings: Breach
    _keys: dict[int, bytes] = field(default_factory=dict[int, bytes], init=False, repr=False)

    def begun(self) -> tuple[int, ...]:
        """The epochs that have a key here, and the one that accounts are kept under from now on, in their order."""
        names = (_FILE.fullmatch(each.name) for each in self.file(1).parent.glob("voprf-*.key"))
        return tuple(sorted({self.settings.epoch, *(int(each[1]) for each in names if each)}))

    def live(self, store: Store) -> tuple[int, ...]:
        """The epochs that accounts are looked for in: those that keep some, and that of now. ConfigError: they are more
        than two."""
        begun = self.begun()
        held = store.load(Holding, *map(accounts_of, begun))
        kept = {each for each in begun if (one := held.get(accounts_of(each))) and one.entries}
        live = tuple(sorted({self.settings.epoch, *kept}))
        if len(live) > LIVE:
            raise ConfigError(
                f"breach: epoch is {self.settings.epoch}, and accounts are kept under {LIVE} other keys: who asks about"
                f" one would tell a bucket under each. Set epoch to {max(kept)}; what is kept under {min(kept)} ends"
                " first"
            )
        return live

    def file(self, epoch: int) -> Path:
        """Where the key of an epoch is."""
        return machine.key_file(self.data, _NAME.format(epoch))

    def secret(self, epoch: int) -> bytes:
        """This house's key of an epoch that has begun. InputError: it has not. CustodyError: the key is gone."""
        if epoch not in self._keys:
            if epoch not in self.begun():
                raise InputError(f"epoch {epoch} has no key here")
            self._keys[epoch] = self.begin(epoch)
        return self._keys[epoch]

    def begin(self, epoch: int) -> bytes:
        """The key of an epoch, made where there is none. CustodyError: it is gone, and what it keeps is there."""
        if not self.file(epoch).exists() and any((self.data / FOLDER).glob(f"{accounts_of(epoch)}-*")):
            raise CustodyError(
                f"{self.file(epoch)} is gone, and accounts of epoch {epoch} are there: restore it from the last backup,"
                " nothing else finds them again"
            )
        return voprf.derive(machine.key(self.data, _NAME.format(epoch)), b"khien accounts %d" % epoch)

    def keys(self, epochs: Sequence[int]) -> tuple[Key, ...]:
        """What is published of these: of each who holds a share, this house first."""
        return tuple(
            Key(
                epoch,
                (Share("", voprf.public_of(self.secret(epoch)).hex()), *(_share(each) for each in self._others(epoch))),
                BITS // len(epochs),
            )
            for epoch in epochs
        )

    def outputs(self, epoch: int, chance: Chance) -> Outputs:
        """What accounts are under the key of an epoch, 64 octets of each ACCOUNT INPUT: made by this house alone, or
        with whoever holds the other shares. CustodyError: it has no key any more. ConfigError: accounts are kept under
        this house's key alone."""
        if epoch not in self.begun():
            raise CustodyError(
                f"{self.file(epoch)} is gone, and people were made promises under it: restore it from the last backup"
            )
        ours, others = self.secret(epoch), self._others(epoch)
        if not others:
            return partial(voprf.direct, ours)

        def made(inputs: Sequence[bytes]) -> list[bytes]:
            with reach([each.url for each in others]) as client:
                shares: list[Evaluate] = [partial(voprf.evaluate, ours)]
                for each in others:
                    token = secret(each.token_file) if each.token_file else ""
                    shares.append(partial(_other, Remote(client, each.url, epoch, each.public, token)))
                return outputs(shares, inputs, chance)

        return made

    def _others(self, epoch: int) -> list[Holder]:
        others = [each for each in self.settings.holders if each.epoch == epoch]
        if others and any((self.data / FOLDER).glob(f"{known_of(epoch)}-*")):  # which is not kept of a key in shares
            raise ConfigError(
                f"breach: holders: accounts are kept under this house's key of epoch {epoch} alone, and nobody would"
                " find them any more: begin another epoch (khien breach rotate), and give its number to the holders"
            )
        return others


def _other(holder: Remote, elements: Sequence[bytes]) -> list[bytes]:
    try:
        return holder(elements)
    except UnavailableError as error:
        told = f"{holder.url}, where the other share of the key is: {error}: once it answers, run it again: it goes on"
        raise UnavailableError(told) from None


def _share(holder: Holder) -> Share:
    return Share(holder.url, holder.public)
