"""The terms under which a product is checked now.

Belongs here: finding them in contract, policies and waivers. Does not belong here: their form
(`evidence/terms.py`), what came of the check (`data_products/auditing.py`).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError

from shared_resources.contracts.model import Contract, Rule
from shared_resources.evidence.statement import digest_of
from shared_resources.evidence.terms import HeldPolicy, HeldWaiver, NotEnforced, Terms
from shared_resources.governance.catalogue import (
    data_time_policies,
    data_time_rules,
    utc_today,
)
from shared_resources.mesh import Central, Waiver
from shared_resources.release import code_digest, version_of

PLATFORM = "dagster-data-mesh"
# What reads, counts and compares the values, beside the platform's own code.
_ENGINES = ("duckdb", "polars", "pyarrow", "pyiceberg")


def terms_of(
    contract: Contract,
    waivers: Sequence[Waiver],
    central: Central,
    checks: Sequence[Rule],
    code: str,
) -> Terms:
    """Of a check that is made now, of `checks`: a waiver may end while a code server runs.

    `code` is the digest of what makes the product.
    """
    holding = {
        waiver.policy: waiver
        for waiver in waivers
        if waiver.product == contract.name and not waiver.expired(utc_today())
    }
    return Terms(
        contract_version=contract.version,
        contract_digest=contract.digest,
        policies=tuple(
            HeldPolicy(
                policy.name,
                policy.summary,
                digest_of(
                    [
                        repr(rule)
                        for rule in data_time_rules(contract, waivers, central, policies=[policy])
                    ]
                ),
            )
            for policy in data_time_policies()
        ),
        waivers=tuple(
            HeldWaiver(one.policy, one.reason, one.approver, one.expires.isoformat())
            for one in holding.values()
        ),
        not_enforced=(
            *(
                NotEnforced(clause.path, clause.how)
                for clause in contract.clauses
                if not clause.enforced
            ),
            *(
                NotEnforced(f"policies.{policy.name}", why)
                for policy in data_time_policies()
                for why in policy.unasked(contract, central)
            ),
        ),
        rules={rule.name: rule.description or rule.clause for rule in checks},
        code=code,
        platform={
            "code": code_digest("contracts", "data_products", "governance", "stores"),
            "python": platform.python_version(),
            **{name: found for name in (PLATFORM, *_ENGINES) if (found := _version(name))},
        },
    )


def _version(distribution: str) -> str | None:
    try:
        return version_of(distribution)
    except PackageNotFoundError:
        return None
