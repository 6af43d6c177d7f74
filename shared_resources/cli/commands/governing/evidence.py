"""`mesh evidence`: what each version was checked against, and whether that still holds.

Belongs here: the command and how its answer is printed.
Does not belong here: verifying (`attesting/`), making attestations (`stores/attested/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from shared_resources import wiring
from shared_resources.attesting.page import page
from shared_resources.attesting.rerunning import Rerun, rerun
from shared_resources.attesting.shown import (
    NOT_ATTESTED,
    all_differences,
    proof_shown,
    version_shown,
)
from shared_resources.attesting.verifying import Proof, ProvenVersion, evidence_of
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.environment import Environment
from shared_resources.mesh import ProductFolder
from shared_resources.running.selection import product_folder
from shared_resources.stores.protocol import NotPublished
from shared_resources.wiring.signing import trusted_keys


@click.command(epilog="Example: mesh evidence order/transactions --verify")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--version", "number", type=int, metavar="N", help="Only this version.")
@click.option(
    "--verify",
    is_flag=True,
    help="Compare every byte, the chain, the signatures, contract and inputs with what was attested.",
)
@click.option(
    "--rerun",
    "again",
    is_flag=True,
    help="Run the rules again over the stored rows, and compare what they come to.",
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Verify, and write one HTML page for an auditor that needs nothing beside it.",
)
@click.option(
    "--statement",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the DSSE envelope of the version, for other tools of in-toto.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def evidence(
    product: str,
    number: int | None,
    verify: bool,
    again: bool,
    export: Path | None,
    statement: Path | None,
    as_json: bool,
) -> None:
    """What each version of a product was checked against, in each of its stores.

    Nothing but what is stored is asked, over no network but the stores' own. Exit 1 when anything is
    not as it was attested: each finding names the version and the file.
    """
    for option, file in (("--export", export), ("--statement", statement)):
        if file is not None and not file.parent.is_dir():
            raise click.BadParameter(f"there is no folder {file.parent}", param_hint=option)
    environment = wiring.without_branch()
    folder = _folder(environment, product, anew=again)
    if folder.contract is None:
        raise NotPublished(f"{product} has no contract that can be read: `mesh check` says why")
    keys, verify = trusted_keys(), verify or export is not None
    proofs = evidence_of(environment, folder.contract, keys, number=number, verify=verify)
    if not any(proof.versions or proof.differences for proof in proofs):
        which = f"version {number} of {product}" if number else product
        raise NotPublished(f"{which} is not published; `mesh versions {product}` lists what is")
    reruns = _reruns(environment, folder, proofs) if again else []
    if statement is not None:
        _write_statement(statement, proofs, product)
    if export is not None:
        export.write_text(page(product, proofs, reruns, keys or (), reran=again), encoding="utf-8")
    if as_json:
        print_json([proof_shown(p, [r for r in reruns if r.store == p.store]) for p in proofs])
    else:
        _print(proofs, reruns, number, verify)
    if all_differences(proofs, reruns):
        raise click.exceptions.Exit(1)


def _folder(environment: Environment, product: str, *, anew: bool) -> ProductFolder:
    """Where its folder is gone, as an earlier major version's that has retired, as it was published."""
    from shared_resources.data_products.compared.kept import as_published
    from shared_resources.mesh import read_product

    found = read_product(environment, product, anew=anew) or as_published(environment, product)
    return found or product_folder(environment, product)


def _reruns(
    environment: Environment, folder: ProductFolder, proofs: Sequence[Proof]
) -> list[Rerun]:
    """Of every version that says what it was checked against."""
    stores = {store.name: store for store in environment.stores.values()}
    return [
        rerun(
            environment,
            folder,
            stores[proof.store],
            one.version,
            one.attested.predicate.get("terms") if one.attested else None,
        )
        for proof in proofs
        for one in proof.versions
        if one.version.evidence_or_none is not None
    ]


