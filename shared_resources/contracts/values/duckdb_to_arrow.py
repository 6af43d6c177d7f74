"""What DuckDB answers, as Arrow: streamed, or whole.

Belongs here: the one call that turns a relation into record batches, and the errors on that way.
Does not belong here: queries, and whether a batch holds what its contract says.

An error that DuckDB raises while Arrow pulls the stream has passed through Arrow's C interface and
arrives as an `OSError` with DuckDB's text. Nobody who catches `duckdb.Error` would see it, so it is
made one again here, and no other module may ask DuckDB for a stream.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa

# The kind of error that stands before the first colon of DuckDB's text.
_KINDS: dict[str, type[duckdb.Error]] = {
    "Binder Error": duckdb.BinderException,
    "Constraint Error": duckdb.ConstraintException,
    "Conversion Error": duckdb.ConversionException,
    "INTERNAL Error": duckdb.InternalException,
    "IO Error": duckdb.IOException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Invalid Input Error": duckdb.InvalidInputException,
    "Not implemented Error": duckdb.NotImplementedException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Out of Range Error": duckdb.OutOfRangeException,
}


def arrow_batches(
    relation: duckdb.DuckDBPyRelation, rows_per_batch: int
) -> Iterator[pa.RecordBatch]:
    """The relation's rows. Whatever goes wrong in DuckDB is raised as a `duckdb.Error`."""
    yield from arrow_reader(relation, rows_per_batch)


def arrow_reader(relation: duckdb.DuckDBPyRelation, rows_per_batch: int) -> pa.RecordBatchReader:
    """The same as a reader, for who needs the schema before the first row."""
    stream = relation.to_arrow_reader(rows_per_batch)
    return pa.RecordBatchReader.from_batches(stream.schema, _guarded(stream))


def _guarded(stream: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from stream
    except OSError as error:
        if error.errno is not None:
            raise  # the operating system's own
        raise as_duckdb_error(str(error)) from error


def as_duckdb_error(text: str) -> duckdb.Error:
    """The error that says `text`, of DuckDB's own kind as far as the text names it."""
    return _KINDS.get(text.partition(":")[0].strip(), duckdb.Error)(text)
