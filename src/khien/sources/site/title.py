"""The title of a page from its first octets: found as browsers find it, cleaned as people can bear it."""

import codecs
import html
import re

LONGEST = 200  # characters of a title
_RAW = 4_000  # characters of a title that are looked at
_HEAD = 1_024  # octets in which a page says its character set: HTML Standard section 13.2.3.2
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TITLE = re.compile(r"<title(?=[\s/>])[^>]{0,500}>", re.IGNORECASE)
_END = re.compile(r"</title", re.IGNORECASE)
_CODECS = {  # what pages are written in; Python knows others that unpack, run or look up
    **{each: each for each in ("utf-8", "utf-16-le", "utf-16-be", "gbk", "gb18030", "big5", "euc-jp", "euc-kr")},
    **{each: each for each in ("shift_jis", "iso-2022-jp", "koi8-r", "koi8-u")},
    **{f"windows-{each}": f"cp{each}" for each in (874, *range(1250, 1259))},
    **{f"iso-8859-{each}": f"iso8859-{each}" for each in (*range(2, 9), 10, 13, 14, 15, 16)},
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii"), "cp1252"),  # as browsers read them
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    **dict.fromkeys(("x-sjis", "sjis"), "shift_jis"),
    "iso-8859-9": "cp1254",
    "utf8": "utf-8",
    "utf-16": "utf-16-le",
    "gb2312": "gbk",
    "ks_c_5601-1987": "euc-kr",
}


def title(page: bytes, content_type: str = "") -> str:
    """The title of an HTML page, on one line, without what cannot be seen, of at most 200 characters; empty: none.

    The character set is what the page's first octets, then content_type, then a meta element say, else UTF-8; what is
    not of it becomes U+FFFD.
    """
    text = _COMMENT.sub("", _decoded(page, content_type))
    begin = _TITLE.search(text)
    if begin is None:
        return ""
    raw = text[begin.end() : begin.end() + _RAW]
    end = _END.search(raw)
    return cleaned(html.unescape(_bounded(raw[: end.start()] if end else raw)))


def cleaned(text: str, longest: int = LONGEST) -> str:
    """Text on one line, without control, formatting and unassigned characters, of at most so many characters."""
    seen = "".join(each if each.isprintable() else " " if each.isspace() else "" for each in text[:_RAW])
    return " ".join(seen.split())[:longest].rstrip()


def _decoded(page: bytes, content_type: str) -> str:
    for mark, codec in _BOMS:
        if page.startswith(mark):
            return page[len(mark) :].decode(codec, "replace")
    said = (_CHARSET.search(content_type[:_HEAD]), _CHARSET.search(page[:_HEAD].decode("ascii", "replace")))
    codec = next((_CODECS[found[1].lower()] for found in said if found and found[1].lower() in _CODECS), "utf-8")
    return page.decode(codec, "replace")


def _bounded(text: str) -> str:
    """Without references to numbers that are longer than any character's, which would be worked out."""
    return re.sub(r"&#[xX]?0*[0-9A-Fa-f]{9,};?", "\N{REPLACEMENT CHARACTER}", text)
