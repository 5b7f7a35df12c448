"""Atom feeds: valid, stable, and plain text in whatever a reader makes of it."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from lxml import etree, html

from khien import words
from khien.formats.atom import Feed, atom
from khien.model import Notice, Reason
from tests.channels import samples

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parent / "atom.rng"))
FEED = Feed(
    "bank",
    "Ngân hàng <Sao> Thủy",
    "https://warn.csirt.example/feeds/bank/t/atom.xml",
    "CSIRT",
    lambda notice: f"https://warn.csirt.example/vi/notices/{notice.id}/t?a=1&b=2",
    lambda notice: f"https://warn.csirt.example/feeds/bank/t/cap/{notice.id}.xml",
)
HOSTILE = Reason(code="combosquat", params={"brand": "<script>alert(1)</script>\0\x1b", "word": "]]>&amp;"})


def parsed(*notices: Notice, language: str = "vi", feed: Feed = FEED) -> Any:
    root = etree.fromstring(atom(notices, feed, language, UTC))
    SCHEMA.assertValid(root)
    return root


def test_it_is_valid_in_both_languages() -> None:
    notices = (samples.notice(), samples.flood(), samples.notice(reasons=(HOSTILE,)), samples.notice(state="closed"))
    for language in words.LANGUAGES:
        assert len(parsed(*notices, language=language).findall("{*}entry")) == 4
    assert parsed().find("{*}updated").text == "1970-01-01T00:00:00Z"
    assert parsed(samples.notice(), feed=Feed("bank", "B", "https://a.example/", "C")).find("{*}entry/{*}link") is None


def test_an_entry_keeps_its_id_and_moves_its_time() -> None:
    first = parsed(samples.notice())
    later = parsed(samples.notice(revision=2, revised=samples.NOON + timedelta(hours=1)))
    for path in ("{*}id", "{*}entry/{*}id", "{*}entry/{*}published"):
        assert first.find(path).text == later.find(path).text
    assert later.find("{*}entry/{*}updated").text == later.find("{*}updated").text == "2026-11-22T06:00:00Z"
    assert first.find("{*}id").text != first.find("{*}entry/{*}id").text


def test_what_stands_in_an_entry_is_text() -> None:
    content = parsed(samples.notice(reasons=(HOSTILE,))).find("{*}entry/{*}content").text
    tags = {each.tag for each in html.fragment_fromstring(content, create_parent=True).iter()}
    assert tags == {"div", "p", "ol", "li"}
