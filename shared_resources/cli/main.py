"""`mesh`: the front door of the command line.

Belongs here: the list of commands, loaded when one is called, and how errors reach a person.
Does not belong here: what a command does (one module a command).
"""

from __future__ import annotations

import difflib
import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence

import click

from shared_resources.cli.output import say
from shared_resources.problems import MeshProblem
from shared_resources.state.private_files import keep_files_private

_COMMANDS = {
    "new": "begin a domain or a product",
    "upgrade": "a later platform in a domain's own repository",
    "test": "make and audit a product, publish nothing, show what would change",
    "dev": "Dagster's UI with one domain",
    "serve": "the UI, the daemon and every deployed domain, kept up on this machine",
    "branch": "work beside what is published; compare, promote, drop",
    "diff": "what a change of contracts does to readers, and whom it breaks",
    "ci": "what a pull request needs: contracts, policies, tests, data",
    "codeowners": "CODEOWNERS, from each domain.yaml",
    "deploy": "put a domain into service, back to an earlier release, or out of it",
    "registry": "what each deployed domain promises",
    "run": "materialize products in dependency order across domains",
    "stream": "make products of topics, for as long as it runs",
    "status": "a row a product: version, rows, checks, health",
    "check": "every contract and policy, statically",
    "lineage": "which columns of which products a product's columns are made from",
    "policy": "the central policies, and the examples that test them",
    "audit": "a contract's rules on a file, without Dagster",
    "read": "what a consumer gets",
    "access": "who may read what, for which purpose, and who did",
    "versions": "the published versions of a product",
    "evidence": "what each version was checked against; the chain verified",
    "rollback": "publish an earlier version again",
    "quarantine": "what was rejected and why; try it again, settle it",
    "settle": "decide that nothing is to come of a day that failed or never came",
    "landing": "what landed and waits; let it be ingested again",
    "erase": "take a person's rows out of everything that is kept, and prove it",
    "housekeeping": "compact, expire and clear up, now",
    "repair": "tell a store again which versions lie in it, after its record was lost",
}

# Those that stand in a room of their own.
_ROOMS = {"access": "access."} | dict.fromkeys(
    (
        "new",
        "upgrade",
        "test",
        "dev",
        "branch",
        "diff",
        "ci",
        "codeowners",
        "serve",
        "deploy",
        "registry",
    ),
    "teams.",
)
_ROOMS.update(dict.fromkeys(("landing", "stream"), "arriving."))
_ROOMS.update(dict.fromkeys(("erase", "evidence", "lineage", "policy"), "governing."))

# Whose client says in its own words that it was refused, or could not reach anyone.
_SERVICES = {"botocore": "AWS", "snowflake": "Snowflake"}

_OBJECTS_BEFORE_RUBBISH = 50_000

_UNUSABLE_HOME = frozenset({errno.EACCES, errno.ENOTDIR, errno.EROFS})


class _LazyGroup(click.Group):
    """Imports a command's module when it is called, so that `mesh status` never waits for Dagster."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        place = f"{_ROOMS.get(cmd_name, '')}{cmd_name}"
        module = importlib.import_module(f"shared_resources.cli.commands.{place}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f"did you mean {close[0]}?" if close else "`mesh --help` lists them"
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    epilog="Example: mesh run && mesh status",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def mesh() -> None:
    """The data mesh: run its products, look at them, read them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `mesh`; exit 0 done, 1 a rule or check failed, 2 wrong use. Never a traceback."""
    # What is imported stays. To look through it for rubbish at every 700 objects takes a fifteenth of
    # what a short command takes.
    gc.set_threshold(_OBJECTS_BEFORE_RUBBISH)
    keep_files_private()
    try:
        sys.exit(mesh.main(arguments, prog_name="mesh", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort as end:
        if isinstance(end.__context__, EOFError):  # click asked, and standard input has ended
            say("\nmesh: nobody answers that; give it as an option, which --help names", err=True)
            sys.exit(2)
        say("stopped", err=True)
        sys.exit(1)
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does; nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as problem:  # the last place where a message can be made of it
        if os.environ.get("MESH_DEBUG"):
            raise
        code = problem.exit_code if isinstance(problem, MeshProblem) else 0
        text = str(problem) or type(problem).__name__
        if isinstance(problem, OSError) and problem.errno in _UNUSABLE_HOME:
            code = 2
            text = (
                f"{problem.strerror}: {problem.filename}; the mesh keeps its state in MESH_HOME "
                "(default .mesh), a folder that it must be able to write to"
            )
        service = _SERVICES.get(type(problem).__module__.partition(".")[0])
        if service and not code:
            code = 1
            text = f"{service}: {text}; docs/production.md, 'The first run', says what it may mean"
        if not code:
            text = f"{type(problem).__name__}: {text} (MESH_DEBUG=1 shows where)"
        say(f"mesh: {text}", err=True)
        sys.exit(code or 1)
