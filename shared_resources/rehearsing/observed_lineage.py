"""Column lineage as it is observed: a function run again and again, one column of its inputs changed.

Belongs here: which columns are changed and how, running, and which columns of the outcome differ then.
Does not belong here: making a product (`data_products/`), what is kept of it and shown.

Each column of a sample is shuffled among the rows, drawn from them with repetition, both by a fixed seed,
and moved to values that it does not have. What differs from the outcome of the sample as it is was made
from the column. What does not differ may be made from it all the same, in rows that the sample lacks:
this is seen, and proves nothing. Of a column that is null throughout nothing is known.
"""

from __future__ import annotations

import random
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared_resources.contracts.model import Contract
from shared_resources.data_products.batch import Attempt, Run, attempt
from shared_resources.data_products.column_lineage import keep_observed
from shared_resources.data_products.definition import ProductDefinition, define_product
from shared_resources.data_products.makers.making import make
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.environment import Environment
from shared_resources.evidence.lineage import ColumnLineage, How
from shared_resources.inference.first_look import column_type
from shared_resources.mesh import Mesh
from shared_resources.parquet import write_parquet
from shared_resources.rehearsing.file_snapshot import FileSnapshot
from shared_resources.rehearsing.forgetting import forgetting
from shared_resources.rehearsing.given_inputs import Given, NotGiven, open_inputs
from shared_resources.rehearsing.rehearsal import days_to_make

SEED = 20170401
# Of fewer columns beside the key, one that changes them all may well be what they are made from.
_ALL_OF = 3
Source = tuple[str, str]


@dataclass(frozen=True)
class Observed:
    """`unsteady` columns differ between two runs on the same sample, so that nothing can be seen of them.
    `unseen` are columns of inputs of which nothing is known, each with the reason. `rows_by` are those
    that decide which rows go into the values of columns, as what is grouped, joined and filtered by.
    """

    lineage: ColumnLineage
    rows: Mapping[str, int]
    unsteady: tuple[str, ...] = ()
    unseen: Mapping[Source, str] = field(default_factory=dict)
    rows_by: Mapping[Source, tuple[str, ...]] = field(default_factory=dict)


def observe(environment: Environment, mesh: Mesh, key: str, sample: int) -> Observed:
    """What of the first `sample` rows of each input each column of the product is made from, seen in runs
    of its function; kept for the versions that the same code makes.

    Nothing is published. Raises `NotGiven` for what no function makes, and whatever making raises.
    """
    product = mesh.product(key)
    if str(environment.root) not in sys.path:
        sys.path.insert(0, str(environment.root))  # a product's code may import its domain's
    with forgetting(environment) as apart:
        definition = define_product(apart, mesh.domain(product.domain), product)
        if definition.function is None or not definition.function.inputs:
            raise NotGiven(
                f"{key} is made by no function of other products: nothing can be observed"
            )
        wanted = tuple(dict.fromkeys(one.key for one in definition.function.inputs.values()))
        given = open_inputs(environment, apart.home, mesh, wanted, wanted, Given({}, sample=sample))
        days = days_to_make(apart, definition, given)
        contracts = {one.key: one.contract for one in mesh.products if one.contract is not None}
        seen = _Runs(apart, definition, given, days, contracts).seen()
    keep_observed(environment, definition, seen.lineage)
    return seen


