"""`mesh status`: a row a product, from what the stores, the quarantine and the runs know.

Belongs here: the state of every product at a glance, without starting Dagster.
Does not belong here: finding out what is wrong (`observing/`), history (`versions.py`), what was
rejected (`quarantine.py`).
"""

from __future__ import annotations

import sys
from typing import Any

import click

from shared_resources import wiring
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.mesh import ProductFolder, look_at_mesh
from shared_resources.observing.health import Kind
from shared_resources.observing.product_health import Observed, Observer, is_fresh

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
    "health",
)


@click.command(epilog="Example: mesh status --json | jq '.[] | select(.health.state != \"whole\")'")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@branch_option
def status(as_json: bool) -> None:
    """A row a product: what is published, when, whether its last batch passed, and its health.

    The checks are those of the last batch, also when it was refused and an older one is served.
    Ends with 1 while anything was refused, failed or is missing, and says what and what to do. A
    product that nobody has tried to make yet, one that is stale, and one whose inputs moved on are
    shown and end nothing.
    """
    environment = wiring.current()
    mesh = look_at_mesh(environment)
    products = mesh.own_products
    observer = Observer(environment, of_all=True)
    observed = {product.key: observer.observe(product) for product in products}
    rows = [_row(product, observed[product.key]) for product in products]
    earlier = {key: one.earlier for key, one in observed.items() if one.earlier}
    for row in rows:
        if found := earlier.get(row["key"]):
            row["previous_major"] = {
                "of": found.current,
                "major": found.major,
                "sunset": found.sunset.isoformat(),
                "readers": list(found.readers),
                "read_lately": list(found.lately),
            }
    streams = {key: far for key, one in observed.items() if (far := _stream(one))}
    for row in rows:
        if row["key"] in streams:
            row["stream"] = streams[row["key"]]
    if as_json:
        print_json(rows)
    else:
        lines = [f"{key}: {_in_words(found)}" for key, found in streams.items()]
        lines += [f"{key}: {found}" for key, found in earlier.items()]
        _print(rows, observed, lines)
    sys.exit(1 if any(one.health.failing for one in observed.values()) else 0)


def _stream(observed: Observed) -> dict[str, Any] | None:
    """How far a product is that is made of a topic."""
    position = observed.evidence.stream if observed.evidence is not None else None
    if position is None:
        return None
    return {
        "topic": position.topic,
        "positions": dict(position.positions),
        "waiting": observed.waiting,
    }


def _in_words(stream: dict[str, Any]) -> str:
    read = f"{sum(stream['positions'].values()):,} messages of the topic {stream['topic']} are read"
    waiting = stream["waiting"]
    return read if waiting is None else f"{read}, {waiting:,} wait"


def _print(rows: list[dict[str, Any]], observed: dict[str, Observed], said: list[str]) -> None:
    for row in rows:
        row["contract"] = row.pop("contract_version")
        row["health"] = row["health"]["state"]
    shown = ("key", "owner", "contract", "rows", "published_at", *COLUMNS[-4:])
    print_table(rows, shown)
    told = said + _reasons(observed)
    if told:
        say()
    for line in told:
        say(line)


def _reasons(observed: dict[str, Observed]) -> list[str]:
    """A line each; why several cannot be read, as a log that does not answer, is said once."""
    of: dict[tuple[str, str], list[str]] = {}
    for key, one in observed.items():
        for reason in one.health.reasons:
            if reason.kind is not Kind.NEVER:
                own = "" if reason.kind is Kind.UNREADABLE else key
                of.setdefault((own, str(reason)), []).append(key)
    return [f"{', '.join(keys)}: {said}" for (_, said), keys in of.items()]


def _row(product: ProductFolder, observed: Observed) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(key=product.key, domain=product.domain, fresh=False, health=_health(observed))
    contract = product.contract
    if contract is None:
        return row
    row.update(owner=contract.owner, contract_version=contract.version)
    current = observed.current
    if current is not None:
        row.update(
            rows=current.rows,
            published_at=current.published_at,
            snapshot=current.snapshot,
            fresh=is_fresh(contract, current),
        )
    if (evidence := observed.evidence) is not None:
        row.update(
            contract_version=evidence.contract_version,
            checks_passed=evidence.checks_passed,
            checks_failed=evidence.checks_failed,
        )
    refused = [entry for entries in observed.standing.refused.values() for entry in entries]
    if refused:
        failed = len({rule for entry in refused for rule, *_ in entry.reasons})
        row.update(
            checks_failed=failed,
            checks_passed=max(0, (row["checks_passed"] or len(contract.rules)) - failed),
        )
    return row


def _health(observed: Observed) -> dict[str, Any]:
    return {
        "state": observed.health.state,
        "reasons": [
            {
                "kind": str(one.kind),
                "reason": one.reason,
                "remedy": one.remedy,
                "names": list(one.names),
                "failing": one.failing,
            }
            for one in observed.health.reasons
        ],
    }
