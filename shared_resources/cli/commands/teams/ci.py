"""`mesh ci`: what a pull request of a domain needs to know, in the forms that CI shows.

Belongs here: the options, and where each form goes.
Does not belong here: what is looked at (`reviewing/`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.output import say, visible
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.environment import Environment
    from shared_resources.reviewing.cases import Case, Review

_SAMPLE = 100_000
# Who made a branch that is made anew at each review: nobody works in it.
_MAKER = "mesh ci"


@click.command(epilog="Example: mesh ci --since origin/main --branch pr-123 --annotations github")
@click.argument("domain", required=False)
@click.option(
    "--since",
    metavar="GIT_REF",
    help="Look at the domains that the change since it has begun touches, and compare contracts with "
    "those at the commit where it began.",
)
@click.option(
    "--annotations",
    type=click.Choice(["github", "gitlab", "none"]),
    default="none",
    show_default=True,
    help="github: workflow commands; gitlab: a Code Quality report alone on standard output.",
)
@click.option("--summary", type=click.Path(path_type=Path), help="Write a page of Markdown.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit's XML.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
@click.option("--static", is_flag=True, help="Look at the files alone: at nothing published.")
@click.option("--no-tests", is_flag=True, help="Leave the domains' tests out.")
@click.option("--no-data", is_flag=True, help="Make no product.")
@click.option(
    "--branch",
    metavar="NAME",
    help="Make the products, and those that read them, in this branch of the mesh, which is made anew; "
    "`mesh branch drop` ends it. Without access to what is published they are rehearsed.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="ROWS",
    default=_SAMPLE,
    show_default=True,
    help="Make products from so many rows of each input; what has fewer is read whole.",
)
@click.option("--whole", is_flag=True, help="Make products from whole inputs.")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    default=1_800,
    show_default=True,
    help="What the tests of a domain may take, and making its products.",
)
def ci(
    domain: str | None,
    since: str | None,
    annotations: str,
    summary: Path | None,
    junit: Path | None,
    as_json: bool,
    static: bool,
    no_tests: bool,
    no_data: bool,
    branch: str | None,
    sample: int,
    whole: bool,
    patience: int,
) -> None:
    """Review a change, of DOMAIN or of every domain that it touches: contracts against the base's
    and against what is published, with the consumers that a break hits; policies; the domain's
    tests; and what its products, made without being published, would change for readers.

    No classified value is in what it tells. Ends with 1 if anything fails.
    """
    if as_json and annotations != "none":
        raise click.UsageError("--json and --annotations both write to standard output; choose one")
    environment = wiring.without_branch() if branch else wiring.current()
    if not environment.domains.is_dir():
        raise click.UsageError(f"there is no folder {environment.domains}; set MESH_ROOT")
    _writable(summary, junit)
    from shared_resources.reviewing.review import Asked, review
    from shared_resources.reviewing.trials import Rehearsals

    trial, unmade = None, None
    if not (static or no_data):
        made_in, unmade = _branch(environment, branch) if branch else (None, None)
        trial = Rehearsals(environment, None if whole else sample, patience, made_in)
    patient = None if no_tests else patience
    asked = Asked(domain, since, not static, trial, unmade, patient)
    with _ending_what_was_started():
        made = review(environment, asked, lambda name: say(f"looking at {name}", err=True))
    _write(made, summary, junit)
    _tell(made, annotations, as_json)
    if not as_json:
        _show(made, err=annotations == "gitlab")
    sys.exit(0 if made.passed else 1)


def _branch(environment: Environment, name: str) -> tuple[str | None, str | None]:
    """The branch to make products in, empty; or why there can be none here."""
    from shared_resources.branching.branches import begin_anew
    from shared_resources.mesh import look_at_mesh
    from shared_resources.stores.branched.names import BranchProblem, check_name

    check_name(name)
    instead = "the products were rehearsed, each of what is published, and their consumers were not"
    if not environment.holds_anything:
        why = f"nothing is published in {environment.home}, and MESH_ENV leads to no other place"
        return None, f"no branch {name} was made: {why}; {instead}"
    try:
        known = [product.key for product in look_at_mesh(environment).products]
        return begin_anew(environment, name, _MAKER, known).branch, None
    except BranchProblem:
        raise
    except MeshProblem as problem:
        return None, f"no branch {name} was made: {problem}; {instead}"


@contextmanager
def _ending_what_was_started() -> Iterator[None]:
    """Whoever ends this process by SIGTERM, as CI does, ends the tests and products that it runs."""

    def stopped(number: int, _: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stopped)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _writable(*files: Path | None) -> None:
    """Say before the work that its outcome could not be written."""
    for file in files:
        if file is None:
            continue
        folder = file.absolute().parent
        if not folder.is_dir():
            raise click.UsageError(f"there is no folder {folder} to write {file.name}")
        if file.is_dir():
            raise click.UsageError(f"{file} is a folder; name a file in it")
        if not os.access(file if file.exists() else folder, os.W_OK):
            raise click.UsageError(f"{file} cannot be written; name another file")


def _write(made: Review, page: Path | None, xml: Path | None) -> None:
    if page is not None:
        from shared_resources.reviewing.formats.summary import summary

        page.write_text(visible(summary(made)), encoding="utf-8")
    if xml is not None:
        from shared_resources.reviewing.formats.junit import junit

        xml.write_text(junit(made), encoding="utf-8")


def _tell(made: Review, annotations: str, as_json: bool) -> None:
    from shared_resources.cli.tables import print_json

    if as_json:
        from shared_resources.reviewing.formats.report import as_json as report

        print_json(report(made))
    elif annotations == "github":
        from shared_resources.reviewing.formats.annotations import github

        for line in github(made):
            say(line)
    elif annotations == "gitlab":
        from shared_resources.reviewing.formats.annotations import gitlab

        print_json(gitlab(made))


def _show(made: Review, *, err: bool) -> None:
    """A line a case that somebody should read, then the counts."""
    from shared_resources.reviewing.cases import MESH, Outcome

    for suite in made.suites:
        for case in suite.cases:
            if case.outcome is not Outcome.PASSED:
                for line in _lines(made, case):
                    say(f"{suite.name}: {case.outcome}: {line}", err=err)
    counts = ", ".join(f"{made.count(one)} {one}" for one in Outcome)
    names = ", ".join(made.domains) or "no domain"
    against = f", against {made.base}" if made.base else ""
    say(f"{names} and {MESH}{against}: {counts}", err=err)


def _lines(made: Review, case: Case) -> list[str]:
    """Its findings, or what is said of it."""
    return [made.text(str(one)) for one in case.findings] or [made.text(case.said)]
