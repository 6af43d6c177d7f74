"""Keeping the views of a product on its current version.

Belongs here: what is done when a product has a new current version, or other files.
Does not belong here: a view (`statements.py`), the views of new agreements: `mesh access apply`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from shared_resources.access.grants import NoAgreement
from shared_resources.engines.embedded_views.views import EmbeddedViews
from shared_resources.engines.engine import Action, Change, Item
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
    is removed.
    """
    import duckdb

    engine = environment.engines.get(EmbeddedViews.name)
    if not isinstance(engine, EmbeddedViews):
        return
    try:
        standing = engine.serving(product)
        if standing:
            _move(engine, standing, _shares(environment, product))
    except (MeshProblem, OSError, duckdb.Error) as problem:
        said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
        _log.warning(
            "the views of %s still show the version before (%s): `mesh access apply --engine %s` moves "
            "them",
            product,
            said,
            engine.name,
        )


def _move(
    engine: EmbeddedViews, standing: list[Item], shares: dict[tuple[str, str], Share]
) -> None:
    for item in standing:
        share = shares.get((item.consumer, item.purpose))
        try:
            if share is not None:
                engine.show(share)
                continue
        except NoAgreement:
            pass  # the new version cannot be shown so: removed below, as the door shows it to nobody
        engine.execute(Change(Action.REMOVE, item))


def _shares(environment: Environment, product: str) -> dict[tuple[str, str], Share]:
    folder = read_product(environment, product, anew=False)
    if folder is None:
        return {}
    owners = owners_named(folder.folder.parents[1])
    found = shares_of_product(folder, owners, central_of(environment), datetime.now(UTC))
    return {(str(share.consumer), share.purpose): share for share in found.given}
