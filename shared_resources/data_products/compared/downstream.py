"""What is made from columns of a product, by consumers and by theirs, as far as lineage is known.

Belongs here: following column lineage down the mesh: as contracts declare it, else as a dbt model's
statement says it.
Does not belong here: who reads the product (`consumers.py`), lineage itself (`contracts/`,
`model_columns.py`), what a version was made from (`evidence/`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared_resources.data_products.compared.consumers import Hit
from shared_resources.data_products.compared.model_columns import made_from_columns
from shared_resources.mesh import Mesh, ProductFolder

_Origins = Mapping[str, Collection[tuple[str, str]]]


def made_from(mesh: Mesh, key: str, columns: Collection[str]) -> Hit:
    """By product the columns that are known to be made from these columns, directly or through others.

    What no file says is not among them: nobody can say that it is all.
    """
    found: dict[str, set[str]] = {}
    known: dict[str, _Origins] = {}
    waiting = {(key, column.lower()) for column in columns}
    seen = set(waiting)
    while waiting:
        sources, waiting = waiting, set()
        above = {product for product, _ in sources}
        for product in mesh.products:
            if product.key not in known and above & {*product.reads, *_named(product)}:
                known[product.key] = _origins(mesh, product, {key: columns})
            for name, origins in known.get(product.key, {}).items():
                one = (product.key, name.lower())
                if one not in seen and sources & {*origins}:
                    found.setdefault(product.key, set()).add(name)
                    waiting.add(one)
                    seen.add(one)
    return {product: tuple(sorted(names)) for product, names in sorted(found.items())}


def _named(product: ProductFolder) -> set[str]:
    """The products that its contract says it is made from, whether or not its files read them."""
    columns = product.contract.columns if product.contract else ()
    return {key for column in columns for key, _ in column.made_from or ()}


def _origins(mesh: Mesh, product: ProductFolder, had: Mapping[str, Collection[str]]) -> _Origins:
    """By column what it is made from, in lower case: as declared, else as a statement says."""
    columns = product.contract.columns if product.contract else ()
    declared = {one.name: one.made_from for one in columns}
    found: dict[str, Collection[tuple[str, str]]] = {
        name: {(key, column.lower()) for key, column in of}
        for name, of in declared.items()
        if of is not None
    }
    if len(found) < len(declared):
        said = made_from_columns(mesh, product, had)
        found |= {name: said.get(name.lower(), ()) for name in declared if name not in found}
    return found
