"""A published snapshot as the type that a consumer asked for.

Belongs here: the closed list of frame types that inputs and `read()` may have.
Does not belong here: which version is read (`stores/pins.py`) or what may be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared_resources.problems import MeshProblem
from shared_resources.stores.reading.sql_snapshot import no_such_column

if TYPE_CHECKING:
    from shared_resources.stores.protocol import Snapshot

SUPPORTED = (
    "pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, pyarrow.RecordBatchReader"
)


class UnsupportedFrame(MeshProblem, TypeError):
    """A parameter is annotated with a type in which no product can be given."""

    exit_code = 2


def as_frame(
    snapshot: Snapshot,
    wanted: Any,
    columns: Sequence[str] | None = None,
    partitions: Sequence[str] | None = None,
) -> Any:
    """The snapshot as `wanted` (pandas when it is None or Any).

    Raises `UnsupportedFrame` for another type and `KeyError` for a column that is not published.
    """
    if columns is not None:
        unknown = [name for name in columns if name not in snapshot.schema.names]
        if unknown:
            raise KeyError(no_such_column(snapshot, unknown))
    name = _type_name(wanted)
    if name == "pyarrow.RecordBatchReader":
        return snapshot.batches(columns, partitions)
    if name == "polars.LazyFrame":
        return _lazy(snapshot, columns, partitions)
    if name not in ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"):
        raise UnsupportedFrame(f"{wanted!r} is no frame type of the mesh; use one of {SUPPORTED}")
    table = snapshot.batches(columns, partitions).read_all()
    if name == "pandas.DataFrame":
        from shared_resources.contracts.values.lossless import to_pandas

        return to_pandas(table)
    if name == "polars.DataFrame":
        import polars as pl

        return pl.from_arrow(table)
    return table


def _type_name(wanted: Any) -> str:
    if wanted is None or wanted is Any:
        return "pandas.DataFrame"
    module = str(getattr(wanted, "__module__", "")).split(".")[0]
    return f"{module}.{getattr(wanted, '__name__', wanted)}"


def _lazy(
    snapshot: Snapshot, columns: Sequence[str] | None, partitions: Sequence[str] | None
) -> Any:
    """Scan the published files themselves where they are Parquet, so that polars reads what it needs."""
    import polars as pl

    paths = () if snapshot.renamed else snapshot.paths()
    if partitions is None and paths and all(path.suffix == ".parquet" for path in paths):
        # Files that were written before a column was widened or added stay as they are.
        scan = pl.scan_parquet(
            list(paths),
            schema=_polars_schema(snapshot),
            cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast"),
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
        )
        return scan.select(list(columns) if columns is not None else snapshot.schema.names)
    table = snapshot.batches(columns, partitions).read_all()
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.lazy()


def _polars_schema(snapshot: Snapshot) -> Any:
    import polars as pl

    empty = pl.from_arrow(snapshot.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty.schema
