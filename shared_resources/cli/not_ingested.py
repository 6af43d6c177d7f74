"""What lies in the landing zone and was not ingested, for people: named, explained, settled.

Belongs here: showing and settling what was passed over, in `mesh landing` and after `mesh run`.
Does not belong here: finding and remembering it (`arrivals/whole_prefix.py`,
`arrivals/ledger/passed_over.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from shared_resources.arrivals.ledger.passed_over import PassedOver, told
from shared_resources.arrivals.ledger.strays import OUTSIDE, Stray
from shared_resources.arrivals.whole_prefix import outside
from shared_resources.cli.output import say
from shared_resources.cli.user import user
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError

SHOWN = 5
NAMED = 1000


def passed_over(environment: Environment, product: str, all_: bool) -> dict[str, Any]:
    """The fields of a product's row in `mesh landing`."""
    passed = PassedOver(environment.state, product)
    shown = passed.all() if all_ else passed.open(NAMED)
    return {"passed_over_count": passed.count(), "passed_over": [_shown(one) for one in shown]}


def refused(environment: Environment, contract: Contract) -> list[dict[str, Any]]:
    """The objects whose refusal stands, which are neither pending nor stuck, and not published."""
    from shared_resources.data_products.compared.standing import entries_of

    return [
        {
            "key": key,
            "entry": entry.id,
            "reason": "; ".join(f"{rule}: {message}" for rule, _, _, message in entry.reasons),
        }
        for entry in entries_of(environment, contract)
        if entry.open and not entry.beside_its_batch
        for key, _ in entry.objects
    ]


def print_refused(rows: Iterable[dict[str, Any]], limit: int | None = SHOWN) -> None:
    for row in rows:
        for one in row.get("refused", ())[:limit]:
            line = f"{row['product']}: {one['key']} was refused ({one['reason']})"
            say(f"{line}; `mesh quarantine show {one['entry']}`")


def outsiders(
    environment: Environment, contracts: Sequence[Contract], all_: bool
) -> dict[str, Any] | None:
    """A row like a product's of what lies below no product's prefix, if anything does."""
    found, more = _outside(environment, contracts)
    open_ = [stray for stray in found if stray.settled is None]
    shown = found if all_ else open_
    if not shown:
        return None
    return {
        "product": None,
        "prefix": "",
        "passed_over_count": len(open_),
        "passed_over": [_shown(one) for one in shown],
        "said": f"there are more than these {len(found):,}" if more else "",
    }


def print_passed_over(rows: Iterable[dict[str, Any]], limit: int | None = SHOWN) -> None:
    for row in rows:
        place = row["product"] or OUTSIDE
        for one in row["passed_over"][:limit]:
            state = "is odd" if one["odd"] else "is not ingested"
            line = f"{place}: {one['key']} {state}: {one['reason']}"
            if (settled := one["settled"]) is not None:
                line += f" (settled by {settled['by']}: {settled['reason']})"
            say(line)
        if limit is not None and len(row["passed_over"]) > limit:
            more = f"{len(row['passed_over']) - limit:,} more"
            how = "--json" if row["product"] is None else row["product"]
            say(f"{place}: {more}: `mesh landing {how}` names them")


def settle_strays(
    environment: Environment,
    product: str,
    contracts: Sequence[Contract],
    keys: Sequence[str],
    reason: str,
) -> list[str]:
    """Settle what is named of the product by these keys, or all of it; return their keys.

    Raises `click.UsageError` for a key that is not named.
    """
    passed = PassedOver(environment.state, product)
    named = _outside(environment, contracts)[0] if product == OUTSIDE else passed.all()
    wanted = set(keys) or {stray.key for stray in named}
    if unknown := sorted(wanted - {stray.key for stray in named}):
        raise click.UsageError(
            f"{unknown[0]!r} is no object that was passed over; `mesh landing"
            f"{'' if product == OUTSIDE else f' {product}'} --all` names those that were"
        )
    chosen = [stray for stray in named if stray.key in wanted and (keys or not stray.settled)]
    passed.settle(chosen, by=user(), reason=reason)
    return sorted({stray.key for stray in chosen})


def notes_after_run(environment: Environment, products: Iterable[str]) -> dict[str, list[str]]:
    """What `mesh run` says at its end of each product of which something was passed over."""
    found = {key: told(PassedOver(environment.state, key), SHOWN) for key in products}
    return {key: lines for key, lines in found.items() if lines}


def _outside(environment: Environment, contracts: Sequence[Contract]) -> tuple[list[Stray], bool]:
    prefixes = [contract.landing.prefix for contract in contracts if contract.landing]
    try:
        return outside(environment, prefixes, NAMED)
    except LandingError:
        return [], False  # what is wrong with the zone is said where its products are


def _shown(stray: Stray) -> dict[str, Any]:
    return {
        "key": stray.key,
        "reason": stray.reason,
        "odd": stray.odd,
        "landed_at": stray.modified_at,
        "seen_at": stray.seen_at,
        "settled": None if stray.settled is None else vars(stray.settled),
    }
