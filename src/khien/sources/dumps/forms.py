"""How a text of leaked rows is laid out, recognised by its first octets: its name says nothing that can be trusted."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Literal, NamedTuple, cast, get_args

from khien.breach import sheets
from khien.breach.columns import ACCOUNTS, labelled
from khien.errors import ConfigError, FormatError, InputError
from khien.packed import Packed, advice, label
from khien.sources.dumps.texts import expect_known as expect_encoding
from khien.sources.dumps.texts import filled, texts

Form = Literal["combo", "stealer", "csv", "jsonl", "sha1", "ntlm"]
FORMS: tuple[Form, ...] = get_args(Form)

HEAD = 1 << 16  # octets that are enough to recognise a form by

_ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR"}
_TAR, _TAR_AT = b"ustar", 257
_SAMPLE = 200  # lines that are looked at
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})
_STRANGE = 32  # one in so many octets may be a control character: broken rows have some, pictures have more
_BLOCK = 8  # lines of a block of a stealer's log, on average, at most
_OBJECT = re.compile(rb"\s*(?:\[\s*)?\{|\[\s*$")
_HASH = re.compile(rb"([0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?::[0-9]{1,19})?\s*")
_PAIR = re.compile(rb"[^:;|\t]+[:;|\t].*")
_NAMED = re.compile(rb"[ \t]*[A-Za-z\x80-\xff][A-Za-z\x80-\xff ()/_-]*:[ \t]")  # behind a label people leave a blank
_VALUE = re.compile(rb"[0-9]{3}|@|://")  # what names of columns do not have


def archive(head: bytes) -> str:
    """Which archive of files it is that is not read here; "" where it is none."""
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "tar"
    return next((name for magic, name in _ARCHIVES.items() if head.startswith(magic)), "")


def unread(head: bytes, form: str) -> str:
    """Why a text that begins so is not read, and the cure. form: that was asked for."""
    if not head:
        return "is empty: fetch it again"
    if packing := archive(head):
        return f"is a {packing} archive, which is not read: unpack it first"
    columns = "--columns account=NAME,secret=NAME"
    if form == "csv":
        return f"names no columns of accounts in its first line: say what they are called there by {columns}"
    return f"is of no form that is known: look at it, and say which by --form, of a sheet by {columns}"


def expect_known(form: str) -> None:
    """ConfigError: it is no form; "" is for what recognise says."""
    if form and form not in FORMS:
        raise ConfigError(f"form {form!r} is none of {', '.join(FORMS)}")


def recognise(head: bytes, columns: str = "") -> Form | None:
    """The form of a text from its first octets; None where it is of none. FormatError: it may be of two. columns: told
    of sheets (sheets.columns)."""
    if archive(head) or _STRANGE * (len(head) - len(head.translate(None, _CONTROLS))) > len(head):
        return None
    lines = [line for line in head.splitlines()[:_SAMPLE] if line.strip()]
    if not lines:
        return None
    if columns:
        return "csv" if sheets.layout(head, sheets.columns(columns)) else None
    if _OBJECT.match(lines[0]):
        return "jsonl"
    hashes = Counter(len(met[1]) for line in lines if (met := _HASH.fullmatch(line)))
    if 2 * hashes[40] > len(lines):
        return "sha1"
    if 2 * hashes[32] > len(lines):
        raise FormatError("holds hashes of 32 hex digits, NTLM or another: if they are NTLM, say --form ntlm")
    if _is_log(lines):
        return "stealer"
    if sheets.layout(head):
        return "csv"
    if _is_other(lines):
        return None
    return "combo" if any(_PAIR.fullmatch(line.strip()) for line in lines) else None


def _is_log(lines: Sequence[bytes]) -> bool:
    """Whether most begin with labels that are known, or so many with those of an account and of a secret."""
    kinds = Counter(met[0] for line in lines if (met := labelled(line)))
    least = min(sum(kinds[each] for each in ACCOUNTS), kinds["secret"])
    return 2 * (kinds.total() - kinds[""]) > len(lines) or _BLOCK * least >= len(lines)


def _is_other(lines: Sequence[bytes]) -> bool:
    """Whether these are labels and values, or the rows of a sheet, in words that are not known: what stands first in
    them is no account, and what stands behind is no secret."""
    if 2 * sum(_NAMED.match(line) is not None for line in lines) > len(lines):
        return True
    first, *rest = lines
    if _VALUE.search(first) or not rest:
        return False
    widths = (({line.count(mark) for line in lines}) for mark in (b";", b"|", b"\t"))
    whole = any(len(each) == 1 and min(each) > 1 for each in widths)
    return whole and 2 * sum(_VALUE.search(line) is not None for line in rest) > len(rest)


class Seen(NamedTuple):
    """What a file looks like. form: of the first text in it that has one, "" where none has; names: of its columns,
    of a sheet."""

    form: Form | Literal[""] = ""
    names: sheets.Names | None = None


def seen(path: str, encoding: str, told: str = "", columns: str = "") -> Seen:
    """What a file looks like; told: the form that was asked for. InputError: it cannot be read."""
    expect_encoding(encoding)
    expect_known(told)
    try:
        with closing(Packed(path)) as packed:
            for text in texts(packed, encoding):
                head = filled(text.stream, HEAD)
                try:
                    form = cast("Form", told) or recognise(head, columns)
                except FormatError:
                    if text.alone:
                        raise
                    continue
                layout = sheets.layout(head, sheets.columns(columns)) if form == "csv" else None
                if layout or form not in (None, "csv"):
                    return Seen(form, layout and sheets.names(head, layout))
            return Seen(cast("Form", told))
    except FormatError as error:
        raise FormatError(f"{label(path)}: {error}") from None
    except OSError as error:
        raise InputError(f"{label(path)}: {advice(error)}") from None
