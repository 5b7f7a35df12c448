"""Fields of NetFlow and IPFIX records into the columns of schema.FLOWS.

``fill`` writes runs (netflow.py) field by field: what a plan says of a field is looked up once for all records of a
run.
"""

from khien.compiled import inner, kernel
from khien.flows.lookup import TABLE, find
from khien.flows.netflow import (
    LARGEST,
    LENGTH,
    N_OPERATIONS,
    OPERATION,
    OPERATIONS,
    PLAN,
    RATED,
    RUN,
    RUN_BASE,
    RUN_BEGIN,
    RUN_COUNT,
    RUN_DATAGRAM,
    RUN_DOMAIN,
    RUN_END,
    RUN_EXPORTED,
    RUN_LOOKUPS,
    RUN_OWNER,
    RUN_PLAN,
    RUN_RATE,
    RUN_ROW,
    RUN_UPTIME,
    VARIABLE,
    measure,
)  # fmt: skip
from khien.flows.packets import READ, four, read_frame, two

# Operations.
(
    SOURCE_4, TARGET_4, SOURCE_6, TARGET_6, SET_SOURCE_4, SET_TARGET_4, SET_SOURCE_6, SET_TARGET_6, NO_SOURCE,
    NO_TARGET, SOURCE_PORT, TARGET_PORT, NO_SOURCE_PORT, NO_TARGET_PORT, PROTOCOL, NO_PROTOCOL, TCP_FLAGS, NO_FLAGS,
    ICMP_BOTH, ICMP_TYPE, ICMP_CODE, NO_FRAGMENT, FRAGMENT_OFFSET, FRAGMENT_FLAGS, EXTENSIONS, PACKETS, SOME_PACKET,
    BYTES, NO_BYTES, INTERVAL, SPACE, POPULATION, SELECTOR, INTERFACE, SECTION, FIRST, LAST, LAST_EXPORTED,
    FIRST_IS_LAST, LAST_IS_FIRST, LAST_AFTER, FIRST_BEFORE, FIRST_UP, LAST_UP, CLASSIC,
) = range(45)  # fmt: skip
SECONDS, MILLISECONDS, NTP, UPTIME, DELTA = range(5)  # what FIRST and LAST read

LARGEST_RATE = 1 << 18
OLDEST = 631_152_000_000_000  # 1990, in microseconds: no exporter of flows is older
DAY = 86_400_000_000
AHEAD = 60_000_000  # how far behind its reception a flow may seem to end: clocks differ, and some are set wrong
LONGEST_FLOW = 3_600_000_000  # what is believed of a clock that is not
NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970


@inner
def number(octets, at, length):
    """An unsigned number in network order, of at most LARGEST."""
    value = 0
    if length <= 8:
        for i in range(length):
            value = LARGEST if value >= LARGEST >> 8 else value * 256 + octets[at + i]
    return min(value, LARGEST)


@inner
def put_address(column, row, n, octets, at, stride, wide):
    """Addresses of wide (4 or 16) bytes; those of IPv4 are mapped. All is read before it is written: two moves each."""
    for k in range(n):
        to = 16 * (row + k)
        a = at + k * stride
        if wide == 4:
            b0, b1, b2, b3 = octets[a], octets[a + 1], octets[a + 2], octets[a + 3]
            for j in range(10):
                column[to + j] = 0
            column[to + 10] = 255
            column[to + 11] = 255
            column[to + 12] = b0
            column[to + 13] = b1
            column[to + 14] = b2
            column[to + 15] = b3
        else:
            for j in range(16):
                column[to + j] = octets[a + j]


@inner
def put_classic(
    row, n, octets, at, stride, base, uptime,
    first, last, sources, targets, source_ports, target_ports, protocols, flags, fragments, packets, sizes,
):  # fmt: skip
    """Records of v5 or v7, whose fields stand at the same places: all at once, for that is twice as fast."""
    for k in range(row, row + n):
        put_address(sources, k, 1, octets, at, stride, 4)
        put_address(targets, k, 1, octets, at + 4, stride, 4)
        packets[k] = four(octets, at + 16)
        sizes[k] = four(octets, at + 20)
        age = (uptime - four(octets, at + 24)) & 0xFFFFFFFF
        first[k] = base - (age if age < 0x80000000 else age - 0x100000000) * 1000
        age = (uptime - four(octets, at + 28)) & 0xFFFFFFFF
        last[k] = base - (age if age < 0x80000000 else age - 0x100000000) * 1000
        source_ports[k] = two(octets, at + 32)
        target_ports[k] = two(octets, at + 34)
        flags[k] = octets[at + 37]
        protocols[k] = octets[at + 38]
        fragments[k] = 0
        at += stride


