"""Texts for routers: each as its golden file has it, and taken by the program it is for where that is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from khien import registry
from khien.flows import mitigation
from khien.flows.mitigation import Attack, Load, Mitigation, Network
from khien.flows.vectors import NAMES
from khien.testing.format import check_encoder

GOLDEN = Path(__file__).parent / "golden"
MADE = datetime(2026, 11, 22, 3, tzinfo=UTC)
FORMATS = [name for name in registry.names("formats") if registry.load("formats", name).carries is Mitigation]
FOUR: Network = ip_network("198.51.100.7/32")
SIX: Network = ip_network("2001:db8::7/128")
USUAL = (
    Load(vector="tcp", packets=1000, bits=8e6, ports=((443, 0.9), (25, 0.1))),
    Load(vector="dns", packets=100, bits=80_000),
)


def load(vector: str, **more: Any) -> Load:
    return Load(vector=vector, packets=1e6, bits=1e9, **more)


def made(victim: Network, *loads: Load, usual: tuple[Load, ...] | None = None) -> Mitigation:
    return mitigation.mitigation(Attack(victim=victim, loads=loads, usual=usual), made=MADE)


RULES = (
    made(
        FOUR,
        load("syn", ports=((443, 0.95),)),
        load("ntp"),
        load("fragment"),
        load("dns", lengths=(1440, 1480)),
        load("icmp", ports=((8 << 8, 1.0),)),
        load("ack", sources=((ip_network("203.0.113.0/24"), 0.99),)),
        usual=USUAL,
    ),
    made(
        SIX,
        load("syn-ack-reflection", lengths=(60, 64)),
        load("rst"),
        load("icmp", ports=((128 << 8, 1.0),)),
        load("isakmp"),
        load("udp", ports=((53, 1.0),)),
        load("other", protocols=tuple(range(100, 250))),
        load("ipv6-extension", sources=((ip_network("2001:db8:bad::/48"), 1.0),)),
    ),
)
HOLES = tuple(mitigation.blackhole(Attack(victim=victim, loads=()), made=MADE) for victim in (FOUR, SIX))
NOTHING = (made(FOUR, load("other")),)
SAMPLES = {"rules": RULES, "blackhole": HOLES, "nothing": NOTHING}


def every_vector(version: int) -> list[Mitigation]:
    victim, net = (FOUR, "203.0.113.0/24") if version == 4 else (SIX, "2001:db8:bad::/48")
    shapes = ({}, {"ports": ((443, 1.0),)}, {"lengths": (40, 60)}, {"sources": ((ip_network(net), 1.0),)})
    return [
        made(victim, load(name, **shape), usual=usual) for name in NAMES for shape in shapes for usual in (None, ())
    ]


def text(name: str, records: Iterable[Mitigation]) -> str:
    return registry.load("formats", name)().encode(records).decode("ascii")


def test_a_great_rate_is_told_in_a_greater_unit() -> None:
    attack = Attack(victim=FOUR, loads=(Load(vector="gre", packets=1e8, bits=4e11),))
    assert "police rate 8000000 kbps" in text("cisco", [mitigation.mitigation(attack, made=MADE)])


def checked(name: str, folder: Path, configuration: str) -> subprocess.CompletedProcess[str]:
    """What the program a text is for says about it."""
    path = folder / "configuration"
    path.write_text(configuration, encoding="ascii")
    program, *options = {"exabgp": ["exabgp", "--validate"], "bird": ["bird", "-p", "-c"]}[name]
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return subprocess.run([found, *options, path], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_text_is_as_written_down(sample: str, name: str) -> None:
    assert text(name, SAMPLES[sample]) == (GOLDEN / f"{sample}.{name}").read_text(encoding="ascii")


@pytest.mark.parametrize("name", FORMATS)
def test_encoder(name: str) -> None:
    check_encoder(registry.load("formats", name)(), None, (*RULES, *HOLES))


@pytest.mark.parametrize("name", ["exabgp", "bird"])
@pytest.mark.parametrize("sample", ["rules", "blackhole"])
def test_text_is_taken(sample: str, name: str, tmp_path: Path) -> None:
    done = checked(name, tmp_path, text(name, SAMPLES[sample]))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["exabgp", "bird"])
@pytest.mark.parametrize("version", [4, 6])
def test_rules_for_every_vector_are_taken(version: int, name: str, tmp_path: Path) -> None:
    done = checked(name, tmp_path, text(name, every_vector(version)))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "right"), [("exabgp", "tcp-flags"), ("bird", "tcp flags")])
def test_what_is_wrong_is_not_taken(name: str, right: str, tmp_path: Path) -> None:
    written = text(name, RULES)
    assert right in written
    assert checked(name, tmp_path, written.replace(right, "tcp-flag")).returncode != 0
