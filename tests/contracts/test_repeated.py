"""Columns of one shape are validated once, and nothing is overlooked by that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.repeated import Shapes, referred
from shared_resources.contracts.reading.standard import check_standard
from shared_resources.contracts.source import Source

SCHEMA = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
ANYTHING = st.one_of(
    st.sampled_from(["", "x", "string", "integer", "date", "internal", "VARCHAR", True, False]),
    st.sampled_from([None, 0, 1, -1, 1.5, float("nan"), [], ["x"], {}, {"x": 1}, {"minimum": 0}]),
    st.sampled_from([{"maxLength": 3}, {"maxLength": "3"}, {"format": "yyyy-MM-dd"}, {"min": 1}]),
    st.sampled_from([[{"value": 1}], [{"value": 1}, {"value": 1}], [{"values": 1}]]),
    st.sampled_from(
        [
            [{"metric": "nullValues", "mustBe": 0}],
            [{"metric": "nullValues", "mustBe": 0, "mustNotBe": 1}],
            [{"type": "sql", "query": "SELECT 1", "mustBeLessThan": "1"}],
            [{"type": "no", "rule": "x"}],
            [{"to": "a.b"}, {"from": "a.b"}],
        ]
    ),
)
FIELDS = sorted(
    {
        *SCHEMA["$defs"]["SchemaElement"]["properties"],
        *SCHEMA["$defs"]["SchemaBaseProperty"]["properties"],
        "nonsense",
    }
)
COLUMNS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4), st.integers(1, 3)
    ).map(lambda drawn: [{"name": f"c{i}", **drawn[0]} for i in range(drawn[1])]),
    min_size=1,
    max_size=4,
)


def findings(columns: list[dict[str, Any]]) -> list[str]:
    contract = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "x",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "x", "properties": columns}],
    }
    root = Node.root(Source(Path("x.yaml"), contract, "", {(): (1, 1)}))
    check_standard(root)
    return [finding.message for finding in root.findings]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=COLUMNS)
def test_each_column_is_judged_as_if_it_stood_alone(drawn: list[list[dict[str, Any]]]) -> None:
    columns = [column for alike in drawn for column in alike]
    together = findings(columns)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Shapes, "knows", lambda *_: False)
        assert together == findings(columns)


def test_a_shape_that_is_known_does_not_hide_what_differs() -> None:
    sound = [
        {"name": f"c{i}", "logicalType": "string", "required": True, "description": f"The {i}."}
        for i in range(3)
    ]
    assert findings(sound) == []
    for wrong in ({"required": 1}, {"required": "yes"}, {"description": 1}, {"name": True}):
        assert len(findings([*sound, {**sound[0], **wrong}])) == 1, wrong
    assert len(findings([*sound, {"logicalType": "string", "description": "No name."}])) == 1


def test_no_branch_that_decides_on_another_asks_for_unevaluated_properties() -> None:
    """That keyword is left out when the standard is applied: what it finds is found by name."""

    def deciding(schema: Any) -> Iterator[Any]:
        if isinstance(schema, dict):
            for keyword in ("oneOf", "anyOf", "not", "if"):
                found = schema.get(keyword, [])
                yield from found if isinstance(found, list) else [found]
            for inner in schema.values():
                yield from deciding(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from deciding(inner)

    def strict(schema: Any, seen: set[str]) -> bool:
        if isinstance(schema, list):
            return any(strict(inner, seen) for inner in schema)
        if not isinstance(schema, dict):
            return False
        reference = schema.get("$ref")
        if reference is not None and reference not in seen:
            seen.add(reference)
            if strict(referred(SCHEMA, reference), seen):
                return True
        return "unevaluatedProperties" in schema or any(
            strict(inner, seen) for inner in schema.values()
        )

    unused = SCHEMA["$defs"].pop("Relationship")  # its two branches are referred to directly
    try:
        assert '#/$defs/Relationship"' not in json.dumps(SCHEMA)
        assert not [branch for branch in deciding(SCHEMA) if strict(branch, set())]
    finally:
        SCHEMA["$defs"]["Relationship"] = unused