@inner
def put_set_address(column, row, n, octets, at, stride, wide):
    """The same over what stands there, where it is not 0: records with room for both IPv4 and IPv6 fill in one."""
    for k in range(n):
        for j in range(wide):
            if octets[at + k * stride + j] != 0:
                put_address(column, row + k, 1, octets, at + k * stride, stride, wide)
                break


@inner
def put_nothing(column, row, n, width):
    """Zeros."""
    for k in range(row * width, (row + n) * width):
        column[k] = 0


@inner
def put_numbers(column, row, n, octets, at, stride, length):
    """Counters and ports."""
    if length == 2:
        for k in range(n):
            column[row + k] = two(octets, at + k * stride)
    elif length == 4:
        for k in range(n):
            column[row + k] = four(octets, at + k * stride)
    elif length == 8:
        for k in range(n):
            high = four(octets, at + k * stride)
            low = four(octets, at + k * stride + 4)
            column[row + k] = min(high << 32 | low, LARGEST) if high < 1 << 16 else LARGEST
    else:
        for k in range(n):
            column[row + k] = number(octets, at + k * stride, length)


@inner
def put_octets(column, row, n, octets, at, stride, length):
    """The last octet of each: a protocol, or TCP flags that fill one or two."""
    for k in range(n):
        column[row + k] = octets[at + k * stride + length - 1]


@inner
def put_icmp(code, ports, protocols, row, n, octets, at, stride, length, protocol):
    """ICMP type and code, where the record is of ICMP (1), ICMPv6 (58), whichever is given."""
    for k in range(n):
        value = number(octets, at + k * stride, length)
        if protocols[row + k] == protocol:
            if code == ICMP_TYPE:
                ports[row + k] = (value & 0xFF) << 8
            elif code == ICMP_CODE:
                ports[row + k] = (ports[row + k] & 0xFF00) | (value & 0xFF)
            elif value != 0:
                ports[row + k] = value & 0xFFFF


@inner
def put_fragment(code, column, row, n, octets, at, stride, length):
    """Whether packets were fragments: elements 88, 197 and 64. Of 64 both ways to count its bits are in use."""
    mask = 0x1FFF if code == FRAGMENT_OFFSET else 0x20 if code == FRAGMENT_FLAGS else 0x5000000A
    for k in range(n):
        if number(octets, at + k * stride, length) & mask:
            column[row + k] = 1


