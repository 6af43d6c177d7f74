"""Names, addresses and positions in columns that are not classified: what is said and was not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Classification
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.governance.audit.audit import audit_parts
from shared_resources.governance.policies.promises.no_undeclared_names_or_places import (
    POLICY,
    rules,
)
from shared_resources.governance.terms import terms_of
from shared_resources.mesh.model import UNDECIDED
from shared_resources.personal_data import people
from shared_resources.stores.protocol import StagedBatch, StagedFile
from tests.governance.policies.meshes import column, contract

TEXT = column("note", type=ColumnType(Family.STRING))
POSITION = tuple(column(name, type=ColumnType(Family.FLOAT)) for name in ("lat", "lon"))
NAMES = [
    *("Mary Johnson", "Robert Smith", "Patricia Miller", "John Davis", "Linda Garcia"),
    *("Michael Brown", "Susan Wilson", "David Moore", "Karen Taylor", "Thomas Clark"),
]


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    asked = (people.missing, people.lists)
    for one in asked:
        one.cache_clear()
    monkeypatch.setattr(people, "find_spec", lambda name: None)
    yield
    for one in asked:
        one.cache_clear()


def failed(tmp_path: Path, *parts: list[str]) -> list[int | None]:
    """How many rows of each part fail."""
    of = contract(columns=(TEXT,))
    staged = []
    for number, values in enumerate(parts):
        file = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"note": values}), file)
        files = (StagedFile(file, "", len(values)),)
        staged.append(StagedBatch("order/orders", str(number), tmp_path, files))
    reports = audit_parts(staged, of, rules=rules(of))
    return [report.results[0].rows_failed for report in reports]


def test_it_asks_texts_and_pairs_of_numbers_that_are_not_classified() -> None:
    (rule,) = rules(contract(columns=(column(), TEXT, *POSITION)))
    assert rule.columns == ("note", "lat", "lon")
    restricted = column("note", type=TEXT.type, classification=Classification.RESTRICTED)
    assert rules(contract(columns=(column(), restricted, POSITION[0]))) == ()


def test_of_many_parts_those_that_hold_some_are_named(tmp_path: Path) -> None:
    goods = [f"FROZEN PIZZA {letter}" for letter in "ABCDEFGHIJ"]
    assert failed(tmp_path, goods, NAMES, goods) == [0, 10, 0]
    assert failed(tmp_path, goods, goods) == [0, 0]
    assert failed(tmp_path, [text.replace(" ", "_") for text in goods]) == [0], "nothing to ask"


def test_the_evidence_says_that_names_were_not_looked_for(
    tmp_path: Path, without_libraries: None
) -> None:
    of = contract(columns=(TEXT,))
    (rule,) = rules(of)
    assert "Names of persons and addresses of the US are not looked for" in rule.description
    terms = terms_of(of, (), UNDECIDED, (rule,), "code")
    (said,) = [one for one in terms.not_enforced if one.clause == f"policies.{POLICY.name}"]
    assert "probablepeople and usaddress not installed" in said.why and "personal-data" in said.why
    assert failed(tmp_path, NAMES) == [0]
    assert failed(tmp_path, ["Gartenweg 5", "Hauptstraße 12", "Am Alten Platz 3"]) == [3]


def test_with_the_libraries_nothing_is_left_out() -> None:
    of = contract(columns=(TEXT,))
    (rule,) = rules(of)
    assert (
        "not looked for" not in rule.description and "probablepeople" in rule.arguments["libraries"]
    )
    assert terms_of(of, (), UNDECIDED, (rule,), "code").not_enforced == ()


def test_numbers_alone_need_no_library(without_libraries: None) -> None:
    assert POLICY.unasked(contract(columns=POSITION), UNDECIDED) == ()
