"""Pictures are well-formed, escaped, and show what they are given."""

from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest

from khien.triage.life import MOVES
from khien.web import draw, floods, views

SVG = "{http://www.w3.org/2000/svg}"
WORDS = '<b title="">&'


def read(drawn: str) -> ElementTree.Element:
    root = ElementTree.fromstring(str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    assert root.findtext(f"{SVG}title") == WORDS
    assert root.findtext(f"{SVG}desc") == WORDS
    return root


def test_bars() -> None:
    bins = [views.Bin(date(2024, 1, n), date(2024, 1, n), findings) for n, findings in ((1, 1000), (2, 0), (3, 1))]
    heights = [float(bar.attrib["height"]) for bar in read(draw.bars(bins, WORDS, WORDS)).iter(f"{SVG}rect")]
    assert heights == [112.0, 3.0]  # a single finding is seen too
    assert not list(read(draw.bars([], WORDS, WORDS)).iter(f"{SVG}rect"))


def test_a_stack_is_as_tall_as_its_parts_and_the_line() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rates = floods.Rates(
        ("dns", "syn"), 1, (floods.Bar(start, (300.0, 100.0), 1.0), floods.Bar(start, (0.0, 200.0), 1.0))
    )
    root = read(draw.stack(rates, 100.0, WORDS, WORDS))
    drawn = [(bar.attrib["class"], float(bar.attrib["height"])) for bar in root.iter(f"{SVG}rect")]
    assert drawn == [("vector-0", 144.0), ("vector-1", 48.0), ("vector-1", 96.0)]
    (line,) = (path.attrib["d"] for path in root.iter(f"{SVG}path") if path.attrib["class"] == "line")
    assert line == "M0 151.0h600"


@pytest.mark.parametrize(("marked", "total"), [(0, 5), (2, 5), (5, 5)])
def test_dots(marked: int, total: int) -> None:
    drawn = {
        path.attrib["class"]: path.attrib["d"].count("M")
        for path in read(draw.dots("k", marked, total, 3, WORDS, WORDS)).iter(f"{SVG}path")
    }
    assert (drawn.get("marked", 0), drawn.get("rest", 0)) == (marked, total - marked)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_score_stays_on_its_scale(score: float) -> None:
    (here,) = read(draw.scale(score, WORDS, WORDS)).iter(f"{SVG}circle")
    assert 10 <= float(here.attrib["cx"]) <= 590


@pytest.mark.parametrize("state", views.STATES)
def test_every_move_is_drawn_and_those_from_here_stand_out(state: str) -> None:
    root = read(draw.life("vi", state, WORDS, WORDS))  # type: ignore[arg-type]
    moves = [path.attrib["class"] for path in root.iter(f"{SVG}path") if path.attrib["class"].startswith("move")]
    assert len(moves) == len(MOVES)
    assert moves.count("move now") == sum(met == state for met, _ in MOVES)
    assert len(list(root.iter(f"{SVG}text"))) == len(views.STATES)
