"""What reaches a person's screen: harmless to the terminal, to the eye and to a click."""

import os
from collections.abc import Mapping

_NAMES = ("domain", "official", "part")  # parameters of reasons that are names, or pieces of one
_VIETNAMESE = str.maketrans(",.", ".,")


def language(asked: str | None) -> str:
    """The language asked for, else the one the environment is set to, else English."""
    if asked:
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order of POSIX, Base Definitions 8.2
        if value := os.environ.get(name):
            return "vi" if value.lower().startswith("vi") else "en"
    return "en"


def printable(text: str) -> str:
    """The text with whatever moves a cursor, turns the writing round or is not seen written as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def shown(name: str) -> str:
    """A name as people may see it: defanged, printable."""
    from khien.canon import defang  # brings idna along, which only those need who show a name

    return printable(defang(name))


def shown_params(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters of a reason as people may see them: names in them defanged, all printable."""
    return {key: shown(value) if key in _NAMES else printable(value) for key, value in params.items()}


def number(value: float, language: str, places: int = 0) -> str:
    """A number as the language writes it: 1,234.5 or 1.234,5."""
    written = f"{value:,.{places}f}"
    return written.translate(_VIETNAMESE) if language == "vi" else written
