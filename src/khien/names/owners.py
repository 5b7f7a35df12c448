"""Who owns a name: what below a public suffix has one owner, and where anybody may put a site.

Public suffixes follow publicsuffix.org/list: below a suffix of its private part anybody may put a site, and whoever
runs it is not to blame for each.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList

FREE = frozenset(  # where anybody may put a site, and the list above does not say so
    "000webhostapp.com bravesites.com business.site docs.google.com drive.google.com forms.gle"
    " forms.office.com glitch.me godaddysites.com haravan.com ipfs.io jimdosite.com ladipage.com ldp.page pointblog.net"
    " sharepoint.com sites.google.com strikingly.com mystrikingly.com telegra.ph tumblr.com typeform.com ucoz.net"
    " ukit.me webador.com webcindario.com webnode.page weebly.com wordpress.com".split()
)


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


def is_shared(host: str) -> bool:
    """Whether anybody may put a site below a domain that the host is below, or that it is."""
    labels = host.split(".")
    return any(".".join(labels[at:]) in FREE for at in range(len(labels))) or _suffixes(private=True).publicsuffix(
        host
    ) != _suffixes(private=False).publicsuffix(host)


@cache
def _suffixes(*, private: bool) -> PublicSuffixList:
    """The list that comes with the package publicsuffixlist, with its private part or without."""
    return PublicSuffixList(only_icann=not private)
