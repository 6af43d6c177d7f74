"""Which change of a published schema a store may take: one rule for every store.

Belongs here: comparing the published columns with the contract's.
Does not belong here: changing a table (the stores), or the verdict on a contract's version number
(`contracts/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.evidence.keys import CONTRACT_VERSION
from shared_resources.io_managers.protocol import PublishError

Columns = Sequence[tuple[str, ColumnType]]


def columns_of(contract: Contract) -> tuple[tuple[str, ColumnType], ...]:
    return tuple((column.name, column.type) for column in contract.columns)


def widens(old: ColumnType, new: ColumnType) -> bool:
    """Whether every value of `old` is one of `new` without loss, so that old files need no rewrite.

    The promotions of the Iceberg specification: int to long, float to double, more decimal digits.
    """
    if old == new:
        return True
    if old.family is not new.family:
        return False
    if old.family is Family.DECIMAL:
        return new.scale == old.scale and new.precision >= old.precision
    if old.family in (Family.INTEGER, Family.FLOAT):
        return new.width >= old.width
    return True


def check_evolution(
    contract: Contract,
    published: Columns,
    evidence: Mapping[str, str],
    *,
    replaces_everything: bool,
) -> None:
    """Raise `PublishError` unless the published schema can become the contract's.

    `evidence` are the published version's properties, which name the contract's version then.
    Added columns and widened types always can. A column that is gone or has another type breaks
    readers: it needs a new major version of the contract, and a batch that replaces everything,
    since rows that stay cannot be of two shapes.
    """
    wanted = dict(columns_of(contract))
    gone = [name for name, _ in published if name not in wanted]
    retyped = [
        f"{name} from {old} to {wanted[name]}"
        for name, old in published
        if name in wanted and not widens(old, wanted[name])
    ]
    if not gone and not retyped:
        return
    what = "; ".join(
        ([f"column {', '.join(gone)} is gone"] if gone else [])
        + ([f"the type changes: {', '.join(retyped)}"] if retyped else [])
    )
    before = evidence.get(CONTRACT_VERSION, "")
    # A version that is no number permits nothing.
    if _major(before) < 0 or _major(contract.version) <= _major(before):
        raise PublishError(
            f"{contract.key}: the contract no longer fits what is published ({what}), and nothing "
            f"was published. Take the change back, or, if it is meant, raise the contract's "
            f"version from {contract.version} to a new major version in {contract.path}."
        )
    if not replaces_everything:
        raise PublishError(
            f"{contract.key}: {what}, but this batch replaces only some of the rows, and those "
            f"that stay would have another shape. Publish every partition in one batch."
        )


def check_partition_column(contract: Contract, published: str | None) -> None:
    """Raise `PublishError` when the published partitions are not by the contract's column."""
    wanted = contract.partitioning.column if contract.partitioning else None
    if published != wanted:
        raise PublishError(
            f"{contract.key} is published with partitions by {published or 'nothing'}, "
            f"and the contract {contract.path} asks for {wanted or 'none'}. Partitions cannot "
            "change under readers: take the change back, or publish a product of another name."
        )


def _major(version: str) -> int:
    """The major number; -1 for text that has none."""
    head = version.partition(".")[0]
    return int(head) if head.isdecimal() else -1
