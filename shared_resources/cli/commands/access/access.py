"""`mesh access`: who may read what, for which purpose, and who did.

Belongs here: the commands, and what they print.
Does not belong here: agreements, grants and the log themselves (`access/`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.commands.access.engines import apply, export, plan
from shared_resources.cli.commands.access.tokens import token
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.mesh import Mesh, ProductFolder
    from shared_resources.mesh.agreements.model import Agreement


@click.group(
    epilog="Example: mesh access request customer/contacts --as marketing --role addresses "
    "--purpose service_mail"
)
def access() -> None:
    """Access for a purpose: agreements, what each shows, who read what."""


access.add_command(plan)
access.add_command(apply)
access.add_command(export)
access.add_command(token)


@access.command(
    epilog="Example: mesh access request order/transactions --as marketing "
    "--role personalisation --purpose personalisation --until 2031-06-30"
)
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--as", "consumer", required=True, metavar="WHO", help="Who is to read it.")
@click.option(
    "--role", "roles", required=True, multiple=True, metavar="R", help="A role of its contract."
)
@click.option("--purpose", required=True, metavar="P", help="A central purpose.")
@click.option("--why", default="", help="What it is needed for, in words.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Its last day, UTC."
)
@click.option(
    "--reassess", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="To be looked at again by."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there, for a product whose files are elsewhere.",
)
def request(
    product: str,
    consumer: str,
    roles: tuple[str, ...],
    purpose: str,
    why: str,
    until: datetime | None,
    reassess: datetime | None,
    output: Path | None,
) -> None:
    """Ask for an agreement: it is written into the producer's folder, for the owner to approve."""
    from shared_resources.access.principal import principal_named
    from shared_resources.access.requests import request as ask
    from shared_resources.access.requests import unknown_consumer

    mesh, folder = _product(product)
    asked = ask(
        mesh,
        folder,
        principal_named(consumer),
        roles,
        purpose,
        usage=why,
        until=_end_of(until),
        reassess=_end_of(reassess),
        output=output,
    )
    owners = ", ".join(mesh.domain(folder.domain).owners)
    say(
        f"{asked.file} is written. It is in force when one of {owners} has approved it: `mesh access "
        f"approve {product} --for {asked.consumer}`, in the review of the change"
    )
    if doubt := unknown_consumer(mesh, asked.consumer):
        say(f"note: {doubt}", err=True)


def _decision(verb: str, doing: str) -> click.Command:
    @click.argument("product", metavar="DOMAIN/PRODUCT")
    @click.option("--for", "consumer", required=True, metavar="WHO", help="Whose agreement.")
    @click.option("--purpose", metavar="P", help="Which of several.")
    @click.option("--by", metavar="OWNER", help="Who decides; by default git's user.email.")
    def decide(product: str, consumer: str, purpose: str | None, by: str | None) -> None:
        from shared_resources.access.principal import principal_named
        from shared_resources.access.requests import agreement_for, decide_about
        from shared_resources.mesh.agreements.model import Status
        from shared_resources.repositories.git import email_here

        mesh, folder = _product(product)
        who = by or email_here(mesh.root)
        agreement = agreement_for(folder, principal_named(consumer).consumers[0], purpose)
        status = Status.APPROVED if verb == "approve" else Status.REJECTED
        domain = mesh.domain(folder.domain)
        decided = decide_about(domain, folder, mesh.central, agreement, status, who)
        say(f"{decided.file} is {decided.status}, by {who}; commit it")
        if status is Status.REJECTED and agreement.status is Status.APPROVED:
            say(
                "the platform's door is shut to it from now on. An engine that it was carried to keeps "
                "the grant until `mesh access apply --prune`; the hourly check `as_agreed_in_…` says so"
            )

    decide.__doc__ = doing
    example = f"Example: mesh access {verb} order/transactions --for recommendation"
    return access.command(verb, epilog=example)(decide)


approve = _decision("approve", "Approve what was asked for. Who may is an owner in domain.yaml.")
reject = _decision("reject", "Reject what was asked for, or end what was approved.")


_SHOWN = ("product", "consumer", "roles", "purpose", "state", "until", "reassess")


