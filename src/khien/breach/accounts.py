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
from khien.breach.octets import ASCII, HIGHEST, eight, from_on, mixed, place, put_eight, small, up_to
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
    """A column of accounts, spelled: account i is ``values[starts[i]:ends[i]]``, padded as siphash takes it.

    kinds: MAIL, PHONE, or NAME for what has no spelling, which stands there as met behind ``name:``: so that what was
    logged in with it counts once for each who did. domains: which of the hosts the domain of an address is. Most share
    few of them, so that what is made of a domain is made once for a host; only rare ones may be there more than once.
    """

    values: Any  # u1
    starts: Any  # i8
    ends: Any  # i8
    kinds: Any  # u1
    domains: Any  # i8, 0 where there is none
    hosts: Any  # u1: host h is hosts[places[h]:places[h + 1]]
    places: Any  # i8


NAME, MAIL, PHONE, FOREIGN = range(4)  # kinds; FOREIGN: not of ASCII alone, and left to canonical


def spell(values: Any, starts: Any, ends: Any, country: str = VIET_NAM) -> Spelled:
    """Spells the accounts that stand at these spans (i8) of values (u1), as canonical does."""
    known = _providers()
    spelled, made = _spell(values, starts, ends, country, known._replace(slots=known.slots.copy()))
    foreign = np.flatnonzero(spelled.kinds == FOREIGN)
    return _foreign(values, starts, ends, country, spelled, made, foreign) if len(foreign) else spelled


class _Hosts(NamedTuple):
    """Hosts that are known: as in Spelled, what else is known of each, and where to look for it by its hash."""

    hosts: Any
    places: Any
    rules: Any  # u1
    slots: Any  # i4


@cache
def _providers() -> _Hosts:
    """The hosts that a column begins with: none, Google, and those whose addresses have tags."""
    known = [GOOGLE, *sorted(SAME.keys() | TAGGED - {GOOGLE})]
    each = [b"x@" + host.encode() for host in known]
    ends = np.cumsum([len(one) for one in each])
    nothing = _Hosts(np.zeros(0, np.uint8), np.zeros(2, np.int64), np.zeros(1, np.uint8), np.zeros(_SLOTS, np.int32))
    values = np.frombuffer(b"".join(each), np.uint8)
    made, _ = _spell(values, ends - [len(one) for one in each], ends, VIET_NAM, nothing)
    rules = [_IS_TAGGED | (_IS_GOOGLE if SAME.get(host, host) == GOOGLE else 0) for host in known]
    return nothing._replace(hosts=made.hosts, places=made.places, rules=np.array([0, *rules], np.uint8))


def _spell(values: Any, starts: Any, ends: Any, country: str, known: _Hosts) -> tuple[Spelled, int]:
    """All but what is foreign, and how many octets were made; in the slots of known stands then what was learnt."""
    count, octets = len(starts), int((ends - starts).sum())
    first, last, domains = (np.empty(count, np.int64) for _ in range(3))
    hosts, places, rules = (
        _longer(each, more) for each, more in zip(known[:3], (octets + _MORE, count, count), strict=True)
    )
    spelled = Spelled(
        np.empty(octets + _MORE * (count + 1), np.uint8), first, last, np.empty(count, np.uint8), domains, hosts, places
    )
    done = np.array([0, len(known.rules)])
    spell_all(
        values, len(values), starts, ends, count, *_letters(), np.frombuffer(country.encode(), np.uint8), len(country),
        np.empty(LONGEST + 16, np.uint8), rules, known.slots, *spelled, done,
    )  # fmt: skip
    made, learnt = done.tolist()
    places = places[: learnt + 1]
    return spelled._replace(hosts=hosts[: places[-1]], places=places), made


def _longer(array: Any, more: int) -> Any:
    """An array with room behind it."""
    longer = np.empty(len(array) + more, array.dtype)
    longer[: len(array)] = array
    return longer


def _foreign(values: Any, starts: Any, ends: Any, country: str, spelled: Spelled, made: int, rows: Any) -> Spelled:
    """Spells these rows too, behind what was made."""
    texts: list[bytes] = []
    hosts: list[bytes] = []
    begin = made
    for row in rows.tolist():
        raw = values[starts[row] : ends[row]].tobytes()
        text = canonical(raw, country)
        spelled.kinds[row] = NAME if text is None else MAIL
        spelled.domains[row] = 0 if text is None else len(spelled.places) - 1 + len(hosts)
        if text is None:
            text = _NAME + raw.strip(_BLANKS)[:LONGEST]
        else:
            hosts.append(text.partition(b"@")[2])
        spelled.starts[row], spelled.ends[row] = made, made + len(text)
        texts.append(text + bytes(8 - len(text) % 8))
        made += len(texts[-1])
    ends = spelled.places[-1] + np.cumsum([len(host) for host in hosts], dtype=np.int64)
    return spelled._replace(
        values=np.concatenate((spelled.values[:begin], np.frombuffer(b"".join(texts), np.uint8))),
        hosts=np.concatenate((spelled.hosts, np.frombuffer(b"".join(hosts), np.uint8))),
        places=np.concatenate((spelled.places, ends)),
    )


