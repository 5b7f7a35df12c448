"""Takes out of a message what is personal, before anything else sees it: numbers, codes, addresses, names.

What stands there instead says its shape (``<phone>``, ``<card>``, ``<account>``, ``<code>``, ``<address>``, ``<id>``,
``<name>``), so that rules can still use it. Links stay, but for numbers and addresses in what follows their path. What
everybody may call is nobody's: short codes and 1800 and 1900 numbers stay. Masking what is masked changes nothing.
"""

import re

from khien.messages.links import places

SHAPES = ("phone", "card", "account", "code", "address", "id", "name")

_ADDRESS = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"
_GAP = r"[ .\-()]{0,2}"
_PHONE = (
    rf"(?:\(?\+\(?\d{{1,3}}\)?(?:{_GAP}\d){{7,12}}"  # E.164
    rf"|(?:0084|84|0){_GAP}[2-9](?:{_GAP}\d){{8}})"  # of Viet Nam: nine digits behind the trunk prefix
)
_WALLET = r"0x[0-9a-fA-F]{40}|bc1[a-z0-9]{25,60}|T[1-9A-HJ-NP-Za-km-z]{33}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"
_RUN = r"\d(?:[ .\-]?\d){3,}"
_APART = "".join(f"(?<!{shape}>)" for shape in SHAPES)  # a shape stands there for letters or digits
_FOUND = re.compile(
    rf"{_APART}(?:(?<![\w.+-])(?P<address>{_ADDRESS})"
    rf"|(?<!\w)(?P<wallet>{_WALLET})(?!\w)"
    rf"|(?<![\w.,/])(?P<phone>{_PHONE})(?!\w|[.,]\d)"
    rf"|(?<!\w)(?P<run>{_RUN})(?![\w%]))"
)
_MONEY = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,2}(?: \d{3})+")
_PUBLIC = re.compile(r"1[89]00[ .\-]?\d(?:[ .\-]?\d){3,5}")
_DATE = re.compile(r"\d{1,2}[.-]\d{1,2}[.-](?:19|20)\d\d|(?:19|20)\d\d-\d\d-\d\d")
_BEFORE = 48  # characters before a number in which a word says what it is
_KEYED = r"[^\d<>\n]{0,20}\Z"
_SECRET = re.compile(
    rf"(?<!\w)(?:otp|mã|ma|code|pin|mật khẩu|mat khau|mk|pass|password|passcode|cvv|cvc|verification){_KEYED}", re.I
)
_ACCOUNT = re.compile(
    rf"(?<!\w)(?:stk|số tài khoản|so tai khoan|tài khoản|tai khoan|tk|acc|account|acct|iban|số thẻ|so the){_KEYED}",
    re.I,
)
_ID = re.compile(rf"(?<!\w)(?:cccd|cmnd|cmt|căn cước|can cuoc|chứng minh|passport|hộ chiếu|ho chieu){_KEYED}", re.I)

_FAMILY = (
    "Nguy[eễ]n|Tr[aầ]n|L[eê]|Ph[aạ]m|Ho[aà]ng|Hu[yỳ]nh|Phan|V[uũ]|V[oõ]|[DĐ][aặ]ng|B[uù]i|[DĐ][oỗ]|H[oồ]|Ng[oô]|D[uư][oơ]ng|L[yý]"
    "|[DĐ]inh|[DĐ]o[aà]n|Mai|Tr[iị]nh|[DĐ][aà]o|L[uư][oơ]ng|Tr[uư][oơ]ng|Cao|L[aâ]m|T[oô]|Th[aá]i|Ch[aâ]u|Quach|Qu[aá]ch"
)
_TITLE = "ông|bà|anh|chị|cô|chú|bác|em|cháu|bạn|ong|ba|chi|co|chu|bac|tên|ten|chủ|khoản|khoan|stk|name|ctk|mr|mrs|ms"
_NAME = re.compile(
    rf"(?P<before>(?:<account>|(?<!\w)(?i:{_TITLE}))\.?:? )(?:{_FAMILY}|{_FAMILY.upper()})"
    r"(?P<rest>(?: [^\W\d_]+){1,4})"
)
_CITY = re.compile(r"H[oồ] Ch[ií] Minh", re.I)


def masked(text: str) -> str:
    """The message without what is personal in it. Linear in its length; masking twice is masking once."""
    parts: list[str] = []
    at = 0
    for first, behind in places(text):
        parts += (_plain(text[at:first]), _link(text[first:behind]))
        at = behind
    return "".join((*parts, _plain(text[at:])))


def _plain(text: str) -> str:
    return _NAME.sub(_name, _FOUND.sub(lambda met: _shape(met, text), text))


def _name(met: re.Match[str]) -> str:
    """A family name and the names behind it, as far as they are written with capitals."""
    given = met["rest"].split()
    count = next((n for n, each in enumerate(given) if not each[0].isupper()), len(given))
    if not count or _CITY.search(met[0]):
        return met[0]
    return " ".join((met["before"] + "<name>", *given[count:]))


def _link(link: str) -> str:
    """A link, its query and fragment masked: they often name whom it was sent to."""
    head, mark, tail = re.split(r"([?#])", link, maxsplit=1) if re.search(r"[?#]", link) else (link, "", "")
    return head + mark + re.sub(rf"{_ADDRESS}|\d{{6,}}", "<id>", tail)


def _shape(met: re.Match[str], text: str) -> str:
    if met["address"]:
        return "<address>"
    if met["wallet"]:
        return "<account>"
    before = text[max(0, met.start() - _BEFORE) : met.start()]
    if met["phone"]:
        return "<account>" if _ACCOUNT.search(before) else "<phone>"
    written = met["run"]
    shape = _number(written, "".join(filter(str.isdigit, written)), before)
    return f"<{shape}>" if shape else written


def _number(written: str, digits: str, before: str) -> str:
    """What a number is; empty where it is nobody's: an amount, a date, a number everybody may call."""
    if len(digits) <= 8 and _SECRET.search(before):
        return "code"
    if _MONEY.fullmatch(written) or _DATE.fullmatch(written) or _PUBLIC.fullmatch(written):
        return ""
    if _ID.search(before) and len(digits) >= 8:
        return "id"
    if 13 <= len(digits) <= 19 and _luhn(digits):
        return "card"
    if _ACCOUNT.search(before) and len(digits) >= 6:
        return "account"
    if len(digits) <= 8:
        return ""
    return "id" if len(digits) == 12 and digits[0] == "0" else "account"


def _luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of a card's number (ISO/IEC 7812-1 annex B)."""
    doubled = (2 * int(each) if n % 2 else int(each) for n, each in enumerate(reversed(digits)))
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0
