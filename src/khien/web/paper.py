"""Pages for paper: PDF that screen readers can read (tagged), the same octets for the same words and time.

The templates are in ``typst/``, which typst sets with the fonts it brings along: none of them has a text of its own.
"""

from datetime import datetime
from functools import lru_cache
from threading import Lock

import msgspec
import typst

from khien.web.render import FOLDER

_ONE = Lock()  # who asks for what is just being set waits for it


def pdf(template: str, told: object, at: datetime) -> bytes:
    """A template with what it is told, as JSON; at: the time that the document bears."""
    with _ONE:
        return _set(template, msgspec.json.encode(told).decode(), int(at.timestamp()))


@lru_cache(maxsize=8)
def _set(template: str, told: str, at: int) -> bytes:
    folder = FOLDER / "typst"
    compiler = typst.Compiler(folder / f"{template}.typ", folder, ignore_system_fonts=True, sys_inputs={"told": told})
    made = compiler.compile(format="pdf", timestamp=at, pdf_standards="ua-1")
    assert isinstance(made, bytes)  # typst answers pages one by one only where they are pictures
    return made
