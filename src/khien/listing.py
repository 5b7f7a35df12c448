"""What may be listed, as what, and what a listing covers: all the rules, without input or output.

Invariants: harm is one of a closed list. Conduct lists, and evidence shows it; a name, an opinion or a feed's word
never does. The narrowest unit that holds the harm is meant: a whole domain only where it was registered for harm, of
a hacked site its URL, where many share a host their part of it. What is hacked or shared is never blocked. What is
popular, a platform or an address takes two people, and of the first two only a page is listed; what is official is
listed only as hacked. Each listing ends. A place has one listing, whose id follows from it: listed again it is the same
one.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple, get_args

import msgspec

from khien import canon, words
from khien.errors import ListingError
from khien.model import Conduct, Harm, Listing, Unit
from khien.names.owners import FREE, is_delegated, is_platform, is_registry, is_shared, is_suffix, registrable

USUAL, LONGEST = timedelta(days=90), timedelta(days=365)  # until a listing ends
LONGEST_NOTE = 2000  # characters
RULES = (  # codes of what is refused; words.phrase("rule-<code>") says each
    "opinion",  # what somebody says is no harm
    "not-harm",  # what is none of the closed list
    "no-conduct",  # nothing that the site does
    "no-evidence",  # nothing that shows it
    "name-alone",  # neither an officer's statement nor a reason beyond the name
    "no-finding",  # the finding that is to tell of it is not here, or tells of another
    "no-person",  # nobody answers for it
    "no-expiry",  # without end, or too far off
    "wider-than-needed",  # more than what does harm
    "not-public",  # an address, or a name, that is nobody's place on the Internet
    "popular",  # what many use, or a platform, and no page of it
    "hacked-or-shared",  # more than the harmed part of what is somebody else's
    "official",  # of a bank, an authority: their own name
    "needs-two",  # one person decides alone
)
STANDS = ("listed", "contested")  # states in which a listing is told

_SPEECH = re.compile(  # words for what people say: none is a harm, and whoever asks is told why
    r"info|news|speech|propagand|opinion|critic|defam|libel|slander|insult|satir|parod|boycott|complain|protest|rumou?r"
    r"|xuyên|phản|bôi|nói|vu khống|tin giả|tẩy|chống|chê|châm|khiếu",
    re.IGNORECASE,
)
_SPOKEN = re.compile(  # the same in what an officer states: only what no fraud is described with, bare spelling too
    r"nói xấu|bôi (?:nhọ|xấu|bác)|xuyên tạc|phản động|chống (?:phá|đối|chính quyền|nhà nước|đảng)|vu (?:khống|cáo)"
    r"|chỉ trích|phê (?:bình|phán)|tẩy chay|giễu|châm biếm|thù địch|xúc phạm|lăng mạ|tuyên truyền"
    r"|(?<!thông )(?<!nhắn )tin giả(?! mạo| danh)|tin (?:bịa|vịt)"
    r"|\bnoi xau|boi (?:nho|xau|bac)\b|xuyen tac|phan dong|chong (?:pha|doi|chinh quyen|nha nuoc)\b|chi trich"
    r"|(?<!dich )vu (?:khong|cao)\b|phe (?:binh|phan)\b|tay chay|\bgieu\b|cham biem|thu dich\b|xuc pham|lang ma\b"
    r"|tuyen truyen|(?<!thong )(?<!nhan )\btin gia\b(?! mao| danh)|tin (?:bia|vit)\b"
    r"|defam|insult|slander|libel|smear|propagand|critici|critique|\bcritics?\b|fake news|dis-?information"
    r"|misinformation|dissident|reactionary|hostile force|anti-?(?:state|government)|hate speech|satir|parod|boycott"
    r"|bad-?mouth|speaks? ill",
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NOTHING = hashlib.sha256().hexdigest()
_SEEN = frozenset({"evidence-titled", "evidence-confirmed"})  # reasons that tell of the page, or that an officer looked
_WEB = "www."
_PARAMETERS = re.compile(r";[^/]*")  # of a segment of a path: RFC 3986 section 3.3
MOST_FOLDERS = 8  # of a page's address that are looked up, from either end


class Known(NamedTuple):
    """What is known of names: which list has one as popular; whose official domain one is, or is below; "" for none."""

    popular: Callable[[str], str]
    official: Callable[[str], str]

    def many_use(self, host: str) -> bool:
        """Whether a host, or a name above it of the same owner, is popular or a platform."""
        return any(is_platform(name) or self.popular(name) for name in _names(host))


def key(unit: Unit, value: str) -> str:
    """The one spelling of what is listed. ObservableError: it is none of this unit."""
    if unit == "url":
        return canon.url(value)
    if unit == "host":
        return canon.host(value)
    return canon.domain(value)


def listing_id(unit: Unit, value: str) -> str:
    """The id of the listing of what key spells, in hex; http and https are one place."""
    place = value.partition("://")[2] if unit == "url" else value
    return hashlib.sha256(f"{unit}\0{place}".encode()).hexdigest()


def propose(unit: Unit, value: str, *, at: datetime, until: datetime | None = None, **fields: Any) -> Listing:
    """A listing to be, of what a person pasted; fields: site, harm, conduct, reasons, note, evidence, finding.

    until: 90 days on where nobody says. ObservableError: value is none of this unit.
    """
    spelled = key(unit, value)
    return Listing(
        id=listing_id(unit, spelled),
        unit=unit,
        value=spelled,
        host=_host(unit, spelled),
        state="proposed",
        since=at,
        until=until or at + USUAL,
        **fields,
    )


def narrowest(text: str) -> Unit:
    """The unit that somebody means who pastes this: a page where there is a path, else a host."""
    page = canon.url(text)
    return "host" if page.count("/") == 3 and page.endswith("/") else "url"


def within(url_or_host: str) -> Iterator[tuple[Unit, str]]:
    """The units that would cover a page or a host, narrowest first, at most 39. ObservableError: it is neither.

    A URL covers itself, with a slash behind it and with parameters in its path (``;a=1``) too, and one that ends with a
    slash all below it, but for the root, which is a page like others; a host itself and what people take for the same
    (``www.``); a domain all below it. Of the folders above a page those count that are MOST_FOLDERS from either end.
    """
    page = canon.url(url_or_host)
    host = canon.host_of(page)
    spelled = tuple(dict.fromkeys((page, _PARAMETERS.sub("", page))))
    bare = (each.removesuffix("/") for each in spelled if each.count("/") > 3)
    folders = (folder for each in spelled for folder in _folders(each))
    for each in dict.fromkeys((*spelled, *bare, *folders)):
        yield "url", each
    yield "host", host
    if host.startswith(_WEB):
        yield "host", host.removeprefix(_WEB)
    if not canon.is_address(host):
        yield "domain", registrable(host)


def beside(one: Listing, other: Listing) -> bool:
    """Whether two listings are of one site: at the same host, with or without ``www.``, or a domain and what is below
    it. Of a host that many share they are where one page is the other, or below it."""
    if owner(one.host) != owner(other.host):
        return False
    if "domain" in (one.unit, other.unit):
        return True
    host = one.host.removeprefix(_WEB)
    if host != other.host.removeprefix(_WEB):
        return False
    if canon.is_address(host) or not (_is_everyones(host) or any(map(is_platform, _names(host)))):
        return True
    short, long = sorted((_path(one), _path(other)), key=len)
    return long.startswith(short)


def owner(host: str) -> str:
    """What of a host has one owner: its registrable domain; an address itself."""
    return host if canon.is_address(host) else registrable(host)


def _path(listing: Listing) -> str:
    """The path of a listing, of each segment without parameters, with a slash behind it."""
    path = listing.value.partition("://")[2].partition("/")[2] if listing.unit == "url" else ""
    bare = _PARAMETERS.sub("", path).removesuffix("/")
    return f"{bare}/" if bare else ""


def _folders(page: str) -> list[str]:
    """The folders that hold a page, but for the root, the narrowest first."""
    ends = [at for at, each in enumerate(page) if each == "/"][3:]
    above = [page[: at + 1] for at in reversed(ends) if at + 1 < len(page)]
    return above if len(above) <= 2 * MOST_FOLDERS else [*above[:MOST_FOLDERS], *above[-MOST_FOLDERS:]]


def judge(listing: Listing, known: Known, at: datetime) -> Listing:
    """The listing as it may stand from now on: listed, or proposed while it needs a second person.

    ListingError: it may not, and which of RULES says so. ObservableError: its value is none.
    """
    _expect_conduct(listing)
    spelled = key(listing.unit, listing.value)
    host = _host(listing.unit, spelled)
    if not listing.by:
        raise refusal(listing, "no-person")
    if not at < listing.until <= at + LONGEST:
        raise refusal(listing, "no-expiry")
    shared = not canon.is_address(host) and is_shared(host)
    site = "shared-hosting" if shared else listing.site
    listing = msgspec.structs.replace(
        listing, id=listing_id(listing.unit, spelled), value=spelled, host=host, site=site
    )
    _expect_narrow(listing)
    popular = known.many_use(host)
    official = known.official(host)
    if official and listing.site != "hacked" and not shared:
        raise refusal(listing, "official")
    if popular and not _is_page(listing):
        raise refusal(listing, "popular")
    alone = len(set(listing.by)) < 2
    claimed = "imitation" in listing.conduct and not _is_seen(listing)  # by whoever lists it, and nobody else
    notable = official or popular or claimed or canon.is_address(host)
    return msgspec.structs.replace(listing, state="proposed" if alone and notable else "listed")


def _expect_conduct(listing: Listing) -> None:
    """Conduct that does harm, that evidence shows, that somebody states."""
    if listing.harm not in get_args(Harm):
        raise refusal(listing, "opinion" if _SPEECH.search(listing.harm) else "not-harm")
    if any(_SPOKEN.search(_plain(text)) for text in {listing.note.vi, listing.note.en}):
        raise refusal(listing, "opinion")
    if not listing.conduct or not set(listing.conduct) <= set(get_args(Conduct)):
        raise refusal(listing, "no-conduct")
    if not _DIGEST.fullmatch(listing.evidence) or listing.evidence == _NOTHING:
        raise refusal(listing, "no-evidence")
    stated = all(0 < len(text.strip()) <= LONGEST_NOTE for text in (listing.note.vi, listing.note.en))
    if not stated and not _is_seen(listing):
        raise refusal(listing, "name-alone")


def _plain(text: str) -> str:
    """A text in small letters, each composed, one space between words."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def _is_seen(listing: Listing) -> bool:
    """Whether a finding tells of more than the name."""
    return bool(listing.finding) and not _SEEN.isdisjoint(each.code for each in listing.reasons)


