"""NetFlow v5 and v7, v9 (RFC 3954) and IPFIX (RFC 7011) on the fast path: headers, sets, where records stand.

``walk`` goes through datagrams and notes runs: so many records of one template, one behind the other. It stops where
more must be known than it was given (a domain, a template, options) and goes on from there. What records say is
fields.py's.

A plan is a template as numbers: the lengths of its records' pieces, and operations, each of which writes one column
from one field. A record with fields of variable length falls into pieces: what is fixed before the first of them, its
contents, what is fixed behind it, and so on; a field's place is a piece and an offset in there.
"""

from khien.compiled import inner, kernel
from khien.flows.lookup import TABLE, find
from khien.flows.packets import four, two

V5, V7, V9, IPFIX = 5, 7, 9, 10  # versions, and families of observation domains; v1, v6 and v8 are long gone

# A plan's numbers.
KIND, LENGTH, VARIABLE, MIRROR, IS_MIRROR, RATED, N_OPERATIONS = range(7)  # LENGTH: the least of a record
LENGTHS = 7  # of the fixed pieces: one more than there are fields of variable length
MOST_VARIABLE = 96
OPERATIONS = LENGTHS + MOST_VARIABLE + 1
OPERATION = 5  # code, piece, offset, length (-1: variable), and one more number
MOST_OPERATIONS = 28
PLAN = OPERATIONS + OPERATION * MOST_OPERATIONS

FLOWS, OPTIONS, COUNTED = 1, 2, 3  # kinds: records become rows; tell of sampling; are only counted
OPTIONS_COUNTED = 4
CLASSIC = 0, 1  # the plans of v5 and v7

# A domain's numbers: the next sequence number (-1: any), the sampling interval of records that name none, when the
# exporter's uptime was 0 (milliseconds since 1970, -1: unknown), when it was last heard of, and under which number
# sampling intervals stand that hold for all of its exporter's domains, and whether there are such.
NEXT, RATE, BOOTED, TOUCHED, OWNER, LOOKUPS, DOMAIN = range(7)

# An exporter's counts.
(
    DATAGRAMS, RECORDS, LOST, OPTION_RECORDS, NOT_FLOWS, WAITING, DROPPED, VERSION, SHORT, BROKEN_SET, BROKEN_TEMPLATE,
    TOO_MANY_TEMPLATES, COUNTS,
) = range(13)  # fmt: skip

# A run's numbers. BASE: microseconds since 1970 when the uptime was UPTIME milliseconds; 0 where that is not known.
(
    RUN_DATAGRAM, RUN_PLAN, RUN_BEGIN, RUN_END, RUN_COUNT, RUN_ROW, RUN_RATE, RUN_DOMAIN, RUN_BASE, RUN_UPTIME,
    RUN_EXPORTED, RUN_OWNER, RUN_LOOKUPS, RUN,
) = range(14)  # fmt: skip

# Where walk stands: in a datagram, before a set of it (0: before its header).
(
    AT_DATAGRAM, AT_SET, AT_BEHIND, AT_VERSION, AT_DOMAIN, AT_BASE, AT_UPTIME, AT_EXPORTED, AT_RECORDS, AT_RUNS,
    AT_ROWS, AT_KEY, AT_DIGEST, AT_END, AT,
) = range(15)  # fmt: skip

UNCOUNTED = -(1 << 40)  # records of a message that are not all known

DONE, FULL, NEW_DOMAIN, NEW_TEMPLATES, NO_TEMPLATE, NEW_OPTIONS, OPENED, SKIPPED = range(8)  # why walk stops

LARGEST = 1 << 44  # packets or bytes of one record: 17 terabytes; with any rate they stay numbers of 64 bits
LATE = 64  # datagrams that may come out of order
RESTARTED = 100_000  # datagrams; a jump by more is a restart, not a loss
PRIME, DIGEST = 1_099_511_628_211, (1 << 62) - 1


@inner
def digest(octets, begin, end, seed):
    """Tells contents apart that nobody chose to be alike: FNV-1a. Who forges templates needs no collision for it."""
    state = seed
    for i in range(begin, end):
        state = ((state ^ octets[i]) * PRIME) & DIGEST
    return state