_NAME = b"name:"
_MORE = 24  # octets by which a spelling may be longer than what was met: a kind, fifteen digits
# Kinds as words, and how many of their octets count
MAIL_FRONT, NAME_FRONT, PHONE_FRONT = (int.from_bytes(each, "little") for each in (b"mail:", _NAME, b"phone:+"))
_OF_FRONT, _OF_PHONE = 5, 7
_IS_TAGGED, _IS_GOOGLE = 1, 2  # bits of what is known of a host
_GOOGLE = 1  # its number
_SLOTS, _PROBES = 1 << 14, 4
_DOT = 128  # a bit of the letter
_TWO = 16  # octets of two words, which most hosts do not fill


@cache
def _letters() -> tuple[Any, Any]:
    """Letters of a local part and of a domain, small (0: none), and the prefixes of numbers that moved."""
    letters = np.zeros(512, np.uint8)
    for code in range(128):
        small = chr(code).lower()
        letters[code] = ord(small) | (_DOT if small == "." else 0) if _LOCAL.fullmatch(small) else 0
        letters[256 + code] = ord(small) if small.isalnum() or small in "_-." else 0
    moved = np.zeros(1000, np.uint8)
    for old, new in MOVED.items():
        moved[int(old)] = int(new)
    return letters, moved


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
def read_local(values, size, start, end, out, first):
    """Writes octets small up to @: where it stands, end where it does not; whether all before it are plain: -./0-9 or
    ^_`a-z{|}~, which any local part may have; and whether any is a dot."""
    others = dots = np.uint64(0)
    for at in range(start, end, 8):
        word = small(up_to(values, size, at, end))
        put_eight(word, out, first + at - start)
        bits = word & np.uint64(ASCII)
        met = from_on(bits, 64) & ~from_on(bits, 65) & ~word & np.uint64(HIGHEST)
        lowest = met & (~met + np.uint64(1))
        before = (lowest - np.uint64(1)) & np.uint64(HIGHEST)  # all, where there is none
        plain = (from_on(bits, 0x2D) & ~from_on(bits, 0x3A)) | (from_on(bits, 0x5E) & ~from_on(bits, 0x7F))
        others |= (~plain | word) & before
        dots |= from_on(bits, 46) & ~from_on(bits, 47) & before
        if met:
            return at + place(lowest), others == 0, dots != 0
    return end, False, False


@inner
def spell_local(values, start, end, letters, rule, out, first):
    """Writes a local part without what its provider does not look at; where it ends then, -1 or -2 where it is none."""
    to = first
    undotted = (rule & _IS_GOOGLE) >> 1
    for at in range(start, end):
        letter = letters[values[at]]
        if letter == 0:
            return none_or_foreign(values, at, end)
        if letter == 43 and rule:
            for rest in range(at, end):
                if letters[values[rest]] == 0:
                    return none_or_foreign(values, rest, end)
            return to
        out[to] = letter & 127
        to += 1 - ((letter >> 7) & undotted)
    return to


@inner
def learn(values, start, end, letters, hosts, done):
    """Writes a domain that has no dot behind, behind the hosts; where it ends; -1 or -2 where there is none."""
    label = start
    dots = 0
    for at in range(start, end):
        letter = letters[256 + values[at]]
        if letter == 0 or (letter == 46 and not 0 < at - label <= 63):
            return none_or_foreign(values, at, end)
        if letter == 46:
            dots += 1
            label = at + 1
        hosts[done + at - start] = letter
    numeric = True
    for i in range(label, end):
        numeric = numeric and 48 <= values[i] < 58
    return -1 if dots == 0 or numeric or end - label > 63 or end - start > 253 else done + end - start


@inner
def is_host(values, size, start, end, front, back, hosts, begin, last):
    """Whether a domain, but for its case, is the host between these places; front and back: its first two words."""
    if last - begin != end - start or front != up_to(hosts, begin + 8, begin, last):
        return False
    if back != up_to(hosts, begin + 16, begin + 8, last):
        return False
    for k in range(_TWO, end - start, 8):
        if small(up_to(values, size, start + k, end)) != up_to(hosts, begin + k + 8, begin + k, last):
            return False
    return True


