"""One spelling for each account: mail addresses and telephone numbers, with their kind in front.

``mail:lan.nguyen@example.vn`` and ``phone:+84912345678`` (E.164) are what keyed hashes and the VOPRF are taken of, so
whoever looks an account up must come to the same octets: ``canonical`` says the rules; ``spell``, which does columns of
them, and the page in the browser are held to it. What is neither address nor number has no spelling, and is not kept.
"""

import re
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from khien import canon
from khien.compiled import inner, kernel
from khien.errors import ObservableError

LONGEST = 320  # octets as met: 254 of an address (RFC 5321 erratum 1690), and blanks
VIET_NAM = "84"

_LONGEST_ADDRESS, _LONGEST_LOCAL = 254, 64
_BLANKS = bytes(range(33)) + b"\x7f"
# RFC 5322 section 3.2.3 atext and dots anywhere, as some carriers gave them; of RFC 6531 all but blanks; no quotes
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.\xa1-\u1fff\u2070-\u2fff\u3001-\ufefe\uff00-\U0010ffff-]+")
_HOST = re.compile(r"[^\s*]")  # canon.domain would take blanks and *. from its front
_NUMBER = re.compile(rb"[(]?[+]?[0-9 ().\-/]+")
_TRUNK = b"(0)"  # +84 (0)912 345 678
_NUMBERS = 8, 15  # digits, E.164

# Where what stands behind + is a tag: the provider delivers lan+shop@ to lan@ and gives the former to nobody else.
# Yahoo's tags follow a hyphen, which plain addresses of its customers' domains have too; of others nothing is known.
TAGGED = frozenset(
    """
    gmail.com outlook.com outlook.com.vn outlook.de outlook.es outlook.fr outlook.it outlook.jp outlook.kr
    hotmail.com hotmail.com.vn hotmail.co.jp hotmail.co.uk hotmail.de hotmail.es hotmail.fr hotmail.it
    live.com live.com.vn live.co.uk live.fr live.jp live.nl msn.com
    fastmail.com fastmail.fm proton.me protonmail.com protonmail.ch pm.me icloud.com me.com mac.com
    """.split()
)
GOOGLE = "gmail.com"  # which does not see dots either
SAME = {"googlemail.com": GOOGLE}

# Since 2018 Vietnamese mobile numbers have nine digits behind 84: the first three of ten became two.
MOVED = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",  # MobiFone
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",  # VinaPhone
    "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",  # Viettel
    "186": "56", "188": "58", "199": "59",  # Vietnamobile, Gmobile
}  # fmt: skip
_VIETNAMESE = re.compile(r"84(?:[35789][0-9]{8}|2[0-9]{9})")  # a mobile, or an area code and seven digits


def canonical(raw: bytes, country: str = VIET_NAM) -> bytes | None:
    """The spelling of an account as met (UTF-8), None where it is neither address nor number.

    country: the calling code of numbers that are written as at home, with a 0 in front.
    """
    if len(raw) > LONGEST:
        return None
    text = raw.strip(_BLANKS)
    return _address(text) if b"@" in text else _number(text, country)


def _address(text: bytes) -> bytes | None:
    """Any case is the same mailbox: RFC 5321 section 2.4 would allow otherwise, no provider of note does."""
    try:
        local, _, host = text.decode().rpartition("@")
        domain = canon.domain(host)
    except (UnicodeDecodeError, ObservableError):
        return None
    if "." not in domain or host.endswith("..") or not _HOST.match(host):
        return None
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    domain = SAME.get(domain, domain)
    if len(local.encode()) > _LONGEST_LOCAL or not _LOCAL.fullmatch(local):
        return None
    if domain in TAGGED:
        local = local.partition("+")[0]
    if domain == GOOGLE:
        local = local.replace(".", "")
    address = f"{local}@{domain}".encode()
    return b"mail:" + address if local and len(address) <= _LONGEST_ADDRESS else None


