"""What of a selection stays as it is, found without loading any location.

Belongs here: which products are unchanged together with all that they read, and which domains need no
process because all that is wanted of them is.
Does not belong here: whether one product is unchanged (`unchanged.py`, `pending.py`).

A location takes seconds to load, and a nightly run that has nothing to do should not take them. What a
location could say when it is loaded is asked of its files: where these are not enough, it is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from shared_resources.environment import Environment
from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.governance.stopped import stopped_products
from shared_resources.mesh import Domain, Mesh, read_whole_mesh
from shared_resources.mesh.code.definitions_file import definitions_findings
from shared_resources.mesh.code.platform_use import PLATFORM
from shared_resources.mesh.code.product_code import parse_python
from shared_resources.mesh.model import DEFINITIONS_FILE
from shared_resources.running.pending import UpToDate, tasks_of
from shared_resources.stores.opening import holding


def at_rest(environment: Environment, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Why the products that stay as they are do, by key: of domains of which all that is wanted does.

    `wanted` gives what each product reads, by what the files say.
    """
    if not environment.holds_anything:
        return {}
    found: dict[str, str] = {}
    waiting = set(wanted)
    while ready := [key for key in sorted(waiting) if _settled(wanted[key], wanted, found)]:
        waiting.difference_update(ready)
        for key in ready:
            why = _why_unchanged(environment, key)
            read = _read_by_current(environment, key) if why is not None else set()
            # Its code may say more than its files do.
            if why is not None and _settled(read, wanted, found):
                found[key] = why
    domains = {key.split("/")[0] for key in wanted}
    still = {d for d in domains if all(k in found for k in wanted if k.split("/")[0] == d)}
    if not still:
        return {}
    mesh = read_whole_mesh(environment)
    quiet = {domain for domain in still if _loads(mesh, mesh.domain(domain))}
    return {key: why for key, why in found.items() if key.split("/")[0] in quiet}


def _settled(
    reads: tuple[str, ...] | set[str], wanted: Mapping[str, object], found: Mapping[str, str]
) -> bool:
    return all(key in found for key in reads if key in wanted)


def _why_unchanged(environment: Environment, product: str) -> str | None:
    try:
        tasks_of(environment, product, None)
    except UpToDate as reason:
        return str(reason)
    except Exception:  # noqa: BLE001 - whatever it is, it is told when the product's turn comes
        return None
    return None


def _read_by_current(environment: Environment, product: str) -> set[str]:
    """What the version that readers see was made of."""
    _, versions = holding(environment, product)
    evidence = versions[-1].evidence_or_none if versions else None
    return set(evidence.inputs) if evidence else set()


def _loads(mesh: Mesh, domain: Domain) -> bool:
    """Whether nothing in the domain's files could keep its location, or a product of it, from loading.

    What its `definitions.py` adds of its own is only known when it is loaded.
    """
    tree, _ = parse_python(domain.folder / DEFINITIONS_FILE)
    if tree is None or not _plain(tree) or any(definitions_findings(domain.folder)):
        return False
    try:
        return not stopped_products(mesh, domain)
    except PolicyViolation:
        return False


def _plain(tree: ast.Module) -> bool:
    """Whether a `definitions.py` builds its domain from its folder, and does nothing else."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return all(not call.keywords for call in calls) and all(
        isinstance(node, ast.Expr | ast.Assign)
        or (isinstance(node, ast.ImportFrom) and node.module in ("__future__", PLATFORM))
        for node in tree.body
    )
