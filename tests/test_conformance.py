"""Every registered part, and every toy, held to its contract.

A detector brings ``tests/cases/<name>.toml``::

    [settings]                  # its fields; of one that takes bytes, their text, or "shipped:FILE" for a file of data
    [[beside.<table>]]          # rows of a table beside it, for all cases
    [[case]]
    why = "what this shows"
    rows = [{ name = "..." }]   # columns left out are null
    finds = [{ subject = "...", claim = "...", techniques = ["..."] }]      # suppressed = true where it is

A source brings the same with, in each case, ``settings`` (paths are met from ``tests/cases``), the ``rows`` they give,
and how many are ``skipped``; one that listens is tried in ``tests/sources``. A fold brings ``settings`` and ``rows``. A
registered part without a file fails.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from khien import registry
from khien.errors import UnavailableError
from khien.flows.mitigation import Mitigation
from khien.model import Domain, Listing, ProtectedName
from khien.testing.detector import check_detector
from khien.testing.engine import check_engine
from khien.testing.fold import check_fold
from khien.testing.format import check_decoder, check_encoder
from khien.testing.source import check_source
from khien.testing.store import check_store
from khien.triage.enrolment import Enrolment
from tests import toy

CASES = Path(__file__).parent / "cases"
TOYS = {"burst": toy.Burst, "lengthy": toy.Lengthy}
START = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = tuple((START + timedelta(milliseconds=300 * n), f"{'abc'[n % 3]}.example", n) for n in range(17))


def part_of(shelf: str, name: str) -> Any:
    try:
        return registry.load(shelf, name)
    except UnavailableError as error:
        pytest.skip(str(error))


def cases_of(name: str) -> dict[str, Any]:
    path = CASES / f"{name}.toml"
    assert path.is_file(), f"{name} is registered, but there is no tests/cases/{name}.toml to hold it to"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def made(kind: Any, settings: Mapping[str, Any]) -> Any:
    known = [field.name for field in fields(kind)]
    assert set(settings) <= set(known), f"{kind.__name__} has the settings {known}, not all of {list(settings)}"
    taken = {field.name for field in fields(kind) if field.type is bytes}
    return msgspec.convert(
        {name: bytes_of(value) if name in taken else value for name, value in settings.items()}, kind
    )


def bytes_of(text: str) -> bytes:
    if not text.startswith("shipped:"):
        return text.encode()
    content = files("khien").joinpath("data", text.removeprefix("shipped:")).read_bytes()
    return pa.input_stream(pa.py_buffer(content), compression="zstd").read() if text.endswith(".zst") else content


def batch_of(rows: Sequence[Mapping[str, Any]], wanted: pa.Schema) -> pa.RecordBatch:
    unknown = {name for row in rows for name in row} - set(wanted.names)
    assert not unknown, f"rows have {unknown}, which is not among the columns {wanted.names}"
    maps = {field.name for field in wanted if pa.types.is_map(field.type)}
    columns = {
        name: [[*row[name].items()] if name in maps and name in row else row.get(name) for row in rows]
        for name in wanted.names
    }
    return pa.RecordBatch.from_pydict(columns, wanted)


def detector_and_beside(name: str) -> tuple[Any, dict[str, pa.Table], list[dict[str, Any]]]:
    cases = cases_of(name)
    detector = made(TOYS.get(name) or part_of("detectors", name), cases.get("settings", {}))
    beside = {
        table: pa.Table.from_batches([batch_of(cases.get("beside", {}).get(table, []), wanted)])
        for table, wanted in detector.beside.items()
    }
    return detector, beside, cases["case"]


def outline(finding: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...], bool]:
    techniques = tuple(sorted(finding["techniques"]))
    return finding["subject"], finding["claim"], techniques, finding.get("suppressed", False)


@pytest.mark.parametrize("name", [*TOYS, *registry.names("detectors")])
def test_detector_finds_what_its_cases_say(name: str) -> None:
    detector, beside, cases = detector_and_beside(name)
    for case in cases:
        found = detector(batch_of(case["rows"], detector.reads), **beside).to_pylist()
        assert sorted(map(outline, found)) == sorted(map(outline, case["finds"])), case["why"]


@pytest.mark.parametrize("engine", registry.names("engines"))
@pytest.mark.parametrize("name", [*TOYS, *registry.names("detectors")])
def test_detector(name: str, engine: str) -> None:
    detector, beside, cases = detector_and_beside(name)
    rows = batch_of([row for case in cases for row in case["rows"]], detector.reads)
    check_detector(detector, rows, beside, engine=part_of("engines", engine)())


@pytest.mark.parametrize("engine", registry.names("engines"))
@pytest.mark.parametrize("name", TOYS)
def test_engine(name: str, engine: str) -> None:
    detector, beside, cases = detector_and_beside(name)
    rows = batch_of([row for case in cases for row in case["rows"]], detector.reads)
    check_engine(part_of("engines", engine)(), detector, rows, beside)


@pytest.mark.parametrize("name", registry.names("sources"))
def test_source(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    kind = part_of("sources", name)
    if not kind.replayable:
        pytest.skip("it has no end, and gives what it is sent")
    for case in cases_of(name)["case"]:
        clock = {"clock": lambda: START} if "clock" in {each.name for each in fields(kind)} else {}
        source = made(kind, {**case["settings"], **clock})
        pages = list(source.read(None))
        rows = [row for page in pages for row in page.rows.to_pylist()]
        assert rows == batch_of(case["rows"], source.yields).to_pylist(), case["why"]
        assert sum(page.skipped.num_rows for page in pages if page.skipped) == case.get("skipped", 0), case["why"]
        check_source(source)


@pytest.mark.parametrize("page", [1, 2, 17, 100])
def test_toy_source(page: int) -> None:
    check_source(toy.Recorded(SEEN, page))


def test_toy_fold() -> None:
    check_fold(toy.PerSecond(), batch_of([dict(zip(toy.SEEN.names, row, strict=True)) for row in SEEN], toy.SEEN))


@pytest.mark.parametrize("name", registry.names("folds"))
def test_fold(name: str) -> None:
    cases = cases_of(name)
    fold = made(part_of("folds", name), cases.get("settings", {}))
    check_fold(fold, batch_of(cases["rows"], fold.reads))


def test_toy_store() -> None:
    place = toy.Place()
    check_store(lambda: toy.Memory(place))


@pytest.mark.parametrize("name", registry.names("stores"))
def test_store(name: str, tmp_path: Path) -> None:
    check_store(lambda: registry.load("stores", name).at(tmp_path / "place", lambda: START))


def test_toy_format() -> None:
    name = ProtectedName(
        id="ngan-hang",
        label="Ngân hàng",
        sector="bank",
        official=(Domain(domain="example.vn", verified=True, source="its register"),),
    )
    records = (name, ProtectedName(id="b", label="B", sector="post"))
    check_encoder(toy.Lines(), toy.Lines(), records)
    check_decoder(toy.Lines(), [toy.Lines().encode(records)])


def test_no_registered_format_escapes() -> None:
    """Whoever registers the first format of another kind of record gives it a test as tests/formats/test_routers.py."""
    carried = {registry.load("formats", name).carries for name in registry.names("formats")}
    assert carried <= {Enrolment, Listing, Mitigation}
