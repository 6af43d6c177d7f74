"""`mesh read`: what a consumer gets, on the screen or in a Parquet file.

Belongs here: the command, and how rows are shown or written.
Does not belong here: opening a product for a consumer (`consuming.py`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.access.door import Reader, open_for, reader_here
from shared_resources.access.grants import NoAgreement
from shared_resources.cli.branch_option import branch_option
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_table
from shared_resources.consuming import product_meant
from shared_resources.environment import Environment
from shared_resources.stores.protocol import NotPublished, Snapshot
from shared_resources.stores.reading.frames import as_frame

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_ROWS = 20


@click.command(epilog="Example: mesh read product/catalog --columns product_id,brand")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--columns", metavar="A,B", help="Only these columns.")
@click.option(
    "--version", type=int, metavar="V", help="A version by its number; default the newest."
)
@click.option("--as", "principal", metavar="WHO", help="A domain, domain/product, person or agent.")
@click.option("--purpose", metavar="P", help="For which of several agreements.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.parquet",
    help="Write all rows there instead of showing the first.",
)
@branch_option
def read(
    product: str,
    columns: str | None,
    version: int | None,
    principal: str | None,
    purpose: str | None,
    output: Path | None,
) -> None:
    """The published rows of a product, as the reader's agreement shows them.

    One whole version; `order/baskets@1` is major version 1 of its contract. Without --as it reads who
    MESH_PRINCIPAL names, and on an embedded mesh its operator, who sees everything.
    """
    import pyarrow as pa

    names = [name.strip() for name in columns.split(",")] if columns else None
    if output is not None and output.suffix != ".parquet":
        raise click.BadParameter(f"{output} must end in .parquet", param_hint="--output")
    if output is not None and not output.parent.is_dir():
        raise click.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    environment = wiring.current()
    product = product_meant(environment, product)
    reader_ = reader_here(environment, principal, purpose, by="mesh read")
    snapshot = _open(environment, product, reader_, version, names)
    try:
        reader: pa.RecordBatchReader = as_frame(snapshot, pa.RecordBatchReader, names)
    except KeyError as problem:
        raise click.BadParameter(str(problem.args[0]), param_hint="--columns") from problem
    if output is not None:
        written = _write(reader, output)
        say(f"{written:,} rows of {product} version {snapshot.version.number} in {output}")
        return
    rows = _first_rows(reader)
    print_table(rows, reader.schema.names, data=True)
    say(
        f"{len(rows)} of {snapshot.version.rows:,} rows, version {snapshot.version.number} "
        f"in the {snapshot.version.store}"
    )


def _open(
    environment: Environment,
    product: str,
    reader: Reader,
    version: int | None,
    columns: list[str] | None,
) -> Snapshot:
    try:
        return open_for(environment, product, reader, version, columns)
    except (NotPublished, NoAgreement):
        from shared_resources.running.selection import product_folder

        product_folder(environment, product)  # a name that no product has gets the closest that is
        raise


def _first_rows(reader: pa.RecordBatchReader) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for batch in reader:
        rows.extend(batch.slice(0, _SHOWN_ROWS - len(rows)).to_pylist())
        if len(rows) >= _SHOWN_ROWS:
            break
    return rows


def _write(reader: pa.RecordBatchReader, output: Path) -> int:
    """Write beside the target and move it there: a reader of the file sees all of it or the old one."""
    from shared_resources.parquet import write_parquet

    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        rows = write_parquet(temporary, reader.schema, reader)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return rows
