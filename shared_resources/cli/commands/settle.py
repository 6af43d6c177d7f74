"""`mesh settle`: decide that nothing is to come of what stands: a day that failed or never came.

Belongs here: the command, which closes what the days have in quarantine, too.
Does not belong here: what stands (`observing/`).
"""

from __future__ import annotations

import click

from shared_resources import wiring
from shared_resources.cli.days import asked_days
from shared_resources.cli.output import say
from shared_resources.cli.user import user
from shared_resources.contracts.model import Contract
from shared_resources.observing.health import named
from shared_resources.observing.product_health import Observer
from shared_resources.running.selection import product_contract
from shared_resources.state.attempt import WHOLE
from shared_resources.state.last_attempts import LastAttempts


@click.command(epilog="Example: mesh settle order/transactions 2017-12-25 --reason 'closed'")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.argument("days", required=False, metavar="[FIRST[..LAST]]")
@click.option("--reason", required=True, help="Kept with who settled it, for those who ask later.")
def settle(product: str, days: str | None, reason: str) -> None:
    """Settle what was refused, failed or never came, although nothing was published: `mesh status`
    and the UI do not count it any more, until another attempt at it fails."""
    from shared_resources.reporting.outside_runs import report_health
    from shared_resources.reporting.standing_checks import broken_rules

    environment = wiring.current()
    contract = product_contract(environment, product)
    if not reason.strip():
        raise click.UsageError("--reason is empty; say why nothing is to come of it")
    observer = Observer(environment)
    observed = observer.observe_contract(contract)
    bad_runs = {one.partition: one.root for one in observer.bad_runs(contract)}
    standing = {*observed.standing.parts, *bad_runs}
    standing |= set(observed.never_came)
    asked = _asked(contract, days, standing)
    now = sorted(asked & standing)
    if not now:
        if asked and asked <= observed.standing.settled:
            say(f"{product}: {_what(asked)} is settled already")
            return
        shown = f"what stands is {_what(standing)}" if standing else "nothing of it stands"
        raise click.UsageError(f"{product}: there is nothing to settle of {_what(asked)}; {shown}")
    why = f"{reason.strip()} ({user()})"
    for part in now:
        for entry in observed.standing.refused.get(part, ()):
            if set(entry.partitions) <= set(now):
                environment.quarantine.close(entry.id, by=user(), reason=reason.strip())
    LastAttempts(environment.state, product).settle(now, why, bad_runs)
    report_health(environment, contract, broken_rules(observed), now, why)
    say(f"{product}: {_what(now)} is settled: {reason.strip()}")


def _asked(contract: Contract, days: str | None, standing: set[str]) -> set[str]:
    if days is None:
        if contract.partitioning is not None and WHOLE not in standing:
            raise click.UsageError(
                f"{contract.key} has days; say which (2017-03-01 or 2017-03-01..2017-03-31)"
                + (f". What stands is {_what(standing)}" if standing else "")
            )
        return {WHOLE}
    if contract.partitioning is None:
        raise click.UsageError(f"{contract.key} has no days; leave {days!r} away")
    return set(asked_days(days, "FIRST..LAST"))


def _what(parts: set[str] | list[str]) -> str:
    days = sorted(part for part in parts if part)
    whole = ["the product as a whole"] if WHOLE in parts else []
    return " and ".join([*whole, *([named(days)] if days else [])])