@access.command("list", epilog="Example: mesh access list order/transactions --json")
@click.argument("products", nargs=-1, metavar="[DOMAIN/PRODUCT]…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_(products: tuple[str, ...], as_json: bool) -> None:
    """The agreements, and whether each is in force now."""
    from shared_resources.mesh import look_at_mesh
    from shared_resources.mesh.agreements.folder import agreement_files, read_all

    mesh = look_at_mesh(wiring.current())
    folders = [_product(key)[1] for key in products] or list(mesh.products)
    rows = []
    for folder in folders:
        agreements, unreadable = read_all(agreement_files(folder.folder))
        rows += [_row(mesh, folder, agreement, as_json) for agreement in agreements]
        for finding in unreadable:
            say(finding, err=True)
    if as_json:
        print_json(rows)
    elif rows:
        said = any(row["problems"] for row in rows)
        print_table(rows, _SHOWN + (("problems",) if said else ()))
    else:
        say("there is no agreement; `mesh access request` asks for one")


@access.command(epilog="Example: mesh access explain marketing customer/contacts email")
@click.argument("who")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.argument("column", required=False)
@click.option("--purpose", metavar="P", help="For which of several agreements.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def explain(who: str, product: str, column: str | None, purpose: str | None, as_json: bool) -> None:
    """What WHO sees of a product, and by which agreement; or why not. Exit 1 for who sees nothing."""
    from shared_resources.access.explaining import explain_columns, explain_grant
    from shared_resources.access.grants import NoAgreement, decide
    from shared_resources.access.principal import principal_named

    mesh, folder = _product(product)
    owners = mesh.domain(folder.domain).owners
    try:
        grant = decide(folder, owners, mesh.central, principal_named(who), purpose)
    except NoAgreement as refused:
        if as_json:
            # Whoever reads JSON finds the reason in it, and the exit code says the rest.
            print_json({"grant": [], "columns": [], "refused": str(refused)})
        raise
    assert folder.contract is not None
    explained = explain_columns(grant, folder.contract)
    if column is not None:
        explained = [one for one in explained if one.column == column]
        if not explained:
            names = ", ".join(one.name for one in folder.contract.columns)
            raise click.BadParameter(f"{product} has no column {column!r}; it has {names}")
    rows = [{**vars(one), "shown": one.shown or "not at all"} for one in explained]
    if as_json:
        print_json({"grant": explain_grant(grant), "columns": rows, "refused": None})
        return
    for sentence in explain_grant(grant):
        say(sentence)
    print_table(rows, rows[0])


@access.command(epilog="Example: mesh access log --product order/transactions --json")
@click.option("--product", metavar="DOMAIN/PRODUCT", help="Readings of this product alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def log(product: str | None, as_json: bool) -> None:
    """Who read what of which version, for which purpose: the readings that this machine has noted, in
    production those of every machine."""
    from shared_resources.access.log import log_of

    environment = wiring.current()
    noted = log_of(environment.home_of_readers, environment.shared_access_log)
    noted.send()
    readings = [one.as_json() for one in noted.readings(product)]
    if product is not None and not readings:
        _product(product)  # a name that no product has is no answer
    if as_json:
        print_json(readings)
    elif readings:
        shown = ("at", "who", "product", "version", "columns", "rows", "purpose", "by")
        print_table(
            [{**one, "columns": ", ".join(one["columns"] or ("all",))} for one in readings], shown
        )
    else:
        say(f"nobody has read {product or 'anything'} yet")


class _Unknown(MeshProblem):
    exit_code = 2


def _product(key: str) -> tuple[Mesh, ProductFolder]:
    from shared_resources.mesh import look_at_mesh

    mesh = look_at_mesh(wiring.current())
    try:
        folder = mesh.product(key)
    except KeyError as problem:
        known = [product.key for product in mesh.products]
        close = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise _Unknown(f"there is no product {key!r}; {hint}") from problem
    if folder.contract is None:
        raise _Unknown(f"the contract of {key} cannot be read; `mesh check` says why")
    return mesh, folder


def _end_of(day: datetime | None) -> datetime | None:
    """The last second of a day."""
    last = time(23, 59, 59, tzinfo=UTC)
    return None if day is None else datetime.combine(date(day.year, day.month, day.day), last)


def _day(moment: datetime | None, whole: bool) -> object:
    return moment if moment is None or whole else moment.date()


def _row(
    mesh: Mesh, folder: ProductFolder, agreement: Agreement, as_json: bool
) -> dict[str, object]:
    from shared_resources.access.terms import problems_with

    now, owners = datetime.now(UTC), mesh.domain(folder.domain).owners
    assert folder.contract is not None
    problems = problems_with(agreement, folder.key, folder.contract, owners, mesh.central)
    state: str = agreement.status.value
    if agreement.over(now):
        state = "ended"
    elif agreement.in_force(now):
        state = "in force"
    elif agreement.status.value == "approved":
        state = "not begun"
    said = [problem.message for problem in problems]
    return {
        "product": folder.key,
        "consumer": str(agreement.consumer),
        "roles": list(agreement.roles) if as_json else ", ".join(agreement.roles),
        "purpose": agreement.purpose,
        "state": "does not hold" if said else state,
        "until": _day(agreement.ends, as_json),
        "reassess": _day(agreement.reassessment, as_json),
        "by": agreement.decided_by,
        "problems": said if as_json else "; ".join(said),
        "file": str(agreement.file),
    }
