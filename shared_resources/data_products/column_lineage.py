"""The column lineage of a batch: declared by its contract, derived from dbt's statement, or observed.

Belongs here: which of these counts, and what was observed once, kept for the same code and contract.
Does not belong here: deriving it (`dbt/lineage.py`), observing it (`rehearsing/observed_lineage.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.evidence.lineage import ColumnLineage, How
from shared_resources.state.whole_file import write_whole

Derived = Mapping[str, Sequence[tuple[str, str]]]


def declared_lineage(contract: Contract) -> ColumnLineage | None:
    """What the contract says of its columns; None when it says it of none."""
    columns = {one.name: one.made_from for one in contract.columns if one.made_from is not None}
    return ColumnLineage(How.DECLARED, columns) if columns else None


def known_lineage(
    environment: Environment, definition: ProductDefinition, derived: Derived
) -> ColumnLineage | None:
    """What is known of the columns: derived, else declared, else observed of this very code."""
    if derived:
        return ColumnLineage(How.DERIVED, {name: tuple(of) for name, of in derived.items()})
    return declared_lineage(definition.contract) or observed_before(environment, definition)


def observed_before(
    environment: Environment, definition: ProductDefinition
) -> ColumnLineage | None:
    """What was observed on this machine of the same code and contract; None when nothing was."""
    try:
        return ColumnLineage.read(_file(environment, definition).read_text("utf-8"))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None  # half of a file, or none: it is observed again


def keep_observed(
    environment: Environment, definition: ProductDefinition, seen: ColumnLineage
) -> None:
    """Keep it for the versions that the same code makes under the same contract."""
    file = _file(environment, definition)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, seen.text().encode())


def _file(environment: Environment, definition: ProductDefinition) -> Path:
    of = [definition.key, definition.code.digest, definition.contract.digest]
    name = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]
    return environment.home / "lineage" / f"{name}.json"
