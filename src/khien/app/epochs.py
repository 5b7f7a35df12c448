"""The keys under which accounts are kept, an epoch each: this house's, and who else holds a share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from khien.app import machine
from khien.app.configuration import Breach
from khien.breach import voprf
from khien.breach.place import FOLDER
from khien.errors import CustodyError, InputError
from khien.pipeline.asking import Chance, Evaluate, Key, Remote, Share, outputs, reach
from khien.sources.live.secret import secret

_NAME = "voprf-{}"  # of a key, by its epoch
_FILE = re.compile(r"voprf-([1-9][0-9]{0,4})\.key")


class Keyed(NamedTuple):
    """How accounts are kept from now on. shared: others hold shares; outputs: of ACCOUNT INPUTs, 64 octets each."""

    epoch: int
    shared: bool
    outputs: Callable[[Sequence[bytes]], list[bytes]]


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
        if not self.file(epoch).exists() and any((self.data / FOLDER).glob(f"accounts-{epoch}-*")):
            raise CustodyError(
                f"{self.file(epoch)} is gone, and accounts of epoch {epoch} are there: restore it from the last backup,"
                " nothing else finds them again"
            )
        return voprf.derive(machine.key(self.data, _NAME.format(epoch)), b"khien accounts %d" % epoch)

    def keys(self) -> tuple[Key, ...]:
        """What the site publishes: of each epoch who holds a share, this house first."""
        return tuple(
            Key(epoch, (Share("", voprf.public_of(self.secret(epoch)).hex()), *self._others(epoch)))
            for epoch in self.begun()
        )

    def keyed(self, chance: Chance) -> Keyed:
        """How accounts are kept from now on: by this house alone, or with whoever holds the other shares."""
        epoch = self.settings.epoch
        ours, others = self.secret(epoch), [each for each in self.settings.holders if each.epoch == epoch]
        if not others:
            return Keyed(epoch, False, partial(voprf.direct, ours))

        def made(inputs: Sequence[bytes]) -> list[bytes]:
            with reach(*(each.url for each in others)) as client:
                shares: list[Evaluate] = [partial(voprf.evaluate, ours)]
                for each in others:
                    token = secret(each.token_file) if each.token_file else ""
                    shares.append(Remote(client, each.url, epoch, each.public, token))
                return outputs(shares, inputs, chance)

        return Keyed(epoch, True, made)

    def _others(self, epoch: int) -> tuple[Share, ...]:
        return tuple(Share(each.url, each.public) for each in self.settings.holders if each.epoch == epoch)
