"""What the next version in the warehouse keeps of the last one, and whether it may follow on it.

Belongs here: the files that stay, the columns, the checks of the schema.
Does not belong here: committing (`store.py`), whether a change may be made (`stores/evolution.py`).
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import renamed
from shared_resources.stores.embedded_warehouse.manifest import DataFile, Manifest
from shared_resources.stores.evolution import (
    check_evolution,
    check_partition_column,
    columns_of,
)


def kept_files(
    contract: Contract, last: Manifest | None, replaced: frozenset[str], *, everything: bool
) -> tuple[DataFile, ...]:
    """The files of the last version that stay, in the names of the contract."""
    if last is None or everything:
        return ()
    names = {old: new for new, old in renamed(contract, dict(last.columns)).items()}
    remaining = (file.without(replaced) for file in last.files)
    return tuple(file.renamed(names) for file in remaining if file is not None)


def check_schema(contract: Contract, last: Manifest | None, *, rows_stay: bool) -> None:
    if last is None:
        return
    check_partition_column(contract, last.partition_column)
    check_evolution(contract, last.types, last.properties, replaces_everything=not rows_stay)


def columns(contract: Contract) -> tuple[tuple[str, str], ...]:
    """(name, DuckDB type) of each column, in order."""
    return tuple((name, type_.duckdb) for name, type_ in columns_of(contract))