def _print(
    proofs: Sequence[Proof], reruns: Sequence[Rerun], number: int | None, verify: bool
) -> None:
    rows = [_row(proof, one) for proof in proofs for one in proof.versions]
    if rows:
        print_table(rows, rows[0])
    if number is not None:
        for proof in proofs:
            for one in proof.versions:
                _print_version(proof, one)
    for proof in proofs:
        for one in proof.versions:
            for gone in version_shown(one)["erased"]:
                where = f"version {one.version.number} in the {proof.store}"
                say(f"REDACTED {where}: {gone['rows']:,} rows by {gone['erasure']}")
    for difference in all_differences(proofs, reruns):
        say(f"DIFFERS {difference}")
    if verify:
        attested = sum(one.attested is not None for proof in proofs for one in proof.versions)
        found = sum(len(proof.differences) for proof in proofs)
        said = f"{_count(attested, 'attested version')} compared"
        if without := len(rows) - attested:
            said += f", {without} not attested (published before there were attestations)"
        say(f"{said}; {_count(found, 'difference')}")
    if reruns:
        ran, skipped = (sum(len(s) for s in some) for some in _rules_of(reruns))
        found = sum(len(one.differences) for one in reruns)
        said = f"{_count(ran, 'rule')} run again over {_count(len(reruns), 'version')}"
        say(f"{said}, {skipped} could not be; {_count(found, 'difference')}")


def _rules_of(reruns: Sequence[Rerun]) -> tuple[list[Sequence[object]], list[Sequence[object]]]:
    return [one.rules for one in reruns], [one.skipped for one in reruns]


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _row(proof: Proof, one: ProvenVersion) -> dict[str, object]:
    shown = version_shown(one)
    results = shown["results"]
    contract = shown["contract"]
    return {
        "version": one.version.number,
        "store": proof.store,
        "kind": shown["kind"] or NOT_ATTESTED,
        "rows": one.version.rows,
        "contract": contract["version"] if contract else "no evidence",
        "passed": sum(result["passed"] for result in results),
        "failed": sum(not result["passed"] for result in results),
        "not_checked": len(shown["not_checked"]) if one.attested else NOT_ATTESTED,
        "inputs": len(shown["inputs"]),
        "signed": shown["signed"],
        "attestation": (shown["attestation"] or "")[:12],
    }


def _print_version(proof: Proof, one: ProvenVersion) -> None:
    shown = version_shown(one)
    say(f"\nversion {one.version.number} in the {proof.store}")
    for result in shown["results"]:
        failed = f", {result['rows_failed']:,} rows" if result["rows_failed"] else ""
        say(f"  {'passed' if result['passed'] else 'FAILED'}  {result['rule']}{failed}")
    for waiver in shown["waivers"] or ():
        say(f"  waived  {waiver['policy']} until {waiver['expires']} by {waiver['approver']}")
    for by in shown["agreements"] or ():
        until = f" until {by['until']}" if by["until"] else ""
        say(
            f"  granted {by['product']} to {by['consumer']} as {', '.join(by['roles']) or by['id']} "
            f"for {by['purpose'] or 'anything'}{until}, agreement {by['id']}, terms {by['digest'][:12]}"
        )
    if shown["release"]:
        say(f"  release {shown['release']}")
    for read in shown["inputs"]:
        say(
            f"  read    {read['product']} {read['read']}, attestation {read['attestation'] or 'none'}"
        )
    if at := shown["stream"]:
        where = ", ".join(f"{one} to {offset}" for one, offset in at["positions"].items())
        say(
            f"  topic   {at['topic']}, partition {where}: {at['messages']:,} messages, of them "
            f"{at['rejected']:,} rejected"
        )
    for let in shown["approvals"][len(shown["waivers"] or ()) :]:  # waivers come first in it
        say(f"  allowed {let['what']}, by {let['by']}{': ' if let['why'] else ''}{let['why']}")
    for name, made in (shown["lineage"] or {"columns": {}})["columns"].items():
        say(f"  column  {name} from {', '.join(made) or 'no product'} ({shown['lineage']['how']})")
    for one_not in shown["not_checked"]:
        say(f"  NOT CHECKED  {one_not['what']}: {one_not['why']}")


def _write_statement(file: Path, proofs: Sequence[Proof], product: str) -> None:
    attested = [one.attested for proof in proofs[:1] for one in proof.versions if one.attested]
    if not attested or attested[-1].envelope is None:
        raise NotPublished(f"{product}: the version is {NOT_ATTESTED}, so there is no statement")
    file.write_bytes(attested[-1].envelope.written())
