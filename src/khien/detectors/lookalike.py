"""Names that imitate a protected name: a thin detector over the knowledge in ``names``."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.compiled import kept
from khien.model import Register
from khien.names import program, scan
from khien.names.explain import Explained, explain
from khien.names.register import LureGroup

KIND = "domain"
LEAST = -4.6  # log-odds, a score of 0.01: below, a match has too little beside it to be called a finding

_NONE = pa.RecordBatch.from_pylist([], schema.FINDINGS)
_SOURCES = Path(program.__file__).parent  # the tables depend on how they are made


@dataclass(frozen=True)
class Lookalike:
    """Finds which protected name each domain name imitates, and how.

    register: the protected names; lures: words attackers put beside them. fold, lexicon, popular: the contents of the
    files of these names in ``data``, unpacked; suffixes: a public suffix list. A finding's subject is the name in lower
    case without trailing dot, its claim the protected name's id, its span characters of the subject; it starts and ends
    when the name was seen.
    """

    name: ClassVar[str] = "lookalike"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    register: Register
    lures: tuple[LureGroup, ...]
    fold: bytes
    lexicon: bytes
    popular: bytes
    suffixes: bytes

    def __hash__(self) -> int:
        """Of what remembers its own hash: a register, which does not, takes longer than a name."""
        return hash((self.fold, self.lexicon, self.popular, self.suffixes))

    def __call__(self, batch: pa.RecordBatch, /, **_: pa.Table) -> pa.RecordBatch:
        """schema.FINDINGS of names; a null is passed over."""
        column = batch.column("name")
        if column.null_count:
            column = pc.fill_null(column, "")
        _, offsets, row = column.buffers()
        brands = self.register.names
        subjects: list[str] = []
        claims: list[str] = []
        scores: list[float] = []
        told: list[Explained] = []
        rows: list[int] = []
        if len(column) and row is not None:
            ready = self.program
            ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
            for found in program.run(ready, ends, np.frombuffer(row, np.uint8), LEAST):
                if not len(found.numbers):
                    continue
                here = found.numbers[:, scan.ROW].tolist()
                rows += here
                names = pc.call_function("utf8_lower", [column.take(_numbers(here))])
                for name, line in zip(names.to_pylist(), found.numbers.tolist(), strict=True):
                    subjects.append(name.removesuffix("."))
                    claims.append(self.register.names[ready.words[line[scan.WORD]].owner].id)
                    told.append(explain(ready, brands, subjects[-1], line))
                scores += found.scores.tolist()
        if not rows:
            return _NONE
        return _findings(subjects, claims, scores, told, batch.column("seen_at").take(_numbers(rows)))

    @property
    def program(self) -> program.Program:
        """The tables the scan reads, made once and kept on this machine."""
        return _program(self)


@lru_cache(maxsize=8)
def _program(detector: Lookalike) -> program.Program:
    inputs = (detector.fold, detector.lexicon, detector.popular, detector.suffixes)
    digest = hashlib.sha256(msgspec.msgpack.encode((detector.register, detector.lures)))
    for each in (*inputs, *(file.read_bytes() for file in sorted(_SOURCES.glob("*.py")))):
        digest.update(hashlib.sha256(each).digest())

    def make() -> bytes:
        return program.build(detector.register, detector.lures, *inputs).pack()

    return program.Program.unpack(kept(f"names-{digest.hexdigest()[:32]}.tables", make))


def _findings(
    subjects: list[str], claims: list[str], scores: list[float], told: list[Explained], seen_at: pa.Array
) -> pa.RecordBatch:
    n = len(subjects)
    ids = [
        schema.finding_id(Lookalike.name, KIND, subject, claim) for subject, claim in zip(subjects, claims, strict=True)
    ]
    reasons = [reason for each in told for reason in each.reasons]
    params = [pair for _, pairs in reasons for pair in pairs.items()]
    columns: dict[str, pa.Array] = {
        "id": pa.array(ids, pa.binary(32)),
        "detector": pa.repeat(pa.scalar(Lookalike.name, pa.string()), n),
        "kind": pa.repeat(pa.scalar(KIND, pa.string()), n),
        "subject": pa.array(subjects, pa.string()),
        "claim": pa.array(claims, pa.string()),
        "score": pa.array(scores, pa.float64()),
        "start": seen_at,
        "end": seen_at,
        "techniques": pa.array([each.techniques for each in told], schema.FINDINGS.field("techniques").type),
        "span": pa.array([each.span for each in told], schema.FINDINGS.field("span").type),
        "suppressed": pa.array([each.suppressed for each in told], pa.bool_()),
        "reasons": pa.ListArray.from_arrays(
            _offsets(len(each.reasons) for each in told),
            pa.StructArray.from_arrays(
                [
                    pa.array([code for code, _ in reasons], pa.string()),
                    pa.MapArray.from_arrays(
                        _offsets(len(pairs) for _, pairs in reasons),
                        pa.array([key for key, _ in params], pa.string()),
                        pa.array([value for _, value in params], pa.string()),
                    ),
                ],
                fields=list(schema.REASON),
            ),
        ),
    }
    return pa.RecordBatch.from_arrays(
        [columns.get(field.name, pa.nulls(n, field.type)) for field in schema.FINDINGS], schema=schema.FINDINGS
    )


def _offsets(lengths: Iterable[int]) -> pa.Array:
    return _numbers([*accumulate(lengths, initial=0)])


def _numbers(numbers: list[int]) -> pa.Array:
    """From a list: for the first NumPy array it meets pyarrow loads ``numpy.ma``, which takes longer than a page."""
    return pa.array(numbers, pa.int32())
