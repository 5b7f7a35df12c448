"""How much a match tells: its terms, and from them a score.

Each term is a plain fact of the match (term names below), most of them 0 or 1; the score is the logistic function of
their weighted sum. Weights stand in weights.py with how they came about. What a term means is what a reason says.
"""

from khien.compiled import inner
from khien.names import match, parts, place
from khien.names.parts import BEST_LURE, LOOSE, LURE_SUM, OWN_LURES, part_over, read_parts, sum_parts
from khien.names.parts import DIGITS as DIGITS_FOUND
from khien.names.text import ALIKE, DOT, MARKED, is_separator

TERMS = (
    "bias", "exact", "homoglyph", "marked", "alike", "hyphenated", "dotted", "edit-inside", "edit-first", "edit-last",
    "two-edits", "transposed", "inserted", "substituted", "omitted", "exact-length", "edit-length", "changed-length",
    "telling", "hidden", "left-edge", "left-digit", "left-word", "left-letters", "right-edge", "right-digit",
    "right-word", "right-letters", "whole", "beneath", "hosted", "into-suffix", "lure", "more-lures", "own-lure",
    "cheap-suffix", "generic-suffix", "home-suffix", "foreign-suffix", "digits", "official-inside", "short",
    "short-lured", "other-brand", "loose-letters", "claimed", "edit-lured", "exact-lured", "labels", "popular-above",
    "four", "four-lured", "campaign", "common", "whole-abroad", "beneath-lured", "four-letters",
    "inside",
)  # fmt: skip
(
    BIAS, IS_EXACT, HOMOGLYPH, IS_MARKED, IS_ALIKE, IS_HYPHENATED, IS_DOTTED, EDIT_INSIDE, EDIT_FIRST, EDIT_LAST,
    IS_TWO_EDITS, IS_TRANSPOSED, IS_INSERTED, IS_SUBSTITUTED, IS_OMITTED, EXACT_LENGTH, EDIT_LENGTH, CHANGED_LENGTH,
    TELLING, HIDDEN, LEFT_EDGE, LEFT_DIGIT, LEFT_WORD, LEFT_LETTERS, RIGHT_EDGE, RIGHT_DIGIT,
    RIGHT_WORD, RIGHT_LETTERS, WHOLE, BENEATH, HOSTED, INTO_SUFFIX, LURE, MORE_LURES, OWN_LURE,
    CHEAP_SUFFIX, GENERIC_SUFFIX, HOME_SUFFIX, FOREIGN_SUFFIX, DIGITS, OFFICIAL_INSIDE, IS_SHORT,
    SHORT_LURED, OTHER_BRAND, LOOSE_LETTERS, CLAIMED, EDIT_LURED, EXACT_LURED, LABELS, POPULAR_ABOVE,
    FOUR, FOUR_LURED, CAMPAIGN, COMMON, WHOLE_ABROAD, BENEATH_LURED, FOUR_LETTERS,
    INSIDE,
) = range(len(TERMS))  # fmt: skip
N_TERMS = len(TERMS)
ORDINARY = parts.LURES + 6  # where the begin and end of an ordinary word over the match go, behind what sum_parts finds
FOUND = ORDINARY + 2
MOST_READ = 120  # letters of a name whose parts are read


@inner
def label_of(text, n, start, end):
    """Where the labels that hold text[start:end] begin and end."""
    begin = start
    while begin > 0 and text[begin - 1] != DOT:
        begin -= 1
    behind = end
    while behind < n and text[behind] != DOT:
        behind += 1
    return begin, behind


@inner
def edge_terms(text, begin, behind, start, end, lettered_before, lettered_behind, x):
    """What stands at the two sides of the match."""
    if start == begin or is_separator(text[start - 1]):
        x[LEFT_EDGE] = 1.0
    elif text[start - 1] < 58:
        x[LEFT_DIGIT] = 1.0
    elif lettered_before:
        x[LEFT_LETTERS] = min(lettered_before, 4) / 4
    else:
        x[LEFT_WORD] = 1.0
    if end == behind or is_separator(text[end]):
        x[RIGHT_EDGE] = 1.0
    elif text[end] < 58:
        x[RIGHT_DIGIT] = 1.0
    elif lettered_behind:
        x[RIGHT_LETTERS] = min(lettered_behind, 4) / 4
    else:
        x[RIGHT_WORD] = 1.0


