"""Lists that block: hosts files (hosts(5)) and AdBlock rules (the syntax of Adblock Plus and AdGuard)."""

import re
from collections.abc import Iterator

from khien.names.reading import rows, syntax
from khien.names.reading.layout import Layout, State

# What every hosts file says of the machine itself, and what blocks nothing.
_LOCAL = frozenset(
    "localhost localhost.localdomain local broadcasthost localhost4 localhost6 localhost6.localdomain6 ip6-localhost "
    "ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters ip6-allhosts 0.0.0.0".split()
)
_NAME_ENDS = re.compile(r"[\^$/|:\s]")
_NO_NAME = re.compile(r"[*/^$=?&~,|#()]")  # a rule over addresses of pages, not over a domain


def read(page: rows.Rows, layout: Layout, state: State, last: bool) -> tuple[int, State]:
    """Fills page; answers the bytes used and the state behind them."""
    names_in = _hosts if layout.format == "hosts" else _rule
    begin, number = 0, state.line
    while begin < len(page.text):
        end = page.text.index(b"\n", begin)
        if end - begin > rows.LONGEST_LINE:
            page.refuse(number, syntax.LINE_TOO_LONG, begin, end)
        else:
            try:
                for name in names_in(page.text[begin:end].decode().strip()):
                    page.judge(name, number, begin, end)
            except UnicodeDecodeError:
                page.refuse(number, syntax.BAD_UTF8, begin, end)
        begin, number = end + 1, number + 1
    return begin, State(line=number)


def _hosts(line: str) -> Iterator[str]:
    """The names behind the address; of further ones those with a dot, for the others are local nicknames."""
    address, *names = line.partition("#")[0].split() or [""]
    if address and not syntax.is_address(address.partition("%")[0]):
        names = [address]  # lists of names are found among hosts files
    names = [name for name in names if name.lower() not in _LOCAL]
    yield from names[:1]
    yield from (name for name in names[1:] if "." in name)


def _rule(line: str) -> Iterator[str]:
    """The domain that a rule blocks; none for comments, exceptions, cosmetic rules and rules over pages."""
    if not line or line.startswith(("!", "[", "@@", "# ")) or re.search(r"#[@?$%]*#", line):
        return
    if line.startswith("||"):
        yield _NAME_ENDS.split(line[2:], maxsplit=1)[0]
    elif line.startswith("|http"):
        yield syntax.name_in(line[1:].rstrip("|").encode())[0]
    elif syntax.is_address(line.partition(" ")[0].partition("\t")[0]) and len(line.split()) > 1:
        yield from _hosts(line)
    elif not _NO_NAME.search(line):
        yield line
