"""Masks that are worked out once for each value: what their SQL says, in bounded memory."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from shared_resources.access import dear_masks
from shared_resources.access.dear_masks import DearMask, is_dear, together
from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.grants import Grant
from shared_resources.access.principal import Principal
from shared_resources.access.terms import Terms
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.roles.masks import (
    INNER_KEY,
    KINDS,
    OUTER_KEY,
    SALT,
    masked,
)
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.stores.protocol import Version
from shared_resources.stores.reading.duck import in_memory
from tests.contracts.roles.test_masks import INTS, LONGS, TEXTS

INNER, OUTER, SALTED = (bytes([one]) * 64 for one in (1, 2, 3))
TYPES = {
    ColumnType(Family.STRING): [*TEXTS, *(f"name {n % 40}" for n in range(200))],
    ColumnType(Family.INTEGER, 64): [*LONGS, *(n % 40 - 20 for n in range(200))],
    ColumnType(Family.INTEGER, 32): [*INTS, *(n % 40 - 20 for n in range(200))],
}
DEAR = [kind for kind in KINDS if is_dear(Mask(kind))]
CASES = [(kind, type_) for kind in DEAR for type_ in TYPES if type_.family in KINDS[kind].families]


def groups(type_: ColumnType) -> list[list[pa.Array]]:
    """Values and nulls, in arrays of several lengths; close together at first, and then not."""
    made = random.Random(3)
    values = [*TYPES[type_][-200:], *TYPES[type_], *[None] * 30]
    later = values[200:]
    made.shuffle(later)
    rows = iter(values[:200] + later)
    lengths = [[1], [60, 3], [0], [200], [300]]
    return [
        [pa.array(list(itertools.islice(rows, one)), type_.arrow) for one in group]
        for group in lengths
    ]


@pytest.mark.parametrize("kept", [1 << 18, 10, 0])
@pytest.mark.parametrize(("kind", "type_"), CASES, ids=str)
def test_it_is_what_the_sql_of_the_mask_makes_of_the_value(
    monkeypatch: pytest.MonkeyPatch, kind: str, type_: ColumnType, kept: int
) -> None:
    monkeypatch.setattr(dear_masks, "_KEPT", kept)
    mask = DearMask(Mask(kind), type_, INNER, OUTER, SALTED)
    with in_memory() as connection:
        for name, value in ((INNER_KEY, INNER), (OUTER_KEY, OUTER), (SALT, SALTED)):
            connection.execute(f"SET VARIABLE {name} = ?", [value])
        for each in groups(type_):
            table = pa.table({"v": pa.chunked_array(each, type_.arrow)})
            connection.register("plain", table)
            expression = masked('"v"', type_, Mask(kind))
            expected = connection.execute(f"SELECT {expression} FROM plain").fetchall()
            shown = mask(each)
            assert shown.type == type_.arrow
            assert [(one,) for one in shown.to_pylist()] == expected


def test_what_is_kept_of_a_column_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dear_masks, "_KEPT", 100)
    mask = DearMask(Mask("keyed-hash"), ColumnType(Family.STRING), INNER, OUTER, SALTED)
    for n in range(50):
        mask([pa.array([f"{n} {one}" for one in range(10)])])
    known: Any = mask._column
    assert len(known._known) == 100


def test_batches_are_looked_at_together_up_to_so_many_rows_or_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dear_masks, "MOST_ROWS", 40)
    batch = pa.record_batch({"x": list(range(10))})
    assert [len(one) for one in together([batch] * 12)] == [1, 2, 4, 4, 1]
    monkeypatch.setattr(dear_masks, "MOST_BYTES", 2 * batch.nbytes)
    assert [len(one) for one in together([batch] * 6)] == [1, 2, 2, 1]
    assert [len(one) for one in together([batch] * 3, wanted=False)] == [1, 1, 1]


class Endless:
    """A version of more rows than any memory holds."""

    def __init__(self) -> None:
        self.version = Version("crm/endless", "lake", 1, "1", 10**12, datetime.now(UTC))
        self.schema = pa.schema([("id", pa.int64()), ("email", pa.string())])
        self.given = 0

    def register(self, connection: Any, name: str, columns: Any, _: Any) -> None:
        def rows() -> Iterator[pa.RecordBatch]:
            while True:
                ids = range(self.given, self.given + 4_096)
                self.given += 4_096
                values = {"id": list(ids), "email": [f"{one}@example.com" for one in ids]}
                yield pa.record_batch(values, self.schema).select(columns)

        schema = pa.schema([self.schema.field(name) for name in columns])
        connection.register(name, pa.RecordBatchReader.from_batches(schema, rows()))


def test_a_stream_behind_masks_and_a_condition_reads_no_further_than_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So products that are larger than memory can be read through the door."""
    monkeypatch.setattr(dear_masks, "MOST_ROWS", 1 << 16)
    types = {"id": ColumnType(Family.INTEGER, 64), "email": ColumnType(Family.STRING)}
    masks = {"email": Mask("keyed-hash"), "id": Mask("keyed-hash")}
    terms = Terms(("id", "email"), masks, (parse_condition("id >= 10", types),))
    endless: Any = Endless()
    grant = Grant("crm/endless", Principal("marketing"), terms)
    granted = GrantedSnapshot(endless, grant, Secrets(INNER, OUTER), lambda _: lambda _: None)
    stream = granted.batches()
    read = sum(stream.read_next_batch().num_rows for _ in range(5))
    assert 0 < read <= endless.given < 3_000_000
