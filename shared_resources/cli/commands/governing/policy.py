"""`mesh policy`: the central policies, tried on their own examples.

Belongs here: the commands, and how policies are shown.
Does not belong here: the policies (`governance/policies/`), trying them (`governance/examples/`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from shared_resources.cli.output import say
from shared_resources.governance.catalogue import all_policies, policy_in
from shared_resources.governance.examples.trying import Tried, try_policy
from shared_resources.governance.policy import Policy


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
