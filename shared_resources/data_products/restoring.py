"""What a rollback would bring back: an earlier version, audited against the contract of today.

Belongs here: which of today's rules the rows of a version break.
Does not belong here: the rollback itself (`publishing.py`), the command (`cli/commands/rollback.py`).
"""

from __future__ import annotations

import uuid

from shared_resources.data_products.auditing import audit_published
from shared_resources.data_products.definition import define_product, product_inputs
from shared_resources.data_products.pinned_inputs import open_pinned
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import RuleResult
from shared_resources.governance.stopped import makeable
from shared_resources.mesh import read_whole_mesh


def broken_rules(environment: Environment, product: str, number: int) -> tuple[RuleResult, ...]:
    """The blocking rules of today's contract and policies that the version's rows break.

    Raises `NotPublished` when there is no such version, or nothing of what its rules refer to;
    `ProductStopped` or `PolicyViolation` when the contract itself cannot be used.
    """
    definition = define_product(environment, *makeable(read_whole_mesh(environment), product))
    reader = f"rollback-{uuid.uuid4()}"
    references = {
        key: open_pinned(environment, reader, key).snapshot
        for key in product_inputs(environment, definition)
        if key in definition.referenced_products
    }
    return audit_published(environment, definition, references, number).refusals
