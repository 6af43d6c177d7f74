"""A publication that would break what readers of the current version were promised is refused.

Belongs here: asking so before anything is made, and again before anything is committed.
Does not belong here: which change breaks (`contracts/changes/`), a schema that a store cannot take
(`stores/evolution.py`), the same said of files (`breaks.py`).

The verdict is that of `mesh diff`, `mesh ci` and `mesh deploy`. Who reads the product is asked only
where something breaks: else nothing but the current version is looked at.
"""

from __future__ import annotations

from shared_resources.contracts.changes.change import Change
from shared_resources.contracts.changes.comparing import breaks
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import may_break, next_breaking
from shared_resources.data_products.compared.consumers import consumers_hit, in_words, permitted
from shared_resources.data_products.compared.kept import kept_contract
from shared_resources.environment import Environment
from shared_resources.mesh import Mesh, read_whole_mesh
from shared_resources.stores.opening import holding
from shared_resources.stores.protocol import PublishError


def check_promised(environment: Environment, contract: Contract) -> None:
    """Raise `PublishError`, with each break, its line and whom it hits, when the contract promises less
    than the one of the version that readers see, and its version does not permit that.

    Of a version whose contract nobody has, the store asks for what the version says itself.
    """
    _, versions = holding(environment, contract.key)
    current = versions[-1].evidence_or_none if versions else None
    if current is None or current.contract_digest == contract.digest:
        return
    before = current.contract_version
    if may_break(before, contract.version):
        return
    was = kept_contract(environment, contract, current.contract_digest)
    found = breaks(was, contract) if was is not None else ()
    if not found:
        return
    mesh = read_whole_mesh(environment)
    if permitted(before, contract.version, consumers_hit(mesh, contract.key, found)):
        return
    raise PublishError(
        f"{contract.key}: the contract no longer fits what is published under version {before} of it "
        "(version "
        f"{versions[-1].number} of the product), and nothing was published.\n"
        + "\n".join(
            f"  {contract.path}:{one.line or _version_line(mesh, contract)}: {one.message}; "
            + _whom(mesh, contract.key, one)
            for one in found
        )
        + f"\nTake the change back, or, if it is meant and the consumers are ready, raise the contract's "
        f"version from {contract.version} to {next_breaking(before)} (`mesh diff {contract.key}`)."
    )


def _version_line(mesh: Mesh, contract: Contract) -> int:
    try:
        return mesh.product(contract.key).line("version") or 1
    except KeyError:
        return 1  # made from a contract that lies nowhere in the mesh


def _whom(mesh: Mesh, key: str, one: Change) -> str:
    hit = consumers_hit(mesh, key, (one,))
    return f"it breaks {in_words(hit)}" if hit else "nothing in this mesh reads it"
