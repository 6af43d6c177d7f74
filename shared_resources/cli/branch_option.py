"""The option `--branch`: the command works in a branch, and so do the processes that it starts.

Belongs here: the option, refusing a branch.
Does not belong here: what a branch is (`wiring/branch.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from shared_resources.environment import Environment
from shared_resources.wiring import without_branch

VARIABLE = "MESH_BRANCH"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def branch_option(command: _Command) -> _Command:
    """Give the command the option `--branch NAME`, which sets `MESH_BRANCH` while it runs."""
    option = click.option(
        "--branch",
        metavar="NAME",
        expose_value=False,
        is_eager=True,
        callback=_work_in,
        help="Work in this branch: read production, write beside it. Default: MESH_BRANCH.",
    )
    return option(command)


def _work_in(context: click.Context, option: click.Parameter, name: str | None) -> None:
    if name is None:
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    context.call_on_close(lambda: _back_to(before))


def _back_to(before: str | None) -> None:
    if before is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = before


def outside_branches(instead: str = "") -> Environment:
    """The environment of a command that is for what all share. Raises `UsageError` in a branch, which
    says what to do `instead`."""
    if os.environ.get(VARIABLE):
        otherwise = f"; {instead}" if instead else ""
        raise click.UsageError(f"this is not done in a branch: unset {VARIABLE}{otherwise}")
    return without_branch()
