"""Policy: a batch has about as many rows as the product's batches before it.

Belongs here: this one rule's bounds, which `domains/governance.yaml` may set.
Does not belong here: what is usual (`contracts/rules/batch/volume.py`), what a contract itself says of
the number of rows (`rowCount`).
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.contracts.rules.batch.volume import KIND as VOLUME
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import CHECK_PREFIX, DataTimePolicy, Setting
from shared_resources.mesh import Central

NAME = "volume_as_before"
SETTINGS = {
    "lowestPercent": Setting(50, 0, 100, "the fewest rows, in percent of what is usual"),
    "highestPercent": Setting(200, 100, 100_000, "the most rows, in percent of what is usual"),
    "versions": Setting(10, 1, 1000, "how many batches back it looks"),
    "least": Setting(3, 1, 1000, "with fewer batches before it, anything is usual"),
}


def rules(contract: Contract, central: Central) -> tuple[Rule, ...]:
    """One rule about the batch as a whole."""
    return (
        Rule(
            name=CHECK_PREFIX + NAME,
            kind=VOLUME.name,
            columns=(),
            clause=f"policies.{NAME}",
            arguments={name: POLICY.setting(central, name) for name in SETTINGS},
            description="The batch has about as many rows as those that were published before it.",
            dimension="coverage",
        ),
    )


_ROWS = [{"order_id": number} for number in range(40)]
EXAMPLES = (
    passes("nothing was published before", rows=_ROWS),
    passes("too few batches before it", rows=_ROWS, history=(9000, 9000)),
    passes("a few rows more than usual", rows=_ROWS, history=(30, 35, 38)),
    passes("one batch before it was far larger", rows=_ROWS, history=(39, 90_000, 41)),
    passes(
        "few rows, where that is decided",
        rows=_ROWS,
        history=(100, 100, 100),
        central={f"policies.{NAME}": {"lowestPercent": 30}},
    ),
    fails("half of it is missing", "40 rows; 100 are usual", rows=_ROWS, history=(99, 100, 101)),
    fails("everything came twice", "from 50 to 200 %", rows=_ROWS, history=(15, 16, 14, 15)),
)
POLICY = DataTimePolicy(
    NAME,
    "A batch has about as many rows as those before it.",
    rules,
    severity=Severity.WARNING,
    settings=SETTINGS,
    examples=EXAMPLES,
)