def _number(text: bytes, country: str) -> bytes | None:
    if not _NUMBER.fullmatch(text):
        return None
    digits = re.sub(r"[^0-9]", "", text.replace(_TRUNK, b"").decode())
    if b"+" not in text:
        if digits.startswith("00"):
            digits = digits[2:]
        elif digits.startswith("0"):
            digits = country + digits[1:]
        elif not digits.startswith(country):
            return None
    if digits.startswith(VIET_NAM):
        digits = _vietnamese(digits)
    least, most = _NUMBERS
    return f"phone:+{digits}".encode() if least <= len(digits) <= most and digits[0] != "0" else None


def _vietnamese(digits: str) -> str:
    """A number of Viet Nam's as it is dialled today, or nothing."""
    home = digits[len(VIET_NAM) :].removeprefix("0")
    if len(home) == 10 and home[:3] in MOVED:
        home = MOVED[home[:3]] + home[3:]
    digits = VIET_NAM + home
    return digits if _VIETNAMESE.fullmatch(digits) else ""


class Spelled(NamedTuple):
    """A column of accounts, spelled: account i is ``values[starts[i]:ends[i]]``, its domain begins at ``domains[i]``.

    kinds: MAIL, PHONE, or NAME for what has no spelling, which stands there as met behind ``name:``: so that what was
    logged in with it counts once for each who did.
    """

    values: Any  # u1
    starts: Any  # i8
    ends: Any  # i8
    domains: Any  # i8, ends where there is none
    kinds: Any  # u1


NAME, MAIL, PHONE, FOREIGN = range(4)  # kinds; FOREIGN: not of ASCII alone, and left to canonical


def spell(values: Any, starts: Any, ends: Any, country: str = VIET_NAM) -> Spelled:
    """Spells the accounts that stand at these spans (i8) of values (u1), as canonical does."""
    count = len(starts)
    out = np.empty(int((ends - starts).sum()) + _MORE * count, np.uint8)
    first, last, domains = (np.empty(count, np.int64) for _ in range(3))
    spelled = Spelled(out, first, last, domains, np.empty(count, np.uint8))
    made = spell_all(
        values, starts, ends, count, *_tables(), np.frombuffer(country.encode(), np.uint8), len(country),
        np.empty(LONGEST + 8, np.uint8), *spelled,
    )  # fmt: skip
    foreign = np.flatnonzero(spelled.kinds == FOREIGN)
    return _foreign(values, starts, ends, country, spelled, made, foreign) if len(foreign) else spelled


def _foreign(values: Any, starts: Any, ends: Any, country: str, spelled: Spelled, made: int, rows: Any) -> Spelled:
    """Spells these rows too, behind what was made."""
    texts: list[bytes] = []
    for row in rows.tolist():
        raw = values[starts[row] : ends[row]].tobytes()
        text = canonical(raw, country)
        spelled.kinds[row] = NAME if text is None else MAIL
        text = _NAME + raw.strip(_BLANKS)[:LONGEST] if text is None else text
        spelled.starts[row] = made
        spelled.domains[row] = made + (text.find(b"@") + 1 if spelled.kinds[row] == MAIL else len(text))
        made += len(text)
        spelled.ends[row] = made
        texts.append(text)
    more = np.frombuffer(b"".join(texts), np.uint8)
    return spelled._replace(values=np.concatenate((spelled.values[: made - len(more)], more)))


_NAME, _MAIL, _PHONE = b"name:", b"mail:", b"phone:+"
_MORE = 24  # octets by which a spelling may be longer than what was met: a kind, fifteen digits
_IS_TAGGED, _IS_GOOGLE, _IS_OTHER = 1, 2, 4  # bits of what a domain is: the last, Google's under its other name
_SLOTS = 256
BASIS, PRIME, BITS = 0x0BF29CE484222325, 0x01000193, (1 << 62) - 1


