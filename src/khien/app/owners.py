"""The accounts of people on this machine: found under each key there is, for who has shown that one is theirs."""

import secrets
from pathlib import Path

from khien.app import breach
from khien.app.configuration import Breach
from khien.app.epochs import Epochs
from khien.breach.exposed import ACCOUNT
from khien.contracts import Store
from khien.pipeline.owners import Owners


def owners(store: Store, data: Path, settings: Breach) -> Owners:
    """What they may do. UnavailableError, of each act: another holder of a share of a key is away."""

    epochs = Epochs(data, settings)

    def found(spelled: bytes) -> dict[int, bytes]:
        outputs = {each: epochs.outputs(each, secrets.token_bytes) for each in epochs.begun()}
        return {epoch: made([spelled])[0][:ACCOUNT] for epoch, made in outputs.items()}

    return Owners(store, breach.place(data), found)
