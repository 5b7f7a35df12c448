"""Messages that tell the story of a scam: a thin detector over the knowledge in ``messages``."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.messages import judge
from khien.model import Register

KIND = "message"
LEAST = 0.2  # a score below which a message shows too little to be called a finding

_ROW = pa.struct(list(schema.FINDINGS))


@dataclass(frozen=True)
class Lure:
    """Finds which story of a scam a message tells, and by which tricks.

    brands: the protected names, for what a message claims to be and where its links should lead; tricks, weights: the
    contents of ``tricks.toml`` and of the table ``messages.tsv`` in ``data``. A finding's subject is the SHA-256 in hex
    of the masked text, its claim the kind of story (words.STORIES), its techniques the tricks; its score is likely from
    messages.judge.LIKELY on. Reasons quote the text: said, and span, first and behind its last character.
    """

    name: ClassVar[str] = "lure"
    reads: ClassVar[pa.Schema] = schema.MESSAGES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    brands: Register
    tricks: bytes
    weights: bytes

    def __hash__(self) -> int:
        """Of what remembers its own hash: a register, which does not, takes longer than a message."""
        return hash((self.tricks, self.weights))

    def __call__(self, batch: pa.RecordBatch, /, **_: pa.Table) -> pa.RecordBatch:
        """schema.FINDINGS of messages; a null is passed over."""
        ready = self.judge
        rows = zip(batch.column("text").to_pylist(), batch.column("sender").to_pylist(), strict=True)
        found = ((text, ready.judged(text, sender or "")) for text, sender in rows if text)
        findings = [_finding(text, judged) for text, judged in found if judged.score >= LEAST]
        return pa.RecordBatch.from_struct_array(pa.array(findings, _ROW))

    def used(self, text: str, sender: str) -> tuple[str, ...]:
        """Those that a masked message uses, also where they are too few for a finding."""
        return self.judge.used(text, sender)

    @property
    def judge(self) -> judge.Judge:
        """What judges one message, made once in a process."""
        return _ready(self)


@lru_cache(maxsize=8)
def _ready(detector: Lure) -> judge.Judge:
    return judge.Judge(detector.brands, detector.tricks, detector.weights)


def _finding(text: str, judged: judge.Judged) -> dict[str, object]:
    subject = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "id": schema.finding_id(Lure.name, KIND, subject, judged.kind),
        "detector": Lure.name,
        "kind": KIND,
        "subject": subject,
        "claim": judged.kind,
        "score": judged.score,
        "techniques": judged.tricks,
        "suppressed": False,
        "reasons": [{"code": each.code, "params": [*each.params.items()]} for each in judged.reasons],
    }