def _expect_narrow(listing: Listing) -> None:
    """The unit holds what does harm, and nothing of those who do none."""
    host, unit, value = listing.host, listing.unit, listing.value
    if not (_is_public(host) if canon.is_address(host) else is_delegated(host)):  # resolvers read "rpz-ip" as a rule
        raise refusal(listing, "not-public")
    theirs = listing.site in ("hacked", "shared-hosting")
    if theirs and (unit == "domain" or (unit == "host" and (listing.site == "hacked" or _is_everyones(host)))):
        raise refusal(listing, "hacked-or-shared")
    if unit == "domain" and (listing.site != "registered-for-harm" or value != registrable(value)):
        raise refusal(listing, "wider-than-needed")
    if not canon.is_address(host) and (is_registry(host) or (unit != "url" and is_suffix(host))):
        raise refusal(listing, "wider-than-needed")


def _is_everyones(host: str) -> bool:
    """Whether all of a host is shared, so that only paths of it are somebody's."""
    return host in FREE or is_suffix(host)


def _names(host: str) -> list[str]:
    """A host and the names above it that have the same owner."""
    if canon.is_address(host):
        return [host]
    labels, owner = host.split("."), registrable(host).count(".") + 1
    return [".".join(labels[at:]) for at in range(max(1, len(labels) - owner + 1))]


def _host(unit: Unit, spelled: str) -> str:
    """The host of what key spells: an address of IPv6 has colons of its own."""
    return canon.host_of(spelled) if unit == "url" else spelled


def _is_page(listing: Listing) -> bool:
    """Whether a page is meant, and not what a whole site begins with, unless it was broken into."""
    root = listing.value.count("/") == 3 and listing.value.endswith("/")
    return listing.unit == "url" and (not root or listing.site == "hacked")


def _is_public(address: str) -> bool:
    """Whether an address is one machine's on the public Internet."""
    found = ip_address(address.strip("[]"))
    return found.is_global and not found.is_multicast


def refusal(listing: Listing, rule: str) -> ListingError:
    """That a rule, one of RULES, forbids a listing."""
    shown = canon.defang(listing.value)[:200]
    return ListingError(rule, f"{shown} is not listed, by the rule {rule}: {words.phrase(f'rule-{rule}', 'en')}")
