"""The headers of one packet, read into a row of flows. Nothing behind the transport header is touched.

Whose packet it is: of the addresses in a packet those of its outermost IP header count, for they name who receives it
and whom a router can drop it for. Links and what routers put between link and IP are peeled off: VLAN tags, PPPoE, MPLS
labels, Ethernet in MPLS. A GRE or IP-in-IP packet is a packet of protocol 47, 4 or 41 to its outer target: floods of
them carry invented packets (Mirai's do, with and without Ethernet), which would hide the victim behind inner addresses.
VXLAN (RFC 7348) and GENEVE (RFC 8926) are opened, because there the machine inside is what is flooded, but only where
their outer target is an address that the Internet does not reach: others could send such packets to anyone.

Which protocol: that of the header behind the extension headers. But where only ICMPv6, no next header, or nothing that
can be read stands behind them, it is the first of these extension headers: floods of hop-by-hop options or AH are echo
requests behind such headers, and it is the headers that hurt (atk6-denial6). AH is read likewise in IPv4, over ICMP.
"""

from khien.compiled import inner

READ, NOT_IP, CUT, BROKEN, LINK = range(5)  # what became of a frame
OUTCOMES = ("read", "not-ip", "cut-short", "broken-header", "unknown-link")  # their codes
FRAME = ("u1*", "u1*", "u2*", "u2*", "u1*", "u1*", "u1*", "i8*")  # columns that read_frame sets, source to bytes

# What stands next: an EtherType, or one of these. Up to 1500 it is a length, and LLC follows (IEEE 802.3).
IPV4, IPV6, MPLS, MPLS_UPSTREAM, PPPOE, PPP, ETHERNET = 0x0800, 0x86DD, 0x8847, 0x8848, 0x8864, 0x880B, 0x6558
BY_VERSION, BENEATH_MPLS = 0x10000, 0x10001
LONGEST_LLC = 1500
DEEPEST = 16  # headers before and between IP headers; extension headers of one IP header

LINK_ETHERNET, LINK_PPP, LINK_MPLS, LINK_IPV4, LINK_IPV6 = 1, 9, 219, 228, 229  # of the registry of LINKTYPE_ values

HOP_BY_HOP, ICMP, TCP, UDP, ROUTING, FRAGMENT, AH, ICMPV6, NO_NEXT, OPTIONS = 0, 1, 6, 17, 43, 44, 51, 58, 59, 60
MOBILITY, HIP, SHIM6 = 135, 139, 140
DCCP, SCTP, UDP_LITE = 33, 132, 136
VXLAN_PORT, GENEVE_PORT = 4789, 6081
LARGEST = (
    1 << 24
)  # bytes of a packet; what claims more is held to it, so that products with sampling rates stay numbers


@inner
def two(octets, at):
    """A number of two bytes in network order."""
    return octets[at] * 256 + octets[at + 1]


@inner
def four(octets, at):
    """A number of four bytes in network order."""
    return ((octets[at] * 256 + octets[at + 1]) * 256 + octets[at + 2]) * 256 + octets[at + 3]


@inner
def enter(octets, at, end, link):
    """Where a frame's first header stands and what it is, -LINK for link types that are not read."""
    if link == LINK_ETHERNET:
        return at, ETHERNET
    if link == 101 or link == 12 or link == 14:
        return at, BY_VERSION
    if link == LINK_IPV4:
        return at, IPV4
    if link == LINK_IPV6:
        return at, IPV6
    if link == LINK_MPLS:
        return at, MPLS
    if link == LINK_PPP or link == 50:
        return at, PPP
    if link == 51:
        return at, PPPOE
    if link == 0 or link == 108:  # BSD loopback: the address family differs between systems
        return at + 4, BY_VERSION
    if end - at < 20:
        return at, -CUT
    if link == 113:  # Linux cooked
        return at + 16, two(octets, at + 14)
    if link == 276:  # Linux cooked, version 2
        return at + 20, two(octets, at)
    if link == 104:  # Cisco HDLC
        return at + 4, two(octets, at + 2)
    return at, -LINK


@inner
def is_vlan(kind):
    """Whether an EtherType is of a tag of four bytes: IEEE 802.1Q, 802.1ad and what was used before it."""
    return kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200 or kind == 0x9300


@inner
def by_version(octets, at):
    """An IP header by its first half byte."""
    version = octets[at] >> 4
    return IPV4 if version == 4 else IPV6 if version == 6 else -NOT_IP


