"""Keeping the views of a product on its current version.

Belongs here: what is done when a product has a new current version, other files, or fewer rows.
Does not belong here: a view (`statements.py`), the views of new agreements: `mesh access apply`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from shared_resources.engines.embedded_views.views import EmbeddedViews, views_below
from shared_resources.engines.shares import Share, shares_of_product
from shared_resources.environment import Environment
from shared_resources.mesh.domain_file import owners_named
from shared_resources.mesh.read import read_central, read_product
from shared_resources.problems import MeshProblem

_log = logging.getLogger(__name__)


def follow(environment: Environment, product: str) -> None:
    """Point the views of the product that stand at its current version.

    The version is published whatever comes of this: a view that cannot be moved shows the version before,
    as whole as it was, and `mesh access plan` says so. One whose agreement does not show the new version
    is removed; one without an agreement is left to `mesh access apply --prune`.
    """
    import duckdb

    engine = _engine(environment)
    if engine is None:
        return
    try:
        shares = _shares(environment, product)
    except (MeshProblem, OSError) as problem:
        _say(product, problem)
        return
    for share in shares:
        try:
            engine.move(share)
        except (
            MeshProblem,
            OSError,
            duckdb.Error,
        ) as problem:  # the other readers' move all the same
            _say(product, problem)


def _say(product: str, problem: Exception) -> None:
    said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
    _log.warning(
        "views of %s still show the version before (%s): `mesh access apply --engine %s` moves them",
        product,
        said,
        EmbeddedViews.name,
    )


def renew(environment: Environment, product: str) -> Iterator[tuple[str, str]]:
    """Make every file with a view of the product anew, when rows were taken from versions that were
    published: none may stay in it. Yields each file that could not be made, and why."""
    if (engine := _engine(environment)) is not None:
        yield from engine.renew(product, _shares(environment, product))


def _engine(environment: Environment) -> EmbeddedViews | None:
    """None where nobody has any view."""
    if not views_below(environment.home).is_dir():
        return None
    engine = environment.engines.get(EmbeddedViews.name)
    return engine if isinstance(engine, EmbeddedViews) else None


def _shares(environment: Environment, product: str) -> tuple[Share, ...]:
    folder = read_product(environment, product, anew=False)
    if folder is None:
        return ()
    owners = owners_named(folder.folder.parents[1])
    return shares_of_product(folder, owners, read_central(environment), datetime.now(UTC)).given