@inner
def host_of(values, size, start, end, hosts, places, slots):
    """Which host a domain is, 0 where it is none that is known, and the slot where it may be noted, -1 for none.

    Domains that somebody made collide are learnt anew each time they are met, which costs what learning costs.
    """
    front, back = small(up_to(values, size, start, end)), small(up_to(values, size, start + 8, end))
    hashed = mixed(mixed(np.uint64(end - start), front), back)
    for at in range(start + _TWO, end, 8):
        hashed = mixed(hashed, small(up_to(values, size, at, end)))
    for probe in range(_PROBES):
        slot = (np.int64(hashed & np.uint64(_SLOTS - 1)) + probe) & (_SLOTS - 1)
        host = slots[slot] + 0
        if host == 0:
            return 0, slot
        if is_host(values, size, start, end, front, back, hosts, places[host], places[host + 1]):
            return host, slot
    return 0, -1


@inner
def spell_address(values, size, start, end, letters, hosts, places, rules, slots, known, out, done):
    """Writes an address behind what is done; where it ends, -1 or -2 where it is none, and its host; a host that is not
    among those known is learnt as the next."""
    first = done + _OF_FRONT
    put_eight(np.uint64(MAIL_FRONT), out, done)
    at, is_plain, has_dots = read_local(values, size, start, end, out, first)
    if at == end:
        return none_or_foreign(values, start, end), 0
    last = end - 1 if values[end - 1] == 46 else end
    host, slot = host_of(values, size, at + 1, last, hosts, places, slots)
    if host == 0:
        places[known + 1] = learn(values, at + 1, last, letters, hosts, places[known])
        if places[known + 1] < 0:
            return places[known + 1], 0
        host = known
        rules[host] = 0
        if slot >= 0:
            slots[slot] = host
    rule = rules[host]
    if rule & _IS_GOOGLE:
        host = _GOOGLE
    local = first + at - start
    if not is_plain or (has_dots and rule & _IS_GOOGLE):
        local = spell_local(values, start, at, letters, rule, out, first)
    if local < 0:
        return local, host
    out[local] = 64
    begin = places[host]
    octets = places[host + 1] - begin
    for k in range(0, max(octets, _TWO), 8):
        put_eight(eight(hosts, begin + k), out, local + 1 + k)
    to = local + 1 + octets
    fits = local > first and at - start <= _LONGEST_LOCAL and to - first <= _LONGEST_ADDRESS
    return to if fits else -1, host


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
def spell_number(values, start, end, moved, country, places, room, out, done):
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
    put_eight(np.uint64(PHONE_FRONT), out, done)
    return put(room, at, at + count, out, done + _OF_PHONE)


@kernel("i8", "u1*", "i8", "i8*", "i8*", "i8", "u1*", "u1*", "u1*", "i8", "u1*", "u1*", "i4*",
        "u1*", "i8*", "i8*", "u1*", "i8*", "u1*", "i8*", "i8*")  # fmt: skip
def spell_all(
    values, size, starts, ends, count, letters, moved, country, digits, room, rules, slots,
    out, out_starts, out_ends, kinds, domains, hosts, places, made,
):  # fmt: skip
    """Spells count accounts, one behind the other; made: octets so far, and hosts that are known."""
    done = made[0]
    known = made[1]
    for i in range(count):
        start, end = starts[i], ends[i]
        fits = end - start <= LONGEST
        while start < end and is_blank(values[start]):
            start += 1
        while end > start and is_blank(values[end - 1]):
            end -= 1
        kind, host, to = NAME, 0, -1
        if fits:
            to, host = spell_address(
                values, size, start, end, letters, hosts, places, rules, slots, known, out, done
            )  # fmt: skip
            known += host == known
            kind = MAIL
        if fits and to == -1:
            to, host = spell_number(values, start, end, moved, country, digits, room, out, done), 0
            kind = PHONE
        if to == -2:
            to, kind = done, FOREIGN
        elif to < 0:
            put_eight(np.uint64(NAME_FRONT), out, done)
            to, kind = put(values, start, min(end, start + LONGEST), out, done + _OF_FRONT), NAME
        out_starts[i] = done
        out_ends[i] = to
        kinds[i] = kind
        domains[i] = host
        put_eight(np.uint64(0), out, to)
        done += (to - done & ~7) + 8
    made[0] = done
    made[1] = known
    return count
