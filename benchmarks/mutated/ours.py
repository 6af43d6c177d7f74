"""What the mesh says of a broken object: the rules that refuse it, as at landing, before publication.

Belongs here: staging and auditing a file by a contract, with what it refers to.
Does not belong here: what is broken (`data.py`), peers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.catalogue import data_time_rules
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.reader import stage_object
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import StagedBatch, StagedFile


@dataclass(frozen=True)
class Judge:
    """The contracts of the example below `domains`, and the landed object of each product by its key."""

    domains: Path
    objects: Mapping[str, Path]
    work: Path

    def contract(self, product: str) -> Contract:
        domain, _, name = product.partition("/")
        return read_contract(self.domains / domain / "products" / name / "contract.odcs.yaml")

    def refusals(self, product: str, file: Path, day: str = "") -> list[str]:
        """The names of the blocking rules that fail; `unreadable` where no row of the file is read."""
        contract = self.contract(product)
        rules = [
            rule
            for rule in (*contract.rules, *data_time_rules(contract))
            if kind_of(rule).name != "volume"
        ]
        with tempfile.TemporaryDirectory(dir=self.work) as into:
            try:
                batch = self._staged(contract, file, Path(into), day)
                report = audit(
                    StagedData(batch), contract, rules=rules, references=self._references(contract)
                )
            except (UnreadableObject, MeshProblem):
                return ["unreadable"]
        return [result.rule.name for result in report.refusals]

    def _staged(self, contract: Contract, file: Path, into: Path, day: str) -> StagedBatch:
        into = into / f"partition={day}" if day else into
        into.mkdir(exist_ok=True)
        staged = stage_object(contract, file, str(file), into, audit_follows=True)
        files = tuple(StagedFile(one.path, day, one.rows) for one in staged.files)
        return StagedBatch(
            contract.key,
            "mutation",
            into,
            files,
            rejects=staged.rejects,
            rejected_rows=staged.rejected_rows,
        )

    def _references(self, contract: Contract) -> dict[str, Any]:
        keys = {kind_of(rule).product(rule) for rule in contract.rules} - {None}
        found = {}
        for key in keys:
            into = self.work / "references" / str(key)
            if not into.exists():
                into.mkdir(parents=True)
                self._staged(self.contract(str(key)), self.objects[str(key)], into, "")
            file = next(iter(sorted(into.rglob("*.parquet"))))
            found[str(key)] = StagedData(
                StagedBatch(str(key), "reference", into, (StagedFile(file, "", 0),))
            )
        return found