@inner
def is_ethernet(octets, at, end):
    """Whether an Ethernet frame with an IP packet, tagged at most once, stands here."""
    if end - at < 20:
        return False
    if is_vlan(two(octets, at + 12)):
        at += 4
    kind = two(octets, at + 12)
    version = octets[at + 14] >> 4
    return (kind == IPV4 and version == 4) or (kind == IPV6 and version == 6)


@inner
def beneath_mpls(octets, at, end):
    """What a label stack carries does not say what it is; routers guess by its first half byte, RFC 4928 section 3,
    which a MAC address may have too."""
    version = octets[at] >> 4
    if is_ethernet(octets, at, end):
        return at, ETHERNET
    if version == 4 or version == 6:
        return at, by_version(octets, at)
    return at + (4 if version == 0 else 0), ETHERNET  # 0: a control word, RFC 4385


@inner
def peel(octets, at, end, kind):
    """Takes off one header that is not IP; answers as enter."""
    if end - at < 4:
        return at, -CUT
    if kind == ETHERNET:
        return (at + 14, two(octets, at + 12)) if end - at >= 14 else (at, -CUT)
    if is_vlan(kind):
        return at + 4, two(octets, at + 2)
    if kind == MPLS or kind == MPLS_UPSTREAM:
        return at + 4, (BENEATH_MPLS if octets[at + 2] & 1 else MPLS)
    if kind == BENEATH_MPLS:
        return beneath_mpls(octets, at, end)
    if kind == BY_VERSION:
        return at, by_version(octets, at)
    if kind == PPPOE:
        return at + 6, PPP
    if kind == PPP:
        if octets[at] == 0xFF and octets[at + 1] == 3:
            at += 2
        protocol = octets[at] if octets[at] & 1 else two(octets, at)
        at += 1 if octets[at] & 1 else 2
        if protocol == 0x21 or protocol == 0x57:
            return at, (IPV4 if protocol == 0x21 else IPV6)
        return at, (MPLS if protocol == 0x281 or protocol == 0x283 else -NOT_IP)
    if kind <= LONGEST_LLC and end - at >= 8:  # SNAP, RFC 1042
        if octets[at] == 0xAA and octets[at + 1] == 0xAA and octets[at + 2] == 3:
            return at + 8, two(octets, at + 6)
    return at, -NOT_IP


@inner
def is_extension(protocol, version):
    """Whether more headers follow such a header. Fragment headers do not count: they are the packet's own matter."""
    if version == 4:
        return protocol == AH
    return (
        protocol == HOP_BY_HOP or protocol == ROUTING or protocol == OPTIONS or protocol == AH
        or protocol == MOBILITY or protocol == HIP or protocol == SHIM6
    )  # fmt: skip


@inner
def skip_extensions(octets, at, end, version, protocol, part):
    """Goes behind extension headers (RFC 8200 section 4). part: the fragment offset so far, -1 for none.

    Answers (place of the transport header, protocol, fragment offset); the place is ``end`` where it is not in there.
    """
    first = -1
    for _ in range(DEEPEST):
        if version == 6 and protocol == FRAGMENT and part < 0 and end - at >= 8:
            protocol = octets[at]
            part = two(octets, at + 2) >> 3
            at += 8
        elif part <= 0 and is_extension(protocol, version):
            first = protocol if first < 0 else first
            size = (octets[at + 1] + 2) * 4 if protocol == AH and end - at >= 2 else 8
            if protocol != AH and end - at >= 2:
                size = (octets[at + 1] + 1) * 8
            if end - at < size:
                return end, first, part
            protocol = octets[at]
            at += size
        else:
            break
    if first >= 0 and (
        protocol == NO_NEXT or protocol == ICMP or protocol == ICMPV6 or is_extension(protocol, version)
    ):
        return end, first, part
    return at, protocol, part


@inner
def put_address(octets, at, version, row, column):
    """Writes an address, that of IPv4 mapped into IPv6."""
    if version == 6:
        for i in range(16):
            column[16 * row + i] = octets[at + i]
        return
    for i in range(10):
        column[16 * row + i] = 0
    column[16 * row + 10] = 255
    column[16 * row + 11] = 255
    for i in range(4):
        column[16 * row + 12 + i] = octets[at + i]


@inner
def is_inside(column, row):
    """Whether the Internet does not reach an address: RFC 1918, 3927, 6598, loopback; RFC 4193, link-local."""
    at = 16 * row
    if column[at] != 0:
        return column[at] & 0xFE == 0xFC or (column[at] == 0xFE and column[at + 1] & 0xC0 == 0x80)
    if column[at + 10] != 255:
        return False
    first = column[at + 12]
    second = column[at + 13]
    return (
        first == 10 or first == 127 or (first == 172 and second & 0xF0 == 16) or (first == 192 and second == 168)
        or (first == 169 and second == 254) or (first == 100 and second & 0xC0 == 64)
    )  # fmt: skip


