"""Nothing in a contract is passed over in silence: every leaf belongs to exactly one clause."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from shared_resources.contracts.compiling import clauses
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.source import read_source
from tests.contracts.reading import RICH

CONTRACT = read_contract(RICH)
SOURCE = read_source(RICH)
PATHS = [clause.path for clause in CONTRACT.clauses]


def leaves() -> list[tuple[str | int, ...]]:
    def below(value: Any, place: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
        if isinstance(value, dict) and value:
            return [leaf for key, inner in value.items() for leaf in below(inner, (*place, key))]
        if isinstance(value, list) and value:
            return [leaf for n, inner in enumerate(value) for leaf in below(inner, (*place, n))]
        return [place]

    return below(SOURCE.data, ())


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: SOURCE.dotted(leaf))
def test_every_leaf_belongs_to_exactly_one_clause(leaf: tuple[str | int, ...]) -> None:
    """To the nearest one at or around it; a clause stands for what is below it."""
    around = [SOURCE.dotted(leaf[:length]) for length in range(len(leaf), 0, -1)]
    nearest = next((path for path in around if path in PATHS), None)
    assert nearest is not None
    assert PATHS.count(nearest) == 1


def test_every_clause_has_its_line_and_says_how_or_why_not() -> None:
    lines = SOURCE.lines
    for clause in CONTRACT.clauses:
        assert clause.line == lines[clause.path]
        assert clause.how
    assert [c.line for c in CONTRACT.clauses] == sorted(c.line for c in CONTRACT.clauses)


def test_an_enforced_clause_names_a_check_that_exists() -> None:
    names = {rule.name for rule in CONTRACT.rules}
    named = [clause.how for clause in CONTRACT.clauses if clause.how.startswith("check ")]
    assert len(named) > 30
    for how in named:
        assert how.split()[1].rstrip(";") in names


def test_every_rule_is_named_by_a_clause() -> None:
    said = " ".join(clause.how for clause in CONTRACT.clauses)
    for rule in CONTRACT.rules:
        assert f"check {rule.name}" in said, rule.name


@pytest.mark.parametrize(
    ("path", "enforced"),
    [
        ("tenant", False),
        ("team.members[0].username", True),
        ("team.members[2].username", None),
        ("slaProperties[0]", True),
        ("slaProperties[1].schedule", False),
        ("slaProperties[3]", False),
        ("schema.lines.properties.state.quality[0]", True),
        ("schema.lines.properties.state.quality[0].schedule", False),
        ("schema.lines.properties.state.quality[5]", False),
        ("schema.lines.properties.state.quality[7]", False),
        ("schema.lines.properties.product_id.logicalTypeOptions.format", True),
        ("schema.lines.properties.sold_at.logicalTypeOptions.format", True),
        ("schema.lines.properties.product_id.logicalTypeOptions.pattern", True),
        ("customProperties[5]", False),
    ],
)
def test_what_is_enforced_and_what_is_not(path: str, enforced: bool | None) -> None:
    found = [clause.enforced for clause in CONTRACT.clauses if clause.path == path]
    assert found == ([] if enforced is None else [enforced])


def fields_of(definition: str) -> set[str]:
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
    found = schema if not definition else schema["$defs"][definition]
    return set(found["properties"])


@pytest.mark.parametrize(
    ("definition", "listed"),
    [
        (
            "",
            {*clauses._ROOT, "team", "servers", "slaProperties", "schema", "customProperties",
             "description"},
        ),
        ("SchemaObject", {*clauses._TABLE, "properties", "relationships", "quality"}),
        (
            "SchemaBaseProperty",
            {*clauses._PROPERTY, "primaryKey", "required", "unique", "enum", "partitioned",
             "logicalTypeOptions", "relationships", "quality"},
        ),
    ],
)  # fmt: skip
def test_no_field_of_the_standard_is_without_a_verdict(definition: str, listed: set[str]) -> None:
    assert fields_of(definition) <= listed
    assert fields_of("SchemaElement") - {"customProperties"} <= {
        *clauses._TABLE, *clauses._PROPERTY,
    }  # fmt: skip
