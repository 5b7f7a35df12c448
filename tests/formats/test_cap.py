"""CAP 1.2: every document is valid, in both languages, and a later one refers to the first."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from khien.formats.cap import Sender, cap
from khien.model import Notice, Reason
from tests.channels import samples

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "cap.xsd"))
BY = Sender("warn.csirt.example", "Trung tâm CSIRT", "1800 1234")
HOSTILE = Reason(code="combosquat", params={"brand": "A\0&<b>\x1b[31m", "word": "\ufffe]]>"})
LATER = samples.NOON + timedelta(hours=2)


def parsed(notice: Notice, **more: Any) -> Any:
    root = etree.fromstring(cap(notice, BY, **more))
    SCHEMA.assertValid(root)
    return root


def texts(root: Any, name: str) -> list[str]:
    return [each.text for each in root.iter(f"{{*}}{name}")]


@pytest.mark.parametrize(
    "notice",
    [
        samples.notice(),
        samples.notice(*(f"n{n}.top" for n in range(30)), severity="low", first_sign=None, label=""),
        samples.notice(reasons=(HOSTILE,), label="<&>\r\n"),
        samples.notice("xn--vitcombank-d7a.top", severity="critical", state="acknowledged", revision=3, revised=LATER),
        samples.notice(sector="citizen"),
        samples.notice(own=True),
        samples.notice(state="closed", revision=2, revised=LATER),
        samples.flood(),
        samples.flood("flood-source"),
    ],
)
def test_every_document_is_valid_and_says_it_in_both_languages(notice: Notice) -> None:
    root = parsed(notice, web={"vi": "https://warn.csirt.example/vi/x", "en": "https://warn.csirt.example/en/x"})
    assert texts(root, "language") == ["vi-VN", "en-US"]
    assert len(set(texts(root, "headline"))) == 2
    assert texts(root, "value")[: len(notice.subjects)] == [each.value for each in notice.subjects]


def test_the_schema_of_the_test_refuses_what_the_standard_does() -> None:
    good = cap(samples.notice(), BY)
    for right, wrong in (
        (b"<status>Actual", b"<status>Real"),
        (b"-00:00</sent>", b"Z</sent>"),
        (b"<scope>Private</scope>", b""),
        (b"<urgency>Immediate</urgency>", b""),
        (b"<identifier>", b"<identifier>a, b"),
    ):
        assert right in good
        assert not SCHEMA.validate(etree.fromstring(good.replace(right, wrong, 1)))


def test_a_later_document_refers_to_the_first() -> None:
    first = parsed(samples.notice())
    assert (texts(first, "msgType"), texts(first, "references")) == (["Alert"], [])
    update = parsed(samples.notice(revision=3, revised=LATER))
    [identifier], [sender], [sent] = (texts(first, name) for name in ("identifier", "sender", "sent"))
    assert texts(update, "references") == [f"{sender},{identifier},{sent}"]
    assert texts(update, "msgType") == ["Update"]
    assert texts(update, "identifier") != [identifier]
    for state in ("closed", "ours"):
        assert texts(parsed(samples.notice(state=state, revision=4)), "msgType") == ["Cancel"]


def test_what_is_dated_is_an_exercise() -> None:
    assert texts(parsed(samples.notice(), replay=True), "status") == ["Exercise"]
    assert cap(samples.notice(), BY) == cap(samples.notice(), BY)
