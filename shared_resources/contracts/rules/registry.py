"""Finding the kinds of rule: a file each below `contracts/rules/`, and those of other distributions.

Belongs here: every kind by name, and the kind of a rule.
Does not belong here: any kind, or what one is (`kind.py`).

Another distribution adds a kind by an entry point of the group `dagster_data_mesh.rules` that leads
to an instance of one of the shapes in `kind.py`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from shared_resources.contracts.model import Rule
from shared_resources.contracts.rules import batch, own, rows, values
from shared_resources.contracts.rules.kind import RuleKind
from shared_resources.extensions import UnusableExtension, extensions
from shared_resources.problems import MeshProblem

GROUP = "dagster_data_mesh.rules"
_FOLDERS: tuple[ModuleType, ...] = (batch, values, rows, own)


class UnknownKind(MeshProblem):
    """No installed distribution has the kind of a rule; the message names both."""


@cache
def all_kinds() -> dict[str, RuleKind]:
    """Every kind by name, in the order of their ranks.

    Raises `TypeError` for a file that does not define `KIND` under its own name, `UnusableExtension`
    for an entry point that leads to no kind, or to one whose name is taken.
    """
    found = {kind.name: kind for kind in _own_kinds()}
    for added, kind in extensions(GROUP, RuleKind):
        if kind.name in found:
            raise UnusableExtension(
                f"{added} adds the kind of rule {kind.name!r}, which there is already; "
                "rename it, or uninstall one of the two"
            )
        found[kind.name] = kind
    return dict(sorted(found.items(), key=lambda item: (item[1].rank, item[0])))


def kind_of(rule: Rule) -> RuleKind:
    """The kind of a rule. Raises `UnknownKind` when no installed distribution has it."""
    kind = all_kinds().get(rule.kind)
    if kind is None:
        raise UnknownKind(
            f"rule {rule.name} is of the kind {rule.kind!r}, which is not known here; install the "
            "distribution that adds it"
        )
    return kind


def _own_kinds() -> list[RuleKind]:
    kinds = []
    for folder in _FOLDERS:
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            name = module.name.rpartition(".")[2]
            kind = getattr(importlib.import_module(module.name), "KIND", None)
            if not isinstance(kind, RuleKind) or kind.name != name:
                raise TypeError(f"{module.name} must define KIND, a RuleKind named {name!r}")
            kinds.append(kind)
    return kinds
