"""Every statement of a contract, and whether the platform enforces it.

Belongs here: the closed list of ODCS fields with what enforces each, or why nothing does.
Does not belong here: enforcing.
"""

from __future__ import annotations

from shared_resources.contracts.model import Clause, Rule
from shared_resources.contracts.node import Node


def list_clauses(root: Node, rules: tuple[Rule, ...]) -> tuple[Clause, ...]:
    return ()
