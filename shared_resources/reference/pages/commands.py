"""The page of commands, as click knows them.

Belongs here: every command below `mesh` with its arguments and options.
Does not belong here: what a command does, and the words that its module says about it.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from shared_resources.cli.main import mesh
from shared_resources.reference.pages.markdown import page, table

_INTRODUCTION = """
Every command takes `--help`. Exit codes: 0 done, 1 a rule or a run failed, 2 wrong use. What is wrong is
one readable message on standard error; `--json`, where there is one, prints JSON alone on standard
output.
"""


def commands_page() -> str:
    told = [_told(command, path) for path, command in every_command()]
    return page("The commands", _INTRODUCTION, *told)


def every_command(
    command: click.Command = mesh, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command that does something, groups left out, in the order of the help."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None, f"mesh lists {name!r} and has it not"
        yield from every_command(inner, (*path, name))


def _told(command: click.Command, path: tuple[str, ...]) -> str:
    context = click.Context(command, info_name=" ".join(("mesh", *path)))
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    blocks = [f"## `{context.command_path}`", _prose(command.help or ""), f"```sh\n{usage}\n```"]
    options = list(_options(command, context))
    if options:
        blocks.append(table(("option", "what it does"), options))
    if command.epilog:
        blocks.append(_example(command.epilog))
    return "\n\n".join(blocks)


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield f"`{record[0]}`", record[1]


def _prose(text: str) -> str:
    """A help text's paragraphs, each on one line; what click is told not to wrap, as it is."""
    told = []
    for paragraph in text.replace("\f", "").strip().split("\n\n"):
        if paragraph.startswith("\b"):
            told.append(f"```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```")
        else:
            told.append(" ".join(paragraph.split()))
    return "\n\n".join(told)


def _example(epilog: str) -> str:
    text = " ".join(epilog.split())
    return f"Example: `{text.removeprefix('Example: ')}`" if text.startswith("Example: ") else text
