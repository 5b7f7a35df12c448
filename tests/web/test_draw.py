"""Pictures are well-formed, escaped, and show what they are given."""

from datetime import date
from xml.etree import ElementTree

import pytest

from khien.triage import MOVES
from khien.web import draw, views

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