@inner
def change_terms(text, kind, folded, start, end, rank, letters, first, length, x):
    """How the word was changed."""
    change = rank // 8
    form = rank % 8
    marked = False
    alike = False
    if folded:
        for i in range(start, end):
            marked = marked or kind[i] == MARKED
            alike = alike or kind[i] == ALIKE
    edited = change == match.ONE_EDIT or change == match.TWO_EDITS
    if alike:
        x[HOMOGLYPH] = 1.0
    elif marked:
        x[IS_MARKED] = 1.0
    elif change == match.EXACT:
        x[IS_EXACT] = 1.0
    if change == match.ALIKE or change == match.ALIKE_HYPHENATED or change == match.ALIKE_DOTTED:
        x[IS_ALIKE] = 1.0
    if change == match.HYPHENATED or change == match.ALIKE_HYPHENATED:
        x[IS_HYPHENATED] = 1.0
    if change == match.DOTTED or change == match.ALIKE_DOTTED:
        x[IS_DOTTED] = 1.0
    if change == match.TWO_EDITS:
        x[IS_TWO_EDITS] = 1.0
    if change == match.ONE_EDIT:
        x[IS_TRANSPOSED + form] = 1.0
        if text[start] != letters[first]:
            x[EDIT_FIRST] = 1.0
        elif text[end - 1] != letters[first + length - 1]:
            x[EDIT_LAST] = 1.0
        else:
            x[EDIT_INSIDE] = 1.0
    longer = (min(length, 14) - 6) / 4
    if edited:
        x[EDIT_LENGTH] = longer
    elif change == match.EXACT:
        x[EXACT_LENGTH] = longer
    else:
        x[CHANGED_LENGTH] = longer
    return edited


@inner
def suffix_terms(at, x):
    """Under which suffix the name was registered."""
    top = at[place.TOP_FLAGS]
    if top & place.HOME:
        x[HOME_SUFFIX] = 1.0
    elif top & place.CHEAP:
        x[CHEAP_SUFFIX] = 1.0
    elif top & place.GENERIC:
        x[GENERIC_SUFFIX] = 1.0
    else:
        x[FOREIGN_SUFFIX] = 1.0
    if at[place.HOSTING]:
        x[HOSTED] = 1.0
    if at[place.POPULAR_AT] >= 0:
        x[POPULAR_ABOVE] = 1.0


@inner
def kinship(text, begin, end, letters, first, n, lengths):
    """How much of a long word is left, in order, in the label text[begin:end], in [0, 1] above one half; 0 where the
    last letters differ or the label is four letters longer or shorter: campaigns vary a word they begin and end alike.

    lengths: room for a row of the longest-common-subsequence table.
    """
    if end - begin > n + 4 or end - begin < n - 4 or text[end - 1] != letters[first + n - 1]:
        return 0.0
    for j in range(n + 1):
        lengths[j] = 0
    for i in range(begin, end):
        corner = 0
        for j in range(n):
            above = lengths[j + 1]
            lengths[j + 1] = corner + 1 if text[i] == letters[first + j] else max(above, lengths[j])
            corner = above
    return max(lengths[n] / n - 0.5, 0.0) * 2