@cache
def _tables() -> tuple[Any, ...]:
    """What the kernel looks up: letters of a local part and of a domain, small (0: none); prefixes that moved; kinds in
    front; providers by the hash of their domain, and what they are."""
    letters = np.zeros(512, np.uint8)
    for code in range(128):
        small = chr(code).lower()
        letters[code] = ord(small) if _LOCAL.fullmatch(small) else 0
        letters[256 + code] = ord(small) if small.isalnum() or small in "_-." else 0
    moved = np.zeros(1000, np.uint8)
    for old, new in MOVED.items():
        moved[int(old)] = int(new)
    hashes, rules = np.full(_SLOTS, -1, np.int64), np.zeros(_SLOTS, np.uint8)
    for domain in sorted(TAGGED | SAME.keys()):
        hashed = BASIS
        for code in domain.encode():
            hashed = mixed(hashed, code)
        slot = hashed % _SLOTS
        while hashes[slot] >= 0:
            slot = (slot + 1) % _SLOTS
        google = _IS_GOOGLE if domain == GOOGLE else _IS_GOOGLE | _IS_OTHER if domain in SAME else 0
        hashes[slot], rules[slot] = hashed, _IS_TAGGED | google
    fronts = np.frombuffer(_NAME + _MAIL + _PHONE + GOOGLE.encode(), np.uint8)
    return letters, moved, fronts, hashes, rules


@inner
def mixed(hashed, code):
    """One step of a domain's hash (FNV-1a's, in 62 bits). Who makes a domain of their own collide loses their tags."""
    return ((hashed ^ code) * PRIME) & BITS


@inner
def put(source, start, end, out, done):
    """Copies octets; how much is done then."""
    for at in range(start, end):
        out[done + at - start] = source[at]
    return done + end - start


@inner
def is_blank(code):
    """Whether trimming takes it off."""
    return code <= 32 or code == 127


@inner
def none_or_foreign(values, at, end):
    """-2 where octets from here on are beyond ASCII, so that canonical must look; else -1."""
    for rest in range(at, end):
        if values[rest] >= 128:
            return -2
    return -1


@inner
def spell_local(values, start, end, letters, out, done):
    """Writes the local part of an address; where its @ stands in values; -1 or -2 where there is none."""
    at = start
    while at < end:
        small = letters[values[at]]
        if small == 0:
            break
        out[done + at - start] = small
        at += 1
    return at if at < end and values[at] == 64 and start < at else none_or_foreign(values, at, end)


@inner
def spell_domain(values, start, end, letters, out, done):
    """Writes a domain that has no dot behind; its hash; -1 or -2 where there is none."""
    hashed = BASIS
    label = start
    dots = 0
    at = start
    while at < end:
        small = letters[256 + values[at]]
        if small == 0:
            return none_or_foreign(values, at, end)
        if small == 46:
            if not 0 < at - label <= 63:
                return none_or_foreign(values, at, end)
            dots += 1
            label = at + 1
        out[done + at - start] = small
        hashed = mixed(hashed, small)
        at += 1
    numeric = True
    for i in range(label, end):
        numeric = numeric and 48 <= values[i] < 58
    return -1 if dots == 0 or numeric or end - label > 63 or end - start > 253 else hashed


@inner
def rule_of(hashed, hashes, rules):
    """What is known of a domain."""
    slot = hashed % _SLOTS
    while hashes[slot] >= 0:
        if hashes[slot] == hashed:
            return rules[slot] + 0
        slot = (slot + 1) % _SLOTS
    return 0


@inner
def untagged(out, first, end, rule):
    """Takes from a local part what its provider does not look at; where it ends then."""
    to = first
    for at in range(first, end):
        code = out[at]
        if code == 43:
            break
        out[to] = code
        to += 0 if code == 46 and rule & _IS_GOOGLE else 1
    return to


@inner
def spell_address(values, start, end, letters, fronts, hashes, rules, out, done):
    """Writes an address behind what is done; where its domain begins then, and where it ends, -1 or -2 for none."""
    first = put(fronts, 5, 10, out, done)
    at = spell_local(values, start, end, letters, out, first)
    if at < 0:
        return 0, at
    behind = end - 1 if values[end - 1] == 46 else end
    local = first + at - start
    out[local] = 64
    hashed = spell_domain(values, at + 1, behind, letters, out, local + 1)
    if hashed < 0 or at - start > _LONGEST_LOCAL:
        return 0, min(hashed, -1)
    rule = rule_of(hashed, hashes, rules)
    to = local + behind - at
    if rule:
        met = local
        local = untagged(out, first, met, rule)
        if local == first:
            return 0, -1
        if rule & _IS_OTHER:
            out[local] = 64
            to = put(fronts, 17, 26, out, local + 1)
        elif local < met:
            to = put(out, met, to, out, local)
    return local + 1, to if to - first <= _LONGEST_ADDRESS else -1


