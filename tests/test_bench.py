"""The rules of the benches hold: intervals, thresholds, registers made to measure. What they time is not tested."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.app import registers
from khien.names import register

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """bench/names.py, imported as a script imports: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "bench")
        return importlib.import_module("names")


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval(bench: ModuleType, found: int, of: int, low: float, high: float) -> None:
    """The last is Newcombe's example (Statistics in Medicine 17, 1998, table I)."""
    assert bench._recall.wilson(found, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_interval_holds_the_share(bench: ModuleType, counts: tuple[int, int]) -> None:
    found, of = counts
    low, high = bench._recall.wilson(found, of)
    assert 0 <= low <= found / of + 1e-12
    assert found / of - 1e-12 <= high <= 1


@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]) | st.floats(0, 1), max_size=40),
    allowed=st.integers(0, 45),
)
def test_threshold_lets_through_as_many_as_allowed(bench: ModuleType, scores: list[float], allowed: int) -> None:
    ranked = bench._recall.Ranked(np.sort(scores)[::-1], 1_000_000)
    threshold = ranked.threshold(allowed)
    assert ranked.emitted(threshold) <= allowed
    lower = [score for score in scores if score < threshold]
    assert not lower or ranked.emitted(max(lower)) > allowed


def test_threshold_of_a_short_list_lets_nothing_through(bench: ModuleType) -> None:
    """Ten in a million of a thousand names is no whole finding."""
    ranked = bench._recall.Ranked(np.array([1.0, 0.2]), 1000)
    assert ranked.emitted(ranked.threshold(10)) == 0
    assert ranked.emitted(ranked.threshold(1000)) == 1
    assert ranked.threshold(2000) == 0


def test_mean_over_brands_counts_each_brand_once(bench: ModuleType) -> None:
    scored = [bench._recall.Scored(brand, best, -1) for brand, best in [("a", 0.9), ("a", 0.1), ("a", 0.8), ("b", 0.1)]]
    assert bench._recall.over_brands(scored, 0.5) == pytest.approx((2 / 3 + 0) / 2)


def test_a_host_is_scored_by_its_best_finding(bench: ModuleType) -> None:
    positives = [
        bench._lists.Labelled("VIETCOMBANK.example.top.", "vietcombank"),
        bench._lists.Labelled("vietcombank.example.top", "another"),
        bench._lists.Labelled("nothing.example", "vietcombank"),
    ]
    right, wrong, none = bench._recall.score(registers.lookalike(), positives)
    assert right.best == right.own > 0.5
    assert wrong.best == right.best
    assert (wrong.own, none.best) == (-1, -1)


def test_labelled_rows_are_read_by_their_header(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv.gz"
    with pa.output_stream(path, compression="gzip") as file:
        file.write(b"domain\tbrand\tlabel\na.example\tx\tauto\nb.example\t-\thand\n\nc.example\ty\thand\n")
    assert bench._lists.labelled(path) == [("a.example", "x"), ("c.example", "y")]
    assert bench._lists.labelled(path, "hand") == [("c.example", "y")]


@pytest.mark.parametrize("rows", [0, 2, 3, 7])
def test_rows_are_repeated_as_they_are(bench: ModuleType, rows: int) -> None:
    once = ["a.example", "b.example", "c.example"]
    wanted = [once[row % 3] for row in range(rows)]
    assert b"".join(bench._lists.repeat(once, rows)).decode().split() == wanted
    assert bench._lists.array(once, rows).to_pylist() == wanted


@pytest.mark.parametrize("words", [1, 500, 1000, 1500])
def test_a_register_of_so_many_words_keeps_the_format(bench: ModuleType, words: int) -> None:
    made = bench._lists.register_of(words)
    assert register.parse(bench._lists.toml(made).encode(), "made.toml") == made
    assert sum(len(name.words) + len(name.short) for name in made.names) == words


def test_a_bar_holds_from_its_value_on(bench: ModuleType) -> None:
    at_least, under = bench._speed.Bar(8, "M names/s"), bench._speed.Bar(500, "MiB", under=True)
    assert [at_least.holds(reached) for reached in (7.9, 8, 9)] == [False, True, True]
    assert [under.holds(reached) for reached in (499, 500)] == [True, False]
    assert bench.skipped("memory", under, "why").holds is None


def test_tables_are_aligned(bench: ModuleType) -> None:
    assert bench.table(("row", "bar"), [("a", "≥ 8 M")]) == "| row | bar   |\n| --- | ----- |\n| a   | ≥ 8 M |"


def test_peers_hits_are_counted_by_row(bench: ModuleType) -> None:
    names = bench._peers.Names.of(["A.example", "b.example", "c.example"])
    places = [names.text.index(piece) for piece in (b"a.", b"example", b"c.e")]
    assert bench._peers._rows_hit(places, names.ends).tolist() == [0, 2]


def test_rows_without_their_lists_are_skipped_with_a_word(bench: ModuleType, tmp_path: Path) -> None:
    asked = bench.arguments(["--lists", str(tmp_path / "absent"), "--only", "scan,candidates,recall,memory"])
    rows = list(bench.measure(asked, tmp_path))
    assert [row.said for row in rows] == ["skipped"] * 4
    assert all("not here; lists to measure on are in ../shared" in row.how for row in rows)
    assert list(bench.tables(asked)) == []


def test_a_row_nobody_knows_is_refused(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.arguments(["--only", "scan,dance"])
    assert "no row dance; there are scan," in capsys.readouterr().err


def test_recorded_fuzzing_is_shown(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "FUZZED", tmp_path / "fuzz.md")
    assert [row.said for row in bench.robustness()] == ["skipped"]
    bench.FUZZED.write_text(
        "# Fuzzing\n\n| target | runs | found |\n| --- | --- | --- |\n| names | 1,000,000 | none |\n"
    )
    assert [(row.name, row.said) for row in bench.robustness()] == [("robustness, names", "1,000,000, none")]
