"""Whom a payment code would pay: the text of a QR code, EMVCo's merchant-presented mode with Viet Nam's VietQR in it.

Sources: EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.1, sections 3 and 4; NAPAS, VietQR
format 1.5.2: template 38, AID A000000727, then bank and account.
"""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from khien import words
from khien.errors import FormatError

LONGEST = 512  # characters of a code: EMVCo section 3.4
NAPAS = "A000000727"

_AMOUNT = re.compile(r"[0-9]{1,13}(?:\.[0-9]{0,2})?", re.ASCII)  # EMVCo section 4.7.7: 13 characters
_SIGNS = {"704": "₫", "840": "$", "978": "€"}  # ISO 4217
_HEAD = re.compile(r"[0-9]{4}", re.ASCII)

BANKS = {  # acquirer's BIN, as NAPAS publishes them, to what people call the bank
    "970400": "Saigonbank", "970403": "Sacombank", "970405": "Agribank", "970406": "Vikki Bank",
    "970407": "Techcombank",
    "970408": "GPBank", "970409": "Bac A Bank", "970412": "PVcomBank", "970414": "MBV", "970415": "VietinBank",
    "970416": "ACB", "970418": "BIDV", "970419": "NCB", "970421": "VRB", "970422": "MB Bank", "970423": "TPBank",
    "970424": "Shinhan Bank", "970425": "ABBANK", "970426": "MSB", "970427": "VietABank", "970428": "Nam A Bank",
    "970429": "SCB", "970430": "PGBank", "970431": "Eximbank", "970432": "VPBank", "970433": "VietBank",
    "970434": "Indovina Bank", "970436": "Vietcombank", "970437": "HDBank", "970438": "BaoViet Bank",
    "970439": "Public Bank", "970440": "SeABank", "970441": "VIB", "970442": "Hong Leong Bank", "970443": "SHB",
    "970444": "VCBNeo", "970446": "Co-opBank", "970448": "OCB", "970449": "LPBank", "970452": "KienlongBank",
    "970454": "BVBank", "970457": "Woori Bank", "970458": "UOB", "546034": "Cake", "546035": "Ubank", "963388": "Timo",
    "971005": "Viettel Money", "971011": "VNPT Money", "422589": "CIMB", "458761": "HSBC",
}  # fmt: skip


class Payment(NamedTuple):
    """bank: its name, or BIN where that is unknown; account: as written; name: of who is paid, as the code says;
    amount: as written, in currency (ISO 4217, three digits); each empty where the code has none. whole: its check sum
    holds."""

    bank: str
    account: str
    name: str
    amount: str
    currency: str
    purpose: str
    whole: bool


def payment(text: str) -> Payment:
    """FormatError: the text is no payment code."""
    code = text.strip()
    if len(code) > LONGEST:
        raise FormatError(f"a payment code has at most {LONGEST} characters, this one has {len(code)}")
    fields = dict(_fields(code))
    if fields.get("00") != "01":
        raise FormatError("a payment code begins with 000201: copy it whole")
    bank, account = "", ""
    for tag in ("38", *map(str, range(26, 38)), *map(str, range(39, 52))):
        held = dict(_fields(fields.get(tag, "")))
        if held.get("00") == NAPAS:
            paid = dict(_fields(held.get("01", "")))
            bank, account = BANKS.get(paid.get("00", ""), paid.get("00", "")), paid.get("01", "")
            break
    more = dict(_fields(fields.get("62", "")))
    return Payment(
        bank=bank,
        account=account,
        name=fields.get("59", ""),
        amount=fields.get("54", ""),
        currency=fields.get("53", ""),
        purpose=more.get("08", ""),
        whole=code[-8:-4] == "6304" and _sum(code[:-4]) == code[-4:].upper(),
    )


def money(paid: Payment, language: str) -> str:
    """The amount as a language writes it, 5.000.000 ₫; what is no number, as it stands in the code."""
    if not _AMOUNT.fullmatch(paid.amount):
        return paid.amount
    value = float(paid.amount)
    written = words.number(value, language, 0 if value.is_integer() else 2)
    return f"{written} {_SIGNS[paid.currency]}" if paid.currency in _SIGNS else written


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Two digits that say what, two that say how long, and so many characters: EMVCo section 3.2."""
    at = 0
    while at < len(text):
        tag, length = text[at : at + 2], text[at + 2 : at + 4]
        if not _HEAD.fullmatch(tag + length) or at + 4 + int(length) > len(text):
            raise FormatError(f"a payment code breaks off at character {at + 1}: copy it whole")
        yield tag, text[at + 4 : at + 4 + int(length)]
        at += 4 + int(length)


def _sum(text: str) -> str:
    """CRC-16 with polynomial 0x1021 and start 0xFFFF (ISO/IEC 13239), four digits in hex."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"
