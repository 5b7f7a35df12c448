"""Where in a name something stands: public suffix, registrable domain, whose estate, who may open names here.

Public suffixes follow publicsuffix.org/list (the longest rule wins, ``*`` stands for one label, ``!`` takes back).
Names of the dynamic-DNS list are suffixes too: anybody may open a name below them.
"""

from khien.compiled import inner
from khien.names.tables import ABSENT, BASIS, find, mix
from khien.names.text import DOT, PLAIN

# What a domain is, as bits of its value in the table of domains.
RULE, WILD, TAKEN_BACK, PRIVATE, CHEAP, GENERIC, HOME, DYNAMIC, POPULAR = 1, 2, 4, 8, 16, 32, 64, 128, 256
LIST_SHIFT = 9  # above POPULAR: on which list of popular names
# What a domain of an estate is: bits below the number of its row.
VERIFIED, ROW_SHIFT = 1, 1

# What `look` writes, by index.
SUFFIX, REGISTRABLE, HOSTING, SUFFIX_FLAGS, TOP_FLAGS, POPULAR_AT, POPULAR_LIST, ESTATE, ESTATE_AT = range(9)


@inner
def look(
    text,
    kind,
    place_of,
    until,
    folded,
    n,
    domain_marks,
    domain_keys,
    domain_values,
    n_domains,
    estate_marks,
    estate_keys,
    estate_values,
    n_estate,
    at,
):
    """Writes what the name's place is: where its public suffix and its registrable domain begin, and the flags above.

    What was folded from other characters, or came out of an A-label, is nobody's estate: a look-alike of an official
    domain is not that domain.
    HOSTING: 1 where anybody may open a name. POPULAR_AT, ESTATE_AT: where the longest such domain begins, -1 for none.
    """
    at[SUFFIX] = n
    at[REGISTRABLE] = 0
    at[HOSTING] = 0
    at[SUFFIX_FLAGS] = 0
    at[TOP_FLAGS] = 0
    at[POPULAR_AT] = ABSENT
    at[POPULAR_LIST] = 0
    at[ESTATE] = ABSENT
    at[ESTATE_AT] = ABSENT
    state = BASIS
    begin = n  # of the label to the right
    wild = 0  # the flags of a wildcard rule one label to the right
    plain = True
    for i in range(n - 1, -1, -1):
        plain = plain and not (folded and (kind[i] != PLAIN or until[i] - place_of[i] != 1))
        state = mix(state, text[i])
        if i > 0 and text[i - 1] != DOT:
            continue
        found = find(state, domain_marks, domain_keys, domain_values, n_domains)
        flags = found if found != ABSENT and plain else 0
        if begin == n:
            at[TOP_FLAGS] = flags
            at[SUFFIX] = i
        if wild and not flags & TAKEN_BACK:
            at[SUFFIX] = i
            at[HOSTING] |= wild & PRIVATE != 0
        if flags & TAKEN_BACK:
            at[SUFFIX] = begin
        wild = flags if flags & WILD else 0
        if flags & (RULE | DYNAMIC):
            at[SUFFIX] = i
            if flags & (PRIVATE | DYNAMIC):
                at[HOSTING] = 1
        if flags & POPULAR:
            at[POPULAR_AT] = i
            at[POPULAR_LIST] = flags >> LIST_SHIFT
        found = find(state, estate_marks, estate_keys, estate_values, n_estate)
        if found != ABSENT and plain:
            at[ESTATE] = found
            at[ESTATE_AT] = i
        begin = i
    suffix = at[SUFFIX]
    first = 0
    for i in range(suffix - 1):
        if text[i] == DOT and i + 1 < suffix:
            first = i + 1
    at[REGISTRABLE] = first if suffix > 0 else 0
