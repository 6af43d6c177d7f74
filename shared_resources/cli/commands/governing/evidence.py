"""`mesh evidence`: what each version was checked against, and whether that still holds.

Belongs here: the command and how its answer is printed.
Does not belong here: verifying (`attesting/`), making attestations (`stores/attested/`).
"""

from __future__ import annotations

from pathlib import Path

import click

from shared_resources import wiring
from shared_resources.attesting.shown import NOT_ATTESTED, proof_shown, version_shown
from shared_resources.attesting.verifying import Proof, ProvenVersion, evidence_of
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.running.selection import product_contract
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
    "--statement",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the DSSE envelope of the version, for other tools of in-toto.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def evidence(
    product: str, number: int | None, verify: bool, statement: Path | None, as_json: bool
) -> None:
    """What each version of a product was checked against, in each of its stores.

    Nothing but what is stored is asked, over no network but the stores' own. Exit 1 when anything is
    not as it was attested: each finding names the version and the file.
    """
    environment = wiring.without_branch()
    contract = product_contract(environment, product, anew=False)
    proofs = evidence_of(environment, contract, trusted_keys(), number=number, verify=verify)
    if not any(proof.versions or proof.differences for proof in proofs):
        which = f"version {number} of {product}" if number else product
        raise NotPublished(f"{which} is not published; `mesh versions {product}` lists what is")
    if statement is not None:
        _write_statement(statement, proofs, product)
    if as_json:
        print_json([proof_shown(proof) for proof in proofs])
    else:
        _print(proofs, number, verify)
    if any(proof.differences for proof in proofs):
        raise click.exceptions.Exit(1)


def _print(proofs: list[Proof], number: int | None, verify: bool) -> None:
    rows = [_row(proof, one) for proof in proofs for one in proof.versions]
    if rows:
        print_table(rows, rows[0])
    if number is not None:
        for proof in proofs:
            for one in proof.versions:
                _print_version(proof, one)
    if not verify:
        return
    found = [one for proof in proofs for one in proof.differences]
    for difference in found:
        say(f"DIFFERS {difference}")
    attested = sum(one.attested is not None for proof in proofs for one in proof.versions)
    without = len(rows) - attested
    said = f"{attested} attested versions compared"
    if without:
        said += f", {without} not attested (published before there were attestations)"
    say(f"{said}; {len(found) or 'no'} differences")


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
    for read in shown["inputs"]:
        say(
            f"  read    {read['product']} {read['read']}, attestation {read['attestation'] or 'none'}"
        )
    for one_not in shown["not_checked"]:
        say(f"  NOT CHECKED  {one_not['what']}: {one_not['why']}")


def _write_statement(file: Path, proofs: list[Proof], product: str) -> None:
    attested = [one.attested for proof in proofs[:1] for one in proof.versions if one.attested]
    if not attested or attested[-1].envelope is None:
        raise NotPublished(f"{product}: the version is {NOT_ATTESTED}, so there is no statement")
    file.write_bytes(attested[-1].envelope.written())
