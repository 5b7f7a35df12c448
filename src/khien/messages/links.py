"""Links in a message, as people and programs write them: with a scheme, without one, defanged.

What is found is whatever ``canon.host_of`` reads; whose link it is, others decide.
"""

import re
from collections.abc import Iterator

MOST = 20  # links of one message that are looked at
LONGEST = 2_000  # characters of a link

# Ends of names that people write without a scheme. What is also a Vietnamese or English word, as in "về.em" or "ok.no",
# counts only where a path follows or a hyphen or digit stands before it.
_ENDINGS = frozenset(
    """
    com net org info biz edu gov mil int vn xyz top site online shop store club vip win icu cyou cfd sbs bond pro
    app dev cloud live link click fun space website tech today world life group asia mobi buzz work loan loans money
    finance cash credit bet games game ink wiki tel agency center support services page pages blog news zone city
    one uno best ltd company email digital express exchange trade trading market markets host press quest rest lol
    monster makeup hair beauty skin autos homes boats yachts test example invalid ru cn jp kr tw hk sg th kh ph uk
    au de fr eu us ca br gg tk ml ga cf gq pw ws cc tv ly im io jobs name ooo red rip run sale systems team tips
    tools tours training vin
    """.split()
)
_WORDS_TOO = frozenset("me co la ai so to my id in do is it no be at am so la ma gi mo ne nu se sh st ac as by".split())

_DOT = r"(?:\.|\s?[\[({]\s?(?:\.|dot|chấm|cham)\s?[\])}]\s?)"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_TAIL = r"(?:[/?#][^\s<>\"'「」]*)?"
_SCHEME = rf"(?:h[tx]{{2}}ps?|ftp)\s?[\[(]?:[\])]?[/\\]{{0,3}}[^\s<>\"']{{1,{LONGEST}}}"
_NAME = rf"{_LABEL}(?:{_DOT}{_LABEL}){{1,8}}"
_BARE = rf"(?<![\w@.-]){_NAME}(?::\d{{1,5}})?(?![\w@]){_TAIL}"
_USER = rf"(?<![\w@.-]){_NAME}@{_NAME}(?::\d{{1,5}})?[/?#][^\s<>\"'「」]+"  # a name where a user belongs
_LINK = re.compile(rf"{_SCHEME}|{_USER}|{_BARE}", re.IGNORECASE)
_HOST = re.compile(rf"{_LABEL}(?:{_DOT}{_LABEL})*", re.IGNORECASE)
_DOTTED = re.compile(_DOT, re.IGNORECASE)
_SCHEMED = re.compile(r"(?:h[tx]{2}ps?|ftp)\s?[\[(]?:", re.IGNORECASE)
_BEHIND = ".,;:!?)]}>\"'…”’"  # ends a sentence, not a link


def links(text: str) -> tuple[str, ...]:
    """The links of a message as written, each once, in their order; at most MOST."""
    found = dict.fromkeys(text[first:behind] for first, behind in places(text))
    return tuple(found)[:MOST]


def places(text: str) -> Iterator[tuple[int, int]]:
    """Where links stand: first and behind the last character of each."""
    for met in _LINK.finditer(text):
        written = met[0].rstrip(_BEHIND)
        if written and (_schemed(written) or named(written)):
            yield met.start(), met.start() + len(written)


def _schemed(written: str) -> bool:
    return bool(_SCHEMED.match(written))


def named(written: str) -> bool:
    """Whether what has no scheme is a name all the same, and not two sentences without a blank between them."""
    host = _HOST.match(written)
    if host is None:
        return False
    labels = _DOTTED.split(host[0].lower())
    if len(labels) < 2:
        return False
    if labels[-1] in _ENDINGS:
        return True
    telling = written[host.end() : host.end() + 1] == "/" or "[" in host[0] or re.search(r"[\d-]", labels[-2])
    return (labels[-1] in _WORDS_TOO and bool(telling)) or labels[0] == "www"