@inner
def measure(octets, at, end, plans, plan, starts, stops):
    """Finds the pieces of a record of variable length (RFC 7011 section 7); answers where it ends, -1: not in there."""
    variable = plans[plan + VARIABLE]
    for i in range(variable + 1):
        starts[2 * i] = at
        at += plans[plan + LENGTHS + i]
        if at > end:
            return -1
        stops[2 * i] = at
        if i < variable:
            if at >= end:
                return -1
            size = octets[at] + 0
            at += 1
            if size == 255:
                if end - at < 2:
                    return -1
                size = two(octets, at)
                at += 2
            if end - at < size:
                return -1
            starts[2 * i + 1] = at
            at += size
            stops[2 * i + 1] = at
    return at


@inner
def follow(domains, domain, counts, count, sequence, step, per_datagram):
    """Counts what was lost before this sequence number. step: how far it goes on, per_datagram: how far it does often.

    What comes late was counted as lost and is no more; jumps too far for a loss are restarts.
    """
    expected = domains[domain + NEXT]
    ahead = (sequence - expected) & 0xFFFFFFFF
    late = 0 < 0x100000000 - ahead <= LATE * per_datagram
    if expected >= 0 and late:
        counts[count + LOST] = max(counts[count + LOST] - step, 0)
        return
    if expected >= 0 and 0 < ahead <= RESTARTED * per_datagram:
        counts[count + LOST] += ahead
    domains[domain + NEXT] = (sequence + step) & 0xFFFFFFFF


@inner
def note(at, runs, plan, begin, end, count, domains):
    """Notes a run."""
    run = RUN * at[AT_RUNS]
    runs[run + RUN_DATAGRAM] = at[AT_DATAGRAM]
    runs[run + RUN_PLAN] = plan
    runs[run + RUN_BEGIN] = begin
    runs[run + RUN_END] = end
    runs[run + RUN_COUNT] = count
    runs[run + RUN_ROW] = at[AT_ROWS]
    runs[run + RUN_RATE] = domains[DOMAIN * at[AT_DOMAIN] + RATE]
    runs[run + RUN_DOMAIN] = at[AT_DOMAIN]
    runs[run + RUN_BASE] = at[AT_BASE]
    runs[run + RUN_UPTIME] = at[AT_UPTIME]
    runs[run + RUN_EXPORTED] = at[AT_EXPORTED]
    runs[run + RUN_OWNER] = domains[DOMAIN * at[AT_DOMAIN] + OWNER]
    runs[run + RUN_LOOKUPS] = domains[DOMAIN * at[AT_DOMAIN] + LOOKUPS]
    at[AT_RUNS] += 1
    at[AT_ROWS] += count


@inner
def enter_domain(octets, begin, version, exporter, domain_keys, domain_values, n_domain_keys, at):
    """Finds the domain a datagram is of: of v5 the engine, RFC 3954 section 5.1, RFC 7011 section 3.1."""
    name = two(octets, begin + 20) if version == V5 else 0
    if version == V9:
        name = four(octets, begin + 16)
    if version == IPFIX:
        name = four(octets, begin + 12)
    at[AT_KEY] = exporter << 36 | version << 32 | name
    at[AT_DOMAIN] = find(domain_keys, domain_values, n_domain_keys, at[AT_KEY])
    return at[AT_DOMAIN] >= 0


