"""The process in which a domain's products are rehearsed: what its code prints or ends stays in it.

Belongs here: reading what is asked, answering a line a product.
Does not belong here: who asks (`trials.py`), a rehearsal (`rehearsing/`).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from shared_resources import wiring
from shared_resources.data_products.makers.choice_of_objects import NothingToIngest
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.governance.stopped import ProductStopped
from shared_resources.mesh import Mesh, ProductKind, look_at_mesh
from shared_resources.problems import MeshProblem
from shared_resources.rehearsing.changes import Changes
from shared_resources.rehearsing.given_inputs import Given, NotGiven
from shared_resources.rehearsing.rehearsal import Rehearsal, rehearse
from shared_resources.reviewing.made_in_branch import made_in
from shared_resources.reviewing.trials import Became, Broken, Changed, Tried
from shared_resources.state.private_files import keep_files_private
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished
from shared_resources.wiring import BranchEnvironment

_LONGEST = 600


def answer() -> None:
    """Try the products that standard input asks for, in order; each answer is there once it is known."""
    keep_files_private()
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_who_asked, daemon=True).start()
    environment = wiring.current()
    if asked["branch"] is not None:
        environment = wiring.existing_branch(wiring.without_branch(), asked["branch"])
    lacking = set(map(str, asked["lacking"]))
    products = list(map(str, asked["products"]))
    mesh = look_at_mesh(environment, anew=products[0].partition("/")[0])
    with Path(asked["answers"]).open("a", encoding="utf-8") as answers:
        for product in products:
            one = tried(environment, mesh, product, asked["sample"], lacking)
            if one.became is not Became.MADE:
                lacking.add(product)
            answers.write(one.text() + "\n")
            answers.flush()


def _end_with_who_asked() -> None:
    """Standard input ends when the process that asked has died."""
    sys.stdin.read()
    os._exit(1)


def tried(
    environment: Environment,
    mesh: Mesh,
    key: str,
    sample: int | None,
    lacking: Collection[str] = (),
) -> Tried:
    """One product's trial; in a branch those `lacking` were to be made before it, and were not.

    Raises nothing: a domain's code may raise anything, and that is told.
    """
    begun = time.monotonic()
    inside = environment if isinstance(environment, BranchEnvironment) else None
    try:
        if inside is not None and (lost := sorted({*lacking} & {*mesh.product(key).reads})):
            return Tried(key, Became.LEFT_OUT, f"it reads {', '.join(lost)}, which was not made")
        make = partial(rehearse, environment) if inside is None else partial(made_in, inside)
        cut = sample is not None and _larger(environment, mesh, key, sample)
        made = make(mesh, key, Given({}, sample if cut else None))
        if cut and not made.passed:
            cut = False
            made = make(mesh, key, Given({}))
    except (NotPublished, NotGiven, NothingToIngest) as missing:
        return Tried(key, Became.LEFT_OUT, _line(missing))
    except (ProductStopped, PolicyViolation):
        why = "its files, or those of what it reads, have findings, so that it is not made"
        return Tried(key, Became.LEFT_OUT, why)
    except Exception as problem:  # noqa: BLE001 - it is the code of a domain
        kind = "" if isinstance(problem, MeshProblem) else f"{type(problem).__name__}: "
        return Tried(key, Became.FAILED, kind + _line(problem), seconds=time.monotonic() - begun)
    told = _told(made, cut, time.monotonic() - begun)
    return replace(told, branch=inside.branch) if inside is not None and made.passed else told


def _larger(environment: Environment, mesh: Mesh, key: str, rows: int) -> bool:
    """Whether any input has more rows than a sample; of what landed no sample is read."""
    product = mesh.product(key)
    if product.kind is ProductKind.INGEST:
        return False
    reads = {one.key for one in product.inputs}
    return any(open_product(environment, one).version.rows > rows for one in reads)


def _told(made: Rehearsal, cut: bool, seconds: float) -> Tried:
    broken = [
        Broken(one.rule.name, one.message, one.rows_failed, one.refuses, one.rule.line)
        for one in made.report.results
        if not one.passed
    ]
    why = "; ".join(one.message for one in made.report.refusals)
    return Tried(
        made.product,
        Became.MADE if made.passed else Became.REFUSED,
        " ".join(why.split())[:_LONGEST],
        tuple(day for day in made.partitions if day),
        cut,
        made.publishable,
        made.lost,
        broken,
        None if made.changes is None else _changed(made.changes),
        seconds,
    )


def _changed(changes: Changes) -> Changed:
    return Changed(
        changes.version,
        changes.added,
        changes.gone,
        changes.changed,
        dict(changes.columns),
        changes.only_made,
        changes.only_published,
        changes.retyped,
    )


def _line(problem: Exception) -> str:
    return " ".join((str(problem) or type(problem).__name__).split())[:_LONGEST]


if __name__ == "__main__":
    answer()