@inner
def put_rate(code, column, row, n, octets, at, stride, length, domain, owner, rate_keys, rate_values, n_rate_keys):
    """The sampling interval that a record names: as it is, by a sampler's or an interface's number, or of two parts.

    A number is looked up in the record's domain and then, for options may come in another, in all of the exporter's.
    """
    for k in range(n):
        value = number(octets, at + k * stride, length)
        before = column[row + k] + 0
        if code == SELECTOR or code == INTERFACE:
            key = (code - SELECTOR) << 32 | value & 0xFFFFFFFF
            value = find(rate_keys, rate_values, n_rate_keys, domain << 33 | key)
            if value < 0:
                value = find(rate_keys, rate_values, n_rate_keys, owner << 33 | key)
        elif code == SPACE:
            value = (before + value + before // 2) // before
        elif code == POPULATION:
            value = (value + before // 2) // before
        if value > 0:
            column[row + k] = min(value, LARGEST_RATE)


@inner
def put_times(column, row, n, octets, at, stride, length, unit, base, uptime, exported):
    """Microseconds since 1970. base: what the exporter's clock showed (microseconds) at this uptime (milliseconds)."""
    for k in range(n):
        a = at + k * stride
        if unit == UPTIME:  # RFC 3954 section 8; within half of 2^32 ms around the header's
            age = (uptime - four(octets, a)) & 0xFFFFFFFF
            column[row + k] = base - (age if age < 0x80000000 else age - 0x100000000) * 1000
        elif unit == NTP:
            seconds = four(octets, a)
            seconds += 0 if seconds >= 0x80000000 else 0x100000000
            column[row + k] = (seconds - NTP_TO_UNIX) * 1_000_000 + (four(octets, a + 4) * 1_000_000 >> 32)
        elif unit == DELTA:
            column[row + k] = exported - number(octets, a, length)
        else:
            column[row + k] = number(octets, a, length) * (1000 if unit == MILLISECONDS else 1_000_000)


@inner
def put_uptime(column, row, n, octets, at, stride, exported):
    """The same where the record itself says when the exporter was started: what stands there so far."""
    for k in range(n):
        uptime = (exported - column[row + k]) // 1000
        age = (uptime - four(octets, at + k * stride)) & 0xFFFFFFFF
        column[row + k] = exported - (age if age < 0x80000000 else age - 0x100000000) * 1000


@inner
def put_duration(to, source, row, n, octets, at, stride, length, scale):
    """One end of a flow from the other; scale: microseconds of the field's unit, negative for the beginning."""
    for k in range(n):
        to[row + k] = source[row + k] + min(number(octets, at + k * stride, length), DAY) * scale


@inner
def believe(first, last, row, n, received):
    """Makes times usable: the first is not behind the last, and nonsense becomes the time of reception.

    Where the exporter's clock is not set the difference of both still tells how long the flow lasted.
    """
    latest = received + AHEAD
    for k in range(row, row + n):
        a, b = first[k], last[k]
        if a < OLDEST or a > latest or b < OLDEST or b > latest:
            if OLDEST <= a <= latest:
                b = a
            elif OLDEST <= b <= latest:
                a = b
            else:
                a, b = received - (b - a if 0 < b - a <= LONGEST_FLOW else 0), received
        first[k] = min(a, b)
        last[k] = max(a, b)


@inner
def scale(packets, octets, sampling, row, n):
    """As many as passed, of those that were sampled."""
    for k in range(row, row + n):
        if sampling[k] > 1:
            packets[k] *= sampling[k]
            octets[k] *= sampling[k]


@inner
def put_sections(
    link, octets, at, end, row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes
):
    """Headers that a record carries as they were (RFC 5477 section 8.5); what cannot be read is of protocol 0."""
    outcome = read_frame(
        octets, at, end, link, 0,
        row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
    )  # fmt: skip
    if outcome != READ:
        put_nothing(sources, row, 1, 16)
        put_nothing(targets, row, 1, 16)
        source_ports[row] = 0
        target_ports[row] = 0
        protocols[row] = 0
        flags[row] = 0
        fragments[row] = 0
        sizes[row] = 0


@inner
def operate(
    code, at, length, extra, stride, row, n, octets, run, runs, rate_keys, rate_values, n_rate_keys,
    first, last, sources, targets, source_ports, target_ports, protocols, flags, fragments, packets, sizes, sampling,
):  # fmt: skip
    """Does one operation of a plan for n records, ``stride`` bytes apart."""
    if code == CLASSIC:
        put_classic(
            row, n, octets, at, stride, runs[run + RUN_BASE], runs[run + RUN_UPTIME],
            first, last, sources, targets, source_ports, target_ports, protocols, flags, fragments, packets, sizes,
        )  # fmt: skip
    elif code == SOURCE_4:
        put_address(sources, row, n, octets, at, stride, 4)
    elif code == TARGET_4:
        put_address(targets, row, n, octets, at, stride, 4)
    elif code == SOURCE_6:
        put_address(sources, row, n, octets, at, stride, 16)
    elif code == TARGET_6:
        put_address(targets, row, n, octets, at, stride, 16)
    elif code == SET_SOURCE_4:
        put_set_address(sources, row, n, octets, at, stride, 4)
    elif code == SET_TARGET_4:
        put_set_address(targets, row, n, octets, at, stride, 4)
    elif code == SET_SOURCE_6:
        put_set_address(sources, row, n, octets, at, stride, 16)
    elif code == SET_TARGET_6:
        put_set_address(targets, row, n, octets, at, stride, 16)
    elif code == NO_SOURCE:
        put_nothing(sources, row, n, 16)
    elif code == NO_TARGET:
        put_nothing(targets, row, n, 16)
    elif code == SOURCE_PORT:
        put_numbers(source_ports, row, n, octets, at, stride, length)
    elif code == TARGET_PORT:
        put_numbers(target_ports, row, n, octets, at, stride, length)
    elif code == NO_SOURCE_PORT:
        put_nothing(source_ports, row, n, 1)
    elif code == NO_TARGET_PORT:
        put_nothing(target_ports, row, n, 1)
    elif code == PROTOCOL:
        put_octets(protocols, row, n, octets, at, stride, length)
    elif code == NO_PROTOCOL:
        put_nothing(protocols, row, n, 1)
    elif code == TCP_FLAGS:
        put_octets(flags, row, n, octets, at, stride, length)
    elif code == NO_FLAGS:
        put_nothing(flags, row, n, 1)
    elif code == ICMP_BOTH or code == ICMP_TYPE or code == ICMP_CODE:
        put_icmp(code, target_ports, protocols, row, n, octets, at, stride, length, extra)
    elif code == NO_FRAGMENT:
        put_nothing(fragments, row, n, 1)
    elif code == FRAGMENT_OFFSET or code == FRAGMENT_FLAGS or code == EXTENSIONS:
        put_fragment(code, fragments, row, n, octets, at, stride, length)
    elif code == PACKETS:
        put_numbers(packets, row, n, octets, at, stride, length)
    elif code == SOME_PACKET:
        for k in range(row, row + n):
            packets[k] = sizes[k] > 0
    elif code == BYTES:
        put_numbers(sizes, row, n, octets, at, stride, length)
    elif code == NO_BYTES:
        put_nothing(sizes, row, n, 1)
    elif code == SECTION:
        for k in range(n):
            put_sections(
                extra, octets, at + k * stride, at + k * stride + length, row + k,
                sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
            )  # fmt: skip
    elif code == FIRST:
        put_times(
            first,
            row,
            n,
            octets,
            at,
            stride,
            length,
            extra,
            runs[run + RUN_BASE],
            runs[run + RUN_UPTIME],
            runs[run + RUN_EXPORTED],
        )
    elif code == LAST:
        put_times(
            last,
            row,
            n,
            octets,
            at,
            stride,
            length,
            extra,
            runs[run + RUN_BASE],
            runs[run + RUN_UPTIME],
            runs[run + RUN_EXPORTED],
        )
    elif code == LAST_EXPORTED:
        for k in range(row, row + n):
            last[k] = runs[run + RUN_EXPORTED]
    elif code == FIRST_IS_LAST:
        for k in range(row, row + n):
            first[k] = last[k]
    elif code == LAST_IS_FIRST:
        for k in range(row, row + n):
            last[k] = first[k]
    elif code == LAST_AFTER:
        put_duration(last, first, row, n, octets, at, stride, length, extra)
    elif code == FIRST_UP:
        put_uptime(first, row, n, octets, at, stride, runs[run + RUN_EXPORTED])
    elif code == LAST_UP:
        put_uptime(last, row, n, octets, at, stride, runs[run + RUN_EXPORTED])
    elif code == FIRST_BEFORE:
        put_duration(first, last, row, n, octets, at, stride, length, -extra)
    elif code == INTERVAL or code == SPACE or code == POPULATION or runs[run + RUN_LOOKUPS]:
        put_rate(
            code, sampling, row, n, octets, at, stride, length,
            runs[run + RUN_DOMAIN], runs[run + RUN_OWNER], rate_keys, rate_values, n_rate_keys,
        )  # fmt: skip


@kernel(
    "i8", "i8", "i8*", "u1*", "i8*", "i4*", *TABLE, "i8*", "i8*",
    "i8*", "i8*", "u1*", "u1*", "u2*", "u2*", "u1*", "u1*", "u1*", "i8*", "i8*", "u4*",
)  # fmt: skip
def fill(
    n_runs, runs, octets, received, plans, rate_keys, rate_values, n_rate_keys, starts, stops,
    first, last, sources, targets, source_ports, target_ports, protocols, flags, fragments, packets, sizes, sampling,
):  # fmt: skip
    """Writes the records of runs into columns (records.Columns) from their rows on; answers how many rows."""
    total = 0
    for each in range(n_runs):
        run = RUN * each
        plan = PLAN * runs[run + RUN_PLAN]
        row = runs[run + RUN_ROW]
        count = runs[run + RUN_COUNT]
        at = runs[run + RUN_BEGIN]
        rate = runs[run + RUN_RATE]
        for k in range(row, row + count):
            sampling[k] = rate
        fixed = plans[plan + VARIABLE] == 0
        for k in range(1 if fixed else count):
            behind = at
            if not fixed:
                behind = measure(octets, at, runs[run + RUN_END], plans, plan, starts, stops)
            for i in range(plans[plan + N_OPERATIONS]):
                put = plan + OPERATIONS + OPERATION * i
                piece = plans[put + 1]
                begin = (at if fixed else starts[piece]) + plans[put + 2]
                length = plans[put + 3] + 0
                if length < 0:
                    length = stops[piece] - begin
                operate(
                    plans[put], begin, length, plans[put + 4], plans[plan + LENGTH], row + k, count if fixed else 1,
                    octets, run, runs, rate_keys, rate_values, n_rate_keys,
                    first, last, sources, targets, source_ports, target_ports, protocols, flags, fragments,
                    packets, sizes, sampling,
                )  # fmt: skip
            at = behind
        believe(first, last, row, count, received[runs[run + RUN_DATAGRAM]])
        if rate > 1 or plans[plan + RATED]:
            scale(packets, sizes, sampling, row, count)
        total += count
    return total
