"""What a branch changed of a product: rows, by key and column, and what its contract promises.

Belongs here: comparing the branch's version with production's of now.
Does not belong here: comparing rows (`rehearsing/changes.py`), what breaks a promise
(`contracts/promise.py`), showing it (`cli/commands/teams/branch.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_resources.branching.own_line import changed_products, own_line
from shared_resources.branching.promotable import against, candidate
from shared_resources.contracts.promise import Promise
from shared_resources.mesh import Mesh
from shared_resources.rehearsing.changes import Changes, changes_between
from shared_resources.stores.branched.names import BranchProblem
from shared_resources.stores.protocol import Version
from shared_resources.wiring import BranchEnvironment


@dataclass(frozen=True)
class Difference:
    """`changes` is None where production has nothing of the product. `contract` says what it promised
    there and in the branch, where that differs, and `breaks` which readers would notice; `against` is
    what keeps it from being promoted.
    """

    product: str
    version: int
    rows: int
    changes: Changes | None
    contract: str | None
    breaks: tuple[str, ...]
    against: tuple[str, ...]


def differences(
    branch: BranchEnvironment, mesh: Mesh, wanted: Sequence[str] = ()
) -> list[Difference]:
    """Of the products `wanted`, by default all that the branch made. Raises `BranchProblem`."""
    made = changed_products(branch)
    for key in wanted:
        if key not in made:
            has = f"it has {', '.join(made)}" if made else "it has made nothing"
            raise BranchProblem(f"branch {branch.branch} has not made {key}; {has}")
    return [_difference(branch, mesh, key, made) for key in wanted or made]


def _difference(branch: BranchEnvironment, mesh: Mesh, key: str, made: Sequence[str]) -> Difference:
    contract = {product.key: product.contract for product in mesh.products}.get(key)
    if contract is None:
        raise BranchProblem(
            f"branch {branch.branch} has {key}, and the project has no contract of it that can be "
            "read: `mesh check` says why"
        )
    lines = (own_line(store, key) for store in branch.stores.values())
    line = next(found for found in lines if found is not None)
    changes = None
    if line.production is not None:
        days = {day for one in line.made for day in one.evidence.partitions}
        changes = changes_between(
            branch.scratch,
            contract,
            line.store.base.open(key),
            line.store.open(key),
            sorted(days) if line.moved is None else None,
        )
    one = candidate(branch, contract)
    why = tuple(against(branch, mesh, one, made)) if one is not None else ()
    said, breaks = _contracts(line.production, line.newest)
    return Difference(key, line.newest.number, line.newest.rows, changes, said, breaks, why)


def _contracts(before: Version | None, now: Version) -> tuple[str | None, tuple[str, ...]]:
    """How what was promised differs, by the evidence of both versions."""
    if before is None or (evidence := before.evidence_or_none) is None:
        return None, ()
    ours = now.evidence
    if evidence.contract_digest == ours.contract_digest:
        return None, ()
    said = f"{evidence.contract_version} → {ours.contract_version}"
    if evidence.contract_version == ours.contract_version:
        said = f"another text of version {ours.contract_version}"
    promised, promises = evidence.promise or Promise({}), ours.promise or Promise({})
    return said, tuple(found.message for found in promised.broken_by(promises))
