"""Values that have no type of a contract, as text that no contract takes.

Belongs here: the struct `{mixed: text}`, which the audit reports as a column of another type and in
which the values can still be seen.
Does not belong here: which values need it (`pandas_columns.py`, `polars_columns.py`, `lossless.py`).
"""

from __future__ import annotations

import pyarrow as pa

MIXED = "mixed"
_TYPE = pa.struct([(MIXED, pa.string())])


def as_mixed(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text that stands for values of several types, or of one that Parquet does not have."""
    structs = [
        pa.StructArray.from_arrays([chunk], [MIXED], mask=chunk.is_null()) for chunk in text.chunks
    ]
    return pa.chunked_array(structs, _TYPE)


def is_mixed(type_: pa.DataType) -> bool:
    return bool(type_ == _TYPE)
