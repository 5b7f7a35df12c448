"""What is assembled: the shipped parts, and a word on each way in which a given one can be wrong."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from khien.app import assembly, machine, made_up, parts, registers
from khien.app.configuration import Floods
from khien.errors import ConfigError, InputError
from khien.model import Finding, Inquiry, Leaf, Reason
from khien.names import register
from khien.pipeline.listed import Said
from khien.schema import finding_id
from khien.triage import life
from khien.triage.evidence import NEVER
from tests import toy


def test_the_shipped_register_protects_a_country() -> None:
    assert len(registers.load().names) >= 200


def test_the_detector_is_whole_and_travels() -> None:
    detector = registers.lookalike()
    assert detector.register == registers.load()
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
        registers.load(path)
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("path", ["missing.txt", ".", "nul\0.txt", "\udcff.txt"])
def test_inputs_are_looked_at_before_they_are_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        parts.names(["-", path])


def test_names_of_several_inputs(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("n,host\n1,example.org\n")
    (tmp_path / "two.txt").write_text("example.net\n")
    source = parts.names([str(tmp_path / "one.csv"), str(tmp_path / "two.txt")])
    assert [name for page in source.read(None) for name in page.rows["name"].to_pylist()] == [
        "example.org",
        "example.net",
    ]


def configured(tmp_path: Path, text: str) -> assembly.Configured:
    path = tmp_path / "khien.toml"
    path.write_text(text, encoding="utf-8")
    return assembly.load(path)


def test_a_source_of_flows_is_watched_and_does_not_land(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        """
        [[source]]
        name = "yesterday"
        kind = "captures"
        paths = ["yesterday.pcap"]

        [[source]]
        name = "routers"
        kind = "flows"

        [floods]
        customers = ["203.0.113.0/25"]

        [floods.floors]
        packets = { syn = 500 }

        [keep]
        flood_rates = 30
        baselines = 90
        """,
    )
    captures, routers = found.feeds
    assert captures.watch is not None
    assert routers.watch is not None
    assert (captures.table, captures.detectors, captures.fold) == ("flood_rates", (), None)
    assert captures.source.paths == (str(tmp_path / "yesterday.pcap"),)  # type: ignore[attr-defined]
    assert set(found.keep) == {"flood_rates", "baselines"}
    assert captures.watch(machine.engine(), toy.Memory(toy.Place())).finish().findings == ()


@pytest.mark.parametrize("kind", ["dumps", "hashes"])
def test_what_leaked_is_no_source_of_a_run(tmp_path: Path, kind: str) -> None:
    source = f'[[source]]\nname = "leak"\nkind = "{kind}"\npath = "combo.txt"\nkey = "AAAAAAAAAAAAAAAAAAAAAA=="\n'
    with pytest.raises(ConfigError, match="use khien breach import"):
        configured(tmp_path, source)


@pytest.mark.parametrize(
    ("floods", "said"),
    [
        ('customers = ["203.0.113.9/25"]', "host bits set"),
        ('customers = ["here"]', "give prefixes"),
        ("floors = { packets = { syn = 'many' } }", "floods.floors.packets"),
        ("floors = { wide = [1, 2] }", "floods.floors.wide"),
        ("floor = {}", "floor"),
    ],
)
def test_settings_of_floods_that_are_wrong(tmp_path: Path, floods: str, said: str) -> None:
    source = '[[source]]\nname = "routers"\nkind = "captures"\npaths = ["x.pcap"]\n'
    with pytest.raises(ConfigError, match=str(tmp_path)) as raised:
        configured(tmp_path, f"{source}[floods]\n{floods}\n")
    assert said in str(raised.value)


def kept(subject: str, end: datetime, claim: str = "flood") -> Finding:
    start = end - timedelta(seconds=30)
    return Finding(
        id=finding_id("flood", "address", subject, claim, start.isoformat()).hex(),
        detector="flood",
        kind="address",
        subject=subject,
        claim=claim,
        episode=start,
        score=0.5,
        start=start,
        end=end,
        techniques=("syn",),
        reasons=(Reason(code="flood-heaviest", params={"sources": "192.0.2.1"}),),
        measures={"packets": 5000.0, "bits": 1e6, "peak": start.timestamp()},
        raised=start,
    )


def test_a_watch_takes_up_the_floods_that_are_open() -> None:
    store = toy.Memory(toy.Place())
    newest = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for subject, age in (("198.51.100.7", 0), ("198.51.100.8", 60), ("198.51.100.9", 3600)):
        store.save(kept(subject, newest - timedelta(seconds=age)))
    store.save(kept("login.example", newest, claim="bank"))
    watch = parts.flood_watch(Floods(), whole=False)(machine.engine(), store)
    sealed = life.findings(watch.finish().findings, source="", at=newest)
    assert {each.subject for each in sealed} == {"198.51.100.7", "198.51.100.8"}
    assert {each.id for each in sealed} <= set(store.load(Finding, *(each.id for each in sealed)))
    assert all(each.reasons == () for each in sealed), "over: no single source is named any more"


def test_captures_are_looked_at_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text("")
    assert parts.captures([str(tmp_path / "flows.csv"), "-"]).paths == (str(tmp_path / "flows.csv"), "-")
    for path in ("missing.pcap", str(tmp_path)):
        with pytest.raises(InputError, match=path):
            parts.captures(["-", path])
    with pytest.raises(ConfigError, match="none of traffic, exports"):
        parts.captures(["-"], "netflow")


def test_what_was_never_asked_does_not_wait_behind_what_is_asked_again(tmp_path: Path) -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    with machine.store(tmp_path) as store:
        for name, due, asked in (("again", early, early), ("new", late, None), ("later", NEVER, late)):
            store.save(Inquiry(id=name, source="rdap", subject=f"{name}.example", due=due, asked=asked))
    assert parts.Asking(tmp_path)("rdap", 10) == ["new.example", "again.example"]
    assert parts.Asking(tmp_path)("rdap", 1) == ["new.example"]
    assert parts.Asking(tmp_path)("site", 10) == []


def test_why_a_made_up_listing_was_wrong_reads_alike_in_every_language(tmp_path: Path) -> None:
    with machine.store(tmp_path) as store:
        made_up.listings(store, tmp_path)
        said = [msgspec.json.decode(each.text, type=Said) for each in store.find(Leaf, limit=9)]
    (why,) = (each.why for each in said if each.act == "removed")
    assert [word for word in why.split() if word.isalpha()] == []
