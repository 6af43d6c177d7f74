"""Keeping the views of a product on its current version.

Belongs here: what is done when a product has a new current version, or other files.
Does not belong here: a view (`statements.py`), the views of new agreements: `mesh access apply`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from shared_resources.engines.embedded_views.views import EmbeddedViews, views_below
from shared_resources.engines.shares import Share, shares_of_product
from shared_resources.environment import Environment
from shared_resources.mesh.domain_file import owners_named
from shared_resources.mesh.read import central_of, read_product
from shared_resources.problems import MeshProblem

_log = logging.getLogger(__name__)


def follow(environment: Environment, product: str) -> None:
    """Point the views of the product that stand at its current version.

    The version is published whatever comes of this: a view that cannot be moved shows the version before,
    as whole as it was, and `mesh access plan` says so. One whose agreement does not show the new version
    is removed; one without an agreement is left to `mesh access apply --prune`.
    """
    import duckdb

    if not views_below(environment.home).is_dir():
        return  # nobody has any
    engine = environment.engines.get(EmbeddedViews.name)
    if not isinstance(engine, EmbeddedViews):
        return
    try:
        for share in _shares(environment, product):
            engine.move(share)
    except (MeshProblem, OSError, duckdb.Error) as problem:
        said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
        _log.warning(
            "the views of %s still show the version before (%s): `mesh access apply --engine %s` moves "
            "them",
            product,
            said,
            engine.name,
        )


def _shares(environment: Environment, product: str) -> tuple[Share, ...]:
    folder = read_product(environment, product, anew=False)
    if folder is None:
        return ()
    owners = owners_named(folder.folder.parents[1])
    return shares_of_product(folder, owners, central_of(environment), datetime.now(UTC)).given
