"""`mesh versions`: what was published, when, and from what.

Belongs here: the command and its table. Does not belong here: keeping versions (`stores/`).
"""

from __future__ import annotations

import click

from shared_resources import wiring
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.environment import Environment
from shared_resources.running.selection import product_contract
from shared_resources.stores.protocol import NotPublished, Version


@click.command(epilog="Example: mesh versions order/transactions")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@click.option(
    "--contract", "of", type=int, metavar="VERSION", help="Print the contract of that version."
)
@branch_option
def versions(product: str, as_json: bool, of: int | None) -> None:
    """The published versions of a product, oldest first, in each store that its contract names."""
    environment = wiring.current()
    contract = product_contract(environment, product, anew=False)
    found = [v for store in environment.stores_of(contract) for v in store.versions(product)]
    if not found:
        raise NotPublished(f"{product} is not published yet; run `mesh run +{product}`")
    if of is not None:
        say(_contract(environment, product, found, of), nl=False)
        return
    rows = [_row(version) for version in found]
    if as_json:
        print_json(
            [{**row, "properties": dict(v.properties)} for row, v in zip(rows, found, strict=True)]
        )
        return
    print_table(rows, rows[0])


def _contract(environment: Environment, product: str, found: list[Version], number: int) -> str:
    """The text of the contract that the version was checked against."""
    version = next((one for one in found if one.number == number), None)
    if version is None:
        raise NotPublished(
            f"{product} has no version {number}; `mesh versions {product}` lists them"
        )
    evidence = version.evidence_or_none
    digest = evidence.contract_digest if evidence else ""
    text = environment.published_contracts.text(digest)
    if text is None:
        raise NotPublished(
            f"the contract of version {number} of {product} was not kept"
            + (f" (SHA-256 {digest}): it is of an earlier release" if digest else "")
            + "; look for it in the history of its file"
        )
    return text.decode()


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
