"""The platform of the mesh: contracts, audit, publishing, governance, for every domain alike.

Belongs here: the few names that a domain's code needs. They load on first use, so that importing
one part of the platform does not import all of it.
Does not belong here: anything else; a part of the platform imports another by its own name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared_resources.consuming import read
    from shared_resources.data_products.function import (
        MakingContext,
        Produced,
        data_product,
        live,
        product_input,
    )
    from shared_resources.locations.location import build_domain

__all__ = [
    "MakingContext",
    "Produced",
    "build_domain",
    "data_product",
    "live",
    "product_input",
    "read",
]

_HOMES = {
    "MakingContext": "shared_resources.data_products.function",
    "Produced": "shared_resources.data_products.function",
    "build_domain": "shared_resources.locations.location",
    "data_product": "shared_resources.data_products.function",
    "live": "shared_resources.data_products.function",
    "product_input": "shared_resources.data_products.function",
    "read": "shared_resources.consuming",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