@inner
def overlay(octets, at, end):
    """Where the frame in a UDP packet stands and what it is, if that is one of VXLAN or GENEVE; else a refusal."""
    if end - at < 16:
        return at, -NOT_IP
    port = two(octets, at + 2)
    if port == VXLAN_PORT and four(octets, at + 8) == 0x08000000 and octets[at + 15] == 0:
        return at + 16, ETHERNET
    if port == GENEVE_PORT and octets[at + 8] & 0xC0 == 0 and octets[at + 15] == 0:
        return at + 16 + 4 * (octets[at + 8] & 0x3F), two(octets, at + 10)
    return at, -NOT_IP


@inner
def read_transport(octets, at, end, protocol, row, source_ports, target_ports, flags):
    """Ports, ICMP type and code, TCP flags, as far as they are there."""
    source_ports[row] = 0
    target_ports[row] = 0
    flags[row] = 0
    if (protocol == ICMP or protocol == ICMPV6) and end - at >= 2:
        target_ports[row] = two(octets, at)
    if (
        protocol == TCP or protocol == UDP or protocol == SCTP or protocol == DCCP or protocol == UDP_LITE
    ) and end - at >= 4:  # fmt: skip
        source_ports[row] = two(octets, at)
        target_ports[row] = two(octets, at + 2)
    if protocol == TCP and end - at >= 14:
        flags[row] = octets[at + 13]


@inner
def read_ip(
    octets, at, end, version, wire,
    row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
):  # fmt: skip
    """Reads an IP header and what follows. Answers (where its UDP header stands, behind the packet), 0 for no UDP.

    wire: bytes on the wire from here on, 0 where nobody knows.
    """
    if version == 4:
        behind = at + (octets[at] & 15) * 4
        size = two(octets, at + 2)
        place = two(octets, at + 6)
        part = place & 0x1FFF if place & 0x3FFF else -1  # more fragments, or an offset
        protocol = octets[at + 9]
        addresses, wide = at + 12, 4
    else:
        behind = at + 40
        size = two(octets, at + 4)
        protocol = octets[at + 6]
        if size > 0 or protocol == NO_NEXT:
            size += 40
        part = -1
        addresses, wide = at + 8, 16
    if size == 0 or size > wire > 0:  # 0: cut into packets behind where it was captured (TSO), or a jumbogram
        size = wire
    sizes[row] = min(size, LARGEST)
    if 0 < size < end - at:
        end = at + size  # padding of short frames is not part of it
    put_address(octets, addresses, version, row, sources)
    put_address(octets, addresses + wide, version, row, targets)
    at, protocol, part = skip_extensions(octets, min(behind, end), end, version, protocol, part)
    at = end if part > 0 else at
    protocols[row] = protocol
    fragments[row] = part >= 0
    read_transport(octets, at, end, protocol, row, source_ports, target_ports, flags)
    return (at if protocol == UDP and end - at >= 8 else 0), end


@inner
def find_ip(octets, at, end, kind):
    """Goes behind every header in front of an IP header; answers as enter, where a refusal is a negative kind."""
    for _ in range(DEEPEST):
        if kind < 0:
            return at, kind
        if kind == IPV4 or kind == IPV6:
            least = 20 if kind == IPV4 else 40
            if end - at < least:
                return at, -CUT
            if by_version(octets, at) != kind or (kind == IPV4 and octets[at] & 15 < 5):
                return at, -BROKEN
            return at, kind
        at, kind = peel(octets, at, end, kind)
    return at, -BROKEN


@inner
def read_frame(
    octets, begin, end, link, wire,
    row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
):  # fmt: skip
    """Reads the frame octets[begin:end] into a row of the columns FRAME; answers READ or why there is no row.

    link: a LINKTYPE_ value of tcpdump.org's registry; wire: bytes it had on the wire, 0 where nobody knows.
    """
    outcome = READ
    at, kind = enter(octets, begin, end, link)
    for depth in range(DEEPEST):
        at, kind = find_ip(octets, at, end, kind)
        if kind < 0:
            if depth == 0:
                outcome = -kind
            break  # what a tunnel carries is not IP: the tunnel's own packet is the flow
        version = 4 if kind == IPV4 else 6
        left = wire - (at - begin) if wire > 0 else 0
        at, end = read_ip(
            octets, at, end, version, max(left, 0),
            row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
        )  # fmt: skip
        if at == 0 or not is_inside(targets, row):
            break
        at, kind = overlay(octets, at, end)
    return outcome
