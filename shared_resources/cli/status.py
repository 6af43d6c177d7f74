"""`mesh status`: a row a product, from what the stores and the quarantine know.

Belongs here: the state of every product at a glance, without starting Dagster.
Does not belong here: history (`versions.py`), what was rejected (`quarantine.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from shared_resources import environment as environments
from shared_resources.cli.tables import print_json, print_table
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.governance.quarantine import QuarantineEntry
from shared_resources.io_managers.protocol import Version
from shared_resources.mesh import ProductFolder, read_mesh

COLUMNS = (
    "key",
    "domain",
    "owner",
    "contract_version",
    "rows",
    "published_at",
    "snapshot",
    "checks_passed",
    "checks_failed",
    "fresh",
)


@click.command(epilog="Example: mesh status --json | jq '.[] | select(.fresh | not)'")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def status(as_json: bool) -> None:
    """A row a product: what is published, when, and whether its last batch passed.

    The checks are those of the last batch, also when it was refused and an older one is served.
    """
    environment = environments.current()
    products = [p for domain in read_mesh(environment.root).domains for p in domain.products]
    rows = [_row(environment, product) for product in products]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["contract"] = row.pop("contract_version")
    shown = ("key", "owner", "contract", "rows", "published_at", *COLUMNS[-3:])
    print_table(rows, shown)


def _row(environment: Environment, product: ProductFolder) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(key=product.key, domain=product.domain, fresh=False)
    contract = product.contract
    if contract is None:
        return row
    row.update(owner=contract.owner, contract_version=contract.version)
    current = _current(environment, contract)
    if current is not None:
        row.update(
            rows=current.rows,
            published_at=current.published_at,
            snapshot=current.snapshot,
            contract_version=current.evidence.contract_version,
            checks_passed=current.evidence.checks_passed,
            checks_failed=current.evidence.checks_failed,
            fresh=_fresh(contract, current),
        )
    refused = _refused_since(environment, contract, current)
    if refused is not None:
        failed = len(refused.reasons)
        row.update(
            checks_failed=failed,
            checks_passed=max(0, (row["checks_passed"] or len(contract.rules)) - failed),
        )
    return row


def _current(environment: Environment, contract: Contract) -> Version | None:
    versions = environment.stores_of(contract)[0].versions(contract.key)
    return versions[-1] if versions else None


def _fresh(contract: Contract, current: Version) -> bool:
    if contract.freshness is None:
        return True
    return datetime.now(UTC) - current.published_at <= contract.freshness


def _refused_since(
    environment: Environment, contract: Contract, current: Version | None
) -> QuarantineEntry | None:
    """The newest refusal that no publication has followed."""
    refusals = [e for e in environment.quarantine.list(contract.key) if e.kind != "rows"]
    newest = max(refusals, key=lambda entry: entry.at, default=None)
    if newest is None or (current is not None and newest.at < current.published_at):
        return None
    return newest
