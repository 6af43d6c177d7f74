"""`mesh erase`: a subject taken out of everything that the mesh keeps.

Belongs here: the command and how its answer is printed. Does not belong here: erasing
(`shared_resources/erasing/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.cli.user import user
from shared_resources.mesh import read_mesh

if TYPE_CHECKING:
    from shared_resources.environment import Environment
    from shared_resources.erasing.subjects import Known
    from shared_resources.evidence.erasures import Erasure
    from shared_resources.stores.protocol import Version

    Told = list[tuple[Known, tuple[Version, ...]]]

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_NOBODY = "nothing that is kept here has such a key: is it written as in the column that holds it?"
_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command(epilog="Example: mesh erase --subject 1743 --as household --reason 'request 88'")
@click.option("--subject", "subjects", multiple=True, metavar="KEY", help="Whom to erase.")
@click.option("--subjects", "file", type=_FILE, metavar="FILE", help="Several: one key a line.")
@click.option("--as", "kind", metavar="KIND", help="What contracts call keys like this one.")
@click.option("--reason", default="", help="Kept with the certificate; not who it is.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken from where.")
@click.option("--again", is_flag=True, help="Apply the journal once more, as after a restore.")
@click.option(
    "--journal", type=_FOLDER, metavar="FOLDER", help="With --again: a copy of the journal, too."
)
@click.option("--list", "listed", is_flag=True, help="The erasures that were made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def erase(
    subjects: tuple[str, ...],
    file: Path | None,
    kind: str | None,
    reason: str,
    dry_run: bool,
    again: bool,
    journal: Path | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Erase a subject: from landed files, rejected rows, every kept version, branches and logs.

    A subject is found by the columns that contracts declare as its key (`subject`, vendor mesh). Versions
    stay, without its rows, and say so; products that are made of them are made again by the next `mesh
    run`. A certificate is kept, without the key itself. Exit 1 when something could not be erased.
    """
    environment = wiring.without_branch()
    _check(bool(subjects or file), again, listed, journal, dry_run)
    if listed:
        _print_journal(environment, as_json)
        return
    from shared_resources.erasing import performing

    mesh = read_mesh(environment.root, registered=environment.registry.promised)
    if again:
        done = performing.again(environment, mesh, user(), journal)
        made, unread = done.made, done.unread
    else:
        from shared_resources.erasing.subjects import read_subjects

        given = [*subjects, *(read_subjects(file) if file else ())]
        who = performing.asked_for(environment, mesh, kind, given)
        if dry_run:
            _print_plan(performing.plan(environment, mesh, who), as_json)
            return
        made, unread = [performing.erase(environment, mesh, who, user(), reason)], []
    for _, told in made:
        _tell_dagster(environment, told)
    _print([one for one, _ in made], as_json)
    said = {left for one, _ in made for left in one.left}
    for one in (one for one in unread if one not in said):
        say(f"LEFT {one}", err=True)
    if said or unread:
        raise click.exceptions.Exit(1)


def _check(given: bool, again: bool, listed: bool, journal: Path | None, dry_run: bool) -> None:
    if given + again + listed != 1:
        raise click.UsageError(
            "name whom to erase with --subject or --subjects; or --again, or --list"
        )
    if journal is not None and not again:
        raise click.UsageError("--journal goes with --again")
    if dry_run and not given:
        raise click.UsageError("--dry-run goes with --subject or --subjects alone")


def _tell_dagster(environment: Environment, told: Told) -> None:
    from shared_resources.reporting.outside_runs import report_version
    from shared_resources.reporting.standing_checks import refusals_standing

    for known, versions in told:
        stood = refusals_standing(environment, known.contract)
        held = [
            store.open(known.contract.key) for store in environment.stores_of(known.contract)[:1]
        ]
        partitions = held[0].partitions() if held else ()
        report_version(environment, known.contract, versions, partitions or None, before=stood)


def _print_plan(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
        return
    _table(found)
    rows = sum(one["rows"] or 0 for one in found)
    say(f"{rows:,} rows in {len(found):,} places would be erased; nothing was changed")
    if not found:
        say(_NOBODY)


def _print(made: Sequence[Erasure], as_json: bool) -> None:
    if as_json:
        print_json([one.statement()["predicate"] for one in made])
        return
    for one in made:
        _table(one.places)
        rows = sum(place["rows"] or 0 for place in one.places)
        say(
            f"{one.id}: {len(one.subjects):,} of kind {one.kind}, {rows:,} rows taken from "
            f"{len(one.places):,} places"
        )
        if not one.places and not one.left:
            say(_NOBODY)
        elif one.derived:
            say(f"made from such rows, and again by the next `mesh run`: {', '.join(one.derived)}")
        for note in one.notes:
            say(f"note: {note}")
        for left in one.left:
            say(f"LEFT {left}", err=True)
    if not made:
        say("nobody whom the journal knows is here")


def _table(places: Sequence[Any]) -> None:
    rows = [
        {
            "product": place.get("product", ""),
            "place": place["place"],
            "branch": place.get("branch", ""),
            "what": place["what"],
            "rows": place["rows"],
            "problem": place.get("problem", ""),
        }
        for place in places
    ]
    if rows:
        print_table(rows, rows[0])


def _print_journal(environment: Environment, as_json: bool) -> None:
    from shared_resources.evidence.erasures import journal

    place = environment.attestor.place
    entries = journal(place) if place is not None else []
    if as_json:
        print_json([one.statement()["predicate"] for one in entries])
        return
    rows = [
        {
            "erasure": one.id,
            "kind": one.kind,
            "subjects": len(one.subjects),
            "by": one.by,
            "done": one.done_at.isoformat(timespec="seconds") if one.done_at else "NOT DONE",
            "rows": sum(place["rows"] or 0 for place in one.places),
            "left": len(one.left),
            "reason": one.reason,
        }
        for one in entries
    ]
    if rows:
        print_table(rows, rows[0])
    else:
        say("nobody was erased yet")
