"""What a rule came to in one part, before its threshold says whether that passes.

Belongs here: the types that pass between those who run rules (`governance/audit/counting.py`,
`governance/audit/domain_rules/asking.py`).
Does not belong here: results for people and for evidence. (`governance/audit/report.py`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from shared_resources.contracts.numbers import Number

if TYPE_CHECKING:
    from shared_resources.governance.audit.engine.columns import ColumnsFound
    from shared_resources.governance.audit.engine.staged_data import Auditable

Parts: TypeAlias = "Sequence[tuple[Auditable, ColumnsFound]]"


@dataclass(frozen=True)
class Outcome:
    """`value`: rows failed, or the number that the rule measures.

    `problem`: why it could not be checked. `verdict`: of a custom rule that answers yes or no.
    """

    value: Number | float = 0
    problem: str | None = None
    verdict: bool | None = None
    sample: tuple[Mapping[str, Any], ...] = ()
