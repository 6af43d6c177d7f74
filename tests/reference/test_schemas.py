"""Editors mark what the strict readers refuse, and nothing that they take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.source import parse_source, read_source
from shared_resources.findings import InvalidFile
from shared_resources.reference.schemas.agreement import agreement_schema
from shared_resources.reference.schemas.contract import contract_schema
from shared_resources.reference.schemas.domain import central_schema, domain_schema
from tests.architecture.tree import ROOT
from tests.contracts.reading import RICH

CONTRACTS = sorted((ROOT / "domains").glob("*/products/*/contract.odcs.yaml"))
AGREEMENTS = sorted((ROOT / "domains").glob("*/products/*/agreements/*.oaas.yaml"))
DOMAINS = sorted((ROOT / "domains").glob("*/domain.yaml"))
CENTRAL = ROOT / "domains" / "governance.yaml"
CONTRACT = Draft201909Validator(contract_schema())
LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def plain(data: Any) -> Any:
    """The file as an editor has it: numbers are numbers, texts are texts."""
    return json.loads(json.dumps(data, default=float))


def marked(validator: Draft201909Validator, data: Any) -> list[str]:
    return [
        f"{list(error.absolute_path)}: {error.message}"
        for error in validator.iter_errors(plain(data))
    ]


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", [*CONTRACTS, RICH], ids=named)
def test_every_contract_is_valid(file: Path) -> None:
    assert marked(CONTRACT, read_source(file).data) == []


@pytest.mark.parametrize("file", DOMAINS, ids=named)
def test_every_domain_file_is_valid(file: Path) -> None:
    assert marked(Draft201909Validator(domain_schema()), read_source(file).data) == []


def test_the_central_file_is_valid() -> None:
    assert marked(Draft201909Validator(central_schema()), read_source(CENTRAL).data) == []


@pytest.mark.parametrize("file", AGREEMENTS, ids=named)
def test_every_agreement_is_valid(file: Path) -> None:
    assert marked(Draft201909Validator(agreement_schema()), read_source(file).data) == []


@pytest.mark.parametrize(
    "schema", [agreement_schema(), contract_schema(), domain_schema(), central_schema()]
)
def test_a_schema_is_one_itself(schema: dict[str, Any]) -> None:
    Draft201909Validator.check_schema(schema)
    assert all(schema["properties"].values())


@pytest.mark.parametrize("file", [*AGREEMENTS, *CONTRACTS, *DOMAINS, CENTRAL], ids=named)
def test_a_file_names_its_schema_to_editors(file: Path) -> None:
    line = LINE.match(file.read_text(encoding="utf-8"))
    assert line is not None
    title = json.loads((file.parent / line[1]).read_text(encoding="utf-8"))["title"]
    kind = {"domain.yaml": "Domain", "governance.yaml": "What the governance"}
    usual = "Access" if file.name.endswith(".oaas.yaml") else "Contract"
    assert title.startswith(kind.get(file.name, usual))


BASE = """
apiVersion: v3.2.0
kind: DataContract
id: order-returns
name: returns
version: 1.0.0
status: active
domain: order
description: {purpose: "Lines that came back."}
team: {name: order, members: [{username: a@example.com, role: owner}]}
servers: [{server: lake, type: custom}]
slaProperties: [{property: latency, value: 2, unit: d}]
schema:
  - name: returns
    logicalType: object
    quality: [{name: enough, metric: rowCount, mustBeGreaterThan: 0}]
    properties:
      - name: return_id
        logicalType: integer
        description: Number.
        classification: internal
        primaryKey: true
        primaryKeyPosition: 1
      - name: reason
        logicalType: string
        logicalTypeOptions: {maxLength: 20}
        quality:
          - {name: known, metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0}
          - {name: own, type: custom, engine: python, implementation: "rules:own"}
        relationships: [{to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/x}]
customProperties:
  - {property: landing, vendor: mesh, value: {prefix: order/returns, format: csv, object: "*.csv"}}
"""


def refused_by_the_reader(text: str) -> bool:
    try:
        read_contract_text(text, Path("contract.odcs.yaml"))
    except InvalidFile:
        return True
    return False


def test_the_contract_that_the_next_test_misspells_is_valid() -> None:
    assert marked(CONTRACT, yaml.safe_load(BASE)) == []
    assert not refused_by_the_reader(BASE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("property: landing", "property: landign"),
        ("vendor: mesh, ", ""),
        ("format: csv", "format: cvs"),
        ("prefix: order", "prefxi: order"),
        ("status: active", "status: actve"),
        ("version: 1.0.0", "version: '1.0'"),
        ("apiVersion: v3.2.0", "apiVersion: v2.2.2"),
        ("purpose:", "porpose:"),
        ("server: lake", "server: laek"),
        ("type: custom}]", "type: kafka}]"),
        ("server: lake, type: custom", "server: lake, type: duckdb, database: d"),
        ("property: latency", "property: latencey"),
        ("value: 2", "value: 0"),
        ("unit: d}", "unit: m}"),
        ("metric: rowCount", "metric: nullValues"),
        ("metric: invalidValues", "metric: rowCount"),
        ("metric: invalidValues", "rule: invalidValues"),
        ("mustBe: 0", "mustbe: 0"),
        ("mustBe: 0", "mustBe: 0, unit: rwos"),
        ("mustBe: 0", "mustBe: 0, severity: fatal"),
        ("mustBe: 0", "mustBe: 0, customProperties: [{property: seconds, vendor: mesh, value: 9}]"),
        ("engine: python", "engine: pyhton"),
        ('"rules:own"', "own"),
        ('"rules:own"', '"rules:own", customProperties: [{property: seconds, vendor: mesh, value: 0}]'),
        ("logicalType: integer", "logicalType: array"),
        ("logicalType: integer", "logicalType: int"),
        ("classification: internal", "classification: secret"),
        ("maxLength", "maxLenght"),
        ("maxLength: 20", "minimum: 20"),
        ("name: return_id", "name: return-id"),
        ("primaryKeyPosition", "primaryKeyPositon"),
        ("to: product/products/catalog/contract.odcs.yaml", "to: catalog/contract.odcs.yaml"),
        ("description: Number.", "customProperties: [{property: mayBeAbsnt, vendor: mesh, value: true}]"),
        ("team: {", "team: {customProperties: [{property: landing, vendor: mesh, value: 1}], "),
    ],
)  # fmt: skip
def test_what_is_misspelt_is_marked_as_the_reader_refuses_it(right: str, wrong: str) -> None:
    assert right in BASE
    text = BASE.replace(right, wrong)
    assert refused_by_the_reader(text)
    data = parse_source(text.encode(), Path("contract.odcs.yaml")).data
    assert marked(CONTRACT, data) != []


def test_a_property_of_another_vendor_is_none_of_ours() -> None:
    text = BASE + "  - {property: landign, vendor: acme, value: 1}\n"
    assert not refused_by_the_reader(text)
    assert marked(CONTRACT, yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("archetype: source-aligned", "archetype: source"),
        ("contact:", "contacts:"),
        ("name:", "nam:"),
    ],
)
def test_what_is_misspelt_in_a_domain_file_is_marked(right: str, wrong: str) -> None:
    text = (ROOT / "domains" / "order" / "domain.yaml").read_text(encoding="utf-8")
    assert right in text
    validator = Draft201909Validator(domain_schema())
    assert marked(validator, yaml.safe_load(text.replace(right, wrong, 1))) != []
