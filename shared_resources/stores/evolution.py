"""Which change of a published schema a store may take: one rule for every store.

Belongs here: refusing what breaks what is published.
Does not belong here: changing a table (the stores), what a break is (`contracts/promise.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import (
    Promise,
    goes_back,
    in_development,
    may_break,
    renamed,
)
from shared_resources.contracts.types import ColumnType
from shared_resources.evidence.keys import CONTRACT_VERSION
from shared_resources.evidence.record import promise_in
from shared_resources.stores.protocol import PublishError

Columns = Sequence[tuple[str, ColumnType]]


def columns_of(contract: Contract) -> tuple[tuple[str, ColumnType], ...]:
    return tuple((column.name, column.type) for column in contract.columns)


def check_evolution(
    contract: Contract,
    published: Columns,
    evidence: Mapping[str, str],
    *,
    replaces_everything: bool,
) -> None:
    """Raise `PublishError` unless what is published can become the contract's.

    `published` are the store's own columns; `evidence` are the published version's properties, which
    name the contract's version and what it promised. Added columns and widened types always can, and
    what is called otherwise stays where it is. A column that is gone or has another type, a key that is
    another, a column that may now be null breaks readers: it needs a new major version of the contract,
    and where rows of two shapes would stand beside each other, a batch that replaces everything. A
    version below the published one would let a break through on its way up again, and two shapes under
    one number.
    """
    promised = promise_in(evidence)
    shape = Promise(
        dict(published),
        promised.required if promised else frozenset(),
        promised.primary_key if promised else (),
        promised.servers if promised else (),
    )
    breaks = shape.broken_by(Promise.of(contract))
    if not breaks:
        if why := lowered(contract, evidence.get(CONTRACT_VERSION, "")):
            raise PublishError(f"{why} Nothing was published.")
        return
    what = "; ".join(found.message for found in breaks)
    before = evidence.get(CONTRACT_VERSION, "")
    if why := lowered(contract, before) if in_development(before) else None:
        raise PublishError(f"{why} Nothing was published.")
    # Below 1.0.0 who reads the product decides, whom a store does not know: it is asked before.
    if not (in_development(before) or may_break(before, contract.version)):
        raise PublishError(
            f"{contract.key}: the contract no longer fits what is published ({what}), and nothing "
            f"was published. Take the change back, or, if it is meant, raise the contract's "
            f"version from {contract.version} to a new major version in {contract.path}."
        )
    held = {old: new for new, old in renamed(contract, dict(published)).items()}
    now = {held.get(name, name): type_ for name, type_ in published}
    reshaped = Promise(now).broken_by(Promise.of(contract))
    if reshaped and not replaces_everything:
        raise PublishError(
            f"{contract.key}: {what}, but this batch replaces only some of the rows, and those "
            f"that stay would have another shape. Publish every partition in one batch."
        )


def lowered(contract: Contract, published: str) -> str | None:
    """What is wrong when the contract's version is below that of what is published."""
    if not goes_back(published, contract.version):
        return None
    return (
        f"{contract.key} is published under version {published} of its contract, and "
        f"{contract.path} says {contract.version}. Versions only rise: say {published}, or a higher "
        "one if the contract has changed; `mesh rollback` takes back data."
    )


def check_partition_column(contract: Contract, published: str | None) -> None:
    """Raise `PublishError` when the published partitions are not by the contract's column."""
    if why := repartitioned(contract, published or ""):
        raise PublishError(why)


def repartitioned(contract: Contract, published: str) -> str | None:
    """What is wrong when the published partitions, ``""`` for none, are not the contract's."""
    wanted = contract.partitioning.column if contract.partitioning else ""
    if wanted == published or (wanted and renamed(contract, (published,)).get(wanted)):
        return None
    return (
        f"{contract.key} is published with partitions by {published or 'nothing'}, "
        f"and the contract {contract.path} asks for {wanted or 'none'}. Partitions cannot "
        "change under readers: take the change back, or publish a product of another name."
    )
