"""`mesh versions`: what was published, when, and from what.

Belongs here: the command and its table. Does not belong here: keeping versions (`stores/`).
"""

from __future__ import annotations

import click

from shared_resources import wiring
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.tables import print_json, print_table
from shared_resources.running.selection import product_contract
from shared_resources.stores.protocol import NotPublished, Version


@click.command(epilog="Example: mesh versions order/transactions")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@branch_option
def versions(product: str, as_json: bool) -> None:
    """The published versions of a product, oldest first, in each store that its contract names."""
    environment = wiring.current()
    contract = product_contract(environment, product, anew=False)
    found = [v for store in environment.stores_of(contract) for v in store.versions(product)]
    if not found:
        raise NotPublished(f"{product} is not published yet; run `mesh run +{product}`")
    rows = [_row(version) for version in found]
    if as_json:
        print_json(
            [{**row, "properties": dict(v.properties)} for row, v in zip(rows, found, strict=True)]
        )
        return
    print_table(rows, rows[0])


def _row(version: Version) -> dict[str, object]:
    evidence = version.evidence_or_none
    return {
        "version": version.number,
        "store": version.store,
        "rows": version.rows,
        "published_at": version.published_at,
        "contract": evidence.contract_version if evidence else "no evidence",
        "checks_passed": evidence.checks_passed if evidence else 0,
        "snapshot": version.snapshot,
        "rollback_of": version.rollback_of,
        "inputs": len(evidence.inputs) if evidence else 0,
    }
