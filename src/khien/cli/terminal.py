"""What reaches a person's screen: harmless to the terminal, to the eye and to a click."""

import os
from collections.abc import Mapping

from khien.words import NAMES, printable


def language(asked: str | None) -> str:
    """The language asked for, else the one the environment is set to, else English."""
    if asked:
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order of POSIX, Base Definitions 8.2
        if value := os.environ.get(name):
            return "vi" if value.lower().startswith("vi") else "en"
    return "en"


def shown(name: str) -> str:
    """A name as people may see it: defanged, printable."""
    from khien.canon import defang  # brings idna along, which only those need who show a name

    return printable(defang(name))


def shown_params(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters of a reason as people may see them: names in them defanged, all printable."""
    return {key: shown(value) if key in NAMES else printable(value) for key, value in params.items()}
