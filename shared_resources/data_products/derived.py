"""An earlier major version of a product, made from the current one by the SELECT in its contract.

Belongs here: that SELECT as a product's function.
Does not belong here: reading it (`contracts/reading/previous_major.py`), audit and publication, which
are those of every product: readers of the earlier version have its own promise, proven.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.data_products.function import ProductFunction, ProductInput


def derived_function(contract: Contract) -> ProductFunction:
    previous = contract.previous_major
    assert previous is not None and previous.derived_by, "another kind of product"
    query, name = previous.derived_by, previous.of

    def derive(current: pa.Table) -> duckdb.DuckDBPyRelation:
        connection = duckdb.connect(config={"enable_external_access": False})
        connection.register(name, current)
        return connection.sql(query)

    given = ProductInput(f"{contract.domain}/{name}", previous.reads)
    return ProductFunction(derive, {"current": given}, {"current": pa.Table}, wants_context=False)
