"""Under whose name a command acts, and whether that is enough.

Who can read the data directory administers the machine, and may do everything under the name they are logged in with.
A command that is given an officer's name acts as that officer, and may do what their role may. The page of the roles
in the documentation is made from this table.
"""

import getpass
from collections.abc import Mapping
from typing import Literal

import click

from khien import officers
from khien.contracts import Store
from khien.errors import RefusedError
from khien.model import Officer, Role

COMMANDS: Mapping[str, Role | Literal["anyone"]] = {  # to the least role of an officer under whose name they act
    "khien audit checkpoint": "anyone",
    "khien audit export": "anyone",
    "khien audit show": "anyone",
    "khien audit verify": "anyone",
    "khien breach check": "anyone",
    "khien breach give-up": "officer",
    "khien breach hold": "anyone",
    "khien breach rotate": "administrator",
    "khien breach share": "administrator",
    "khien breach collections add": "officer",
    "khien breach collections list": "anyone",
    "khien breach collections show": "anyone",
    "khien breach delete": "approver",
    "khien breach check-offline": "anyone",
    "khien breach export filter": "anyone",
    "khien breach export keepassxc": "anyone",
    "khien breach export ranges": "anyone",
    "khien breach import-passwords": "officer",
    "khien breach import": "officer",
    "khien breach match": "anyone",
    "khien breach remove": "officer",
    "khien breach token": "officer",
    "khien check": "anyone",
    "khien completion": "anyone",
    "khien constituents add": "officer",
    "khien constituents export": "anyone",
    "khien constituents hear": "officer",
    "khien constituents import": "officer",
    "khien constituents list": "anyone",
    "khien constituents prove": "officer",
    "khien constituents remove": "officer",
    "khien constituents show": "anyone",
    "khien contacts check": "anyone",
    "khien contacts show": "anyone",
    "khien contacts sign": "anyone",  # who has the key
    "khien doctor": "anyone",
    "khien figures": "anyone",
    "khien figures report": "anyone",
    "khien findings": "anyone",
    "khien findings act": "officer",
    "khien findings confirm": "officer",
    "khien findings dismiss": "officer",
    "khien findings lose": "officer",
    "khien findings reopen": "officer",
    "khien findings show": "anyone",
    "khien flows mitigate": "anyone",
    "khien flows top": "anyone",
    "khien delist": "officer",
    "khien ledger check": "anyone",
    "khien ledger checkpoint": "anyone",
    "khien ledger mirror": "anyone",
    "khien ledger proof": "anyone",
    "khien ledger redact": "approver",
    "khien ledger verify": "anyone",
    "khien list": "officer",
    "khien listings": "anyone",
    "khien listings approve": "approver",
    "khien listings change": "officer",
    "khien listings decide": "approver",
    "khien listings import": "officer",
    "khien listings show": "anyone",
    "khien lists write": "anyone",
    "khien kit": "anyone",
    "khien notices acknowledge": "officer",
    "khien notices list": "anyone",
    "khien notices own": "officer",
    "khien notices show": "anyone",
    "khien notices withdraw": "officer",
    "khien officers": "anyone",
    "khien officers invite": "administrator",
    "khien officers leave": "administrator",
    "khien officers role": "administrator",
    "khien protect check": "anyone",
    "khien replay": "anyone",
    "khien web": "anyone",
    "khien run": "anyone",
    "khien scan flows": "anyone",
    "khien scan names": "anyone",
    "khien sources": "anyone",
    "khien status": "anyone",
    "khien takedown begin": "approver",
    "khien takedown close": "approver",
    "khien takedown list": "anyone",
    "khien takedown show": "anyone",
}


def acting(store: Store, by: str | None) -> str:
    """The name the command that runs acts under: the one it was given, else who is logged in.

    RefusedError: it is an officer's whose role is not enough for this command, or who left.
    """
    name = by or getpass.getuser()
    officer = store.load(Officer, name).get(name)
    command = click.get_current_context().command_path
    least = COMMANDS[command]
    if officer is None or least == "anyone":
        return name
    if officer.left or not officers.may(officer.role, least):
        now = "left" if officer.left else f"has the role {officer.role}"
        raise RefusedError(f"{name} {now}, and {command} takes {least}: ask who has that role, and give --by")
    return name
