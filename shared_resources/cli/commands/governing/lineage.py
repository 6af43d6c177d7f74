"""`mesh lineage`: which columns of which products each column of a product is made from.

Belongs here: the command, and how what is known is shown.
Does not belong here: finding it out (`data_products/column_lineage.py`, `rehearsing/`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.output import say
from shared_resources.contracts.model import Column, Contract

if TYPE_CHECKING:
    from shared_resources.evidence.lineage import ColumnLineage
    from shared_resources.rehearsing.observed_lineage import Observed


@click.command(epilog="Example: mesh lineage customer/order_history --observe")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option(
    "--observe", "observed", is_flag=True, help="Run the product's function on changed samples."
)
@click.option(
    "--sample",
    default=2000,
    show_default=True,
    type=click.IntRange(min=2),
    metavar="ROWS",
    help="With --observe: how many of the first rows of each input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@branch_option
def lineage(product: str, observed: bool, sample: int, as_json: bool) -> None:
    """What each column of PRODUCT is made from: as its contract declares it, dbt's statement says it, or
    it was observed.

    With --observe the function runs twice for each column that it reads, with the values of that column
    shuffled or drawn anew by a fixed seed; what comes out otherwise was made from it. That is seen on a
    sample and proves nothing. It is kept, on this machine, for the versions that the same code makes.
    Ends with 1 when a column is seen to be made from what its contract does not declare.
    """
    from shared_resources.cli.tables import columns_of, print_json, print_table
    from shared_resources.mesh import look_at_mesh
    from shared_resources.running.selection import unknown

    environment = wiring.current()
    mesh = look_at_mesh(environment, anew=product.partition("/")[0])
    known = [one.key for one in mesh.products]
    if product not in known:
        raise unknown(product, known)
    contract = mesh.product(product).contract
    if contract is None:
        raise click.UsageError(f"the contract of {product} is not valid; `mesh check` says why")
    seen: Observed | None = None
    if observed:
        from shared_resources.rehearsing.observed_lineage import observe

        seen = observe(environment, mesh, product, sample)
    rows = list(_rows(contract, _recorded(product), seen))
    if as_json:
        print_json({"product": product, "columns": rows, **(_seen_as_json(seen) if seen else {})})
    else:
        shown = [
            {n: ", ".join(v) if isinstance(v, list) else v for n, v in r.items()} for r in rows
        ]
        print_table(shown, columns_of(shown))
        if seen is not None:
            _say_seen(seen)
    sys.exit(1 if any(row.get("not declared") for row in rows) else 0)


def _recorded(product: str) -> ColumnLineage | None:
    """What the evidence of the version that readers see says."""
    environment = wiring.current()
    if not environment.holds_anything:
        return None
    from shared_resources.governance.asking_published import published_in

    tables = published_in(environment)(product)
    return tables[0].evidence.lineage if tables and tables[0].evidence else None


def _rows(
    contract: Contract, recorded: ColumnLineage | None, seen: Observed | None
) -> Iterator[dict[str, Any]]:
    for column in contract.columns:
        how, sources = _known(column, recorded)
        found = None if seen is None else seen.lineage.columns.get(column.name)
        if column.made_from is None and found is not None:
            how, sources = "observed", found
        row: dict[str, Any] = {
            "column": column.name,
            "classification": column.classification.value if column.classification else "",
            "made from": [f"{key}.{name}" for key, name in sources],
            "how": how,
        }
        if column.anonymisation is not None:
            row["anonymised"] = column.anonymisation.method.value
        if found is not None and column.made_from is not None:
            more = set(found) - set(column.made_from)
            less = set(column.made_from) - set(found)
            row["not declared"] = [f"{key}.{name}" for key, name in sorted(more)]
            row["not seen"] = [f"{key}.{name}" for key, name in sorted(less)]
        yield row


def _known(
    column: Column, recorded: ColumnLineage | None
) -> tuple[str, tuple[tuple[str, str], ...]]:
    if column.made_from is not None:
        return "declared", column.made_from
    if recorded is not None and column.name in recorded.columns:
        return recorded.how.value, recorded.columns[column.name]
    return "unknown", ()


def _seen_as_json(seen: Observed) -> dict[str, Any]:
    return {
        "observed": {
            "proven": False,
            "rows": dict(seen.rows),
            "unsteady": list(seen.unsteady),
            "unseen": {f"{key}.{name}": why for (key, name), why in seen.unseen.items()},
            "rows_by": {f"{key}.{name}": list(of) for (key, name), of in seen.rows_by.items()},
        }
    }


def _say_seen(seen: Observed) -> None:
    rows = ", ".join(f"{count:,} rows of {key}" for key, count in seen.rows.items())
    say(f"\nobserved on {rows}: what is not seen there may be made from it all the same")
    for name in seen.unsteady:
        say(f"nothing is known of {name}: two runs on the same rows differ in it")
    for (key, name), of in seen.rows_by.items():
        say(f"{key}.{name} decides which rows go into {', '.join(of)}")
    for (key, name), why in seen.unseen.items():
        say(f"nothing is known of what {key}.{name} becomes: {why}")
