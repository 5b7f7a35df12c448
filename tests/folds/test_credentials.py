import hashlib

import numpy as np
import pyarrow as pa
import pytest

from khien import schema
from khien.breach import digests
from khien.errors import ConfigError
from khien.folds.credentials import Credentials

KEY = b"a key of the house, in the tests"


def leaked(*rows: tuple[bytes | None, bytes | None]) -> pa.RecordBatch:
    accounts, secrets = (pa.array([row[n] for row in rows], pa.binary()) for n in (0, 1))
    return pa.RecordBatch.from_arrays([accounts, secrets], schema=schema.LEAKED)


def keyed(text: bytes, label: bytes, octets: int) -> bytes:
    values = np.frombuffer(text, np.uint8)
    spans = np.zeros(1, np.int64), np.array([len(text)])
    return digests.siphash(values, *spans, digests.derived(KEY, label), octets).tobytes()


def test_what_a_row_becomes() -> None:
    batch = leaked((b"x", b""), (" Lan@BÜCHER.example".encode(), b"secret"), (b"0912345678", None))
    [mail, phone] = Credentials(KEY, ntlm=True)(batch).to_pylist()
    assert mail["row"] == 1
    assert mail["account"] == keyed(b"mail:lan@xn--bcher-kva.example", b"account", 16)
    assert mail["domain"] == keyed(b"xn--bcher-kva.example", b"domain", 8)
    assert mail["sha1"] == hashlib.sha1(b"secret").digest()
    assert mail["ntlm"].hex() == "878d8014606cda29677a44efa1353fc7"
    assert phone["account"] == keyed(b"phone:+84912345678", b"account", 16)
    assert (phone["row"], phone["domain"], phone["sha1"], phone["ntlm"]) == (2, None, None, None)


def test_accounts_of_any_length_side_by_side() -> None:
    several = [b"x" * size + b"@example.vn" for size in range(1, 40)] + ["ậ@bücher.example".encode()] * 2
    found = Credentials(KEY)(leaked(*((each, b"%d" % n) for n, each in enumerate(several)))).to_pylist()
    spelled = [b"mail:" + each for each in several[:-2]] + ["mail:ậ@xn--bcher-kva.example".encode()] * 2
    assert [row["account"] for row in found] == [keyed(each, b"account", 16) for each in spelled]
    assert [row["domain"] for row in found] == [keyed(each.partition(b"@")[2], b"domain", 8) for each in spelled]


def test_one_pair_is_one_row_and_names_are_not_kept() -> None:
    fold = Credentials(KEY)
    rows = leaked(
        (b"lan@gmail.com", b"a"), (b"l.a.n+x@googlemail.com", b"a"), (b"lan@gmail.com", b"b"),
        (b"somebody", b"a"), (b"somebody", b"a"), (b"another", b"a"), (b"", b"a"),
    )  # fmt: skip
    found = fold(rows).to_pylist()
    assert [row["row"] for row in found] == [0, 2, 3, 5, 6]
    assert [row["account"] is None for row in found] == [False, False, True, True, True]
    assert len({row["pair"] for row in found}) == 5
    assert {row["ntlm"] for row in found} == {None}
    assert fold(rows.slice(1, 3)).column("pair").to_pylist() == [found[0]["pair"], found[1]["pair"], found[2]["pair"]]


def test_what_is_merged_is_sorted() -> None:
    fold = Credentials(KEY)
    partials = [fold(leaked(*((b"%d@example.vn" % n, b"x") for n in several))) for several in ((1, 2, 3), (3, 4))]
    merged = fold.merge(pa.concat_batches(partials))
    pairs = merged.column("pair").to_pylist()
    assert pairs == sorted({pair for each in partials for pair in each.column("pair").to_pylist()})
    assert merged.column("row").null_count == 4


def test_keys_are_not_shown_and_a_country_is_a_number() -> None:
    assert "house" not in repr(Credentials(KEY))
    for wrong in ("", "vn", "12345", "٨٤"):
        with pytest.raises(ConfigError, match="calling code"):
            Credentials(KEY, country=wrong)
