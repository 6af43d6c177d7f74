"""What carries out a product's function where Python itself does not: `@data_product(engine="beam")`.

Belongs here: the names of engines. Does not belong here: carrying anything out (`data_products/`).
"""

from __future__ import annotations

ENGINE = "engine"
ENGINES = ("beam",)
