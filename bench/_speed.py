"""How fast: the whole scan as people run it, and the stage that finds candidates alone."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from _children import FOUND_OR_NOT, Took, khien, one_cpu, run
from _lists import array, register_of, repeat, stream, toml
from _rows import Bar, Row

from khien.app.registers import lookalike
from khien.names import reference, search, shape
from khien.names.program import Program

WORDS = 1_000
SCAN = {"shipped register": Bar(1.5, "M names/s"), f"{WORDS:,} words": Bar(1.0, "M names/s")}
CANDIDATES = {"shipped register": Bar(8, "M names/s"), f"{WORDS:,} words": Bar(3, "M names/s")}
ROWS, MANY, FEW = 3_000_000, 30_000_000, 300_000
TURNS = 15  # of the candidates, a third of a second each: others' work comes in bursts of a second or two


def registers(scratch: Path) -> dict[str, Path | None]:
    """The registers measured with: None is the shipped one."""
    made = scratch / "words.toml"
    made.write_text(toml(register_of(WORDS)), encoding="utf-8")
    return dict(zip(SCAN, (None, made), strict=True))


def whole(folder: Path, scratch: Path, quick: bool) -> Iterator[Row]:
    """``khien scan names FILE``, from the start of the process to its end."""
    once = stream(folder)
    single, text = scratch / "one.txt", scratch / "names.txt"
    single.write_text("example.org\n", encoding="utf-8")
    ready = registers(scratch)
    for rows, times in ((FEW, 3),) if quick else ((ROWS, 3), (MANY, 1)):
        with text.open("wb") as file:
            file.writelines(repeat(once, rows))
        for label, register in ready.items():
            _scan(single, register)  # compiles kernels, makes tables and bytecode where they are not kept yet
            took = [_scan(text, register) for _ in range(times)]
            words = len(lookalike(register).program.words)
            how = f"process from start to exit, one CPU, kernels and tables warm, file to file; {words:,} words"
            yield _row(f"whole scan, {rows:,} rows, {label}", SCAN[label], rows, took, how)
    text.unlink()


def _scan(text: Path, register: Path | None) -> Took:
    protect = ["--protect", str(register)] if register else []
    found = text.with_name("found.jsonl")
    return run([*khien(), "scan", "names", str(text), "--format", "jsonl", "-o", str(found), *protect], FOUND_OR_NOT)


def candidates(folder: Path, scratch: Path, quick: bool) -> Iterator[Row]:
    """Names in Arrow buffers through names.reference.candidates, in this process."""
    rows = FEW if quick else ROWS
    column = array(stream(folder), rows)
    for label, register in registers(scratch).items():
        program = lookalike(register).program
        with one_cpu():
            took, matches = _candidates(program, column)
        how = f"Arrow buffers to matches in memory, in process, one CPU; {rows:,} names, {matches:,} matches"
        yield _row(f"candidates, {label}", CANDIDATES[label], rows, took, how)


def _candidates(program: Program, column: pa.StringArray) -> tuple[list[Took], int]:
    offsets, row = buffers(column)
    room = search.Room.make()
    found = np.empty((len(column), 5), np.int32)
    took: list[Took] = []
    matches = 0
    for turn in range(1 + TURNS):  # the first loads the kernel
        started, busy = time.perf_counter(), time.process_time()
        matches = reference.candidates(
            len(column), offsets, row, program.folds, len(program.folds) // 2,
            shape.CLASSES, *(each.reshape(-1) for each in program.word_tables), *room,
            found.reshape(-1), len(found),
        )  # fmt: skip
        if turn:
            took.append(Took(time.perf_counter() - started, time.process_time() - busy))
    if matches == len(found):
        raise RuntimeError("candidates stopped before the end: there are more matches than names")
    return took, matches


def buffers(column: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets i4[n + 1] and bytes u1 of an array that is no slice."""
    _, offsets, row = column.buffers()
    return np.frombuffer(offsets, np.int32)[: len(column) + 1], np.frombuffer(row, np.uint8)


def _row(name: str, bar: Bar, rows: int, took: Sequence[Took], how: str) -> Row:
    rate, best = (rows / choose(each.wall for each in took) / 1e6 for choose in (median, min))
    times = f"median of {len(took)}, best {best:.2f}" if len(took) > 1 else "once"
    how += f"; {rows / median(each.cpu for each in took) / 1e6:.2f} M by CPU time"
    return Row(name, bar, rate, f"{rate:.2f} M names/s ({times})", how)
