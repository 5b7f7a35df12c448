"""The plain form of a message: words as they are meant, whatever they are spelled with, and where each stands.

Case, diacritics, look-alike letters, letters that are not seen and marks between the letters of a word are undone;
figures become what they stand for (``<money>``, ``<time>``, ...); what people write short is written out. A message is
read as English or as Vietnamese, by its commonest words.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from khien.messages.links import places
from khien.messages.question import LONGEST
from khien.words import SHAPES

BREAK = "."
LONG, PASSAGE = 60, 45  # words from which on a message has passages, and of such a one at most

_UNSEEN = "\u200b"
_BLANK = str.maketrans(dict.fromkeys("\u115f\u1160\u3164\uffa0", _UNSEEN))  # fillers of Hangul: letters that are blank
_LINK = "\ue000"  # stands for a link while text is folded: of the private use area, so nobody writes it in earnest
_ALIKE = str.maketrans(
    "аесорхуіјѕԁһкмтвнгпαβεικνορτυχωñđłøıßæᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡᴢօսհցզ",
    "aecopxyijsdhkmtbhrnabeiknoptuxwndloisaabcdeghijklmnoprtuvwzouhgq",
)  # letters of other scripts, and those that Unicode does not take apart

_AMOUNT = r"\d[\d.,]*"
_UNIT = (
    r"tr(?:ieu)?(?: ?\d{1,3}\b| ruoi)?|k|nghin|ngan|ty|ti|cu|chai|lit|xi|dong|d|vnd|usd|usdt|eur|euros?|u|do|dola"
    r"|dollars?|bucks|pounds?|btc|eth|cai"
)
_NUMERAL = (
    r"(?:mot|hai|ba|bon|nam|sau|bay|tam|chin|muoi|muoi|chuc|tram|vai|may|ruoi|one|two|three|five|ten|hundred|thousand)"
)
_TOKEN = re.compile(
    rf"(?P<shape><(?:{'|'.join(SHAPES)})>)"
    rf"|(?P<link>{_LINK})"
    rf"|(?P<percent>{_AMOUNT} ?(?:%|percent\b|phan tram\b))"
    rf"|(?P<money>[$€£₫] ?{_AMOUNT}[km]?|{_AMOUNT} ?(?:[$€£₫]|(?:{_UNIT})(?!\w))"
    rf"|(?:{_NUMERAL} ){{1,5}}"
    r"(?:trieu|nghin|ngan|ty|cu)(?!\w)"
    r"|[1-9]\d{0,2}(?:[.,]\d{3})+(?!\w))"
    r"|(?P<date>\d{1,2}[/-]\d{1,2}(?:[/-]\d{2,4})?(?!\w))"
    r"|(?P<time>\d{1,2}[:h]\d{2}(?!\w)|\d{1,3} ?(?:phut|p|ph|gio|h|g|tieng|mins?|minutes?|hours?|hrs?|am|pm)(?!\w))"
    r"|(?P<days>\d{1,3} ?(?:ngay|hom|days?|tuan|weeks?|thang|months?)(?!\w))"
    r"|(?P<times>x\d{1,3}(?!\w))"
    r"|(?P<spelled>(?:[a-z][.\-_*]){2,40}[a-z](?!\w))"
    r"|(?P<number>\d[\d.,]*(?![a-z]))"
    r"|(?P<word>[a-z0-9@$]+)"
    r"|(?P<break>[!?;\n…]+|\.(?:\s|\.|\Z))"
)
_LEET = str.maketrans("013457@$", "oleastas")
_DISGUISED = re.compile(r"(?:[a-z]+[013457@$]+)+[a-z]+|0[a-z]{2,}")

_ENGLISH = frozenset(
    "the you your is are was for and of we will this that please have has our i my me it not with be been can do if"
    " in on at from or all am what when who so get".split()
)
_VIETNAMESE = frozenset(
    "anh em chi ban toi minh khong ko k hok hong duoc dc cua cho la va nha nhe roi r co con ma thi de vao gui da se voi"
    " ai nay ngay den qua lam tien khi nao bi cac mot nhung trong ong quy khach a e c b ck stk moi m t vs j z"
    " mn mk ng hnay oi ne nhen lun ik hem trc sdt tk otp bac me bo gap giup gium chua sau truoc gio tao may di cung"
    " nhu het chuyen".split()
) - {"me", "so", "do", "to"}


_FEW = 8  # words of which all may be sentences
_SCATTERED = 0.5  # share of words with a break behind from which on breaks are no ends of sentences
_ENDED = re.compile(r"(?<=\w)(?:[!?;\n…]|\.(?=[\s.]|\Z))+")  # as a break is read: none within a name or a number
_BRACKETED = re.compile(r"[\[({*](?=[^\W\d_][\])}*][^\W\d_])|(?<=[\[({*][^\W\d_])[\])}*](?=[^\W\d_])")  # [t]ransfer
_MARKED = 0.5  # share of words with diacritics from which one without any is meant without


class Plain(NamedTuple):
    """A message's words, and of each the first character of the text and the one behind its last; breaks between
    sentences are words too. written: each as it stands there, with diacritics; empty where it may have lost them."""

    english: bool
    words: list[str]
    written: list[str]
    places: list[tuple[int, int]]


def plain(text: str, short: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Plain:
    """The plain form of a masked message; short: what people write short, by language (``en``, ``vi``)."""
    text = _joined(text[:LONGEST])
    letters, stands = _folded(text)
    met = [(_word(each), stands[each.start()], stands[each.end() - 1] + 1) for each in _TOKEN.finditer(letters)]
    heard = {word for word, _, _ in met}
    english = len(heard & _ENGLISH) > len(heard & _VIETNAMESE)
    longer = short["en" if english else "vi"]
    full = [spelled(text[first:behind]) for _, first, behind in met]
    marked = sum(not each.isascii() for each in full) > _MARKED * sum(each.isalpha() for each in full)
    words: list[str] = []
    written: list[str] = []
    where: list[tuple[int, int]] = []
    for (word, first, behind), each in zip(met, full, strict=True):
        meant = longer.get(word) if each.isascii() or each == "đc" else None
        words += meant or (word,)
        written += [""] * len(meant) if meant else [each if marked or not each.isascii() else ""]
        where += [(first, behind)] * len(meant or (word,))
    return Plain(english, words, written, where)


def _joined(text: str) -> str:
    """The text, as long as it was, with blanks for breaks behind most of its words, and what nobody sees for
    brackets around letters."""
    if len(_ENDED.findall(text)) > _SCATTERED * max(_FEW, len(text.split())):
        text = _ENDED.sub(lambda met: " " * len(met[0]), text)
    return _BRACKETED.sub(_UNSEEN, text).translate(_BLANK)


@lru_cache(maxsize=65_536)
def spelled(word: str) -> str:
    """One spelling of a Vietnamese word with its diacritics: the tone stands on the last vowel (hoà, not hòa)."""
    if word.isprintable() and word.isascii():
        word = word.lower()
    else:
        word = unicodedata.normalize(
            "NFC", "".join(each for each in word if unicodedata.category(each)[0] != "C")
        ).lower()
    if word.isascii() or len(word) < 2 or word[-1] not in "aey" or word[-2] not in "òóỏõọùúủũụ":
        return word
    tone = unicodedata.normalize("NFD", word[-2])[-1]
    return word[:-2] + unicodedata.normalize("NFC", unicodedata.normalize("NFD", word[-2])[0] + word[-1] + tone)


def passages(message: Plain) -> Iterator[tuple[int, int]]:
    """Parts of a long message, as places in its text: whole sentences where they are short, which overlap by half."""
    if len(message.words) <= LONG:
        return
    begins = [0]  # of sentences, and within long ones
    for at, word in enumerate(message.words, 1):
        if word == BREAK or at - begins[-1] == PASSAGE // 2:
            begins.append(at)
    last = -PASSAGE
    for first in begins:
        if first - last < PASSAGE // 2 or first == len(message.words):
            continue
        last = first
        behind = max((each for each in (*begins, len(message.words)) if each - first <= PASSAGE), default=first)
        if behind > first:
            yield message.places[first][0], message.places[behind - 1][1]


def bare(word: str) -> str:
    """A word without its diacritics."""
    return "".join(map(_letter, word))


def _folded(text: str) -> tuple[str, list[int]]:
    """Bare letters, and of each the character of the text it comes from."""
    letters: list[str] = []
    stands: list[int] = []
    at = 0
    for first, behind in (*places(text), (len(text), len(text))):
        for n in range(at, first):
            folded = _letter(text[n])
            letters.append(folded)
            stands += [n] * len(folded)
        if first < behind:
            letters.append(_LINK)
            stands.append(first)
        at = behind
    return "".join(letters), stands


@lru_cache(maxsize=65_536)
def _letter(character: str) -> str:
    """What a character is without case, marks and disguise; empty for what is not seen, and for apostrophes."""
    if character in "'’`" or character == _LINK:
        return ""
    if character.isspace():
        return "\n" if character == "\n" else " "
    folded = unicodedata.normalize("NFKD", character).casefold().translate(_ALIKE)
    return "".join(each for each in folded if unicodedata.category(each) not in ("Mn", "Me", "Cf", "Cc"))


def _word(met: re.Match[str]) -> str:
    kind = met.lastgroup or ""
    if kind == "shape":
        return met[0]
    if kind == "break":
        return BREAK
    if kind == "spelled":
        return re.sub(r"[^a-z]", "", met[0])
    if kind == "word":
        return met[0].translate(_LEET) if _DISGUISED.fullmatch(met[0]) else met[0]
    return f"<{kind}>"
