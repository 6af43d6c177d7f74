"""Policy: a product promises how fresh it is and how long it is kept.

Belongs here: this one rule. Does not belong here: measuring freshness, or deleting old data.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "service_levels_declared"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A consumer cannot plan on a product that promises neither."""
    for product, contract in domain.contracts:
        promises = (
            ("latency", contract.freshness, "how often it is published at least", "1, unit: d"),
            ("retention", contract.retention, "how long its versions are kept", "1, unit: y"),
        )
        for promise, declared, meaning, example in promises:
            if declared is None:
                yield Finding(
                    product.contract_file,
                    product.line("slaProperties") or 1,
                    NAME,
                    f"{product.key} does not declare its {promise}: {meaning}",
                    f"add to slaProperties, for example: {{property: {promise}, value: {example}}}",
                )


EXAMPLES = (
    passes("both are declared"),
    fails(
        "nothing is said of freshness",
        "does not declare its latency",
        contract={"slaProperties.latency": None},
    ),
    fails(
        "nothing is said of retention",
        "does not declare its retention",
        contract={"slaProperties.retention": None},
    ),
)

POLICY = LoadTimePolicy(
    NAME, "Freshness (latency) and retention are declared.", check, examples=EXAMPLES
)
