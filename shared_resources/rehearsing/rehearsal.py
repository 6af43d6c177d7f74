"""A rehearsal of one product: made and audited, and compared with what is published.

Belongs here: the order of the steps, and which day is made.
Does not belong here: each step; showing the outcome (`cli/commands/teams/test.py`).
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from shared_resources.arrivals.whole_prefix import look
from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import AuditedBatch, Run, attempt
from shared_resources.data_products.dbt.forking.asking import serving
from shared_resources.data_products.definition import (
    ProductDefinition,
    define_product,
    product_inputs,
)
from shared_resources.data_products.makers.making import make
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.stopped import ProductStopped, stopped_products
from shared_resources.mesh import Mesh, ProductKind
from shared_resources.rehearsing.changes import Changes, changes
from shared_resources.rehearsing.forgetting import forgetting
from shared_resources.rehearsing.given_inputs import Given, NotGiven, open_inputs
from shared_resources.stores.protocol import UNPARTITIONED


@dataclass(frozen=True)
class Rehearsal:
    """What became of it. `publishable` rows would be published, `lost` would go to quarantine.

    `changes` is None where nothing is published, or nothing would be.
    """

    product: str
    partitions: tuple[str, ...]
    report: AuditReport
    publishable: int
    lost: int
    refused: tuple[str, ...]
    changes: Changes | None

    @property
    def passed(self) -> bool:
        return not self.refused


def rehearse(
    environment: Environment, mesh: Mesh, key: str, given: Given, days: Sequence[str] = ()
) -> Rehearsal:
    """Make and audit the product, of a daily one the `days` (by default the newest that there is).

    Nothing is published, noted or quarantined. Raises `ProductStopped`, `NotGiven`, `NotPublished`,
    and whatever making raises.
    """
    with forgetting(environment) as rehearsed:
        audited = audited_product(rehearsed, environment, rehearsed.home, mesh, key, given, days)
        contract, staged = audited.attempt.contract, audited.staged
        return outcome(audited, changes(rehearsed, contract, staged) if staged else None)


def audited_product(
    made_in: Environment,
    published: Environment,
    scratch: Path,
    mesh: Mesh,
    key: str,
    given: Given,
    days: Sequence[str] = (),
) -> AuditedBatch:
    """The product made of what is `published` and audited in the environment `made_in`, where it
    waits to be published, or forgotten. Raises what `rehearse` does.
    """
    product = mesh.product(key)
    domain = mesh.domain(product.domain)
    if why := stopped_products(mesh, domain).get(key):
        raise ProductStopped(why)
    if str(made_in.root) not in sys.path:
        sys.path.insert(0, str(made_in.root))  # a product's code may import its domain's
    dbt = serving() if product.kind is ProductKind.DBT else nullcontext()  # it is asked twice
    with dbt:
        definition = define_product(made_in, domain, product)
        wanted = product_inputs(made_in, definition)
        if given.sample is not None and definition.kind is ProductKind.INGEST:
            raise NotGiven(f"{key} is made of what landed, of which no sample is read")
        # What rules only look into stays whole: a sample of it would lack what rows refer to.
        made_of = [one for one in wanted if one not in definition.referenced_products]
        inputs = open_inputs(published, scratch, mesh, wanted, made_of, given)
        run = Run(
            f"rehearsal-{uuid.uuid4().hex[:12]}", days_to_make(made_in, definition, inputs, days)
        )
        begun = attempt(made_in, definition, run, inputs)
        return audit_batch(begun, make(begun))


def outcome(audited: AuditedBatch, changed: Changes | None) -> Rehearsal:
    """What is told of it."""
    staged = audited.staged
    return Rehearsal(
        audited.attempt.contract.key,
        audited.attempt.run.partitions,
        audited.report,
        sum(file.rows for file in staged.files) if staged else 0,
        sum(entry.rows for entry in audited.quarantined),
        audited.refused,
        changed,
    )


def days_to_make(
    environment: Environment,
    definition: ProductDefinition,
    inputs: Mapping[str, PinnedInput],
    days: Sequence[str] = (),
) -> tuple[str, ...]:
    """The partitions that are made of these inputs: the `days`, by default the newest that there is.

    Raises `NotGiven` where there is none, and for days of a product without.
    """
    if definition.contract.partitioning is None:
        if days:
            raise NotGiven(f"{definition.key} has no days: leave --day out")
        return (UNPARTITIONED,)
    if days:
        return tuple(sorted({*days}))
    if definition.kind is ProductKind.INGEST:
        there: Collection[str] = look(environment, definition.contract).by_partition
    else:
        daily = [{*one.snapshot.partitions()} for one in inputs.values()]
        there = set.intersection(*(found for found in daily if found)) if any(daily) else ()
    if not there:
        raise NotGiven(f"{definition.key}: no day is there to be made; name one with --day")
    return (max(there),)
