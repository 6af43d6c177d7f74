"""A review: the domains that a change touches, and all that is found in them.

Belongs here: which domains are looked at, and the order of what is done with each.
Does not belong here: any of the checks, how it is shown (`formats/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shared_resources.comparing.git_history import repository, top_of
from shared_resources.environment import Environment
from shared_resources.mesh import Mesh, read_mesh, read_whole_mesh
from shared_resources.mesh.model import only_domain
from shared_resources.reviewing import (
    codeowners,
    data_cases,
    domain_tests,
    policy_cases,
    touched,
    verdicts,
)
from shared_resources.reviewing.cases import MESH, Base, Case, Kind, Outcome, Review, Suite
from shared_resources.reviewing.trials import Trial
from shared_resources.reviewing.verdicts import Before
from shared_resources.running.selection import unknown


@dataclass(frozen=True)
class Asked:
    """What is to be looked at. Without `since` there is no base to compare with, and without a
    `domain` all of them are looked at, or those that the change since then touches.

    `published` is whether what is published is looked at; `trial` what makes the products, if they are
    made, and `unmade` says why not as it was asked for. The tests of a domain may take `patience`
    seconds, and None leaves them out.
    """

    domain: str | None = None
    since: str | None = None
    published: bool = True
    trial: Trial | None = None
    unmade: str | None = None
    patience: float | None = None


def review(
    environment: Environment, asked: Asked, told: Callable[[str], None] = lambda _: None
) -> Review:
    """Look at the domains, one after the other; `told` hears which one is next.

    Raises `NoBase` for a base that git does not have, `UnknownSelection` for a domain that is in
    neither.
    """
    root = environment.root
    mesh = read_whole_mesh(environment)
    with ExitStack() as open_until_told:
        before, changed = None, None
        if asked.since is not None:
            known = repository(root)
            commit = known.base(asked.since)
            earlier = read_mesh(open_until_told.enter_context(known.files_at(commit)))
            before = Before(Base(asked.since, commit), earlier)
            changed = known.changed_since(commit)
        suites = dict[str, list[Case]]()
        for name in _names(mesh, before, changed, asked.domain):
            told(name)
            suites[name] = list(_of_domain(environment, mesh, before, name, asked))
        if asked.trial is not None and suites:
            told("what the products would become")
            for name, found in data_cases.of_domains(mesh, suites, asked.trial).items():
                suites.setdefault(name, []).extend(found)
    return Review(
        root,
        top_of(root),
        before.base if before else None,
        (
            *(Suite(name, tuple(found)) for name, found in suites.items()),
            *_of_mesh(mesh, root, asked.unmade),
        ),
    )


def _names(
    mesh: Mesh, before: Before | None, changed: tuple[str, ...] | None, only: str | None
) -> tuple[str, ...]:
    own = {domain.name for domain in mesh.own_domains}
    known = {*own, *(before.mesh.domain_names if before else ())}
    if only is not None:
        if only not in known:
            raise unknown(only, known)
        return (only,)
    if changed is None:
        return tuple(sorted(known))
    return touched.touched_domains(changed, known, only_domain(mesh.root))


def _of_domain(
    environment: Environment, mesh: Mesh, before: Before | None, name: str, asked: Asked
) -> Iterator[Case]:
    if before is not None:
        yield from verdicts.against_base(before, mesh, name)
    domain = verdicts.own_domain(mesh, name)
    if domain is None:
        return  # it is gone, and so is what else could be looked at
    if asked.published and environment.holds_anything:
        yield from verdicts.against_published(environment, mesh, domain)
    yield from policy_cases.of_domain(mesh, domain)
    if asked.published and environment.holds_anything:
        yield from policy_cases.of_published(environment, mesh, domain)
    if asked.patience is not None:
        yield from domain_tests.of_domain(mesh, domain, asked.patience)


def _of_mesh(mesh: Mesh, root: Path, unmade: str | None) -> Iterator[Suite]:
    cases = (*policy_cases.of_mesh(mesh), *codeowners.cases(mesh, top_of(root)))
    left = () if unmade is None else (Case(Kind.DATA, "branch", Outcome.SKIPPED, unmade),)
    yield Suite(MESH, (*cases, *left))
