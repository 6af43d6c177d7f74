"""`mesh diff`: what a change of contracts does to readers, and whom it breaks.

Belongs here: the command, and how changes are shown.
Does not belong here: the changes (`contracts/changes/`), what they are compared with (`comparing/`).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.output import say

if TYPE_CHECKING:
    from shared_resources.comparing.changed import Changed
    from shared_resources.contracts.changes.change import Change
    from shared_resources.data_products.compared.consumers import Hit
    from shared_resources.environment import Environment
    from shared_resources.mesh import Mesh


@click.command(epilog="Example: mesh diff --against main")
@click.argument("selection", nargs=-1, metavar="[DOMAIN|DOMAIN/PRODUCT]...")
@click.option(
    "--against",
    metavar="GIT_REF",
    help="Compare with what the files were where the change left GIT_REF, and not with what is "
    "published and deployed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def diff(selection: tuple[str, ...], against: str | None, as_json: bool) -> None:
    """Each change of a contract, breaking, compatible or cosmetic, and the consumers that it breaks.

    Exits with 1 if something breaks that no new major version permits.
    """
    from shared_resources.mesh import read_whole_mesh

    environment = wiring.current()
    mesh = read_whole_mesh(environment)
    if against is not None:
        found = _against_ref(environment, mesh, selection, against)
    else:
        found = _against_published(environment, mesh, selection)
    if as_json:
        from shared_resources.cli.tables import print_json

        print_json([_as_json(one, mesh, _read_lately(environment, mesh, one)) for one in found])
    else:
        _show(environment, found, mesh)
    if any(one.refused for one in found):
        sys.exit(1)


def _against_ref(
    environment: Environment, mesh: Mesh, selection: Sequence[str], ref: str
) -> list[Changed]:
    from shared_resources.comparing.changed import keys, mesh_changes
    from shared_resources.comparing.git_history import repository
    from shared_resources.mesh import read_mesh

    known = repository(environment.root)
    commit = known.base(ref)
    with known.files_at(commit) as files:
        earlier = read_mesh(files)
        wanted = _wanted(selection, keys([*earlier.own_domains, *mesh.own_domains]))
        return list(mesh_changes(earlier, mesh, wanted, f"{ref} ({commit[:12]})"))


def _against_published(
    environment: Environment, mesh: Mesh, selection: Sequence[str]
) -> list[Changed]:
    from shared_resources.comparing.changed import keys
    from shared_resources.comparing.published import gone_products, published_changes

    own = keys(mesh.own_domains)
    # What is gone of a domain of ours is still deployed, or published by whoever deployed nothing.
    names = {domain.name for domain in mesh.own_domains}
    deployed = environment.registry.promised(names).promises
    wanted = _wanted(selection, own | {*gone_products(environment, mesh, deployed)})
    return list(published_changes(environment, mesh, deployed, wanted))


def _wanted(selection: Sequence[str], known: Collection[str]) -> Collection[str]:
    from shared_resources.running.selection import select

    return select(selection, dict.fromkeys(known, ()))


def _show(environment: Environment, found: Sequence[Changed], mesh: Mesh) -> None:
    from shared_resources.comparing.changed import Verdict
    from shared_resources.data_products.compared.consumers import in_words

    quiet = (Verdict.UNCHANGED, Verdict.NEW)
    for one in found:
        if one.verdict in quiet and not one.refused:
            continue
        versions = f"{one.before or '-'} -> {one.now or '-'}"
        say(f"{one.key} {versions}: {one.verdict}, against {one.against}")
        lately = _read_lately(environment, mesh, one)
        for change, hit, read in zip(one.changes, one.hits, lately.by_change, strict=True):
            say(f"  {change.effect}: {change.message}{_breaks(hit)}")
            if made := _made_from(mesh, one.key, change):
                say(f"    made from it, as contracts and models say: {in_words(made)}")
            if read:
                say(f"    read lately, by the access log: {in_words(read)}")
        if one.readers:
            say(f"  read by {', '.join(one.readers)}")
        if lately.of_gone:
            say(f"  read lately, by the access log: {', '.join(lately.of_gone)}")
        for text in filter(None, (one.unsaid, one.refused)):
            say(f"  {text}")
    counted = [
        f"{number} {verdict}"
        for verdict in Verdict
        if (number := sum(one.verdict is verdict for one in found))
    ]
    refused = sum(bool(one.refused) for one in found)
    say(f"{', '.join(counted) or 'nothing to compare'}; {refused} not permitted")


def _breaks(hit: Any) -> str:
    from shared_resources.data_products.compared.consumers import in_words

    return f"; it breaks {in_words(hit)}" if hit else ""


def _made_from(mesh: Mesh, key: str, change: Change) -> Hit:
    """What is known to be made from the columns of a change that breaks."""
    from shared_resources.contracts.changes.change import Effect
    from shared_resources.data_products.compared.downstream import made_from

    return made_from(mesh, key, change.columns) if change.effect is Effect.BREAKING else {}


@dataclass(frozen=True)
class Lately:
    """Who is named by the access log and by no file: `by_change`, and of a product that is gone."""

    by_change: Sequence[Hit]
    of_gone: tuple[str, ...] = ()


def _read_lately(environment: Environment, mesh: Mesh, one: Changed) -> Lately:
    from shared_resources.comparing.changed import Verdict
    from shared_resources.contracts.changes.change import Effect
    from shared_resources.data_products.compared.consumers import present_names
    from shared_resources.data_products.compared.read_lately import read_beside, readings_lately

    if one.verdict is Verdict.GONE:
        who = {reading.who for reading in readings_lately(environment, one.key)}
        return Lately((), tuple(sorted(who - {*one.readers})))
    if not any(change.effect is Effect.BREAKING for change in one.changes):
        return Lately([{} for _ in one.changes])
    readings = readings_lately(environment, one.key)
    present = present_names(mesh.product(one.key))
    return Lately(read_beside(one.changes, one.hits, readings, present))


def _as_json(one: Changed, mesh: Mesh, lately: Lately) -> dict[str, Any]:
    root = mesh.root
    file = one.file.relative_to(root) if one.file.is_relative_to(root) else one.file
    return {
        "product": one.key,
        "file": file.as_posix(),
        "against": one.against,
        "verdict": one.verdict.value,
        "versions": {"from": one.before, "to": one.now},
        "permitted": not one.refused,
        "remedy": one.refused,
        "not_compared": one.unsaid,
        "changes": [
            {
                "effect": change.effect.value,
                "clause": change.clause,
                "line": change.line,
                "message": change.message,
                "columns": list(change.columns),
                "consumers": [{"product": key, "columns": list(used)} for key, used in hit.items()],
                "made_from_it": [
                    {"product": key, "columns": list(made)}
                    for key, made in _made_from(mesh, one.key, change).items()
                ],
                "read_lately": [
                    {"reader": who, "columns": list(used)} for who, used in read.items()
                ],
            }
            for change, hit, read in zip(one.changes, one.hits, lately.by_change, strict=True)
        ],
        "consumers": list(one.hit),
        "read_lately": sorted({who for hit in lately.by_change for who in hit} | {*lately.of_gone}),
    }
