"""Logs of both kinds on loopback: every name once, newest first, none skipped; and what becomes of those that lie."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError, UnavailableError
from khien.sources.ctlog import fetch, follow, logs
from khien.sources.ctlog.source import CtLog, progress
from khien.testing.source import check_source
from tests.ctlogs import Authority, Head, Log, log_list

Make = Callable[..., Log]
Kind = Literal["rfc6962", "static"]
KINDS: tuple[Kind, ...] = ("rfc6962", "static")
AUTHORITY = Authority()
LOOPBACK = ("127.0.0.0/8",)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def make() -> Iterator[Make]:
    with ExitStack() as opened:
        yield lambda *given, **more: opened.enter_context(Log(*given, **more))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_WAITS", (0.02, 0.1))


def put(log: Log, begin: int, end: int, **more: Any) -> None:
    log.add(*(AUTHORITY.issue(f"n{i}.example") for i in range(begin, end)), **more)
    log.publish()


def numbers(pages: list[Page]) -> list[int]:
    """Of the names, in their order."""
    return [int(name[1:].partition(".")[0]) for page in pages for name in page.rows["name"].to_pylist()]


def skipped(pages: list[Page]) -> list[tuple[str, str, str]]:
    rows = [row for page in pages if page.skipped for row in page.skipped.to_pylist()]
    return [(row["place"], row["reason"], row["excerpt"]) for row in rows]


def ended(listed: str, cursor: bytes | None = None, **settings: Any) -> list[Page]:
    pages = list(CtLog(now, listed, until_head=True, poll=0.02, allow=LOOPBACK, **settings).read(cursor))
    for page in pages:
        assert page.rows.schema == schema.CERTIFIED
        page.rows.validate(full=True)
        assert page.skipped is None or page.skipped.schema == schema.SKIPPED
    return pages


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [True, False])
def test_a_log_is_read_from_its_head_back_and_on(make: Make, tmp_path: Path, kind: Kind, packed: bool) -> None:
    log = make("one", kind, packed=packed, most=100)
    put(log, 0, 700)
    put(log, 500, 600, precertificate=True)
    listed = log_list(tmp_path / "list.json", log)
    pages = ended(listed, backlog=10_000)
    assert sorted(numbers(pages)) == list(range(700))
    assert progress(pages[-1].cursor)[0][:4] == ("one", 800, 0, 0)
    put(log, 700, 1300)
    pages = ended(listed, pages[-1].cursor, batch=100)
    found = numbers(pages)
    assert sorted(found) == list(range(700, 1300))
    assert max(found[-100:]) < 1000 < min(found[:100])
    assert skipped(pages) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_log_is_read_from_its_head_on(make: Make, tmp_path: Path, kind: Kind) -> None:
    log = make("one", kind)
    put(log, 0, 20)
    listed = log_list(tmp_path / "list.json", log)
    pages = ended(listed)
    assert numbers(pages) == []
    put(log, 20, 23)
    assert numbers(ended(listed, pages[-1].cursor)) == [20, 21, 22]
    assert sorted(numbers(ended(listed, backlog=5))) == [18, 19, 20, 21, 22]


@pytest.mark.parametrize("kind", KINDS)
def test_every_cursor_goes_on_without_a_gap(
    make: Make, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("khien.sources.ctlog.source._ENTRIES", 100)
    log = make("one", kind)
    put(log, 0, 700)
    check_source(
        CtLog(
            now,
            log_list(tmp_path / "list.json", log),
            backlog=5000,
            batch=64,
            until_head=True,
            poll=0.02,
            allow=LOOPBACK,
        )
    )


def test_names_of_many_logs_come_once(make: Make, tmp_path: Path) -> None:
    logs = [make(f"log {n}", KINDS[n % 2]) for n in range(6)]
    for n, log in enumerate(logs):
        put(log, 10 * n, 10 * n + 300, precertificate=n % 3 == 0)
    pages = ended(log_list(tmp_path / "list.json", *logs), backlog=1000)
    assert sorted(numbers(pages)) == list(range(350))
    assert {each.name for each in progress(pages[-1].cursor)} == {f"log {n}" for n in range(6)}


def test_it_is_live_until_abandoned(make: Make, tmp_path: Path) -> None:
    log = make("one")
    put(log, 0, 5)
    pages = CtLog(now, log_list(tmp_path / "list.json", log), poll=0.02, allow=LOOPBACK).read(None)
    met: list[Page] = []
    while not any(each.entries for page in met for each in progress(page.cursor)):
        met.append(next(pages))
    put(log, 5, 8)
    while len(numbers(met)) < 3:
        met.append(next(pages))
    assert numbers(met) == [5, 6, 7]
    quiet = [next(pages) for _ in range(3)]
    assert {page.cursor for page in quiet} <= {met[-1].cursor, quiet[-1].cursor}
    pages.close()  # type: ignore[attr-defined]


def lying(make: Make, tmp_path: Path, kind: Kind, lie: Callable[[Log], None]) -> str:
    """What is said of a log that lies after it was read once, beside one that does not."""
    log, other = make("liar", kind), make("other", kind)
    put(log, 0, 400)
    put(other, 0, 10)
    listed = log_list(tmp_path / "list.json", log, other)
    before = ended(listed, backlog=1000)[-1].cursor
    lie(log)
    put(other, 2000, 2010)
    pages = ended(log_list(tmp_path / "list.json", log, other), before)
    assert sorted(numbers(pages)) == list(range(2000, 2010))
    told = {each.name: each for each in progress(pages[-1].cursor)}
    assert (told["other"].trouble, told["liar"].halted) == ("", True)
    assert told["liar"].entries == 400
    place, reason, excerpt = skipped(pages)[0]
    assert (place, reason) == ("liar", "log-lies")
    assert told["liar"].trouble.startswith(excerpt)
    again = ended(log_list(tmp_path / "list.json", log, other), pages[-1].cursor)
    assert [each.halted for each in progress(again[-1].cursor)] == [True, False], "what was verified is not forgotten"
    return told["liar"].trouble


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_signature(make: Make, tmp_path: Path, kind: Kind) -> None:
    def lie(log: Log) -> None:
        put(log, 400, 410)
        listed, log.key = log.listed(), ec.generate_private_key(ec.SECP256R1())
        log.listed = lambda: listed  # type: ignore[method-assign]

    told = lying(make, tmp_path, kind, lie)
    assert "signature" in told


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_that_shrank(make: Make, tmp_path: Path, kind: Kind) -> None:
    told = lying(make, tmp_path, kind, lambda log: log.truncate(300))
    assert told == "the log had 400 leaves and now has 300: some were removed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [0, 37])
def test_a_tree_that_forks(make: Make, tmp_path: Path, kind: Kind, more: int) -> None:
    def lie(log: Log) -> None:
        put(log, 5000, 5000 + more)
        log.rewrite([*log.leaves[:100], *log.leaves[101:150], log.leaves[100], *log.leaves[150:]])

    told = lying(make, tmp_path, kind, lie)
    assert "the log forks" in told or "it was rewritten" in told


@pytest.mark.parametrize("kind", KINDS)
def test_entries_that_are_not_in_the_tree(make: Make, tmp_path: Path, kind: Kind) -> None:
    log = make("liar", kind)
    put(log, 0, 10)
    log.tamper(4)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=10)
    assert numbers(pages) == []
    assert skipped(pages)[0][1] == "log-lies"
    assert "not those of the tree head" in progress(pages[-1].cursor)[0].trouble


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_that_shrank_and_is_of_the_same_time(make: Make, tmp_path: Path, kind: Kind) -> None:
    def lie(log: Log) -> None:
        at = log.head.at
        log.truncate(300)
        log.publish(at)

    assert "some were removed" in lying(make, tmp_path, kind, lie)


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_head_of_another_tree_is_a_lie(make: Make, tmp_path: Path, kind: Kind) -> None:
    """Its signature is right, and of the tree it had before the log proves what it must."""

    def lie(log: Log) -> None:
        shown, true = Head(300, log.root(299), log.head.at - 1), log.head
        answer = log.answer

        def lied(path: str) -> bytes | None:
            log.head = shown if path.endswith(("get-sth", "checkpoint")) else true
            return answer(path)

        log.answer = lied  # type: ignore[method-assign]

    assert "was rewritten" in lying(make, tmp_path, kind, lie)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_from_the_future_is_waited_out(make: Make, tmp_path: Path, kind: Kind) -> None:
    log = make("one", kind)
    put(log, 0, 10)
    log.publish(at=(1 << 62) - 1)
    told = list[str]()
    for page in CtLog(now, log_list(tmp_path / "list.json", log), backlog=10, poll=0.02, allow=LOOPBACK).read(None):
        if not told:
            log.publish(at=round(time.time() * 1000))
        told += [reason for _, reason, _ in skipped([page])]
        if numbers([page]):
            assert progress(page.cursor)[0].trouble == ""
            break
        assert all("ahead of the clock" in each.trouble for each in progress(page.cursor))


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_that_stands_still_is_told(make: Make, tmp_path: Path, kind: Kind) -> None:
    log = make("one", kind)
    log.add(AUTHORITY.issue("n1.example"))
    log.publish(at=round(1000 * (now() - timedelta(hours=25)).timestamp()))
    listed = log_list(tmp_path / "list.json", log)
    pages = ended(listed, backlog=10)
    assert numbers(pages) == [1], "what it has is read all the same"
    assert [reason for _, reason, _ in skipped(pages)] == ["log-waits"], "once"
    assert "24 hours old" in progress(pages[-1].cursor)[0].trouble
    log.publish()
    assert progress(ended(listed, pages[-1].cursor)[-1].cursor)[0].trouble == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bound", ["_HELD", "_SECONDS"])
def test_of_a_log_whose_entries_are_too_large_or_too_slow_fewer_are_read_at_once(
    make: Make, tmp_path: Path, kind: Kind, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, bound, 0)
    log = make("one", kind, most=10)
    put(log, 0, 400)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=333, batch=64)
    assert sorted(numbers(pages)) == list(range(67, 400))
    assert skipped(pages) == []
    put(log, 400, 1000)
    assert sorted(numbers(ended(log_list(tmp_path / "list.json", log), pages[-1].cursor))) == list(range(400, 1000))


def test_entries_are_held_to_the_tree_however_few_are_read_at_once(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_HELD", 0)
    log = make("liar", most=10)
    put(log, 0, 100)
    log.tamper(65)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=100, batch=64)
    assert min(numbers(pages), default=99) > 65
    assert "was rewritten" in progress(pages[-1].cursor)[0].trouble


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_head_is_no_lie(make: Make, tmp_path: Path, kind: Kind) -> None:
    """Servers of one log do not all know of its newest head."""
    log = make("one", kind)
    put(log, 0, 10)
    old = log.head
    put(log, 10, 20)
    listed = log_list(tmp_path / "list.json", log)
    before = ended(listed, backlog=100)[-1].cursor
    log.head = old
    pages = ended(listed, before)
    assert (numbers(pages), skipped(pages)) == ([], [])
    assert progress(pages[-1].cursor)[0].entries == 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry_After": "0"}), (503, {"Retry_After": "Sun, 06 Nov 1994 08:49:37 GMT"}), (500, {}), (404, {})],
)
def test_a_log_that_refuses_is_asked_again(
    make: Make, tmp_path: Path, kind: Kind, status: int, headers: dict[str, str]
) -> None:
    log = make("one", kind)
    put(log, 0, 10)
    log.refuse(3, status, **headers)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=100)
    assert sorted(numbers(pages)) == list(range(10))
    place, reason, excerpt = skipped(pages)[0]
    assert (place, reason) == ("one", "log-waits")
    assert f"answers {status}" in excerpt
    assert progress(pages[-1].cursor)[0].trouble == ""


def test_retry_after_is_obeyed(make: Make) -> None:
    log = make("one")
    reader = fetch.Fetch(log.url, "someone@example.org", LOOPBACK)
    for said, seconds in (("7", 7.0), ("99999", 3600.0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0)):
        log.refuse(1, 429, Retry_After=said)
        with pytest.raises(fetch.LaterError) as caught:
            reader.get(log.url, 100)
        assert caught.value.seconds == seconds
    log.refuse(1, 429, Retry_After="soon")
    with pytest.raises(UnavailableError, match="answers 429"):
        reader.get(log.url, 100)
    reader.close()


@pytest.mark.parametrize("packed", [True, False])
def test_answers_are_bounded(make: Make, packed: bool) -> None:
    log = make("one", "static", packed=packed)
    put(log, 0, 256)
    reader = fetch.Fetch(log.url, "", LOOPBACK)
    whole = reader.get(f"{log.url}tile/data/000", 1 << 20)
    assert reader.get(f"{log.url}tile/data/000", len(whole)) == whole
    with pytest.raises(FormatError, match="more than"):
        reader.get(f"{log.url}tile/data/000", len(whole) - 1)
    with pytest.raises(fetch.MissingError):
        reader.get(f"{log.url}tile/data/001", 1 << 20)
    reader.close()


def test_a_partial_tile_gives_way_to_the_full_one(make: Make, tmp_path: Path) -> None:
    log = make("one", "static")
    put(log, 0, 200)
    answer, filled = log.answer, []

    def late(path: str) -> bytes | None:
        """After its head was asked for, the log fills its tiles, and drops those that were partial."""
        told = answer(path)
        if path == "/checkpoint" and not filled:
            filled.append(log.head)
            put_more()
        return None if ".p/" in path and filled else told

    def put_more() -> None:
        head = log.head
        log.lock.release()
        put(log, 200, 256)
        log.lock.acquire()
        log.head = log.head._replace(at=head.at)

    log.answer = late  # type: ignore[method-assign]
    pages = ended(log_list(tmp_path / "list.json", log), backlog=1000)
    assert sorted(numbers(pages))[:200] == list(range(200))


def test_batches_are_learned(make: Make, tmp_path: Path) -> None:
    log = make("one", most=32)
    put(log, 0, 640)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=1000, batch=512)
    assert len(numbers(pages)) == 640
    asked = [path for path in log.requests if "get-entries" in path]
    assert len(asked) <= 640 // 32 + 6


def test_malformed_leaves_are_named_with_their_place(make: Make, tmp_path: Path) -> None:
    log = make("one")
    put(log, 0, 3)
    log.put(log.leaves[0]._replace(merkle=log.leaves[0].merkle[:40]))
    put(log, 3, 5)
    pages = ended(log_list(tmp_path / "list.json", log), backlog=100)
    assert sorted(numbers(pages)) == list(range(5))
    assert skipped(pages) == [("one:3", "leaf-cut-short", None)]


def test_garbage_is_tried_again(make: Make, tmp_path: Path) -> None:
    log = make("one")
    put(log, 0, 5)
    answer, left = log.answer, [b"<html>", b"{}", b"\xff"]
    log.answer = lambda path: left.pop() if left else answer(path)  # type: ignore[method-assign]
    pages = ended(log_list(tmp_path / "list.json", log), backlog=100)
    assert len(numbers(pages)) == 5
    assert {reason for _, reason, _ in skipped(pages)} == {"log-waits"}


def test_which_logs_are_read(make: Make, tmp_path: Path) -> None:
    logs = [make("a", operator="A"), make("b", "static", operator="B")]
    for log in logs:
        put(log, 0, 2)
    listed = log_list(tmp_path / "list.json", *logs)
    told = progress(ended(listed, operators=("B",))[-1].cursor)
    assert [each.name for each in told] == ["b"]
    assert progress(ended(listed, states=("retired",))[-1].cursor) == ()
    assert next(CtLog(now, listed, states=("retired",)).read(None)).rows.num_rows == 0


def test_a_private_network_is_asked_only_where_it_is_allowed(make: Make, tmp_path: Path) -> None:
    log = make("one")
    put(log, 0, 2)
    for page in CtLog(now, log_list(tmp_path / "list.json", log), poll=0.02).read(None):
        if told := progress(page.cursor):
            assert "not of the public Internet" in told[0].trouble
            break
    assert log.requests == []


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        next(CtLog(now, str(tmp_path / "none.json")).read(None))  # type: ignore[call-overload]
    (tmp_path / "bad.json").write_text(json.dumps({}))
    with pytest.raises(FormatError, match=r"bad\.json: is no list of logs"):
        next(CtLog(now, str(tmp_path / "bad.json")).read(None))  # type: ignore[call-overload]
    with pytest.raises(UnavailableError):
        next(CtLog(now, "https://127.0.0.1:1/list.json").read(None))  # type: ignore[call-overload]
    with pytest.raises(InputError, match="start without one"):
        next(CtLog(now, str(tmp_path / "bad.json")).read(b"?"))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "settings", [{"states": ("good",)}, {"poll": 0}, {"batch": 0}, {"backlog": -1}, {"contact": "Tôi"}, {"at_once": 0}]
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CtLog(now, "list.json", **settings)
