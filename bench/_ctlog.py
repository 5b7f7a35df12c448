"""The two sides of the bench of certificate transparency, each a process of its own: a log, and who reads it.

python bench/_ctlog.py serve KIND ENTRIES FOLDER
python bench/_ctlog.py read LIST ENTRIES FOLDER STORED
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.ctlogs import Authority, Leaf, Log, leaf, log_list  # noqa: E402 - not installed

CHAIN = (b"\x30" * 1100, b"\x30" * 1300)  # of an answer: what authorities stand behind a certificate
AT = 1_793_500_000_000  # milliseconds: when the first was logged; a millisecond each
SERIAL = 1 << 100


class Made(Sequence[Leaf]):
    """Leaves made when they are looked at: half certificates, half precertificates, all with names of their own."""

    def __init__(self, names: Sequence[str], static: bool, count: int) -> None:
        certificate = Authority().issue("placeholder.example", serial=SERIAL)
        self._tbs = certificate.tbs_certificate_bytes
        self._names, self._static, self._count = names, static, count
        self._signed = certificate.signature

    def __len__(self) -> int:
        return self._count

    def names(self, index: int) -> tuple[str, str]:
        """The names of an entry: no other has them."""
        name = f"e{index // len(self._names)}.{self._names[index % len(self._names)]}"
        return name, f"www.{name}"

    def __getitem__(self, index: int | slice) -> Leaf | list[Leaf]:
        if isinstance(index, slice):
            return [self._leaf(each) for each in range(*index.indices(self._count))]
        return self._leaf(index)

    def _leaf(self, index: int) -> Leaf:
        tbs = _with_names(self._tbs, index, self.names(index))
        certificate = _der(0x30, tbs + b"\x30\x0a\x06\x08*\x86H\xce=\x04\x03\x02" + _der(3, b"\0" + self._signed))
        return leaf(certificate, tbs, index % 2 == 1, AT + index, index if self._static else None, CHAIN)


def _der(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width) + contents


def _with_names(tbs: bytes, serial: int, names: Sequence[str]) -> bytes:
    """What is to be signed, with another serial of as many octets, other names, and what else certificates carry."""
    head = tbs[tbs.index(b"\xa0\x03\x02\x01\x02") : tbs.rindex(b"\xa3")]
    head = head.replace(SERIAL.to_bytes(13), (SERIAL + serial).to_bytes(13))
    alternatives = _der(0x30, b"".join(_der(0x82, each.encode()) for each in names))
    extensions = _der(0x30, b"\x06\x03\x55\x1d\x11" + _der(4, alternatives))
    extensions += _der(0x30, b"\x06\x03\x2a\x03\x04" + _der(4, bytes(300)))
    return _der(0x30, head + _der(0xA3, _der(0x30, extensions)))


def serve(kind: str, count: int, folder: Path) -> None:
    """Serves a log until standard input ends."""
    import _lists

    names = [each for each in _lists.stream(_lists.LISTS) if len(each) < 200 and each.isascii() and "*" not in each]
    made = Made(names, kind == "static", count)
    with Log(f"Bench {kind}", kind, most=1024, packed=False) as log:  # type: ignore[arg-type]
        for each in made[:]:
            log.put(each)
        log.leaves = made  # type: ignore[assignment]
        log.publish()
        print(log_list(folder / f"{kind}.json", log), flush=True)
        sys.stdin.read()


def read(listed: str, count: int, folder: Path) -> None:
    """Reads all a log holds, looks for imitations and saves what is found; says what that took, page by page."""
    from khien.app import machine, registers
    from khien.pipeline import collect
    from khien.pipeline.warn import Triage
    from khien.sources.ctlog.source import CtLog, progress

    machine.run_long()
    source = CtLog(lambda: datetime.now(UTC), listed, backlog=count, until_head=True, poll=60, allow=("127.0.0.0/8",))
    feed = collect.Feed("ct", source, "names", None, (registers.lookalike(),))
    feed.detectors[0](pa.RecordBatch.from_pylist([{"name": "a.example"}], source.yields))  # kernels are loaded
    pages: list[tuple[float, int, int, int, int]] = []  # seconds, entries done, names, findings, the oldest entry
    with machine.store(folder / f"store-{time.monotonic_ns()}") as store:
        started = time.perf_counter()

        def told(work: collect.Work | collect.Halt) -> None:
            if isinstance(work, collect.Halt):
                return
            left = sum(each.behind for each in progress(work.cursor))
            found = sum(each.num_rows for each in work.findings)
            oldest = min(work.rows["index"].to_numpy(), default=count)
            pages.append((time.perf_counter() - started, count - left, work.rows.num_rows, found, int(oldest)))

        triage = Triage(("resolver", "rdap", "site"), {each.id: each for each in registers.load().names})
        collect.run((feed,), machine.engine(), store, machine.clock, Event(), told, triage)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"cpu": sum(os.times()[:2]), "peak": int(peak.split()[1]) * 1024, "pages": pages}), flush=True)


if __name__ == "__main__":
    how, what, entries, place = sys.argv[1:]
    {"serve": serve, "read": read}[how](what, int(entries), Path(place))
