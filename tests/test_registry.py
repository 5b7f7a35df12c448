"""The table of contents, with real plug-ins installed in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from khien import registry
from khien.errors import ConfigError, ContractError, UnavailableError

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution where the interpreter looks: a module, and entry points to it."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(distribution: str, points: str, **modules: str) -> None:
        about = tmp_path / f"{distribution}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(points)
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)

    return put


@pytest.mark.parametrize("shelf", registry.SHELVES)
def test_every_registered_part_is_there(shelf: str) -> None:
    for name in registry.names(shelf):
        assert registry.load(shelf, name).name == name


def test_a_plug_in_adds_its_part(install: Install) -> None:
    install("khien-planted", "[khien.detectors]\nplanted = khien_planted:Planted\n", khien_planted="class Planted: ...")
    assert "planted" in registry.names("detectors")
    assert "planted" not in registry.names("sources")
    assert registry.load("detectors", "planted").__name__ == "Planted"


def test_a_name_is_taken_once(install: Install) -> None:
    install("rival", "[khien.engines]\nembedded = rival:Embedded\n")
    with pytest.raises(ConfigError, match=r"engines embedded: khien \(khien.engines.*\) and rival \(rival:Embedded\)"):
        registry.load("engines", "embedded")


def test_two_plug_ins_want_one_name(install: Install) -> None:
    install("one", "[khien.folds]\nsame = one:Same\n")
    install("two", "[khien.folds]\nsame = two:Same\n")
    with pytest.raises(ConfigError, match=r"folds same: one .* and two .* uninstall one"):
        registry.names("folds")


def test_a_missing_dependency_breaks_one_part_and_names_the_extra(install: Install) -> None:
    points = "[khien.engines]\ncluster = khien_cluster:Cluster\n"
    install("khien-cluster", points, khien_cluster="import khien_has_no_such_module")
    with pytest.raises(UnavailableError, match=r"khien_has_no_such_module: pip install 'khien-cluster\[cluster\]'"):
        registry.load("engines", "cluster")
    assert registry.load("engines", "embedded").name == "embedded"


@pytest.mark.parametrize(
    ("reference", "told"), [("khien_absent:Part", "there is no khien_absent"), ("khien.errors:Absent", "Absent")]
)
def test_a_reference_to_nothing_is_a_bug(install: Install, reference: str, told: str) -> None:
    install("broken", f"[khien.stores]\nbroken = {reference}\n")
    with pytest.raises(ContractError, match=f"stores broken: registered as {reference}.*{told}"):
        registry.load("stores", "broken")


def test_unknown_names_are_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no shelf 'engine': there is sources, .*engines"):
        registry.names("engine")
    with pytest.raises(ConfigError, match="no 'spark' among the engines: there is embedded"):
        registry.load("engines", "spark")
