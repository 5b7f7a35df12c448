"""Floors: what is set counts, wider prefixes need more, and a window takes a share of them."""

from pathlib import Path

import msgspec
import pytest

from khien.flows.floors import CLASSES, OURS, Floors
from khien.flows.vectors import NAMES, NUMBERS

LEVELS = [(128, 0), (120, 1), (64, 1), (116, 2), (48, 2), (121, 3), (32, 3), (0, 3)]


@pytest.mark.parametrize(("scope", "level"), LEVELS)
def test_the_wider_the_higher(scope: int, level: int) -> None:
    assert OURS.level(scope) == level < CLASSES
    times = (1.0, 4.0, 8.0, 16.0)[level]
    assert OURS.of(scope, "syn") == tuple(times * each for each in OURS.of(128, "syn"))


def test_what_is_set_is_taken_and_the_rest_stays() -> None:
    floors = Floors(packets={"syn": 50.0}, bits={"ntp": 1e6}, wide=(2.0, 3.0, 5.0))
    assert floors.of(128, "syn") == (50.0, OURS.of(128, "syn")[1])
    assert floors.of(128, "ntp") == (OURS.of(128, "ntp")[0], 1e6)
    assert floors.of(64, "syn")[0] == 100.0
    assert floors.of(32, "syn")[0] == 250.0
    assert floors.of(128, "udp") == OURS.of(128, "udp")


def test_what_does_its_work_at_high_rates_needs_more() -> None:
    rates = {name: OURS.of(128, name)[0] for name in NAMES}
    assert rates["syn"] == rates["ntp"] < rates["dns"] < rates["fragment"] < rates["udp"] < rates["ack"]


def test_lines_of_a_window() -> None:
    lines = OURS.lines(0.5)
    assert lines.packets.shape == lines.bytes.shape == (CLASSES, len(NAMES))
    for scope, level in LEVELS:
        assert lines.classes[scope] == level
        packets, bits = OURS.of(scope, "udp")
        assert lines.packets[level, NUMBERS["udp"]] == packets / 2
        assert lines.bytes[level, NUMBERS["udp"]] == bits / 16


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `packet`"):
        msgspec.convert({"packet": {"syn": 1.0}}, Floors)
    with pytest.raises(msgspec.ValidationError, match="length 3"):
        msgspec.convert({"wide": [1.0]}, Floors)


def test_the_documents_say_what_floors_there_are() -> None:
    told = Path(__file__).parents[2] / "docs" / "floods.md"
    rows = [line.split("|")[1:4] for line in told.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    floors = {
        vector.strip("`"): (float(packets.replace(",", "")), float(bits.replace(",", "")) * 1e6)
        for packets, bits, vectors in rows[2:]
        for vector in vectors.split()
    }
    assert floors == {name: OURS.of(128, name) for name in NAMES}
