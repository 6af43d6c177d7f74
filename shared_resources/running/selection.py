"""Naming products on the command line: `order`, `order/transactions`, `+customer/customer_360`.

Belongs here: resolving what a person typed against the mesh.
Does not belong here: what is done with the selected products.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.mesh import ProductFolder, look_at_mesh, read_product
from shared_resources.problems import MeshProblem


class UnknownSelection(MeshProblem, LookupError):
    """No product or domain of that name; the message names the closest."""

    exit_code = 2


def select(wanted: Sequence[str], reads: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The product keys that `wanted` names, all when it is empty; `+` adds everything upstream.

    `reads` maps every product to those that it reads. Raises `UnknownSelection`.
    """
    if not wanted:
        return tuple(sorted(reads))
    chosen: set[str] = set()
    for text in wanted:
        name = text.removeprefix("+").rstrip("/")
        found = {key for key in reads if key == name or key.split("/")[0] == name}
        if not found:
            raise unknown(name, [*reads, *{key.split("/")[0] for key in reads}])
        chosen |= _with_upstream(found, reads) if text.startswith("+") else found
    return tuple(sorted(chosen))


def _with_upstream(keys: set[str], reads: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key in reads and key not in seen:
            seen.add(key)
            waiting.extend(reads[key])
    return seen


def unknown(name: str, names: Iterable[str]) -> UnknownSelection:
    close = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "`mesh status` lists them"
    return UnknownSelection(f"there is no product or domain {name!r}; {hint}")


def product_folder(environment: Environment, key: str, *, anew: bool = True) -> ProductFolder:
    """The folder of one product, its contract read `anew` but for those who only look. Raises
    `UnknownSelection`."""
    product = read_product(environment, key, anew=anew)
    if product is None:
        raise unknown(key, [p.key for p in look_at_mesh(environment).products])
    return product


def product_contract(environment: Environment, key: str, *, anew: bool = True) -> Contract:
    """The contract of one product, as `product_folder`. Raises `UnknownSelection`, `InvalidFile`."""
    from shared_resources.contracts.odcs import read_contract

    folder = product_folder(environment, key, anew=anew)
    return folder.contract or read_contract(folder.contract_file)