class _Runs:
    """One sample, and the runs on it."""

    def __init__(
        self,
        environment: Environment,
        definition: ProductDefinition,
        given: Mapping[str, PinnedInput],
        days: tuple[str, ...],
        contracts: Mapping[str, Contract],
    ) -> None:
        self._environment = environment
        self._definition = definition
        self._given = dict(given)
        self._days = days
        self._contracts = contracts
        self._tables = {key: _table(pin) for key, pin in given.items()}

    def seen(self) -> Observed:
        before = self._made(self._given)
        unsteady = _differing(before, self._made(self._given), self._key)
        names = [column.name for column in self._definition.contract.columns]
        made_from: dict[str, set[Source]] = {name: set() for name in names if name not in unsteady}
        unseen: dict[Source, str] = {}
        rows_by: dict[Source, tuple[str, ...]] = {}
        for source in self._sources():
            problems = {}
            tried = 0
            differs: set[str] = set()
            for tried, (changed, key) in enumerate(self._changes(*source), 1):
                try:
                    made = self._made(changed)
                # What the changed rows do to the author's code is no fault of it.
                except Exception as problem:  # noqa: BLE001
                    problems[tried] = type(problem).__name__
                    continue
                differs |= _differing(before, made, key) & made_from.keys()
            direct = self._direct(differs, frozenset(made_from))
            for name in direct:
                made_from[name].add(source)
            if differs - direct:
                rows_by[source] = tuple(sorted(differs - direct))
            if not tried:
                unseen[source] = "it has no value in the sample that could be changed"
            elif len(problems) == tried:
                unseen[source] = f"the function fails on changed values ({problems[1]})"
        columns = {name: tuple(sorted(made)) for name, made in made_from.items()}
        rows = {key: table.num_rows for key, table in self._tables.items()}
        seen = ColumnLineage(How.OBSERVED, columns)
        return Observed(seen, rows, tuple(sorted(unsteady)), unseen, rows_by)

    def _direct(self, differs: set[str], names: frozenset[str]) -> set[str]:
        """Those of the columns that differ which hold what becomes of the changed values. What decides
        the keys, or changes everything beside them, says which rows go into a value, as what a
        statement groups, joins and filters by does."""
        keys = differs & set(self._key)
        if keys:
            return keys
        others = names - set(self._key)
        return set() if len(others) >= _ALL_OF and differs == others else differs

    @property
    def _key(self) -> tuple[str, ...]:
        return self._definition.contract.primary_key

    def _sources(self) -> Iterator[Source]:
        """The columns that the function reads, in their order."""
        assert self._definition.function is not None
        read: dict[Source, None] = {}
        for wanted in self._definition.function.inputs.values():
            table = self._tables[wanted.key]
            for name in table.column_names if wanted.columns is None else wanted.columns:
                read[(wanted.key, name)] = None
        yield from read

    def _changes(
        self, key: str, column: str
    ) -> Iterator[tuple[Mapping[str, PinnedInput], tuple[str, ...]]]:
        """The inputs with the column changed in each way, and the key by which rows are compared."""
        table = self._tables[key]
        values = table.column(column)
        lot = random.Random(f"{SEED} {key} {column}")
        rows = range(table.num_rows)
        ways = [(values.take(pa.array(lot.sample(rows, len(rows)))), self._key)]
        ways.append((values.take(pa.array(lot.choices(rows, k=len(rows)))), self._key))
        if (moved := moved_values(values)) is not None:
            ways.append((moved, ()))  # where keys are others, no row is the one that it was
        at = table.column_names.index(column)
        for changed, by in ways:
            if not changed.equals(values):
                as_it_was = table.schema.field(column)
                yield self._with(key, table.set_column(at, as_it_was, changed)), by

    def _with(self, key: str, table: pa.Table) -> Mapping[str, PinnedInput]:
        pin = self._given[key]
        path = Path(self._environment.home) / "changed" / f"{uuid.uuid4().hex}.parquet"
        path.parent.mkdir(exist_ok=True)
        write_parquet(path, table.schema, table.to_batches())
        types = [(field.name, column_type(field.type)) for field in table.schema]
        columns = [(name, type_) for name, type_ in types if type_ is not None]
        changed = FileSnapshot(pin.snapshot.version, self._contracts[key], (path,), columns)
        return {**self._given, key: replace(pin, snapshot=changed)}

    def _made(self, given: Mapping[str, PinnedInput]) -> pa.Table:
        run = Run(f"observation-{uuid.uuid4().hex[:12]}", self._days)
        begun: Attempt = attempt(self._environment, self._definition, run, dict(given))
        files = [file.path for part in make(begun).parts for file in part.files]
        tables = [pq.read_table(path) for path in files]
        for path in files:
            path.unlink()
        return pa.concat_tables(tables) if tables else pa.table({})


def moved_values(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Values of the same type that the column does not have, row by row; None where there are none."""
    type_ = values.type
    if values.null_count == len(values):
        return None
    try:
        if pa.types.is_boolean(type_):
            return pc.invert(values)
        if pa.types.is_string(type_) or pa.types.is_large_string(type_):
            return pc.binary_join_element_wise(values, pa.scalar("~", type_), pa.scalar("", type_))
        days = pa.types.is_date32(type_)
        if days or pa.types.is_timestamp(type_):
            numbers = values.cast(pa.int32() if days else pa.int64())
            step = 1 if days else 24 * 60 * 60 * 1_000_000
        else:
            numbers, step = values, 1
        least, most = pc.min_max(numbers).as_py().values()
        by = pa.scalar(most - least + step).cast(numbers.type)
        return pc.add(numbers, by).cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _table(pin: PinnedInput) -> pa.Table:
    with pin.snapshot.batches() as reader:
        return reader.read_all()


def _differing(one: pa.Table, other: pa.Table, key: tuple[str, ...]) -> set[str]:
    """The columns whose values differ, row by row where rows have a key, whatever the rows' order."""
    names = set(one.column_names) | set(other.column_names)
    return {name for name in names if _values(one, name, key) != _values(other, name, key)}


def _values(table: pa.Table, name: str, key: tuple[str, ...]) -> list[str]:
    """Each value beside its row's key, as text, sorted."""
    if name not in table.column_names:
        return []
    beside = [one for one in dict.fromkeys((*key, name)) if one in table.column_names]
    if name in key:
        beside = [name]
    rows: list[tuple[Any, ...]] = list(
        zip(*(table.column(one).to_pylist() for one in beside), strict=True)
    )
    return sorted(map(repr, rows))
