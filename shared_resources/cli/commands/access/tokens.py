"""`mesh access token`: tokens by which `mesh serve products` knows who reads.

Belongs here: the commands, and what they print. Does not belong here: the tokens (`serving_ports/http/`).
"""

from __future__ import annotations

from datetime import timedelta

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.cli.user import user

_SHOWN = ("id", "principal", "purpose", "state", "ends", "made_by")


@click.group(epilog="Example: mesh access token new --as marketing --days 30")
def token() -> None:
    """Tokens of those who read over HTTP: make, list, revoke."""


@token.command(epilog="Example: mesh access token new --as marketing --purpose care --days 30")
@click.option("--as", "principal", required=True, metavar="WHO", help="Who reads with it.")
@click.option("--purpose", metavar="P", help="For which of several agreements.")
@click.option("--days", type=int, default=90, show_default=True, help="How long it is in force.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def new(principal: str, purpose: str | None, days: int, as_json: bool) -> None:
    """Make a token, and show it this once. Whoever has it reads as WHO: keep it as a password."""
    from shared_resources.serving_ports.http.tokens import Tokens

    environment = outside_branches("nobody reads from one")
    secret, made = Tokens(environment.state).make(principal, purpose, timedelta(days=days), user())
    if as_json:
        print_json({"id": made.id, "token": secret, "ends": made.ends})
        return
    say(secret)
    say(f"token {made.id} of {principal}, in force until {made.ends:%Y-%m-%d %H:%M} UTC", err=True)


@token.command("list", epilog="Example: mesh access token list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_(as_json: bool) -> None:
    """The tokens that were made, and whether each is in force; never a token itself."""
    from shared_resources.serving_ports.http.tokens import Tokens

    environment = outside_branches("nobody reads from one")
    rows = [{**vars(one), "state": one.state} for one in Tokens(environment.state).all()]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, _SHOWN)
    else:
        say("there is no token; `mesh access token new` makes one")


@token.command(epilog="Example: mesh access token revoke 1a2b3c4d")
@click.argument("id_", metavar="ID")
def revoke(id_: str) -> None:
    """End a token now: who reads with it is refused within a second."""
    from shared_resources.serving_ports.http.tokens import Tokens

    environment = outside_branches("nobody reads from one")
    Tokens(environment.state).revoke(id_)
    say(f"token {id_} is revoked")
