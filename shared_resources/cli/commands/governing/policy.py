"""`mesh policy`: the central policies, tried on their own examples and on the mesh.

Belongs here: the commands, and how policies are shown.
Does not belong here: the policies (`governance/policies/`), trying them (`governance/examples/`,
`governance/dry_run.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.governance.catalogue import all_policies, policy_in, utc_today
from shared_resources.governance.examples.trying import Tried, try_policy
from shared_resources.governance.policy import LoadTimePolicy, Policy
from shared_resources.mesh import Mesh, look_at_mesh, read_whole_mesh

if TYPE_CHECKING:
    from shared_resources.governance.dry_run import DryRun, Said


@click.group(epilog="Example: mesh policy test")
def policy() -> None:
    """The central policies: what they ask for, and whether they find what they should."""


@policy.command(epilog="Example: mesh policy test classified shared/no_abbreviations.py")
@click.argument("policies", nargs=-1, metavar="[POLICY…]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def test(policies: Sequence[str], as_json: bool) -> None:
    """Try each POLICY, by its name or the file that defines it, on the examples that it carries: those
    that must pass and those that must fail. Without, all of them, those of other distributions too.

    Ends with 1 and names the example, what was expected and what came, where one does not hold.
    """
    tried = [one for named in named_policies(policies) for one in try_policy(named)]
    if as_json:
        from shared_resources.cli.tables import print_json

        print_json(
            [
                {"policy": one.policy, "example": one.example, "held": one.held, "why": one.problem}
                for one in tried
            ]
        )
    else:
        _show(tried)
    sys.exit(0 if all(one.held for one in tried) else 1)


def named_policies(named: Sequence[str]) -> list[Policy]:
    """The policies of these names or files; all of them when none is named."""
    known = all_policies()
    if not named:
        return list(known.values())
    return [_named(one, known) for one in named]


def _named(one: str, known: dict[str, Policy]) -> Policy:
    if one in known:
        return known[one]
    file = Path(one)
    if file.suffix == ".py" and file.is_file():
        return policy_in(file)
    raise click.UsageError(
        f"there is no policy {one!r}, and no such file; there are: {', '.join(known)}"
    )


def _show(tried: Sequence[Tried]) -> None:
    for name, group in groupby(tried, lambda one: one.policy):
        examples = list(group)
        wrong = [one for one in examples if not one.held]
        if not wrong:
            say(f"{name}: {len(examples)} examples hold")
        for one in wrong:
            say(f"{name}, example {one.example!r}: {one.problem}")
    wrong = [one for one in tried if not one.held]
    say(f"{len(tried)} examples, {len(wrong)} that do not hold")


@policy.command("list", epilog="Example: mesh policy list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_(as_json: bool) -> None:
    """Every policy: how severe it is, what it is set to, and who is excused from it until when."""
    from shared_resources.cli.tables import columns_of, print_json, print_table

    mesh = look_at_mesh(wiring.current())
    rows = [_row(one, mesh) for one in all_policies().values()]
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            **row,
            "settings": ", ".join(f"{name} {number}" for name, number in row["settings"].items()),
            "waivers": len(row["waivers"]),
        }
        for row in rows
    ]
    print_table(shown, columns_of(shown))
    for waiver in (one for row in rows for one in row["waivers"]):
        until = f"{waiver['expires']}{' (expired)' if waiver['expired'] else ''}"
        say(
            f"waiver: {waiver['product']} from {waiver['policy']} until {until}, approved by "
            f"{waiver['approver']}: {waiver['reason']}"
        )


def _row(one: Policy, mesh: Mesh) -> dict[str, Any]:
    central, today = mesh.central, utc_today()
    return {
        "policy": one.name,
        "looks at": "files" if isinstance(one, LoadTimePolicy) else "data",
        "severity": one.severity_under(central).value,
        "can be waived": one.waivable,
        "settings": {name: f"{one.setting(central, name):g}" for name in one.settings},
        "examples": len(one.examples),
        "waivers": [
            {
                "policy": one.name,
                "product": f"{domain.name}/{waiver.product}",
                "expires": waiver.expires.isoformat(),
                "expired": waiver.expired(today),
                "approver": waiver.approver,
                "reason": waiver.reason,
            }
            for domain in mesh.domains
            for waiver in domain.waivers
            if waiver.policy == one.name
        ],
        "summary": one.summary,
    }


@policy.command("dry-run", epilog="Example: mesh policy dry-run --governance governance.new.yaml")
@click.argument("policies", nargs=-1, metavar="[POLICY…]")
@click.option(
    "--governance",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What would be decided centrally, in the place of domains/governance.yaml.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def dry_run(policies: Sequence[str], governance: Path | None, as_json: bool) -> None:
    """What POLICY, by its name or the file that defines it, would find in every domain if it held, and
    what would be found no longer. A policy on data is asked of what is published.

    Changes nothing. Ends with 1 if there are new findings that block.
    """
    from shared_resources.cli.tables import print_json
    from shared_resources.governance.dry_run import dry_run as run
    from shared_resources.mesh.central_file import read_central_file

    if not policies and governance is None:
        raise click.UsageError("name a policy, the file of one, or --governance FILE")
    environment = wiring.current()
    mesh = read_whole_mesh(environment)
    central = None if governance is None else read_central_file(governance.resolve())
    found = run(environment, mesh, named_policies(policies) if policies else (), central)
    if as_json:
        print_json(
            {
                "passed": not found.blocking,
                "new": [_said_as_json(one, mesh.root) for one in found.new],
                "gone": [_said_as_json(one, mesh.root) for one in found.gone],
                "not_asked": found.unasked,
            }
        )
    else:
        _show_dry_run(found, mesh.root)
    sys.exit(1 if found.blocking else 0)


def _show_dry_run(found: DryRun, root: Path) -> None:
    by_domain = groupby(sorted((*found.new, *found.gone)), lambda one: (one.domain, one.owners))
    for (domain, owners), said in by_domain:
        say(f"{domain or 'the mesh'} ({', '.join(owners) or 'the governance team'})")
        for one in said:
            word = "new" if one in found.new else "gone"
            line = " ".join(str(one.finding).replace(f"{root}/", "").split())
            say(f"  {word}, {one.how}: {line}{f' ({one.waiver})' if one.waiver else ''}")
    for product in found.unasked:
        say(f"not asked: {product}")
    say(
        f"{len(found.new)} new findings, {len(found.blocking)} of them blocking; "
        f"{len(found.gone)} would be gone"
    )


def _said_as_json(one: Said, root: Path) -> dict[str, Any]:
    file = one.finding.file
    return {
        "domain": one.domain,
        "owners": one.owners,
        "severity": one.how,
        "file": (file.relative_to(root) if file.is_relative_to(root) else file).as_posix(),
        "line": one.finding.line,
        "rule": one.finding.rule,
        "message": one.finding.message,
        "remedy": one.finding.remedy,
        "waiver": one.waiver,
    }
