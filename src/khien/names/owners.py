"""Who owns a name: what below a public suffix has one owner, and where anybody may put a site.

Public suffixes follow publicsuffix.org/list: below a suffix of its private part anybody may put a site, and whoever
runs it is not to blame for each. On a platform everybody has a page, or a short link, below one name.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList

FREE = frozenset(  # where anybody may put a site, and the list above does not say so
    "000webhostapp.com bravesites.com business.site docs.google.com drive.google.com forms.gle"
    " forms.office.com glitch.me godaddysites.com haravan.com ipfs.io jimdosite.com ladipage.com ldp.page pointblog.net"
    " sharepoint.com sites.google.com strikingly.com mystrikingly.com telegra.ph tumblr.com typeform.com ucoz.net"
    " ukit.me webador.com webcindario.com webnode.page weebly.com wordpress.com".split()
)

SHORTENERS = frozenset(  # a path below one of these leads on to another site
    "bit.ly bitly.com buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly s.id shope.ee shorten.asia"
    " shorturl.at t.co t.ly tiny.cc tinyurl.com v.gd".split()
)

PLATFORMS = (
    SHORTENERS
    | frozenset(  # one name for everybody's pages or short links: what one person puts there is a page
        "chotot.com dailymotion.com discord.com discord.gg dropbox.com facebook.com fb.com fb.me github.com"
        " gitlab.com heylink.me instagram.com lazada.vn linkedin.com linktr.ee lnk.bio m.me mediafire.com medium.com"
        " messenger.com pastebin.com pinterest.com reddit.com shopee.vn soundcloud.com substack.com t.me telegram.me"
        " telegram.org threads.net tiktok.com twitch.tv twitter.com viber.com vk.com vm.tiktok.com wa.me whatsapp.com"
        " x.com youtu.be youtube.com zalo.me zaloapp.com".split()
    )
)

_EXAMPLES = frozenset({"example", "invalid", "test"})


def is_platform(name: str) -> bool:
    """Whether everybody's pages, or short links, are below this one name."""
    return name in PLATFORMS


def is_shortener(host: str) -> bool:
    """Whether a host is one, or below one, whose paths lead on to other sites."""
    labels = host.split(".")
    return any(".".join(labels[at:]) in SHORTENERS for at in range(len(labels)))


def registrable(host: str) -> str:
    """What has one owner, below a public suffix or a free host; the host itself where there is no such thing."""
    labels = host.split(".")
    free = next((at for at in range(len(labels)) if ".".join(labels[at:]) in FREE), None)
    if free is not None:
        return ".".join(labels[max(free - 1, 0) :])
    return _suffixes(private=True).privatesuffix(host) or host


def is_suffix(name: str) -> bool:
    """Whether others register names directly below it."""
    return _suffixes(private=True).is_public(name)


def is_registry(name: str) -> bool:
    """Whether a registry gives out the names directly below it."""
    return _suffixes(private=False).is_public(name)


def is_delegated(host: str) -> bool:
    """Whether a name ends with a top level that somebody registers names in, or with one of examples (RFC 2606)."""
    last = host.rpartition(".")[2]
    return last in _EXAMPLES or _suffixes(private=False, unknown=False).publicsuffix(last) is not None


def is_shared(host: str) -> bool:
    """Whether anybody may put a site below a domain that the host is below, or that it is."""
    labels = host.split(".")
    return any(".".join(labels[at:]) in FREE for at in range(len(labels))) or _suffixes(private=True).publicsuffix(
        host
    ) != _suffixes(private=False).publicsuffix(host)


@cache
def _suffixes(*, private: bool, unknown: bool = True) -> PublicSuffixList:
    """The list that comes with the package publicsuffixlist, with its private part or without. unknown: a top level
    that it has not is one as well."""
    return PublicSuffixList(only_icann=not private, accept_unknown=unknown)