@inner
def terms(
    text, kind, folded, n, start, end, rank, letters, first, length, short, common, common_edited, family, owner,
    others, official, lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, owned_marks, owned_keys, owned_values,
    n_owned, costs, steps, parts, found, at, x,
):  # fmt: skip
    """Writes the terms of one match into x (f8), and what the name's parts are into found."""
    for i in range(N_TERMS):
        x[i] = 0.0
    for i in range(FOUND):
        found[i] = 0
    x[BIAS] = 1.0
    begin, behind = label_of(text, n, start, end)
    behind = max(end, min(behind, begin + MOST_READ))
    edited = change_terms(text, kind, folded, start, end, rank, letters, first, length, x)
    suffix_terms(at, x)
    registrable = at[place.REGISTRABLE]
    suffix = at[place.SUFFIX]
    # The label that holds the match: read with the word left out, and without it altogether.
    read_parts(
        text, begin, behind, start, end, lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, costs, steps, parts
    )
    without = costs[behind - begin]
    before = costs[start - begin]
    found[ORDINARY], found[ORDINARY + 1] = part_over(begin, behind - begin, start, end, steps)
    sum_parts(text, begin, start - begin, steps, parts, owner, owned_marks, owned_keys, owned_values, n_owned, found)
    loose_before = found[LOOSE]
    read_parts(text, end, behind, -1, -1, lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, costs, steps, parts)
    sum_parts(text, end, behind - end, steps, parts, owner, owned_marks, owned_keys, owned_values, n_owned, found)
    loose = found[LOOSE]
    edge_terms(text, begin, behind, start, end, loose_before, loose - loose_before, x)
    gain = (without - before - costs[behind - end]) / 100.0  # in 10 nats, before the word's own cost
    x[TELLING] = min(max(gain - 1.0, 0.0), 1.5)
    x[HIDDEN] = min(max(1.0 - gain, 0.0), 1.5)
    if found[ORDINARY] >= 0 and x[HIDDEN] >= 0.3:
        x[INSIDE] = 1.0
    else:
        found[ORDINARY] = -1
    x[LOOSE_LETTERS] = min(loose, 8) / 8
    x[DIGITS] = min(found[DIGITS_FOUND], 4) / 4
    # The other labels: only what lures there are.
    label = 0
    while label < suffix and label < MOST_READ:
        stop = label
        while stop < suffix and text[stop] != DOT:
            stop += 1
        if stop <= begin or label >= behind:
            read_parts(
                text, label, stop, -1, -1, lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, costs, steps, parts
            )
            loose = found[LOOSE]
            digits = found[DIGITS_FOUND]
            sum_parts(
                text, label, stop - label, steps, parts, owner, owned_marks, owned_keys, owned_values, n_owned, found
            )
            found[LOOSE] = loose
            found[DIGITS_FOUND] = digits
            x[LABELS] = min(x[LABELS] + 0.25, 0.5)  # any number of them costs an attacker nothing
        label = stop + 1
    x[LURE] = found[BEST_LURE] / 10
    x[MORE_LURES] = min(max(found[LURE_SUM] - found[BEST_LURE], 0), 20) / 10
    if found[OWN_LURES]:
        x[OWN_LURE] = 1.0
    if start == begin and end == behind and start == registrable:
        x[WHOLE] = 1.0
        x[WHOLE_ABROAD] = x[FOREIGN_SUFFIX]
    if end <= registrable:
        x[BENEATH] = 1.0
        x[BENEATH_LURED] = x[LURE] + x[MORE_LURES]
    if end > suffix:
        x[INTO_SUFFIX] = 1.0
    if official >= 0:
        x[OFFICIAL_INSIDE] = 1.0
    if short:
        x[IS_SHORT] = 1.0
        x[SHORT_LURED] = x[LURE]
        if family > 0 and start == begin:
            x[CAMPAIGN] = kinship(text, start, behind, letters, family >> 8, family & 0xFF, costs)
    elif edited:
        x[EDIT_LURED] = x[LURE]
    else:
        x[EXACT_LURED] = x[LURE]
    if length == 4 and not edited and not short:
        x[FOUR] = 1.0
        x[FOUR_LURED] = x[LURE]
        x[FOUR_LETTERS] = x[LEFT_LETTERS] + x[RIGHT_LETTERS]
    x[COMMON] = common_edited if edited else common
    if others:
        x[OTHER_BRAND] = 1.0
    if at[place.ESTATE] >= 0:
        x[CLAIMED] = 1.0


@inner
def unsupported(x):
    """Whether a short word, or one inside an ordinary word, stands there with nothing that points to an attack."""
    lured = x[LURE] + x[OWN_LURE] + x[OFFICIAL_INSIDE] + x[OTHER_BRAND]
    signs = lured + x[DIGITS] + x[CAMPAIGN] + x[CHEAP_SUFFIX] + x[HOSTED]
    return (x[IS_SHORT] != 0 and signs == 0) or (x[INSIDE] != 0 and lured == 0)


@inner
def weigh(x, weights):
    """The weighted sum of the terms."""
    total = 0.0
    for i in range(N_TERMS):
        total += x[i] * weights[i]
    return total
