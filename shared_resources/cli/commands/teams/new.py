"""`mesh new`: begin a domain, or a product, with files that `mesh check` has nothing against.

Belongs here: asking for what only people know, and saying what comes next.
Does not belong here: what the files say (`scaffolding/`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.environment import EnvironmentProblem
from shared_resources.inference.inferred import Inferred
from shared_resources.mesh import Archetype
from shared_resources.scaffolding.beginnings import Beginning

if TYPE_CHECKING:
    from shared_resources.scaffolding.new_product import NewProduct

if TYPE_CHECKING:
    from shared_resources.scaffolding.new_domain import NewDomain

ARCHETYPES = click.Choice([one.value for one in Archetype])
KINDS = tuple(one.value for one in Beginning)


@click.group(epilog="Example: mesh new domain finance --owner finance-data@example.com --yes")
def new() -> None:
    """Begin a domain or a product: all its files, or none of them."""


@new.command(epilog="Example: mesh new domain finance --owner finance-data@example.com --yes")
@click.argument("name")
@click.option("--owner", help="The address of who answers for it.")
@click.option("--contact", help="Where to ask; default #NAME.")
@click.option("--archetype", type=ARCHETYPES)
@click.option("--description", help="What it is about, in a sentence.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    help="Begin it in a repository of its own, at this new place.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the defaults of what is not given.")
def domain(
    name: str,
    owner: str | None,
    contact: str | None,
    archetype: str | None,
    description: str | None,
    repository: Path | None,
    yes: bool,
) -> None:
    """A domain: its folder, its code location, its entry in workspace.yaml.

    With --repository all of it stands in a git repository of its own, with its own lock, tests and CI,
    and the platform pinned: `make setup check test` passes there.
    """
    from shared_resources.scaffolding.new_domain import NewDomain, make_domain

    if yes and not owner:
        raise click.UsageError("--owner is missing: somebody has to answer for the domain")
    made = NewDomain(
        name,
        owner or click.prompt("Owner, as an address"),
        _asked("Contact", contact, f"#{name}", yes),
        Archetype(_asked("Archetype", archetype, Archetype.SOURCE_ALIGNED.value, yes, ARCHETYPES)),
        _asked("Description", description, f"What {name} knows.", yes),
    )
    if repository is not None:
        _begin_repository(repository, made)
        return
    root = wiring.current().root
    _told(root, make_domain(root, made))
    say(f"next: `mesh new product {name}/<name>`; `make dev` shows it once it is started again")


def _begin_repository(place: Path, made: NewDomain) -> None:
    from shared_resources.repositories.begin import make_repository

    try:
        mesh = wiring.current().root
    except EnvironmentProblem:  # an installed platform in a folder of no project
        mesh = None
    make_repository(place, made, mesh)
    say(f"made {place}, committed on its branch main")
    say(f"next: `cd {place} && make setup check test`, then `mesh new product {made.name}/<name>`")


@new.command(epilog="Example: mesh new product order/big_baskets --reads order/baskets")
@click.argument("product", metavar="DOMAIN/NAME")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Default: stream with --topic, function with --reads, else ingest.",
)
@click.option("--reads", multiple=True, metavar="DOMAIN/PRODUCT", help="What it is made of.")
@click.option("--topic", default="", help="The topic whose messages it is made of.")
@click.option(
    "--from",
    "from_",
    metavar="DATA",
    help="Begin with what is found in it: a file, a folder of files, s3://BUCKET/KEY, a table "
    "(DIALECT://HOST/DATABASE#TABLE), or a published product.",
)
@click.option("--format", "format_", default="csv", show_default=True, help="Of an ingest's files.")
@click.option("--description", help="What one row is, in a sentence.")
def product(
    product: str,
    kind: str | None,
    reads: tuple[str, ...],
    topic: str,
    from_: str | None,
    format_: str,
    description: str | None,
) -> None:
    """A product: its contract, and what makes it.

    That is landed files (ingest), a topic's messages (stream), a table of a database outside (source),
    a function, a dbt model, or a model that learns (machine-learning). One that reads another begins as
    its copy, with the same columns; one that learns predicts the last number of the first. With --from,
    the contract says what was found in the data (of a topic, a file of JSON lines), each column behind
    the evidence for it; what nobody can know from data is reported by `mesh check` until it is confirmed.
    """
    from shared_resources.inference.places import infer_place, table_of
    from shared_resources.scaffolding.new_product import NewProduct, make_product

    environment = wiring.current()
    inferred, reads = infer_place(environment, from_, reads)
    made = NewProduct(
        product,
        Beginning.of(kind, reads, topic),
        description or f"One row of {product.rpartition('/')[2].replace('_', ' ')}.",
        reads,
        format_,
        inferred,
        table_of(from_),
        topic,
    )
    root = environment.root
    files = make_product(root, made, registered=environment.registry.promised)
    _told(root, files)
    if inferred is not None:
        _tell_inferred(product, inferred)
    _tell_agreements(made)
    _tell_next(made, _shown(root, files[0]), _shown(root, files[-1]))


@new.command(epilog="Example: mesh new ci github")
@click.argument("place", type=click.Choice(["github", "gitlab", "shell"]))
def ci(place: str) -> None:
    """What reviews each change in CI with `mesh ci`: a workflow for GitHub, a job for GitLab, or a
    script for any other."""
    from shared_resources.scaffolding.new_workflow import Place, make_workflow

    root = wiring.current().root
    files = make_workflow(root, Place(place))
    _told(root, files)
    if place == "gitlab" and len(files) == 1:
        say("next: include it in .gitlab-ci.yml: `include: [{local: .gitlab/mesh-review.yml}]`")
    else:
        say("next: commit it; `mesh ci --since origin/main` shows here what it will show there")


def _tell_next(made: NewProduct, contract: Path, code: Path) -> None:
    match made.kind:
        case Beginning.INGEST if made.inferred is not None:
            say(f"next: land the data below {made.key}, then `mesh run {made.key}`")
        case Beginning.INGEST:
            say(
                f"next: write the files' columns into {contract}, then "
                f"`mesh audit {contract} --data <file>`"
            )
        case Beginning.STREAM:
            say(
                f"next: `mesh stream {made.key}` makes it of {made.topic}, as long as it runs; where "
                f"nobody writes to it yet, `mesh stream send {made.topic} FILE --partitions 4` does"
            )
        case Beginning.SOURCE:
            from shared_resources.scaffolding.source import variable_of

            variable = variable_of(made.domain, made.name)
            say(f"next: set {variable} to the database's address, then `mesh run {made.key}`")
        case Beginning.MACHINE_LEARNING:
            say(f"next: `mesh run +{made.key}` makes it; change the model in {code.parent}")
        case _:
            say(f"next: `mesh run +{made.key}` makes it; change how in {code}")


def _tell_agreements(made: NewProduct) -> None:
    """What it reads of other domains is theirs to grant."""
    for key in made.reads:
        if not key.startswith(f"{made.domain}/"):
            say(
                f"it reads {key} by an agreement: `mesh access request {key} --as {made.key} --role … "
                f"--purpose …` asks for one (`mesh check --domain {made.domain}` says whether there is)"
            )


def _tell_inferred(product: str, inferred: Inferred) -> None:
    """What was found, in a line, and what `mesh check` will ask for."""
    key = f"the key ({', '.join(inferred.key)})" if inferred.key else "no key"
    say(f"{inferred.rows:,} rows, {len(inferred.columns)} columns, {key}")
    asked = len(inferred.to_confirm) + sum(len(one.to_confirm) for one in inferred.columns)
    say(f"to be confirmed: {asked} (`mesh check --domain {product.partition('/')[0]}` lists them)")


def _asked(
    what: str, given: str | None, default: str, yes: bool, choice: click.Choice[str] | None = None
) -> str:
    if given is not None or yes:
        return default if given is None else given
    return str(click.prompt(what, default=default, type=choice))


def _told(root: Path, files: tuple[Path, ...]) -> None:
    for file in files:
        say(f"wrote {_shown(root, file)}")


def _shown(root: Path, file: Path) -> Path:
    return file.relative_to(root) if file.is_relative_to(root) else file
