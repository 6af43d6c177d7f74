"""What was inferred: columns, keys, how files are read, and what it rests on.

Belongs here: the types that looking at data ends in. Does not belong here: the looking, or the contract's
text (`scaffolding/`).

`evidence` are sentences about what was found. `to_confirm` are those that nobody can know from data:
they stay in the contract, and `mesh check` reports them, until somebody has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_resources.contracts.model import Classification
from shared_resources.contracts.types import ColumnType
from shared_resources.problems import MeshProblem


class NotInferable(MeshProblem):
    """Nothing can be made of the data as it is; the message says why, and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class InferredColumn:
    """`options` are its `logicalTypeOptions`; `landed_as` is what the data calls it."""

    name: str
    landed_as: str
    type: ColumnType
    required: bool = False
    unique: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    enumeration: tuple[str | int, ...] = ()
    classification: Classification = Classification.INTERNAL
    evidence: tuple[str, ...] = ()
    to_confirm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inferred:
    """`landing` and `partitions` are as in a contract, the landing without its prefix; neither is
    there for what is no file. `key` are the columns of the primary key, none if there is none."""

    source: str
    rows: int
    columns: tuple[InferredColumn, ...]
    key: tuple[str, ...] = ()
    landing: Mapping[str, Any] | None = None
    partitions: Mapping[str, Any] | None = None
    evidence: tuple[str, ...] = ()
    to_confirm: tuple[str, ...] = ()
