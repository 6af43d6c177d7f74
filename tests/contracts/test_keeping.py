"""Whether a value keeps the standard's schema is answered at once as jsonschema answers it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.reading import standard
from shared_resources.contracts.reading.keeping import CannotTell, Keeping
from shared_resources.contracts.reading.repeated import Shapes
from shared_resources.contracts.source import read_source
from tests.contracts.test_repeated import ANYTHING, COLUMNS

SCHEMA = standard.standard_schema()
FILES = [
    *sorted(Path("domains").glob("*/products/*/contract.odcs.yaml")),
    Path("tests/contracts/rich.odcs.yaml"),
]
CONTRACTS = [read_source(file).data for file in FILES]


def keeps(value: Any, schema: Any = SCHEMA) -> bool:
    return Keeping(SCHEMA, Shapes(SCHEMA)).keeps(value, schema)


def jsonschema_says(value: Any, schema: Any = SCHEMA) -> bool:
    # `evolve` would make of the root, which names its draft, a validator of that draft alone.
    asked = standard._validator()
    return bool((asked if schema is SCHEMA else asked.evolve(schema=schema)).is_valid(value))


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    steps = value.items() if isinstance(value, dict) else ()
    for step, below in enumerate(value) if isinstance(value, list) else steps:
        yield from _places(below, (*place, step))


PLACES = [list(_places(contract)) for contract in CONTRACTS]


@pytest.mark.parametrize("contract", CONTRACTS, ids=map(str, FILES))
def test_a_sound_contract_is_found_so_without_jsonschema(contract: Any) -> None:
    assert keeps(contract)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_contract_with_something_else_in_one_place_is_judged_alike(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(CONTRACTS) - 1))
    contract = copy.deepcopy(CONTRACTS[number])
    *above, step = data.draw(st.sampled_from(PLACES[number]))
    around: Any = contract
    for one in above:
        around = around[one]
    drawn = data.draw(st.one_of(st.just("leave it out"), ANYTHING))
    if drawn == "leave it out":
        del around[step]
    else:
        around[step] = drawn
    try:
        found = keeps(contract)
    except CannotTell:
        return
    assert found == jsonschema_says(contract)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=COLUMNS)
def test_columns_of_any_kind_are_judged_alike(drawn: list[list[dict[str, Any]]]) -> None:
    columns = [column for alike in drawn for column in alike]
    schema = SCHEMA["$defs"]["SchemaObject"]
    value = {"name": "x", "properties": columns}
    try:
        found = keeps(value, schema)
    except CannotTell:
        return
    assert found == jsonschema_says(value, schema)


VALUES = [*([], [1, 1.0], [1, True], [0, False], ["1", 1]), [{"a": 1}, {"a": 1.0}], [[1], [True]]]


@pytest.mark.parametrize("value", [*VALUES, None, True, 1, 1.5, 2.0, "x", "2026-01-01", {}])
@pytest.mark.parametrize(
    "schema",
    [
        *({"type": kind} for kind in ("string", "number", "integer", "boolean", "null", "array")),
        {"uniqueItems": True},
        {"const": "x"},
        {"enum": ["x", "y"]},
        {"not": {"type": "string"}},
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        {"if": {"type": "string"}, "then": {"pattern": "^x"}, "else": {"minimum": 2}},
        {"if": False, "then": False},
        {"minimum": 1.5, "exclusiveMinimum": 1},
        {"items": {"type": "integer"}, "minItems": 1, "maxItems": 1},
    ],
    ids=str,
)
def test_each_keyword_is_answered_alike(value: Any, schema: dict[str, Any]) -> None:
    assert keeps(value, schema) == jsonschema_says(value, schema)


@pytest.mark.parametrize(
    "schema",
    [{"maximum": 1}, {"patternProperties": {}}, {"const": 1}, {"items": [{}]}, {"$ref": "x.json"}],
    ids=str,
)
def test_what_is_not_known_is_left_to_jsonschema(schema: dict[str, Any]) -> None:
    with pytest.raises(CannotTell):
        keeps({"a": []}, schema)
