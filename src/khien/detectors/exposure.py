"""Mail domains whose accounts leaked: a count beside who the domains belong to, and never an address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from khien import schema

KIND = "mail-domain"


@dataclass(frozen=True)
class Exposure:
    """Finds how many accounts of each proven mail domain are in each collection; sensitive collections are passed over.

    constituents: the proven mail domains. A finding's subject is the domain, its claim the collection's id, its measure
    the number of distinct accounts; its score, by which it ranks, is n / (n + 1).
    """

    name: ClassVar[str] = "exposure"
    reads: ClassVar[pa.Schema] = schema.CREDENTIALS
    by: ClassVar[tuple[str, ...]] = ("domain", "collection")
    beside: ClassVar[Mapping[str, pa.Schema]] = {"constituents": schema.MAIL_DOMAINS}

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        """schema.FINDINGS, one for each domain and collection."""
        names = {row["domain"]: row["name"] for row in beside["constituents"].to_pylist()}
        asked = pc.SetLookupOptions(pa.array(list(names), pa.binary(8)))
        theirs = pc.call_function("is_in", [batch["domain"]], asked)
        plain = pc.call_function("invert", [pc.fill_null(batch["sensitive"], True)])
        told = pc.call_function("and", [theirs, plain])
        rows = pa.Table.from_batches([batch.filter(told)])
        counted = rows.group_by(list(self.by)).aggregate([("account", "count_distinct")])
        found = [
            self._finding(names[row["domain"]], row["collection"], row["account_count_distinct"])
            for row in counted.to_pylist()
        ]
        return pa.RecordBatch.from_pylist(found, schema.FINDINGS)

    def _finding(self, domain: str, collection: str, accounts: int) -> dict[str, object]:
        return {
            "id": schema.finding_id(self.name, KIND, domain, collection),
            "detector": self.name,
            "kind": KIND,
            "subject": domain,
            "claim": collection,
            "score": accounts / (accounts + 1),
            "techniques": [],
            "suppressed": False,
            "reasons": [{"code": "exposed", "params": [("count", str(accounts))]}],
            "measures": [("accounts", float(accounts))],
        }
