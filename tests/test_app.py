"""What is assembled: the shipped parts, and a word on each way in which a given one can be wrong."""

import pickle
from pathlib import Path

import pytest

from khien import app
from khien.errors import ConfigError, InputError
from khien.names import register


def test_the_shipped_register_protects_a_country() -> None:
    assert len(app.load_register().names) >= 200


def test_the_detector_is_whole_and_travels() -> None:
    detector = app.lookalike()
    assert detector.register == app.load_register()
    assert detector.lures
    for piece in (detector.fold, detector.lexicon, detector.popular, detector.suffixes):
        assert piece
    assert b"com.vn" in detector.suffixes
    assert b"\t" in detector.popular[:1000], "unpacked"
    assert pickle.loads(pickle.dumps(detector)) == detector


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"names = [", ":1: no valid TOML"),
        (b'[[names]]\nid = "b"\nlabel = "B"\nsector = "bank"\nword = []\n', ":5: names[0].word: unknown key"),
        (b"#" * (register.LARGEST_FILE + 2), "at most"),
    ],
)
def test_a_register_that_cannot_be_used(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "ours.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        app.load_register(path)
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("path", ["missing.txt", ".", "nul\0.txt", "\udcff.txt"])
def test_inputs_are_looked_at_before_they_are_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        app.names(["-", path])


def test_names_of_several_inputs(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("n,host\n1,example.org\n")
    (tmp_path / "two.txt").write_text("example.net\n")
    source = app.names([str(tmp_path / "one.csv"), str(tmp_path / "two.txt")])
    assert [name for page in source.read(None) for name in page.rows["name"].to_pylist()] == [
        "example.org",
        "example.net",
    ]
