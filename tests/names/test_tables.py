"""Hash tables: what was entered is found with its number, and nothing else is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khien.names import tables

keys = st.text("abc.-\u00e9", min_size=1, max_size=12)
numbers = st.integers(0, 2**31 - 1)


def hashed(key: str, number: int, how: int) -> int:
    state = tables.mix(tables.BASIS, number) if how == tables.OWNED else tables.BASIS
    for byte in key.encode()[:: -1 if how == tables.BACKWARD else 1]:
        state = tables.mix(state, byte)
    return state


def rows(pairs: list[tuple[str, int]]) -> bytes:
    return "".join(f"{key}\t{number}\n" for key, number in pairs).encode()


@settings(deadline=None)
@given(st.lists(st.tuples(keys, numbers), max_size=60), st.lists(keys, max_size=20), st.sampled_from([0, 1]))
def test_finds_what_was_entered(entered: list[tuple[str, int]], others: list[str], how: int) -> None:
    made = tables.table(rows(entered), how)
    last = dict(entered)
    for key in (*last, *others):
        assert tables.find(hashed(key, 0, how), *made.arguments) == last.get(key, tables.ABSENT)


@settings(deadline=None)
@given(st.sets(st.tuples(keys, st.integers(0, 9)), max_size=40), keys, st.integers(0, 9))
def test_an_owner_has_words_of_its_own(entered: set[tuple[str, int]], key: str, owner: int) -> None:
    made = tables.table(rows(sorted(entered)), tables.OWNED)
    found = tables.find(hashed(key, owner, tables.OWNED), *made.arguments)
    assert found == (owner if (key, owner) in entered else tables.ABSENT)


@settings(deadline=None)
@given(st.integers(0, 400))
def test_a_table_is_half_full_at_most(count: int) -> None:
    made = tables.table(rows([(f"w{number}", number) for number in range(count)]))
    assert 2 * count <= len(made.keys)
    assert (made.keys != 0).sum() == count
