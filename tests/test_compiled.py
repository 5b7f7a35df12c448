"""Kernels: the same as the functions they are made of, kept once compiled, never taken from where others can write."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.compiled import Instruction, Kernel, cache_directory, inner, kernel, prefetch, warm, where
from khien.errors import ContractError


@inner
def weighed(value, place):
    return value * (place + 1)


@kernel("i8", "i8", "i4*", "f8*")
def total(n, values, halves):
    """Sums values by their places, and writes half of each."""
    found = 0
    for i in range(n):
        found += weighed(values[i], i)
        halves[i] = values[i] / 2
    return found


def again() -> Kernel:
    """The same kernel as another process would have it: not loaded yet."""
    return Kernel(total.plain, total.answer, total.arguments)


def kept() -> list[Path]:
    return sorted(cache_directory().glob("*.o"))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own, which nothing has made yet."""
    monkeypatch.setenv("KHIEN_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def run(made: Kernel) -> int:
    return made(3, np.array([1, 2, 3], np.int32), np.zeros(3))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_a_kernel_is_the_function_it_is_made_of(values: list[int]) -> None:
    native, plain = np.zeros(20), np.zeros(20)
    assert total(len(values), np.array(values, np.int32), native) == total.plain(len(values), values, plain)
    assert native.tolist() == plain.tolist()


@pytest.mark.parametrize("given", range(4))
def test_a_bound_kernel_answers_as_the_kernel(given: int) -> None:
    values, halves = np.array([1, 2, 3], np.int32), np.zeros(3)
    arguments = (3, values.ctypes.data, halves.ctypes.data)
    bound = total.bound(*arguments[:given])
    assert bound(*arguments[given:]) == 14
    assert halves.tolist() == [0.5, 1, 1.5]
    if given < 2:
        assert bound(*arguments[given:1], values.tobytes(), *arguments[2:]) == 14
    assert total.bound(2)(*arguments[1:]) == 5, "of another the same kernel"


@kernel("f8", "i8")
def half(n):
    return n / 2


def test_what_answers_no_whole_number_is_not_bound() -> None:
    with pytest.raises(ContractError, match="half"):
        half.bound(1)


@kernel("i8", "u4*", "i8")
def total_ahead(numbers, count):
    """A sum; what is asked for ahead need not be there."""
    found = np.int64(0)
    for n in range(count):
        prefetch(numbers, n + (1 << 40))
        found += numbers[n]
    return found


def test_what_is_asked_for_ahead_changes_nothing() -> None:
    numbers = np.arange(100, dtype=np.uint32)
    assert total_ahead(numbers, 100) == total_ahead.plain(numbers, 100) == numbers.sum()


DEPOSIT = Instruction("llvm.x86.bmi.pdep.64", "bmi2")


@inner
def lowest(number):
    return -number


@where(DEPOSIT, instead_of=lowest)
def lowest_deposited(number):
    return DEPOSIT(1, number)


@kernel("i8", "i8")
def lowest_bit(number):
    """The lowest bit that is set; without the instruction something else, so that they can be told apart."""
    return lowest(number)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.usefixtures("empty")
def test_an_instruction_is_used_where_it_is(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if there and not DEPOSIT.there():
        pytest.skip("this processor does not have it")
    monkeypatch.setattr(Instruction, "there", lambda _: there)
    made = Kernel(lowest_bit.plain, lowest_bit.answer, lowest_bit.arguments)
    assert [made(number) for number in (0, 1, 12, 1 << 62)] == ([0, 1, 4, 1 << 62] if there else [0, -1, -12, -1 << 62])
    assert made.plain(12) == -12


@pytest.mark.usefixtures("empty")
def test_another_instruction_is_another_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    for symbol in ("llvm.x86.bmi.pdep.64", "llvm.x86.bmi.pext.64"):
        monkeypatch.setattr(DEPOSIT, "symbol", symbol)
        warm(Kernel(lowest_bit.plain, lowest_bit.answer, lowest_bit.arguments))
    assert len(kept()) == 2


def test_what_is_interpreted_has_no_instructions() -> None:
    with pytest.raises(ContractError, match="pdep"):
        lowest_deposited(3)


def test_what_was_compiled_is_kept_and_loaded(empty: Path) -> None:
    assert run(again()) == 14
    (path,) = kept()
    first = path.stat()
    assert run(again()) == 14
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert empty.stat().st_mode & 0o777 == 0o700
    assert list(empty.iterdir()) == [path]  # nothing half-written stays


@pytest.mark.parametrize(
    "damage", [lambda body: body[:0], lambda body: body[:-9], lambda body: body[:40] + b"!" + body[41:]]
)
@pytest.mark.usefixtures("empty")
def test_a_damaged_file_is_made_anew(damage) -> None:
    warm(again())
    (path,) = kept()
    path.write_bytes(damage(path.read_bytes()))
    assert run(again()) == 14
    body = path.read_bytes()
    assert body[:32] == hashlib.sha256(body[32:]).digest()


def test_a_directory_others_can_write_to_is_not_trusted(empty: Path) -> None:
    warm(again())
    (path,) = kept()
    first = path.stat().st_ino
    empty.chmod(0o777)
    assert run(again()) == 14
    assert path.stat().st_ino != first  # compiled anew


def test_without_a_place_to_keep_them_kernels_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("KHIEN_CACHE", str(tmp_path / "file" / "below"))
    assert run(again()) == 14


@pytest.mark.parametrize(
    ("named", "xdg", "expected"),
    [("a", "b", Path("a")), ("", "b", Path("b/khien")), ("", "", Path("home/.cache/khien"))],
)
def test_says_where_kernels_are_kept(monkeypatch: pytest.MonkeyPatch, named: str, xdg: str, expected: Path) -> None:
    monkeypatch.setenv("KHIEN_CACHE", named)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setenv("HOME", "home")
    assert cache_directory() == expected


@pytest.mark.parametrize(
    "values",
    [
        (3, np.zeros(3, np.int64), np.zeros(3)),
        (3, np.zeros(3, np.int32), np.zeros(3, np.float32)),
        (3, np.zeros(6, np.int32)[::2], np.zeros(3)),
        (3, np.zeros(3, np.int32)),
    ],
)
def test_refuses_what_it_was_not_made_for(values: tuple) -> None:
    with pytest.raises(ContractError, match="total takes"):
        total(*values)


def test_pointers_may_be_addresses() -> None:
    values, halves = np.array([4, 5], np.int32), np.zeros(2)
    assert total(2, values.ctypes.data, halves.ctypes.data) == 14
    assert halves.tolist() == [2.0, 2.5]
