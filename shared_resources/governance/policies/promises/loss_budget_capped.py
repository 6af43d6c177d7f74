"""Policy: how many rows an owner may decide to lose.

Belongs here: this one rule. Does not belong here: what a budget does to a batch (`data_products/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "loss_budget_capped"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A budget of 100 % publishes one row of a hundred and calls it a success."""
    cap = mesh.central.loss_budget_percent
    for product, contract in domain.contracts:
        if contract.loss_budget_percent > cap:
            yield Finding(
                product.contract_file,
                product.line("customProperties"),
                NAME,
                f"{product.key}: lossBudgetPercent {contract.loss_budget_percent:g} is more than the "
                f"{cap:g} % that an owner may set",
                f"lower it; only the governance team raises the cap, in `lossBudgetPercent` of "
                f"{mesh.central.file}",
            )


_TWENTY = {"customProperties.lossBudgetPercent": {"vendor": "mesh", "value": 20}}
EXAMPLES = (
    passes("no budget: nothing may be lost"),
    passes("a budget below the cap", contract=_TWENTY, central={"lossBudgetPercent": 25}),
    fails("a budget above the cap", "lossBudgetPercent 20 is more than the 10 %", contract=_TWENTY),
)

POLICY = LoadTimePolicy(
    NAME, "A loss budget stays below the central cap.", check, examples=EXAMPLES
)
