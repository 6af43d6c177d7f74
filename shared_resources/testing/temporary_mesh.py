"""A mesh that is gone after the test: the project's domains, with state of their own.

Belongs here: publishing rows as an input, making a product of them, what came of it.
Does not belong here: making and auditing, which are those of a run (`data_products/`).
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.values.lossless import conform
from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import Attempt, AuditedBatch, Run, attempt
from shared_resources.data_products.batch import Made as MadeBatch
from shared_resources.data_products.definition import (
    ProductDefinition,
    define_product,
    product_inputs,
)
from shared_resources.data_products.makers.making import make
from shared_resources.data_products.pinned_inputs import open_pinned
from shared_resources.data_products.publishing import make_ready, publish
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.stopped import ProductStopped, stopped_products
from shared_resources.mesh import read_whole_mesh
from shared_resources.problems import MeshProblem
from shared_resources.stores.opening import holding, open_product
from shared_resources.stores.protocol import UNPARTITIONED, StagedBatch
from shared_resources.stores.staging.staging import write_staged
from shared_resources.testing.rows import rows_of
from shared_resources.wiring import current

_VARIABLES = ("MESH_ROOT", "MESH_HOME", "MESH_ENV", "MESH_BRANCH", "DAGSTER_HOME")


class NotPublishable(MeshProblem):
    """The audit refused the rows; the message names the rules and what they found."""


@dataclass(frozen=True)
class Made:
    """What became of a product. `rows` are what readers see of it now, None if it was refused."""

    report: AuditReport
    rows: pa.Table | None

    @property
    def passed(self) -> bool:
        return self.rows is not None

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the rules that refused it."""
        return tuple(one.rule.name for one in self.report.refusals)


class TemporaryMesh:
    """Domains as they stand in the project, of which nothing is published yet."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._mesh = read_whole_mesh(environment)

    def contract(self, product: str) -> Contract:
        """The contract of `domain/name`. Raises `KeyError`, `ProductStopped`."""
        return self._definition(product).contract

    def publish(self, product: str, rows: Any = 20, **columns: Any) -> pa.Table:
        """Publish rows as the product's version, once they are audited; what readers see then.

        `rows` are a frame of any kind that a product's function may return, or how many are made
        (`rows_of`, with `columns`). Raises `NotPublishable`, `NoSuchRows`.
        """
        definition = self._definition(product)
        contract = definition.contract
        given = rows_of(contract, rows, **columns) if isinstance(rows, int) else rows
        begun = self._attempt(definition, _days(definition.contract, given))
        store = self.environment.stores_of(definition.contract)[0]
        folder = store.staging_folder(definition.contract, begun.batch_id)
        partitions = begun.run.partitions
        staged = write_staged(
            conform(given, definition.contract), folder, definition.contract, partitions
        )
        parts = tuple(
            StagedBatch(
                product,
                begun.batch_id,
                folder,
                tuple(file for file in staged if file.partition == key),
                (key,),
            )
            for key in partitions
        )
        made = self._published(audit_batch(begun, MadeBatch(parts)))
        if made.rows is None:
            found = "; ".join(f"{one.rule.name}: {one.message}" for one in made.report.refusals)
            raise NotPublishable(f"{product} refuses the rows: {found}")
        return made.rows

    def make(self, product: str, days: Sequence[str] = ()) -> Made:
        """Make the product of what is published, audit it, and publish it unless it is refused.

        Of a daily product, the `days`. Raises `NotPublished` for an input that is not, and whatever
        the product's own code raises.
        """
        definition = self._definition(product)
        begun = self._attempt(definition, tuple(days) or (UNPARTITIONED,))
        return self._published(audit_batch(begun, make(begun)))

    def rows(self, product: str) -> pa.Table:
        """What readers see. Raises `NotPublished`."""
        return open_product(self.environment, product).batches().read_all()

    def _definition(self, product: str) -> ProductDefinition:
        folder = self._mesh.product(product)
        domain = self._mesh.domain(folder.domain)
        if why := stopped_products(self._mesh, domain).get(product):
            raise ProductStopped(why)
        definition = define_product(self.environment, domain, folder)
        kept = [rule for rule in definition.contract.rules if self._has_what(rule)]
        return replace(definition, contract=replace(definition.contract, rules=tuple(kept)))

    def _has_what(self, rule: Any) -> bool:
        """Whether what the rule looks into is published: a test need not publish all of a mesh."""
        other = kind_of(rule).product(rule)
        return other is None or holding(self.environment, other)[0] is not None

    def _attempt(self, definition: ProductDefinition, days: tuple[str, ...]) -> Attempt:
        run = Run(f"test-{uuid.uuid4().hex[:12]}", days)
        make_ready(self.environment, definition.contract)
        inputs = {
            key: open_pinned(self.environment, run.run_id, key)
            for key in product_inputs(self.environment, definition)
            if holding(self.environment, key)[0] is not None
        }
        return attempt(self.environment, definition, run, inputs)

    def _published(self, audited: AuditedBatch) -> Made:
        if not audited.passed:
            return Made(audited.report, None)
        publish(audited)
        return Made(audited.report, self.rows(audited.attempt.contract.key))


def _days(contract: Contract, rows: Any) -> tuple[str, ...]:
    if contract.partitioning is None:
        return (UNPARTITIONED,)
    column = conform(rows, contract).read_all()[contract.partitioning.column]
    days = {value.isoformat()[:10] for value in column.to_pylist() if value is not None}
    return tuple(sorted(days))


@contextmanager
def temporary_mesh(root: Path | None = None) -> Iterator[TemporaryMesh]:
    """The mesh of a test, and of this process as long as the block lasts: `read` reads from it.

    `root` is the project, by default the one that this process is in.
    """
    project = root or current().root
    before = {name: os.environ.get(name) for name in _VARIABLES}
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    with TemporaryDirectory(prefix="mesh-test-") as home:
        for name in ("MESH_ENV", "MESH_BRANCH", "DAGSTER_HOME"):
            os.environ.pop(name, None)
        os.environ |= {"MESH_ROOT": str(project), "MESH_HOME": home}
        try:
            yield TemporaryMesh(current())
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
