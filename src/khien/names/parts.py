"""What the rest of a name is made of: the cheapest way to read it as ordinary words, lures, digits and loose letters.

Costs are tenths of a nat, -10 log(share), from the lexicon; a loose letter costs what spelling one does. A protected
word inside a longer ordinary word (zalo in gonzalo) shows here: reading it without the protected word is cheaper.
"""

from khien.compiled import inner
from khien.names.tables import ABSENT, BASIS, PREFIX, PREFIX_SALT, find, is_marked, mix
from khien.names.text import DOT, is_separator

LETTER, DIGIT = 40, 15  # tenths of a nat
LONGEST_PART = 18  # letters of an ordinary word or lure
COST, GROUP_SHIFT, WEIGHT_SHIFT = (
    0xFF,
    8,
    16,
)  # fields of a lexicon value: cost, group of lures (0: none), weight in tenths
TELLING = 3  # tenths of weight: what a lure needs to be named as a reason
LOOSE, DIGITS, BEST_LURE, LURE_SUM, N_LURES, OWN_LURES, LURES = range(7)  # slots of what sum_parts finds
FAR = 1 << 28


@inner
def read_parts(text, begin, end, skip_begin, skip_end, marks, keys, values, size, costs, steps, parts):
    """Fills costs[0:end - begin + 1] with the cheapest reading of text[begin:...], steps with its last part's length.

    parts holds that part's lexicon value, or ABSENT. The part [skip_begin, skip_end) is not allowed. Lures may run over
    hyphens; ordinary words may not.
    """
    length = end - begin
    for i in range(1, length + 1):
        costs[i] = FAR
    costs[0] = 0
    for i in range(length):
        c = text[begin + i]
        here = costs[i]
        price = 0 if is_separator(c) else DIGIT if c < 58 else LETTER
        if here + price < costs[i + 1]:
            costs[i + 1] = here + price
            steps[i + 1] = 1
            parts[i + 1] = ABSENT
        if c < 97:
            continue
        state = BASIS
        prefix = 0
        letters = 0
        joined = True
        for j in range(i, min(length, i + LONGEST_PART + 4)):
            c = text[begin + j]
            if c == DOT:
                break
            if is_separator(c):
                joined = False
                continue
            state = mix(state, c)
            letters += 1
            if letters == PREFIX + 1 and not is_marked(prefix ^ PREFIX_SALT, marks, size):
                break  # no longer part begins so
            prefix = state if letters == PREFIX else prefix
            if letters < 2 or (begin + i == skip_begin and begin + j + 1 == skip_end):
                continue
            found = find(state, marks, keys, values, size)
            if found != ABSENT and (joined or found >> GROUP_SHIFT & 0xFF) and here + (found & COST) < costs[j + 1]:
                costs[j + 1] = here + (found & COST)
                steps[j + 1] = j + 1 - i
                parts[j + 1] = found


@inner
def part_over(begin, length, start, end, steps):
    """The part of a reading of length letters that holds text[start:end] and more: its begin and end, or -1 twice."""
    at = length
    while at > 0:
        first = begin + at - steps[at]
        if first <= start and begin + at >= end:
            return first, begin + at
        at -= steps[at]
    return -1, -1


@inner
def sum_parts(text, begin, length, steps, parts, owner, owner_marks, owner_keys, owner_values, n_owner, found):
    """Walks back the reading of text[begin:begin + length]; adds what it is made of to found.

    found: loose letters, digits, the best lure's weight, the sum of weights, how many lures say something, how many are
    the owner's own, then begin and end of three at most.
    """
    at = length
    while at > 0:
        step = steps[at]
        value = parts[at]
        first = begin + at - step
        if value == ABSENT:
            c = text[first]
            if 48 <= c <= 57:
                found[DIGITS] += 1
            elif c >= 97:
                found[LOOSE] += 1
        else:
            state = mix(BASIS, owner)
            for i in range(first, begin + at):
                if not is_separator(text[i]):
                    state = mix(state, text[i])
            own = find(state, owner_marks, owner_keys, owner_values, n_owner) != ABSENT
            weight = value >> WEIGHT_SHIFT
            found[OWN_LURES] += own
            if own or value >> GROUP_SHIFT & 0xFF:
                found[BEST_LURE] = max(found[BEST_LURE], weight)
                found[LURE_SUM] += weight
                if found[N_LURES] < 3 and (own or weight >= TELLING):
                    found[LURES + 2 * found[N_LURES]] = first
                    found[LURES + 1 + 2 * found[N_LURES]] = begin + at
                    found[N_LURES] += 1
        at -= step
