"""The audit holds, and whoever changes, removes, moves or rewrites an entry is found, and the entry named."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import audit, ledger, words
from khien.app import machine
from khien.audit import Act, Audit, Head
from khien.cli.main import run
from khien.errors import ContractError, CustodyError, FormatError
from khien.model import Entry, Finding, Node, SourceState, Tree
from khien.pipeline.saving import until_saved
from khien.stores.embedded.store import Embedded

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def writer(key: Ed25519PrivateKey | None = None) -> Audit:
    """An audit whose clock and chance are known."""
    seconds, salts = count(), count()
    return Audit(
        key or Ed25519PrivateKey.from_private_bytes(b"k" * 32),
        lambda: AT + timedelta(seconds=next(seconds)),
        lambda size: next(salts).to_bytes(size),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path) as store:
        yield store


def write(store: Embedded, log: Audit, times: int) -> list[Entry]:
    for number in range(times):
        store.save(*log.entries(store, Act("lan", "finding-moved", f"finding {number}", {"why": "hỏi mã OTP"})))
    return list(audit.read(store))


def tree_of(store: Embedded) -> Tree:
    return store.load(Tree, audit.LEDGER)[audit.LEDGER]


def test_it_holds_with_several_acts_in_one_save_too(store: Embedded) -> None:
    log = writer()
    store.save(*log.entries(store, Act("lan", "signed-in", "lan"), Act("lan", "token-made", "abc")))
    entries = write(store, log, 11)
    checkpoint = audit.verify(entries, tree_of(store), log.verifier)
    assert checkpoint.size == len(entries) == 13
    assert [each.act for each in entries[:3]] == ["signed-in", "token-made", "finding-moved"]
    for index in range(13):
        found = audit.proven(store, index, log.verifier)
        assert found is not None
        assert found.entry == entries[index]
    assert audit.proven(store, 13, log.verifier) is None


def test_two_processes_write_one_log(tmp_path: Path) -> None:
    def work(name: str) -> None:
        with machine.store(tmp_path) as store:
            log = writer()
            for number in range(10):
                until_saved(store, lambda: log.entries(store, Act(name, "signed-in", str(number))))  # noqa: B023

    threads = [Thread(target=work, args=(name,)) for name in ("lan", "binh")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with machine.store(tmp_path) as store:
        entries = list(audit.read(store))
        assert audit.verify(entries, tree_of(store), writer().verifier).size == 20
    assert [each.what for each in entries if each.by == "lan"] == list(map(str, range(10)))


CHANGES: dict[str, Callable[[list[Entry]], list[Entry]]] = {
    "by": lambda log: [*log[:5], msgspec.structs.replace(log[5], by="binh"), *log[6:]],
    "at": lambda log: [*log[:5], msgspec.structs.replace(log[5], at=AT), *log[6:]],
    "params": lambda log: [*log[:5], msgspec.structs.replace(log[5], params={}), *log[6:]],
    "what": lambda log: [*log[:5], msgspec.structs.replace(log[5], what=""), *log[6:]],
    "salt": lambda log: [*log[:5], msgspec.structs.replace(log[5], salt="00" * 32), *log[6:]],
    "no salt": lambda log: [*log[:5], msgspec.structs.replace(log[5], salt="zz"), *log[6:]],
    "checkpoint": lambda log: [*log[:5], msgspec.structs.replace(log[5], checkpoint=log[4].checkpoint), *log[6:]],
    "no checkpoint": lambda log: [*log[:5], msgspec.structs.replace(log[5], checkpoint=""), *log[6:]],
    "removed": lambda log: [*log[:5], *log[6:]],
    "removed, the rest moved up": lambda log: [
        *log[:5],
        *(msgspec.structs.replace(each, id=audit.entry_id(n)) for n, each in enumerate(log[6:], 5)),
    ],
    "twice": lambda log: [*log[:5], log[4], *log[5:]],
    "swapped": lambda log: [*log[:5], log[6], log[5], *log[7:]],
    "swapped, with their numbers": lambda log: [
        *log[:5],
        msgspec.structs.replace(log[6], id=log[5].id),
        msgspec.structs.replace(log[5], id=log[6].id),
        *log[7:],
    ],
    "cut": lambda log: log[:5],
    "forked": lambda log: [*log[:5], *theirs(log[:5], len(log) - 5)],
}


def theirs(before: list[Entry], size: int) -> list[Entry]:
    """Entries that somebody without the key would put in place of ours."""
    log = writer(Ed25519PrivateKey.generate())
    frontier: tuple[bytes, ...] = ()
    for number, each in enumerate(before):
        frontier = ledger.append(number, frontier, audit.leaf(each))
    made: list[Entry] = []
    for number in range(len(before), len(before) + size):
        entry = Entry(id=audit.entry_id(number), at=AT, by="x", act="signed-in", what="", salt="00" * 32)
        frontier = ledger.append(number, frontier, audit.leaf(entry))
        text = ledger.Checkpoint(log.signer.name, number + 1, ledger.root(number + 1, frontier)).text
        made.append(msgspec.structs.replace(entry, checkpoint=log.signer.sign(text).decode()))
    return made


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named(store: Embedded, change: str) -> None:
    log = writer()
    entries = write(store, log, 10)
    with pytest.raises(CustodyError, match=f"{audit.LEDGER}/0{{15}}5"):
        audit.verify(CHANGES[change](entries), tree_of(store), log.verifier)


def test_a_head_that_was_changed_is_named_and_nothing_is_added_to_it(store: Embedded) -> None:
    log = writer()
    entries = write(store, log, 6)
    good = tree_of(store)
    earlier = Tree(
        id=good.id,
        size=4,
        frontier=(ledger.subtrees([audit.leaf(each) for each in entries])(2, 0).hex(),),
        checkpoint=entries[3].checkpoint,
    )
    wrong = [
        earlier,  # set back to what it was, with a signature that is good
        Tree(id=good.id),
        msgspec.structs.replace(good, checkpoint=entries[4].checkpoint),
        msgspec.structs.replace(good, size=7),
    ]
    for tree in wrong:
        store.save(tree)
        with pytest.raises(CustodyError):
            log.entries(store, Act("lan", "signed-in"))
        with pytest.raises(CustodyError):
            audit.verify(entries, tree, log.verifier)
        with pytest.raises(CustodyError):
            audit.verify_kept(store, log.verifier)
    for frontier in (tuple(reversed(good.frontier)), ("zz", good.frontier[1])):
        store.save(msgspec.structs.replace(good, frontier=frontier))
        with pytest.raises(CustodyError):
            log.entries(store, Act("lan", "signed-in"))
    store.save(good)
    audit.verify_kept(store, log.verifier)
    store.save(*log.entries(store, Act("lan", "signed-in")))


def test_who_holds_the_key_is_found_by_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    log = writer()
    with machine.store(tmp_path / "ours") as ours, machine.store(tmp_path / "rewritten") as rewritten:
        kept = write(ours, log, 7)[4].checkpoint.encode()
        write(ours, log, 2)
        audit.verify(audit.read(ours), tree_of(ours), log.verifier, kept)

        write(rewritten, writer(log.key), 3)
        rewritten.save(*log.entries(rewritten, Act("nobody", "signed-in")))
        with pytest.raises(CustodyError, match="the checkpoint that was kept has 5"):
            audit.verify(audit.read(rewritten), tree_of(rewritten), log.verifier, kept)
        write(rewritten, writer(log.key), 3)
        audit.verify(audit.read(rewritten), tree_of(rewritten), log.verifier)
        with pytest.raises(CustodyError, match="audit/0000000000000004 or one before it was rewritten"):
            audit.verify(audit.read(rewritten), tree_of(rewritten), log.verifier, kept)
    other = writer(Ed25519PrivateKey.generate())
    with pytest.raises(CustodyError, match="the checkpoint that was kept was changed, or the key"):
        audit.verify([], Tree(id=audit.LEDGER), other.verifier, kept)


def test_another_key_adds_nothing(store: Embedded) -> None:
    write(store, writer(), 1)
    with pytest.raises(CustodyError, match="the head of the audit was changed, or the key was"):
        writer(Ed25519PrivateKey.generate()).entries(store, Act("lan", "signed-in"))


def test_a_proof_that_was_changed_fails(store: Embedded) -> None:
    log = writer()
    entries = write(store, log, 8)
    above = store.load(Node, audit.node_id(2, 0))[audit.node_id(2, 0)]  # the first four
    changed = [
        (5, Node(id=above.id, hash="00" * 32)),
        (5, Node(id=above.id, hash="no hash")),
        (1, msgspec.structs.replace(entries[1], by="binh")),  # whose path does not lead through that
        (1, msgspec.structs.replace(tree_of(store), checkpoint=theirs([], 8)[7].checkpoint)),
        (1, msgspec.structs.replace(tree_of(store), checkpoint=entries[0].checkpoint)),
    ]
    for index, record in changed:
        store.save(record)
        with pytest.raises(CustodyError):
            audit.proven(store, index, log.verifier)
        store.save(above, *entries)


def test_an_act_and_its_entry_are_there_together_or_not_at_all(store: Embedded) -> None:
    log = writer()
    version = store.version()
    store.save(SourceState(id="somebody was faster"))
    with pytest.raises(Exception, match="moved from version"):
        store.save(*log.entries(store, Act("lan", "signed-in")), expect=version)
    assert not list(audit.read(store))
    assert not store.find(Finding)


def test_an_export_comes_back(store: Embedded) -> None:
    log = writer()
    entries = write(store, log, 3)
    lines = list(audit.export(entries, Head(verifier=log.verifier, tree=tree_of(store))))
    head, read = audit.parse_export(lines)
    assert audit.verify(read, head.tree, head.verifier).size == 3
    assert json.loads(lines[1])["params"] == {"why": "hỏi mã OTP"}


def test_the_command_line(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def khien(*words: str) -> tuple[int, str]:
        status = run(["audit", *words])
        caught = capsysbinary.readouterr()
        return status, (caught.out + caught.err).decode()

    place, export, note = ("--data", str(tmp_path / "data")), tmp_path / "audit.jsonl", tmp_path / "audit.note"
    with machine.store(tmp_path / "data") as store:
        log = machine.audit(tmp_path / "data")
        store.save(SourceState(id="one"))
        assert khien("show", *place) == (0, "Nothing was done yet.\n")
        assert khien("checkpoint", *place)[0] == 2
        entries = write(store, log, 3)
        assert "finding 2" in khien("show", "--limit", "1", *place)[1]
        assert len(khien("show", "--format", "jsonl", *place)[1].splitlines()) == 3
        note.write_text(khien("checkpoint", *place)[1])
        key = khien("checkpoint", "--key", *place)[1].strip()
        assert khien("export", "-o", str(export), *place)[0] == 0
        for held in (place, (str(export),), (str(export), "--against", str(note), "--key", key)):
            assert khien("verify", *held)[1].startswith("The log holds: 3 entries")
        store.save(msgspec.structs.replace(entries[1], by="binh"))
        assert khien("verify", *place) == (2, "khien: audit/0000000000000001 was changed: it is not what was signed\n")
    export.write_bytes(export.read_bytes().replace(b"finding 1", b"finding 9"))
    assert "audit/0000000000000001 was changed" in khien("verify", str(export))[1]
    other = writer(Ed25519PrivateKey.generate()).verifier
    assert khien("verify", str(export), "--key", other)[0] == 2
    assert "there is no such file" in khien("verify", str(tmp_path / "nothing"))[1]
    assert "a verifier is name+id+key" in khien("verify", str(export), "--key", "x")[1]
    export.write_bytes(b"[" * 1_000_000)
    assert "line 1 of the export is longer" in khien("verify", str(export))[1]


@pytest.mark.parametrize(
    "line", [b"", b"[", b"{}", b"\xff", b'{"x":1}', b" " * audit.LONGEST_LINE + b"{}", b"[" * 9999]
)
def test_what_is_no_export_is_refused(store: Embedded, line: bytes) -> None:
    log = writer()
    head, *entries = audit.export(write(store, log, 1), Head(verifier=log.verifier, tree=tree_of(store)))
    with pytest.raises(FormatError, match="line 1 of the export"):
        audit.parse_export([line, *entries])
    with pytest.raises(FormatError, match="line 3 of the export"):
        list(audit.parse_export([head, *entries, line])[1])


def test_acts_are_known_and_said_in_both_languages(store: Embedded) -> None:
    with pytest.raises(ContractError, match="no such act 'jumped'"):
        writer().entries(store, Act("lan", "jumped"))
    for act in audit.ACTS:
        assert words.audit(act, "en") != words.audit(act, "vi")


def test_the_name_of_a_log_follows_from_its_key() -> None:
    log = writer()
    assert ledger.parse_verifier(log.verifier)[0] == log.signer.name
    assert log.signer.name != writer(Ed25519PrivateKey.generate()).signer.name
    assert "kkkk" not in repr(log)
