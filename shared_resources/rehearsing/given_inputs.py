"""What a rehearsed product reads: published versions, the first rows of them, or files in their place.

Belongs here: choosing between these for each input, and reading a file by its product's contract.
Does not belong here: which inputs a product has (`data_products/definition.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from shared_resources.contracts.file_formats import all_endings, format_of
from shared_resources.contracts.model import Contract, Landing
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.environment import Environment
from shared_resources.inference.first_look import column_type
from shared_resources.landing.reader import stage_object
from shared_resources.landing.rejects import first_reason
from shared_resources.mesh import Mesh
from shared_resources.parquet import write_parquet
from shared_resources.problems import MeshProblem
from shared_resources.rehearsing.file_snapshot import FileSnapshot
from shared_resources.stores.opening import open_product
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import Snapshot, Version

STORE = "rehearsal"


class NotGiven(MeshProblem):
    """An input cannot be had as it was asked for; the message says why."""

    exit_code = 2


@dataclass(frozen=True)
class Given:
    """`files` stand in the place of products, by key; `sample` is how many rows of each input."""

    files: Mapping[str, Path]
    sample: int | None = None


def open_inputs(
    published: Environment,
    scratch: Path,
    mesh: Mesh,
    wanted: Collection[str],
    sampled: Collection[str],
    given: Given,
) -> dict[str, PinnedInput]:
    """Every product that is `wanted`, as it is `published`; of those `sampled`, the sample, which lies
    in `scratch`.

    Raises `NotGiven` for a file that is no input's, or holds no rows of its product; `NotPublished`.
    """
    for product in given.files:
        if product not in wanted:
            known = ", ".join(sorted(wanted)) or "nothing"
            raise NotGiven(f"{product} is no input: the product reads {known}")
    opened = {}
    for product in wanted:
        if product in given.files:
            snapshot: Snapshot = _of_file(scratch, mesh, product, given.files[product])
        else:
            snapshot = open_product(published, product)
        if given.sample is not None and product in sampled:
            snapshot = _first_rows(scratch, mesh, snapshot, given.sample)
        opened[product] = PinnedInput(product, pin_of(snapshot.version), snapshot)
    return opened


def _of_file(scratch: Path, mesh: Mesh, product: str, file: Path) -> FileSnapshot:
    contract = _contract(mesh, product)
    landing = _landing(contract, file)
    folder = scratch / "inputs" / product.replace("/", ".")
    folder.mkdir(parents=True)
    staged = stage_object(replace(contract, landing=landing), file, file.name, folder)
    if staged.rejects is not None:
        why = first_reason(staged.rejects)
        raise NotGiven(f"{file}: {staged.rejected_rows:,} rows are none of {product}: {why}")
    rows = sum(one.rows for one in staged.files)
    paths = tuple(one.path for one in staged.files)
    columns = [(column.name, column.type) for column in contract.columns]
    return FileSnapshot(_version(product, rows), contract, paths, columns)


def _landing(contract: Contract, file: Path) -> Landing:
    """How the file is read: as its product lands, or by its name where that says another format."""
    form = format_of(file)
    if contract.landing is not None and form in (None, contract.landing.format):
        return contract.landing
    if form is None:
        raise NotGiven(f"{file}: files are told by their endings: {', '.join(all_endings())}")
    return Landing(prefix=contract.key, format=form, object_name=file.name)


def _first_rows(scratch: Path, mesh: Mesh, snapshot: Snapshot, rows: int) -> FileSnapshot:
    product = snapshot.version.product
    folder = scratch / "samples"
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{product.replace('/', '.')}.parquet"
    taken, batches = 0, []
    with snapshot.batches() as reader:
        schema = reader.schema
        for batch in islice(reader, rows):
            batches.append(batch.slice(0, rows - taken))
            taken += batches[-1].num_rows
            if taken >= rows:
                break
    write_parquet(path, schema, batches)
    types = [(field.name, column_type(field.type)) for field in schema]
    columns = [(name, type_) for name, type_ in types if type_ is not None]
    return FileSnapshot(_version(product, taken), _contract(mesh, product), (path,), columns)


def _version(product: str, rows: int) -> Version:
    return Version(product, STORE, 0, "0", rows, datetime.now(UTC))


def _contract(mesh: Mesh, product: str) -> Contract:
    folder = mesh.product(product)
    return folder.contract or read_contract(folder.contract_file)
