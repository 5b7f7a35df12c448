"""Detectors in this process, one batch at a time: the laptop's engine, and the reference for every other one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from khien import schema
from khien.contracts import Detector
from khien.errors import ConfigError, ContractError

_NULL = 0x9E3779B1  # what a missing key hashes to: any number but one that empty text gives (0)
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
_MIX = 0x01000193  # the prime of FNV-1a, so that (a, b) and (b, a) part


@dataclass(frozen=True)
class Embedded:
    """The engine without a cluster.

    Row detectors stream: memory is one batch of at most ``rows`` rows. Keyed detectors get their rows in at most
    ``partitions`` batches, by a hash of the key; until then the columns they read are held in memory, so give them the
    trailing horizon and not the archive. Findings come in the same order each time.
    """

    name: ClassVar[str] = "embedded"

    rows: int = 131_072
    partitions: int = 16

    def __post_init__(self) -> None:
        if self.rows < 1 or self.partitions < 1:
            raise ConfigError(f"engine embedded: rows ({self.rows}) and partitions ({self.partitions}) start at 1")

    def run(
        self, detector: Detector, data: ds.Dataset | pa.RecordBatchReader, /, **beside: ds.Dataset | pa.Table
    ) -> Iterator[pa.RecordBatch]:
        """Findings of a detector over data, in batches of schema.FINDINGS.

        Columns the detector does not read are dropped. ContractError, before the first row is read: a column or table
        it needs is missing or of another type; later: what it found is not of schema.FINDINGS.
        """
        if unlike := set(beside) ^ set(detector.beside):
            raise ContractError(
                f"detector {detector.name} takes {sorted(detector.beside) or 'nothing'} beside its rows:"
                f" {', '.join(sorted(unlike))} is missing or too much"
            )
        _hold_columns(detector, "the table of rows", data.schema, detector.reads)
        for name, wanted in detector.beside.items():
            _hold_columns(detector, name, beside[name].schema, wanted)
        return self._keyed(detector, data, beside) if detector.by else self._row_by_row(detector, data, beside)

    def _row_by_row(
        self, detector: Detector, data: ds.Dataset | pa.RecordBatchReader, beside: Mapping[str, ds.Dataset | pa.Table]
    ) -> Iterator[pa.RecordBatch]:
        whole = {name: _table(beside[name], wanted) for name, wanted in detector.beside.items()}
        for batch in self._batches(data, detector.reads):
            yield _found(detector, batch, whole)

    def _keyed(
        self, detector: Detector, data: ds.Dataset | pa.RecordBatchReader, beside: Mapping[str, ds.Dataset | pa.Table]
    ) -> Iterator[pa.RecordBatch]:
        parts = self._divided(self._batches(data, detector.reads), detector.by)
        tables: dict[str, list[pa.Table]] = {}
        for name, wanted in detector.beside.items():
            table = _table(beside[name], wanted)
            if set(detector.by) <= set(wanted.names):
                divided = self._divided(table.to_batches(), detector.by)
                tables[name] = [pa.Table.from_batches(part, wanted) for part in divided]
            else:
                tables[name] = [table] * self.partitions
        for number, part in enumerate(parts):
            if part:  # a key without rows finds nothing, whatever stands beside it
                rows = pa.concat_batches(part)
                part.clear()
                yield _found(detector, rows, {name: table[number] for name, table in tables.items()})

    def _batches(self, data: ds.Dataset | pa.RecordBatchReader, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
        if isinstance(data, ds.Dataset):
            met: Iterable[pa.RecordBatch] = data.to_batches(columns=wanted.names, batch_size=self.rows)
        else:
            met = data
        for batch in met:
            for start in range(0, batch.num_rows, self.rows):
                yield _projected(batch.slice(start, self.rows), wanted)

    def _divided(self, batches: Iterable[pa.RecordBatch], by: tuple[str, ...]) -> list[list[pa.RecordBatch]]:
        """The rows by partition; rows that share the key are in one, in the order they came."""
        parts: list[list[pa.RecordBatch]] = [[] for _ in range(self.partitions)]
        for batch in batches:
            number = _key_hash(batch, by) % self.partitions
            order = np.argsort(number, kind="stable")
            bounds = np.searchsorted(number[order], np.arange(self.partitions + 1))
            ordered = batch.take(pa.array(order))
            for part, start, end in zip(parts, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                if end > start:
                    part.append(ordered.slice(start, end - start))
        return parts


def _key_hash(batch: pa.RecordBatch, by: tuple[str, ...]) -> np.ndarray:
    """A number for each row (uint32), equal where the key is: in every batch, table and process."""
    mixed = np.zeros(batch.num_rows, np.uint32)
    for name in by:
        column = batch.column(name).dictionary_encode()
        values = column.dictionary
        if not any(is_bytes(values.type) for is_bytes in _BYTES):
            values = values.cast(pa.string())
        hashes = [crc32(value if isinstance(value, bytes) else value.encode()) for value in values.to_pylist()]
        codes = pc.fill_null(column.indices, len(hashes)).to_numpy(zero_copy_only=False)
        mixed = mixed * np.uint32(_MIX) ^ np.array([*hashes, _NULL], np.uint32)[codes]
    return mixed


def _hold_columns(detector: Detector, place: str, given: pa.Schema, wanted: pa.Schema) -> None:
    for field in wanted:
        found = [given.field(index).type for index in given.get_all_field_indices(field.name)]
        if found != [field.type]:
            met = f"has {', '.join(map(str, found))}" if found else "lacks it"
            raise ContractError(f"detector {detector.name} reads the column {field.name} ({field.type}), {place} {met}")


def _projected(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(name) for name in wanted.names], schema=wanted)


def _table(given: ds.Dataset | pa.Table, wanted: pa.Schema) -> pa.Table:
    table = given.to_table(columns=wanted.names) if isinstance(given, ds.Dataset) else given.select(wanted.names)
    return pa.table(table.columns, schema=wanted)


def _found(detector: Detector, rows: pa.RecordBatch, beside: Mapping[str, pa.Table]) -> pa.RecordBatch:
    findings = detector(rows, **beside)
    if not findings.schema.equals(schema.FINDINGS):
        given, wanted = set(findings.schema), set(schema.FINDINGS)
        odd = [f"{field.name} ({field.type})" for field in sorted(given ^ wanted, key=lambda field: field.name)]
        raise ContractError(
            f"detector {detector.name} must find schema.FINDINGS, these differ: {', '.join(odd) or 'the order'}"
        )
    return findings
