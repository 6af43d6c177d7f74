"""A DuckDB result as Arrow, every value what it is in DuckDB.

Belongs here: the types that DuckDB describes to Arrow as something that they are not.
Does not belong here: what the contract wants of them (`conversions.py`, `lossless.py`).

DuckDB hands a HUGEINT or UHUGEINT over as DECIMAL(38,0), which holds neither the 39th digit of the
first nor the upper half of the second: that turns negative, without a word. A BIGNUM comes as bytes
of its own kind. Of what else differs (a TIMETZ loses its offset, a BIT becomes bytes) no contract
has the type that it arrives with, so it is refused as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from shared_resources.contracts.values.digits import digits_field
from shared_resources.contracts.values.duckdb_to_arrow import arrow_reader
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    import duckdb

_WHOLE_NUMBERS = frozenset({"HUGEINT", "UHUGEINT", "BIGNUM"})


def to_reader(relation: duckdb.DuckDBPyRelation, batch_rows: int) -> pa.RecordBatchReader:
    """The relation's rows, streamed. It is run once."""
    wide = {at for at, type_ in enumerate(relation.types) if str(type_) in _WHOLE_NUMBERS}
    if not wide:
        return arrow_reader(relation, batch_rows)
    # By position: two columns of a relation may be called alike.
    columns = ", ".join(
        f"{f'CAST(#{at + 1} AS VARCHAR)' if at in wide else f'#{at + 1}'} AS {quote_identifier(name)}"
        for at, name in enumerate(relation.columns)
    )
    reader = arrow_reader(relation.project(columns), batch_rows)
    schema = pa.schema(
        [
            digits_field(field.name) if at in wide else field
            for at, field in enumerate(reader.schema)
        ]
    )
    batches = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)
