"""Each kind of violation, planted in a detector, is seen to fail; what is allowed is seen to pass."""

import ctypes
import importlib
import os
import pickle
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from khien import schema
from khien.compiled import kernel
from khien.errors import ContractError
from khien.testing.detector import check_detector
from khien.testing.purity import forbidden_inside
from tests import toy

ROWS = pa.RecordBatch.from_pylist([{"name": "a.example"}, {"name": "b.example"}], schema.NAMES)

VIOLATIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "read": (lambda: Path(os.devnull).read_bytes(), f"open .*{os.devnull}"),
    "read what imports may": (lambda: Path(sys.executable).read_bytes(), "open .*python"),
    "write beside a module": (lambda: Path(__file__).with_name("planted.py").write_bytes(b""), "open .*planted.py"),
    "descriptor": (lambda: os.fdopen(0, closefd=False), "open 0"),
    "list": (lambda: os.listdir(os.sep), "os.listdir"),
    "remove": (lambda: os.remove("nowhere"), "os.remove 'nowhere'"),
    "move": (lambda: shutil.move("nowhere", "elsewhere"), "shutil.move"),
    "temporary": (lambda: tempfile.mkdtemp(), "tempfile.mkdtemp"),
    "environment": (lambda: os.environ.setdefault("KHIEN_PLANTED", "1"), "os.putenv"),
    "socket": (lambda: socket.socket(), "socket.__new__"),
    "resolve": (lambda: socket.getaddrinfo("localhost", 80), "socket.getaddrinfo 'localhost'"),
    "process": (lambda: subprocess.run(["true"]), "subprocess.Popen 'true'"),
    "shell": (lambda: os.system("true"), "os.system"),
    "fork": (lambda: os.fork(), "os.fork"),
    "thread": (lambda: threading.Thread(target=int).start(), "start_.*thread"),
    "foreign library": (lambda: ctypes.CDLL("libc.so.6"), "ctypes.dlopen 'libc.so.6'"),
    "clock": (lambda: time.time(), "time.time"),
    "stopwatch": (lambda: time.perf_counter_ns(), "time.perf_counter_ns"),
    "calendar": (lambda: time.localtime(), "time.localtime"),
    "sleep": (lambda: time.sleep(0), "time.sleep"),
    "chance": (lambda: random.random(), "random.random"),
    "order": (lambda: random.shuffle([1, 2]), "random.shuffle"),
    "system chance": (lambda: os.urandom(1), "os.urandom"),
    "secret": (lambda: secrets.token_hex(), "random._urandom"),
    "uuid": (lambda: uuid.uuid4(), "urandom"),
    "numpy's chance": (lambda: np.random.rand(), "numpy.random.rand"),
    "unseeded generator": (lambda: np.random.default_rng(), "random._urandom"),
}


@dataclass(frozen=True)
class Planted:
    """A detector that does the named thing for every batch, and may hide that it was refused."""

    name: ClassVar[str] = "planted"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    violation: str
    hides: bool = False

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        with suppress(ContractError if self.hides else ()):
            VIOLATIONS[self.violation][0]()
        return toy.findings(
            toy.finding(self.name, "domain", name, "planted", 0.5, None) for name in batch.column("name").to_pylist()
        )


@pytest.mark.parametrize("hides", [False, True], ids=["open", "hidden"])
@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_fails(violation: str, hides: bool) -> None:
    with pytest.raises(ContractError, match=VIOLATIONS[violation][1]):
        check_detector(Planted(violation, hides), ROWS, {})


def test_chance_under_a_seed_is_none() -> None:
    with forbidden_inside():
        assert random.Random(7).random() == random.Random(7).random()
        assert np.random.default_rng(7).random() == np.random.default_rng(7).random()


def test_importing_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "khien_planted_module.py").write_text("ANSWER = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with forbidden_inside():
        assert importlib.import_module("khien_planted_module").ANSWER == 42


@kernel("i8", "u1*", "i8")
def total(bytes_: Any, count: int) -> int:
    result = 0
    for number in range(count):
        result += bytes_[number]
    return result


def test_compiling_a_kernel_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHIEN_CACHE", str(tmp_path / "kernels"))
    with forbidden_inside():
        assert total(np.frombuffer(b"\1\2\3", np.uint8), 3) == 6
    assert list((tmp_path / "kernels").glob("total-*.o"))


def test_the_world_is_back_afterwards() -> None:
    before = time.time, random.random, os.urandom
    with forbidden_inside(), forbidden_inside():
        assert time.time is not before[0]
    assert (time.time, random.random, os.urandom) == before
    assert Path(__file__).read_text(encoding="utf-8")
    assert time.time() > 0


def test_other_threads_are_left_alone() -> None:
    """A block open in one thread refuses nothing in another, whichever closes first."""
    opened, done = threading.Event(), threading.Event()
    told: list[float] = []

    def outside() -> None:
        opened.wait()
        told.append(time.time())
        told.append(len(Path(__file__).read_bytes()))
        done.set()

    thread = threading.Thread(target=outside)
    thread.start()
    with forbidden_inside():
        opened.set()
        done.wait()
    thread.join()
    assert len(told) == 2


def test_a_clean_detector_passes() -> None:
    with forbidden_inside():
        assert pickle.loads(pickle.dumps(toy.Lengthy(3)))(ROWS).num_rows == 2
