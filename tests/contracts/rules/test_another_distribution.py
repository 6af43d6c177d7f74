"""A kind of rule that another distribution adds is read, enforced and explained like any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.contracts.rules import registry
from shared_resources.extensions import UnusableExtension
from tests.cli.commands import start
from tests.contracts.reading import column_contract, findings, read, rule
from tests.distributions import install

KIND = '''
from shared_resources.contracts.model import Contract, Rule, Threshold
from shared_resources.contracts.rules.items import item_rule
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.types import Family
from shared_resources.sql import quote_identifier


class WorkingDay(RowKind):
    """A date on which offices work. `quality: [{type: custom, engine: offices, ...}]`."""

    name = "working_day"
    engine = "offices"

    def read_item(self, node, of):
        if of is None or of.column.type.family is not Family.DATE:
            node.problem("is about days", "move it under a date")
            return None
        return item_rule(node, self.name, (of.column.name,), Threshold(), {})

    def of_column(self, declared, column):
        for item in column.node.each("customProperties"):
            if item.text("vendor") == "offices" and item.text("property") == "workingDay":
                name = column.column.name
                yield Rule(f"working_day_{name}", self.name, (name,), clause=item.path, line=item.line)

    def violation(self, rule: Rule, contract: Contract) -> str:
        return f"dayofweek({quote_identifier(rule.columns[0])}) IN (0, 6)"

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have {rule.columns[0]} on a weekend"


KIND = WorkingDay()
'''
ITEM = "{name: paid_on_working_day, type: custom, engine: offices, implementation: day}"
DATED = f"{{logicalType: date, classification: internal, quality: [{ITEM}]}}"


def installed(folder: Path, points: str, code: str = KIND) -> Path:
    return install(folder, "offices_rules", code, rules=points)


@pytest.fixture(autouse=True)
def _found_anew() -> Iterator[None]:
    registry.all_kinds.cache_clear()
    yield
    registry.all_kinds.cache_clear()
    sys.modules.pop("offices_rules", None)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def test_mesh_audit_enforces_it(tmp_path: Path) -> None:
    site = installed(tmp_path / "site", "working_day = offices_rules:KIND")
    contract = tmp_path / "contract.odcs.yaml"
    contract.write_text(column_contract(DATED))
    data = tmp_path / "rows.csv"
    data.write_text("x\n2024-05-31\n2024-06-01\n2024-06-02\n")
    audited = start("audit", contract, "--data", data, "--json", PYTHONPATH=str(site))
    assert audited.code == 1, audited
    (result,) = [r for r in audited.json["results"] if r["rule"] == "paid_on_working_day"]
    assert (result["passed"], result["rows_failed"], result["rows_checked"]) == (False, 2, 3)
    assert "have x on a weekend" in result["message"]
    assert [row["x"] for row in result["sample"]] == ["2024-06-01", "2024-06-02"]

    data.write_text("x\n2024-05-31\n")
    assert start("audit", contract, "--data", data, PYTHONPATH=str(site)).code == 0

    unknown = start("audit", contract, "--data", data)
    unknown.refused("'offices'", "an engine that is not known")


def test_it_stands_among_the_contracts_rules_and_clauses(site: Path) -> None:
    installed(site, "working_day = offices_rules:KIND")
    contract = read(column_contract(DATED))
    assert rule(contract, "paid_on_working_day").kind == "working_day"
    assert [c.how for c in contract.clauses if c.path.endswith("quality[0]")] == [
        "check paid_on_working_day (blocking)"
    ]
    item = "{property: workingDay, vendor: offices, value: true}"
    contract = read(column_contract(f"{{logicalType: date, customProperties: [{item}]}}"))
    assert rule(contract, "working_day_x").kind == "working_day"
    assert [c.how for c in contract.clauses if "customProperties" in c.path] == [
        "check working_day_x (blocking)"
    ]
    (finding,) = findings(column_contract(f"{{logicalType: string, quality: [{ITEM}]}}"))
    assert "is about days" in finding.message


@pytest.mark.parametrize(
    ("points", "code", "said"),
    [
        ("a = offices_rules:KIND", KIND.replace('"working_day"', '"range"'), "there is already"),
        ("a = offices_rules:NONE", KIND, "cannot be loaded"),
        ("a = offices_rules:WorkingDay", KIND, "must lead to an instance"),
    ],
    ids=["a name that is taken", "nothing", "a class"],
)
def test_one_that_cannot_be_used_is_named(site: Path, points: str, code: str, said: str) -> None:
    installed(site, points, code)
    with pytest.raises(UnusableExtension, match=said) as refused:
        registry.all_kinds()
    assert "'a' of offices" in str(refused.value)
