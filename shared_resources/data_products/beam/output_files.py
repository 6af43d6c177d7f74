"""What a pipeline wrote, as one frame: every file of its manifest, in the types that fit all of them.

Belongs here: reading the manifest and the files, and telling columns that do not fit together.
Does not belong here: writing them (`transforms.py`), conversion to the contract's types (as of any
frame: `contracts/values/lossless.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from shared_resources.data_products.function import ProductProblem

MANIFEST = "manifest.json"  # as `transforms.py` calls it, which is imported with Beam alone


def output_of(product: str, place: Path) -> pa.RecordBatchReader | Iterator[pa.RecordBatch]:
    """A stream of the rows, in no order; without any, no columns are known.

    Raises `ProductProblem` for tables that do not have the same columns, or types for one column that
    no type holds without loss; it may do so only when it is read.
    """
    files = [place / name for name in json.loads((place / MANIFEST).read_text())]
    if not files:
        return iter(())
    schemas = [_schema(file) for file in files]
    schema = _common(product, schemas)
    return pa.RecordBatchReader.from_batches(schema, _batches(product, files, schema))


def _schema(file: Path) -> pa.Schema:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return stream.schema.remove_metadata()


def _common(product: str, schemas: Sequence[pa.Schema]) -> pa.Schema:
    first = schemas[0]
    different = [one for one in schemas if one != first]
    if not different:
        return first
    for other in different:
        if odd := sorted(set(first.names) ^ set(other.names)):
            raise ProductProblem(
                f"{product}: some tables of its pipeline have the column {odd[0]!r} and others lack "
                "it; give all of them the same columns"
            )
        if len(other.names) != len(first.names) or len({*other.names}) != len(other.names):
            raise ProductProblem(f"{product}: a table of its pipeline has a column twice")
    return pa.schema([_field(product, name, schemas) for name in first.names])


def _field(product: str, name: str, schemas: Sequence[pa.Schema]) -> pa.Field:
    types = list(dict.fromkeys(schema.field(name).type for schema in schemas))
    try:
        one = pa.unify_schemas(
            [pa.schema([(name, type_)]) for type_ in types], promote_options="permissive"
        )
    except pa.ArrowException:
        found = ", ".join(sorted(map(str, types)))
        raise ProductProblem(
            f"{product}: column {name!r} has several types in the tables of its pipeline ({found}), "
            "and none holds all of them; give all tables one type"
        ) from None
    return one.field(0)


def _batches(product: str, files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                if batch.schema == schema:
                    yield batch
                    continue
                columns = [_cast(product, batch, field) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(product: str, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    values = batch.column(field.name)
    try:
        return values.cast(field.type)
    except pa.ArrowException:
        raise ProductProblem(
            f"{product}: column {field.name!r} is {values.type} in some tables of its pipeline and "
            f"{field.type} in others, which does not hold all of its values; give all tables one type"
        ) from None
