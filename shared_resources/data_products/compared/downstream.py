"""What is made from columns of a product, by consumers and by theirs, as far as lineage is declared.

Belongs here: following declared column lineage down the mesh.
Does not belong here: who reads the product (`consumers.py`), lineage itself (`contracts/`, `evidence/`).
"""

from __future__ import annotations

from collections.abc import Collection

from shared_resources.data_products.compared.consumers import Hit
from shared_resources.mesh import Mesh


def made_from(mesh: Mesh, key: str, columns: Collection[str]) -> Hit:
    """By product the columns that are declared to be made from these columns, directly or through others.

    What no contract declares is not among them: nobody can say that it is all.
    """
    found: dict[str, set[str]] = {}
    waiting = {(key, column) for column in columns}
    seen = set(waiting)
    while waiting:
        sources, waiting = waiting, set()
        for product in mesh.products:
            for column in product.contract.columns if product.contract else ():
                one = (product.key, column.name)
                if one not in seen and sources & {*(column.made_from or ())}:
                    found.setdefault(product.key, set()).add(column.name)
                    waiting.add(one)
                    seen.add(one)
    return {product: tuple(sorted(names)) for product, names in sorted(found.items())}