@inner
def digits_of(values, start, end, room):
    """Writes the digits of a number from room[8] on; how many, and whether + stands in front; -1 where it is none."""
    first = start + 1 if values[start] == 40 else start
    plus = first < end and values[first] == 43
    count = 0
    at = first + 1 if plus else start
    while at < end:
        code = values[at]
        if code == 40 and at + 2 < end and values[at + 1] == 48 and values[at + 2] == 41:
            at += 3
            continue
        if 48 <= code < 58:
            room[8 + count] = code
            count += 1
        elif code != 32 and (not 40 <= code <= 47 or 42 <= code <= 44):
            return -1, plus
        at += 1
    return count, plus


@inner
def international(room, count, plus, country, places):
    """Where the digits of a number begin, with those of its country in front, and how many they are; -1 for none."""
    if plus:
        return 8, count
    if count >= 2 and room[8] == 48 and room[9] == 48:
        return 10, count - 2
    if count >= 1 and room[8] == 48:
        put(country, 0, places, room, 9 - places)
        return 9 - places, count - 1 + places
    for i in range(places):
        if i >= count or room[8 + i] != country[i]:
            return 0, -1
    return 8, count


@inner
def vietnamese(room, at, count, moved):
    """A number of Viet Nam's as it is dialled today: where it begins and how many digits it has; -1 for none."""
    if count > 2 and room[at + 2] == 48:
        at += 1
        count -= 1
    if count == 12:
        prefix = 100 * (room[at + 2] - 48) + 10 * (room[at + 3] - 48) + room[at + 4] - 48
        if moved[prefix]:
            at += 1
            count -= 1
            room[at + 2] = 48 + moved[prefix] // 10
            room[at + 3] = 48 + moved[prefix] % 10
    room[at] = 56
    room[at + 1] = 52
    first = room[at + 2]
    mobile = count == 11 and (first == 51 or first == 53 or first >= 55)
    return at, count if mobile or (count == 12 and first == 50) else -1


@inner
def spell_number(values, start, end, moved, fronts, country, places, room, out, done):
    """Writes a number behind what is done; where it ends then, -1 for none."""
    if start == end:
        return -1
    count, plus = digits_of(values, start, end, room)
    if count < 0:
        return -1
    at, count = international(room, count, plus, country, places)
    if count >= 2 and room[at] == 56 and room[at + 1] == 52:
        at, count = vietnamese(room, at, count, moved)
    if not 8 <= count <= 15 or room[at] == 48:
        return -1
    return put(room, at, at + count, out, put(fronts, 10, 17, out, done))


@kernel("i8", "u1*", "i8*", "i8*", "i8", "u1*", "u1*", "u1*", "i8*", "u1*", "u1*", "i8", "u1*",
        "u1*", "i8*", "i8*", "i8*", "u1*")  # fmt: skip
def spell_all(
    values, starts, ends, count, letters, moved, fronts, hashes, rules, country, places, room,
    out, out_starts, out_ends, domains, kinds,
):  # fmt: skip
    """Spells count accounts, one behind the other; answers how many octets were written."""
    done = 0
    for i in range(count):
        start, end = starts[i], ends[i]
        fits = end - start <= LONGEST
        while start < end and is_blank(values[start]):
            start += 1
        while end > start and is_blank(values[end - 1]):
            end -= 1
        kind, domain, to = NAME, 0, -1
        if fits:
            domain, to = spell_address(values, start, end, letters, fronts, hashes, rules, out, done)
            kind = MAIL
        if fits and to == -1:
            to = spell_number(values, start, end, moved, fronts, country, places, room, out, done)
            domain, kind = to, PHONE
        if to == -2:
            to, kind, domain = done, FOREIGN, done
        elif to < 0:
            kind = NAME
            domain = to = put(values, start, min(end, start + LONGEST), out, put(fronts, 0, 5, out, done))
        out_starts[i] = done
        out_ends[i] = to
        domains[i] = domain
        kinds[i] = kind
        done = to
    return done