@inner
def read_classic(octets, begin, end, version, counts, count, domains, runs, plans, at, live):
    """A datagram of v5 or v7: 24 bytes of header, records of one length."""
    length = plans[PLAN * CLASSIC[0] + LENGTH] if version == V5 else plans[PLAN * CLASSIC[1] + LENGTH]
    n = two(octets, begin + 2)
    fits = (end - begin - 24) // length
    if n > fits:
        counts[count + SHORT] += 1
    n = min(n, fits)
    domain = DOMAIN * at[AT_DOMAIN]
    if live:
        follow(domains, domain, counts, count, four(octets, begin + 16), n, 30)
    nanoseconds = four(octets, begin + 12)
    at[AT_UPTIME] = four(octets, begin + 4)
    at[AT_BASE] = four(octets, begin + 8) * 1_000_000 + (nanoseconds // 1000 if nanoseconds < 1_000_000_000 else 0)
    at[AT_EXPORTED] = at[AT_BASE]
    if n > 0:
        run = RUN * at[AT_RUNS]
        note(at, runs, CLASSIC[0] if version == V5 else CLASSIC[1], begin + 24, end, n, domains)
        sampling = two(octets, begin + 22) if version == V5 else 0
        if sampling & 0x3FFF > 1:  # the two upper bits are the mode, which exporters leave 0 though they sample
            runs[run + RUN_RATE] = sampling & 0x3FFF
        counts[count + RECORDS] += n


@inner
def open_message(
    octets, begin, end, exporter, counts, domain_keys, domain_values, n_domain_keys, domains, runs, plans, at, received,
    live,
):  # fmt: skip
    """Reads a header; of v5 and v7 the whole datagram."""
    count = COUNTS * exporter
    version = two(octets, begin) if end - begin >= 2 else 0
    if version != V5 and version != V7 and version != V9 and version != IPFIX:
        counts[count + (VERSION if end - begin >= 2 else SHORT)] += 1
        counts[count + DATAGRAMS] += live
        return SKIPPED
    if end - begin < (16 if version == IPFIX else 20 if version == V9 else 24):
        counts[count + SHORT] += 1
        counts[count + DATAGRAMS] += live
        return SKIPPED
    if not enter_domain(octets, begin, version, exporter, domain_keys, domain_values, n_domain_keys, at):
        return NEW_DOMAIN
    counts[count + DATAGRAMS] += live
    domain = DOMAIN * at[AT_DOMAIN]
    domains[domain + TOUCHED] = max(domains[domain + TOUCHED], received)
    if version == V5 or version == V7:
        read_classic(octets, begin, end, version, counts, count, domains, runs, plans, at, live)
        return SKIPPED
    at[AT_VERSION] = version
    at[AT_BEHIND] = at[AT_END] = end
    at[AT_RECORDS] = 0
    if version == V9:
        if live:
            follow(domains, domain, counts, count, four(octets, begin + 12), 1, 1)
        at[AT_SET] = begin + 20
        at[AT_UPTIME] = four(octets, begin + 4)
        at[AT_BASE] = four(octets, begin + 8) * 1_000_000
        at[AT_EXPORTED] = at[AT_BASE]
        return OPENED
    if two(octets, begin + 2) > end - begin:
        counts[count + SHORT] += 1
    at[AT_BEHIND] = min(end, begin + max(two(octets, begin + 2), 16))
    at[AT_SET] = begin + 16
    exported = four(octets, begin + 4)
    at[AT_EXPORTED] = exported * 1_000_000
    booted = domains[domain + BOOTED]
    at[AT_BASE] = exported * 1_000_000 if booted >= 0 else 0  # 0: nothing to count an uptime from
    at[AT_UPTIME] = (exported * 1000 - booted) & 0xFFFFFFFF if booted >= 0 else 0
    return OPENED


@inner
def template_size(octets, at, end, version, options):
    """Bytes of a template record, 0 where it is cut, withdrawn or what stands there is none."""
    if end - at < 4 or two(octets, at) < 256 or two(octets, at + 2) == 0 or (options and end - at < 6):
        return 0
    if options and version == V9:
        size = 6 + two(octets, at + 2) + two(octets, at + 4)
        return size if size <= end - at else 0
    size = 6 if options else 4
    for _ in range(two(octets, at + 2)):
        if end - at < size + 4:
            return 0
        size += 8 if version == IPFIX and octets[at + size] & 0x80 else 4
    return size if size <= end - at else 0


@inner
def all_known(octets, at, end, version, options, domain, plan_keys, plan_values, n_plan_keys, digests):
    """Whether each template of a set is kept just as it stands here."""
    while end - at >= 4 and two(octets, at) >= 256:  # what is less is padding
        size = template_size(octets, at, end, version, options)
        plan = find(plan_keys, plan_values, n_plan_keys, domain << 16 | two(octets, at))
        if size == 0 or plan < 0 or digests[2 * plan] != digest(octets, at, at + size, options):
            return False
        at += size
    return True


@inner
def count_records(octets, at, end, plans, plan, starts, stops):
    """How many records a set holds; what is left over is padding."""
    if plans[plan + VARIABLE] == 0:
        return (end - at) // plans[plan + LENGTH]
    n = 0
    while end - at >= plans[plan + LENGTH]:
        at = measure(octets, at, end, plans, plan, starts, stops)
        if at < 0:
            break
        n += 1
    return n


@inner
def read_records(octets, at, begin, end, slot, counts, count, domains, runs, plans, digests, starts, stops):
    """A set of records of a known plan; answers whether it can go on."""
    plan = PLAN * slot
    kind = plans[plan + KIND]
    if kind == OPTIONS:
        at[AT_DIGEST] = digest(octets, begin, end, 0)
        if digests[2 * slot + 1] != at[AT_DIGEST]:
            return False
    n = count_records(octets, begin, end, plans, plan, starts, stops)
    at[AT_RECORDS] += n
    if kind == OPTIONS or kind == OPTIONS_COUNTED:
        counts[count + OPTION_RECORDS] += n
    elif kind == COUNTED:
        counts[count + NOT_FLOWS] += n
    elif n > 0:
        counts[count + RECORDS] += n
        note(at, runs, slot, begin, end, n, domains)
        if plans[plan + MIRROR] >= 0:
            note(at, runs, plans[plan + MIRROR], begin, end, n, domains)
    return True


@inner
def read_sets(
    octets, counts, count, domains, plan_keys, plan_values, n_plan_keys, plans, digests, starts, stops,
    runs, capacity, at,
):  # fmt: skip
    """The sets of a message, RFC 7011 section 3.3 and RFC 3954 section 5, from where at says."""
    while at[AT_BEHIND] - at[AT_SET] >= 4:
        begin = at[AT_SET]
        kind = two(octets, begin)
        end = begin + two(octets, begin + 2)
        if end - begin < 4 or end > at[AT_END]:  # some exporters' message length is less than that of its sets
            counts[count + BROKEN_SET] += 1
            domains[DOMAIN * at[AT_DOMAIN] + NEXT] = -1
            at[AT_RECORDS] = UNCOUNTED
            break
        if at[AT_RUNS] + 2 > capacity:
            return FULL
        first = 0 if at[AT_VERSION] == V9 else 2  # the id of sets of templates; of options' the next
        if kind == first or kind == first + 1:
            if not all_known(
                octets, begin + 4, end, at[AT_VERSION], kind - first, at[AT_DOMAIN],
                plan_keys, plan_values, n_plan_keys, digests,
            ):  # fmt: skip
                return NEW_TEMPLATES
        elif kind >= 256:
            plan = find(plan_keys, plan_values, n_plan_keys, at[AT_DOMAIN] << 16 | kind)
            if plan < 0:
                return NO_TEMPLATE
            if not read_records(
                octets, at, begin + 4, end, plan, counts, count, domains, runs, plans, digests, starts, stops
            ):
                return NEW_OPTIONS
        at[AT_SET] = end
    return DONE


@kernel(
    "i8", "i8", "i8", "u1*", *("i8*",) * 3, *("i4*",) * 2, "i8*", *TABLE, "i8*", *TABLE, "i4*", *("i8*",) * 3,
    "i8*", "i8", "i8*",
)  # fmt: skip
def walk(
    n, live, octets, begins, ends, received, exporters, owners, counts, domain_keys, domain_values, n_domain_keys,
    domains, plan_keys, plan_values, n_plan_keys, plans, digests, starts, stops, runs, capacity, at,
):  # fmt: skip
    """Notes runs of n datagrams from where ``at`` says; answers DONE or what it needs to go on.

    owners: the exporters' places in counts (-1: too many to count). live: 0 where datagrams come again that waited.
    digests: of a plan's template, and of the options last read by it. starts, stops: 2 * MOST_VARIABLE + 1 each.
    """
    while at[AT_DATAGRAM] < n:
        i = at[AT_DATAGRAM]
        owner = owners[exporters[i]]
        if at[AT_RUNS] >= capacity:
            return FULL
        if owner >= 0 and at[AT_SET] == 0:
            stop = open_message(
                octets, begins[i], ends[i], owner, counts, domain_keys, domain_values, n_domain_keys, domains, runs,
                plans, at, received[i], live,
            )  # fmt: skip
            if stop == NEW_DOMAIN:
                return stop
        if at[AT_SET] > 0:
            stop = read_sets(
                octets, counts, COUNTS * owner, domains, plan_keys, plan_values, n_plan_keys, plans, digests,
                starts, stops, runs, capacity, at,
            )  # fmt: skip
            if stop != DONE:
                return stop
            if at[AT_VERSION] == IPFIX and live:
                domain = DOMAIN * at[AT_DOMAIN]
                follow(domains, domain, counts, COUNTS * owner, four(octets, begins[i] + 8), max(at[AT_RECORDS], 0), 30)
                if at[AT_RECORDS] < 0:  # not all of its records could be counted
                    domains[domain + NEXT] = -1
        at[AT_SET] = 0
        at[AT_DATAGRAM] += 1
    return DONE
