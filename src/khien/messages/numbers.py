"""What the number that a message or a call came from says of itself, by the plans of Viet Nam and of the world.

Sources: Circular 22/2014/TT-BTTTT and Decision 798/QD-BTTTT of 2017 (Viet Nam's plan and its move to ten digits), ITU-T
E.164 (countries). Nobody's number is on a list here: a number says what kind it is, never who has it.
"""

import re
from typing import Literal, NamedTuple

Kind = Literal["emergency", "mobile", "landline", "paid", "free", "short", "foreign", "internet", "unknown"]

HOME = "84"

_WRITTEN = re.compile(r"[+(]?[0-9](?:[ .()\u00a0-]{0,3}[0-9]){2,16}\)?", re.ASCII)
_NO_NUMBER = re.compile(
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9]{1,2}[.-][0-9]{1,2}[.-][0-9]{2,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}"
)
_PLAN: tuple[tuple[Kind, re.Pattern[str]], ...] = (  # as written at home
    ("emergency", re.compile(r"11[1-5]")),
    ("paid", re.compile(r"1900(?:[0-9]{4}|[0-9]{6})")),
    ("free", re.compile(r"1800(?:[0-9]{4}|[0-9]{6})")),
    ("internet", re.compile(r"065[0-9]{7,8}|0672[0-9]{6,7}")),
    ("mobile", re.compile(r"0(?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9[0-9])[0-9]{7}")),
    ("landline", re.compile(r"02[0-9]{9}|069[0-9]{4,7}")),
    ("short", re.compile(r"[1-9][0-9]{2,4}")),
)
_COUNTRIES = (  # calling codes from which people in Viet Nam say they are rung up, and those of neighbours
    "1", "7", "20", "27", "31", "33", "34", "39", "44", "45", "46", "49", "55", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "86", "91", "92", "94", "95", "98", "212", "213", "216", "220", "221", "222", "223", "224",
    "225", "226", "227", "228", "229", "231", "232", "233", "234", "235", "237", "240", "247", "252", "254", "255",
    "256", "260", "263", "269", "370", "371", "372", "373", "375", "380", "381", "420", "563", "670", "673", "675",
    "678", "679", "850", "852", "853", "855", "856", "870", "880", "881", "882", "886", "960", "963", "966", "971",
    "972", "976", "977", "979", "992", "994", "995", "996", "998",
)  # fmt: skip


class Number(NamedTuple):
    """A number: digits as dialled at home, or behind +; kind; of a foreign one the calling code, where it is known."""

    digits: str
    kind: Kind
    country: str = ""


def number(text: str) -> Number | None:
    """None: the text is no telephone number; a day or an address of the internet is none either."""
    written = text.strip().removeprefix("tel:")
    if not _WRITTEN.fullmatch(written) or _NO_NUMBER.fullmatch(written):
        return None
    digits = re.sub(r"[^0-9]", "", written)
    if written.lstrip("(").startswith("+") or digits.startswith("00"):
        called = digits.removeprefix("00")
        if not called.startswith(HOME):
            country = next((each for each in _COUNTRIES if called.startswith(each)), "")
            return Number(f"+{called}", "foreign", country)
        digits = "0" + called.removeprefix(HOME).removeprefix("0")
    elif digits.startswith(HOME) and len(digits) in (11, 12):
        digits = "0" + digits.removeprefix(HOME)
    for kind, form in _PLAN:
        if form.fullmatch(digits):
            return Number(digits, kind)
    return Number(digits, "unknown")
