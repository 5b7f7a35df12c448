"""What a name is made of: the cheapest reading, against one that tries them all."""

from functools import cache
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from khien.names import parts, tables
from khien.names.parts import DIGIT, GROUP_SHIFT, LETTER, LONGEST_PART, TELLING, WEIGHT_SHIFT

SPAN = LONGEST_PART + 4  # of a part, hyphens counted
LURE = 25 | 1 << GROUP_SHIFT
LEXICON = {"toan": 45, "an": 30, "login": LURE | 9 << WEIGHT_SHIFT, "nhanh": LURE | (TELLING - 1) << WEIGHT_SHIFT}

texts = st.text("abn-.1", max_size=14)
entries = st.dictionaries(
    st.text("abn1", min_size=1, max_size=5), st.tuples(st.integers(1, 200), st.booleans()), max_size=8
)


class Reading(NamedTuple):
    costs: list[int]
    steps: list[int]
    parts: list[int]


def table(lexicon: dict[str, int]) -> tables.Table:
    return tables.table("".join(f"{word}\t{value}\n" for word, value in lexicon.items()).encode())


def read(text: str, lexicon: dict[str, int], skipped: tuple[int, int] = (-1, -1)) -> Reading:
    made = Reading(*([0] * (len(text) + 1) for _ in range(3)))
    parts.read_parts(text.encode(), 0, len(text), *skipped, *table(lexicon).arguments, *made)
    return made


def cheapest(text: str, lexicon: dict[str, int], skipped: tuple[int, int]) -> int:
    """The least that reading the text costs, every way of cutting it tried."""

    def price(i: int, j: int) -> int | None:
        piece = text[i:j]
        bare = piece.replace("-", "")
        value = lexicon.get(bare)
        if value is None or (i, j) == skipped or len(bare) < 2 or "." in piece or len(piece) > SPAN:
            return None
        if not piece[0].isalpha() or piece[-1] == "-" or (bare != piece and not value >> GROUP_SHIFT & 0xFF):
            return None
        return value & parts.COST

    @cache
    def rest(i: int) -> int:
        if i == len(text):
            return 0
        loose = LETTER if text[i].isalpha() else DIGIT if text[i].isdigit() else 0
        ways = [loose + rest(i + 1)]
        ways += (cost + rest(j) for j in range(i + 2, len(text) + 1) if (cost := price(i, j)) is not None)
        return min(ways)

    return rest(0)


@settings(deadline=None)
@given(texts, entries, st.tuples(st.integers(-1, 6), st.integers(-1, 14)))
@example("ba-n", {"ban": (10, True)}, (-1, -1))
@example("ba-n", {"ban": (10, False)}, (-1, -1))
@example("a" * 14, {"aaaaa": (1, False)}, (0, 5))
def test_reads_as_cheaply_as_can_be(text: str, entered: dict[str, tuple[int, bool]], skipped: tuple[int, int]) -> None:
    lexicon = {word: cost | lure << GROUP_SHIFT for word, (cost, lure) in entered.items()}
    made = read(text, lexicon, skipped)
    assert made.costs[-1] == cheapest(text, lexicon, skipped)
    at = len(text)
    while at:  # the way back is the way that cost so much
        at -= made.steps[at]
    assert at == 0


def summed(text: str, owner: int, owned: dict[str, int]) -> list[int]:
    made = read(text, LEXICON)
    found = [0] * 16
    own = tables.table("".join(f"{word}\t{number}\n" for word, number in owned.items()).encode(), tables.OWNED)
    parts.sum_parts(text.encode(), 0, len(text), made.steps, made.parts, owner, *own.arguments, found)
    return found


def test_sums_up_what_was_read() -> None:
    loose, digits, best, weights, lures, own, begin, end, *_ = summed("log-in24antoanx", 3, {})
    assert (loose, digits) == (1, 2)
    assert (best, weights, lures, own) == (9, 9, 1, 0)
    assert (begin, end) == (0, len("log-in"))


def test_the_owners_own_words_are_lures() -> None:
    assert summed("antoan", 3, {"toan": 3})[parts.N_LURES : parts.LURES + 2] == [1, 1, 2, 6]
    assert summed("antoan", 3, {"toan": 4})[parts.N_LURES : parts.LURES] == [0, 0]


def test_three_lures_are_kept_and_all_weigh() -> None:
    found = summed("login" * 4, 3, {})
    assert (found[parts.BEST_LURE], found[parts.LURE_SUM]) == (9, 36)
    assert found[parts.N_LURES : parts.LURES + 6] == [3, 0, 15, 20, 10, 15, 5, 10]


def test_weak_lures_weigh_but_are_not_told() -> None:
    found = summed("nhanh", 3, {})
    assert found[parts.BEST_LURE : parts.N_LURES + 1] == [TELLING - 1, TELLING - 1, 0]
