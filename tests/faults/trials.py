"""One change of a product under a fault, and what must hold whatever became of it.

Belongs here: the changes (publish, append, rollback, …), the model of what each version holds, the
checks. Does not belong here: which faults (`test_stores_under_faults.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import boto3

from shared_resources.contracts.model import Contract
from shared_resources.production.checks import read_settings
from shared_resources.production.settings import S3Location
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.lake.catalog.owner import OWNER
from shared_resources.stores.protocol import ProductStore
from tests.faults.iceberg_files import named_by_iceberg
from tests.faults.kinds import Kind
from tests.faults.whole_mesh import tables_of
from tests.stores.places import Place
from tests.stores.products import WHY, contract, day, publish, published

DAILY = contract(partitioned=True)
WHOLE = contract()


@dataclass
class Product:
    """A product of one store, and what each of its versions holds."""

    place: Place
    contract: Contract
    contents: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store: ProductStore = self.place.open()

    @property
    def current(self) -> list[int]:
        return self.contents[max(self.contents)] if self.contents else []

    @cached_property
    def reader(self) -> ProductStore:
        """Another machine, which shares nothing with the one that makes the changes."""
        return self.newcomer()

    def newcomer(self) -> ProductStore:
        """A machine that has read nothing yet."""
        elsewhere = self.place.root.with_name(f"reader-{uuid.uuid4().hex[:8]}")
        return Place(self.place.store, elsewhere, self.place.variables).open()


@dataclass(frozen=True)
class Change:
    """`make` changes the product as the `number`-th trial; `expected` is what it then holds."""

    name: str
    contract: Contract
    make: Callable[[Product, int], object]
    expected: Callable[[Product, int], list[int]]


def batch_id(number: int) -> str:
    return f"trial-{number}"


def _replace_day(product: Product, number: int) -> object:
    return publish(product.store, product.contract, batch_id(number), {day(0): _rows(number)})


def _replace_all(product: Product, number: int) -> object:
    return publish(product.store, product.contract, batch_id(number), _rows(number))


def _append(product: Product, number: int) -> object:
    rows = {day(1): _rows(number)}
    return publish(product.store, product.contract, batch_id(number), rows, append=True)


def _roll_back(product: Product, number: int) -> object:
    to = max(product.contents) - 1
    return product.store.rollback(product.contract, to, WHY, batch_id=batch_id(number))


def _rows(number: int) -> list[int]:
    return [number * 10, number * 10 + 1]


CHANGES: Mapping[str, Change] = {
    change.name: change
    for change in (
        Change("replace a day", DAILY, _replace_day, lambda p, n: [7, *_rows(n)]),
        Change("replace all", WHOLE, _replace_all, lambda p, n: _rows(n)),
        Change("append", DAILY, _append, lambda p, n: sorted([*p.current, *_rows(n)])),
        Change("roll back", DAILY, _roll_back, lambda p, n: p.contents[max(p.contents) - 1]),
    )
}


def named(value: object) -> str:
    """What a change, a kind of fault or its number of times is called in the name of a test."""
    if isinstance(value, Change | Kind):
        return value.name
    return "once" if value == 1 else "lasting"


def begin(place: Place, change: Change) -> Product:
    """The product with two versions."""
    product = Product(place, change.contract)
    for number, rows in ((1, [1, 2]), (2, [3, 4])):
        days = {day(0): rows, day(1): [7]} if change.contract.partitioning else rows
        publish(product.store, change.contract, f"begin-{number}", days)
        product.contents[number] = sorted([*rows, 7] if change.contract.partitioning else rows)
    return product


def attempt(make: Callable[[], object]) -> object:
    """What `make` returns or raises: faults come as errors of several libraries."""
    try:
        return make()
    except Exception as problem:  # noqa: BLE001
        return problem


def check_old_or_new(
    product: Product, change: Change, number: int, problem: Exception | None
) -> None:
    """A reader elsewhere sees the version before or the whole new one; no third."""
    reader, key = product.reader, product.contract.key
    done = reader.published_batch(key, batch_id(number))
    assert done or problem, "it is said to be published and is not"
    new = change.expected(product, number)
    assert published(reader, key) == (new if done else product.current)
    assert len(reader.versions(key)) == len(product.contents) + bool(done)


def check_tried_again(product: Product, change: Change, number: int) -> None:
    """Without faults the same change is made, once."""
    change.make(product, number)
    new = change.expected(product, number)
    product.contents[max(product.contents) + 1] = new
    reader, key = product.reader, product.contract.key
    assert published(reader, key) == new
    assert [version.number for version in reader.versions(key)] == sorted(product.contents)


def check_every_version(product: Product) -> None:
    reader, key = product.reader, product.contract.key
    for version in reader.versions(key):
        assert published(reader, key, version.number) == product.contents[version.number]
        assert version.rows == len(product.contents[version.number])


def check_nothing_left(product: Product) -> None:
    """After the clean-up only what versions name is there."""
    product.store.remove_orphans(product.contract.key, timedelta(0))
    area = product.place.root
    staged = [file for file in area.rglob("*.parquet") if "copies" not in file.parts]
    assert not staged, f"staged files stay on the machine: {staged}"
    left = {"lake-s3": _left_on_s3, "snowflake": _left_in_snowflake}[product.place.store](product)
    assert not left, f"the clean-up leaves what no version names: {sorted(left)}"


def _left_on_s3(product: Product) -> set[str]:
    """Found by Iceberg's own metadata, not by the store."""
    lake = S3Location.parse(product.place.variables["MESH_LAKE"])
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=lake.bucket, Prefix=lake.prefix)
    there = {f"s3://{lake.bucket}/{o['Key']}" for page in pages for o in page.get("Contents", ())}
    uploads = client.list_multipart_uploads(Bucket=lake.bucket).get("Uploads", ())
    settings = read_settings(product.place.variables)
    named = named_by_iceberg(settings, product.contract.key) | {lake.url(OWNER)}
    return (there - named) | {upload["Key"] for upload in uploads}


def _left_in_snowflake(product: Product) -> set[str]:
    store, key = product.store, product.contract.key
    assert isinstance(store, SnowflakeStore)
    return tables_of(store, key) - {version.snapshot for version in store.versions(key)}
