"""Takes out of a message what is personal, before anything else sees it: numbers, codes, addresses, names.

What stands there instead says its shape (``<phone>``, ``<card>``, ``<account>``, ``<code>``, ``<address>``, ``<id>``,
``<name>``), so that rules can still use it. Links stay, but for numbers and addresses in what follows their path. What
everybody may call is nobody's: short codes and 1800 and 1900 numbers stay. Masking what is masked changes nothing.
"""

import re

from khien.messages.links import named, places
from khien.words import SHAPES

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
    rf"|(?<![\w.,/])(?P<phone>{_PHONE})(?!\d|[.,]\d)"
    rf"|(?<!\w)(?P<run>{_RUN})(?![\w%]))"
)
_DOT = r"(?:\.|\s?[\[(]\s?(?:\.|dot)\s?[\])]\s?)"
_DISGUISED = re.compile(  # an address that is to escape programs
    rf"(?<![\w.+-])[\w.+-]{{1,64}}\s?[\[(]\s?(?:@|at)\s?[\])]\s?[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{1,6}}", re.I
)
_FIRST = r"(?<![^\W\d])"  # before a word: digits too may stand there, as a shape may later
_PASSWORD = re.compile(  # what has a digit or a sign: other words behind a colon may be advice
    rf"{_FIRST}((?:mật khẩu|mat khau|mk|password|passcode|pass|pwd)\s?[:=]\s?)(?=\S{{0,64}}[\d!@#$%^&*])(?!<)\S{{4,}}",
    re.I,
)
_USER = re.compile(r"([a-z]+:[/\\]{2,3})([^/\\?#]*)@", re.I)
_MONEY = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,2}(?: \d{3})+")
_PUBLIC = re.compile(r"1[89]00[ .\-]?\d(?:[ .\-]?\d){3,5}")
_DATE = re.compile(r"\d{1,2}[.-]\d{1,2}[.-](?:19|20)\d\d|(?:19|20)\d\d-\d\d-\d\d")
_BEFORE = 48  # characters before a number in which a word says what it is
_KEYED = r"[^\d<>\n]{0,20}\Z"
_SECRET = re.compile(
    rf"{_FIRST}(?:otp|mã|ma|code|pin|mật khẩu|mat khau|mk|pass|password|passcode|cvv|cvc|verification){_KEYED}", re.I
)
_SECRET_FAR = re.compile(rf"{_FIRST}(?:otp|mã|code|pin|verification)[^\d<>\n]{{0,44}}\Z", re.I)  # of six digits
_LETTERED = re.compile(rf"{_FIRST}(?<!-)[A-Z]-\Z")  # G-482913
_SAID = re.compile(r"\s(?:is|là|la)\b[^\d<>\n]{0,20}(?<!\w)(?:otp|mã|ma|code|pin|passcode|password)(?!\w)", re.I)
_UNIT = re.compile(r"\s?(?:đ|d\b|vn|k\b|tr|usd|[$₫€%])", re.I)
_NAMED = re.compile(rf"{_FIRST}(?:stk|số tài khoản|so tai khoan)[ :.]{{0,3}}\Z", re.I)
_ACCOUNT = re.compile(
    rf"{_FIRST}(?:stk|số tài khoản|so tai khoan|tài khoản|tai khoan|tk|acc|account|acct|iban|số thẻ|so the){_KEYED}",
    re.I,
)
_ID = re.compile(rf"{_FIRST}(?:cccd|cmnd|cmt|căn cước|can cuoc|chứng minh|passport|hộ chiếu|ho chieu){_KEYED}", re.I)

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
    text = _DISGUISED.sub("<address>", text)
    parts: list[str] = []
    at = 0
    for first, behind in places(text):
        parts += (_plain(text[at:first]), _link(text[first:behind]))
        at = behind
    return "".join((*parts, _plain(text[at:])))


def _plain(text: str) -> str:
    given = _PASSWORD.sub(r"\1<code>", text)
    text = _FOUND.sub(lambda met: _shape(met, given), given)
    parts: list[str] = []
    at = 0
    while met := _NAME.search(text, at):
        behind = _behind(met)
        parts += (text[at : met.start()], met["before"] + "<name>" if behind else text[met.start() : met.start("rest")])
        at = behind or met.start("rest")
    return "".join((*parts, text[at:]))


def _behind(met: re.Match[str]) -> int:
    """Where a name ends: a family name and the names behind it, as far as they have capitals; 0 where it is none."""
    behind = met.start("rest")
    for each in met["rest"].split():
        if not each[0].isupper():
            break
        behind += 1 + len(each)
    return 0 if behind == met.start("rest") or _CITY.search(met[0]) else behind


def _link(link: str) -> str:
    """A link, its query and fragment up to the first address or long number: they often name whom it was sent to.

    Of what stands before ``@`` only what looks like a host stays: that is a trick, and no user.
    """
    link = _USER.sub(lambda met: met[1] + _user(met[2]), link, count=1)
    head, mark, tail = re.split(r"([?#])", link, maxsplit=1) if re.search(r"[?#]", link) else (link, "", "")
    return head + mark + re.sub(rf"(?:{_ADDRESS}|\d{{6,}}).*", "<id>", tail)


def _user(written: str) -> str:
    name = written.partition(":")[0]
    return f"{name}@" if "@" not in name and named(name) else ""


def _shape(met: re.Match[str], text: str) -> str:
    if met["address"]:
        return "<address>"
    if met["wallet"]:
        return "<account>"
    before = text[max(0, met.start() - _BEFORE) : met.start()]
    if met["phone"]:
        return "<account>" if _ACCOUNT.search(before) else "<phone>"
    written = met["run"]
    after = text[met.end() : met.end() + _BEFORE]
    shape = _number(written, "".join(filter(str.isdigit, written)), before, after)
    return f"<{shape}>" if shape else written


def _number(written: str, digits: str, before: str, after: str) -> str:
    """What a number is; empty where it is nobody's: an amount, a date, a number everybody may call."""
    if len(digits) <= 8 and _SECRET.search(before):
        return "code"
    if len(digits) <= 8 and (_LETTERED.search(before) or _SAID.match(after)):
        return "code"
    if len(written) == 6 and written.isdigit() and _SECRET_FAR.search(before) and not _UNIT.match(after):
        return "code"
    if len(digits) >= 8 and _NAMED.search(before):
        return "account"
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
