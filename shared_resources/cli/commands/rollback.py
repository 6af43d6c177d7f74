"""`mesh rollback`: publish an earlier version again, as the next one.

Belongs here: the command. Does not belong here: the rollback itself (`stores/`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.user import user
from shared_resources.data_products.publishing import rollback as roll_back
from shared_resources.evidence.record import NoEvidence
from shared_resources.governance.audit.report import RuleResult
from shared_resources.running.selection import product_contract
from shared_resources.stores.protocol import Unreadable


@click.command(epilog="Example: mesh rollback marketing/coupons --to 3 --reason 'late extract'")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--to", type=int, required=True, metavar="V", help="The version to publish again.")
@click.option("--reason", default="", help="Kept with the version, for those who ask later.")
@click.option(
    "--force", is_flag=True, help="Even if its rows break today's contract; needs --reason."
)
def rollback(product: str, to: int, reason: str, force: bool) -> None:
    """Make version V the current one again, in one atomic step that is a version itself.

    Its rows are audited by today's contract first; exit 1, with nothing changed, if they break it.
    """
    from shared_resources.data_products.restoring import broken_rules
    from shared_resources.reporting.outside_runs import partitions_of_rollback, report_version
    from shared_resources.reporting.standing_checks import refusals_standing

    if force and not reason.strip():
        raise click.UsageError("--force needs --reason: it is kept with the version")
    environment = wiring.current()
    contract = product_contract(environment, product)
    store = environment.stores_of(contract)[0]
    before = store.versions(product)
    broken = broken_rules(environment, product, to)
    if broken and not force:
        _say_forbidden(product, to, broken)
        sys.exit(1)
    despite = tuple(result.rule.name for result in broken)
    stood = refusals_standing(environment, contract)
    versions = roll_back(environment, contract, to, by=user(), reason=reason, despite=despite)
    held: set[str] = set()
    for version in (*before[-1:], versions[0]):
        with suppress(NoEvidence, Unreadable):  # perhaps what is gone back from
            held.update(store.open(product, version.number).partitions())
    partitions = partitions_of_rollback(contract, before, to, held)
    report_version(environment, contract, versions, partitions, before=stood)
    for version in versions:
        say(
            f"{product}: version {version.number} in the {version.store} has the content of "
            f"version {version.rollback_of} ({version.rows:,} rows)"
        )


def _say_forbidden(product: str, to: int, broken: Iterable[RuleResult]) -> None:
    say(
        f"{product}: today's contract forbids rows of version {to}; nothing was changed. Go back to "
        "another version, or publish it all the same with --force and a --reason, which its "
        "evidence keeps with the rules:",
        err=True,
    )
    for result in broken:
        say(f"  {result.rule.name}: {result.message}", err=True)
