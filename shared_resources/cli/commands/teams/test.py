"""`mesh test`: make and audit a product without publishing it, and say what would change.

Belongs here: naming inputs and days, showing the outcome.
Does not belong here: the rehearsal itself (`rehearsing/`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.changes import show_columns
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from shared_resources.rehearsing.changes import Changes
    from shared_resources.rehearsing.rehearsal import Rehearsal


@click.command(epilog="Example: mesh test order/baskets --sample 10000")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Read only the first rows of each input.",
)
@click.option(
    "--input",
    "files",
    multiple=True,
    metavar="PRODUCT=FILE",
    help="Read FILE in the place of an input, by that product's contract.",
)
@click.option(
    "--day",
    "days",
    multiple=True,
    metavar="DAY",
    help="Of a daily product, the days to make; default: the newest there is.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@branch_option
def test(
    product: str, sample: int | None, files: Sequence[str], days: Sequence[str], as_json: bool
) -> None:
    """Make PRODUCT and audit it as a run would, publish nothing, and show what would change.

    Nothing of it stays: no version, no quarantine, no note of what was read. Ends with 1 when
    something would be refused.
    """
    from shared_resources.mesh import look_at_mesh
    from shared_resources.running.selection import unknown

    environment = wiring.current()
    mesh = look_at_mesh(environment, anew=product.partition("/")[0])
    known = [one.key for one in mesh.products]
    if product not in known:
        raise unknown(product, known)
    files_of, made_days = dict(map(_file, files)), tuple(map(_day, days))

    # What makes products is slow to import.
    from shared_resources.rehearsing.given_inputs import Given
    from shared_resources.rehearsing.rehearsal import rehearse

    given = Given(files_of, sample)
    made = rehearse(environment, mesh, product, given, made_days)
    if as_json:
        print_json(_as_json(made))
    else:
        _show(made, sample)
    sys.exit(0 if made.passed else 1)


def _file(text: str) -> tuple[str, Path]:
    product, equals, file = text.partition("=")
    if not equals or not Path(file).is_file():
        raise click.BadParameter(f"{text!r}: write PRODUCT=FILE, of a file that is there")
    return product, Path(file)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write it as 2017-03-31") from None


def _show(made: Rehearsal, sample: int | None) -> None:
    rows = [
        {
            "check": one.rule.name,
            "result": "passed" if one.passed else ("FAILED" if one.refuses else "warning"),
            "rows failed": one.rows_failed,
            "found": "" if one.passed else one.message,
        }
        for one in made.report.results
    ]
    print_table(rows, ["check", "result", "rows failed", "found"])
    for result in made.report.refusals:
        if result.sample:
            say(f"\n{result.rule.name}: failing rows")
            print_table(result.sample, result.sample[0], data=True)
    say("")
    if made.changes is not None:
        _show_changes(made.changes, sample)
    of = f" of {', '.join(day for day in made.partitions if day)}" if any(made.partitions) else ""
    said = f"{made.product}{of}: {made.publishable:,} rows would be published"
    if made.lost:
        said += f", {made.lost:,} would go to quarantine"
    if made.refused:
        said = f"{made.product}{of}: would be refused"
    say(f"{said}; nothing was")


def _show_changes(changes: Changes, sample: int | None) -> None:
    say(
        f"against version {changes.version}: {changes.added:,} rows added, {changes.gone:,} gone, "
        f"{changes.changed:,} changed" + (" (of a sample)" if sample else "")
    )
    show_columns(changes, "  ")


def _as_json(made: Rehearsal) -> dict[str, object]:
    changes = made.changes
    return {
        **made.report.as_json(),
        "partitions": [day for day in made.partitions if day],
        "publishable": made.publishable,
        "quarantined": made.lost,
        "refused": made.passed is False,
        "changes": changes.as_json() if changes else None,
    }
