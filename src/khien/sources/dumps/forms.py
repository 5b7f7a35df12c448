"""How a text of leaked rows is laid out, recognised by its first octets: its name says nothing that can be trusted."""

import re
from collections import Counter
from contextlib import closing
from typing import Literal, get_args

from khien.breach import sheets
from khien.errors import ConfigError, FormatError, InputError
from khien.packed import Packed, advice, label
from khien.sources.dumps.texts import filled, texts

Form = Literal["combo", "stealer", "csv", "jsonl", "sha1", "ntlm"]
FORMS: tuple[Form, ...] = get_args(Form)
HASHES = ("sha1", "ntlm")

HEAD = 1 << 16  # octets that are enough to recognise a form by

_SAMPLE = 200  # lines that are looked at
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})
_STRANGE = 32  # one in so many octets may be a control character: broken rows have some, pictures have more
_OBJECT = re.compile(rb"\s*\{")
_FIELD = re.compile(
    rb"\s*(?:url|host|hostname|soft(?:ware)?|app(?:lication)?|browser|storage|profile|user(?:name)?|login|pass(?:word)?)"
    rb"\s*:",
    re.IGNORECASE,
)
_HASH = re.compile(rb"([0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?::[0-9]{1,19})?\s*")
_PAIR = re.compile(rb"[^:;|\t]+[:;|\t].*")


def expect_known(form: str) -> None:
    """ConfigError: it is no form; "" is for what recognise says."""
    if form and form not in FORMS:
        raise ConfigError(f"form {form!r} is none of {', '.join(FORMS)}")


def recognise(head: bytes) -> Form | None:
    """The form of a text from its first octets; None where it is of none. FormatError: it may be of two."""
    if _STRANGE * (len(head) - len(head.translate(None, _CONTROLS))) > len(head):
        return None
    lines = [line for line in head.splitlines()[:_SAMPLE] if line.strip()]
    if not lines:
        return None
    if _OBJECT.match(lines[0]):
        return "jsonl"
    hashes = Counter(len(met[1]) for line in lines if (met := _HASH.fullmatch(line)))
    if 2 * hashes[40] > len(lines):
        return "sha1"
    if 2 * hashes[32] > len(lines):
        raise FormatError("holds hashes of 32 hex digits, NTLM or another: if they are NTLM, say --form ntlm")
    if 2 * sum(_FIELD.match(line) is not None for line in lines) > len(lines):
        return "stealer"
    if sheets.layout(head):
        return "csv"
    return "combo" if any(_PAIR.fullmatch(line.strip()) for line in lines) else None


def recognised(path: str, encoding: str) -> Form | None:
    """The form of a file, or of the first text in it that has one. InputError: it cannot be read."""
    try:
        with closing(Packed(path)) as packed:
            return next(filter(None, (recognise(filled(text.stream, HEAD)) for text in texts(packed, encoding))), None)
    except FormatError as error:
        raise FormatError(f"{label(path)}: {error}") from None
    except OSError as error:
        raise InputError(f"{label(path)}: {advice(error)}") from None
