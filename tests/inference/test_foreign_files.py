"""`mesh new product --from` on files that the project has never seen.

`careful.csv` says what a careful person would write into their contracts, column by column. It began as
what was inferred and was corrected by hand, file by file: where the two differ, the person is right, and
where the person overlooked something, nobody knows. So the share that is kept is an upper bound.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.catalogue import data_time_rules
from shared_resources.inference.infer import infer_files
from shared_resources.landing.reader import stage_object
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_domain import make_domain
from shared_resources.scaffolding.new_product import NewProduct, make_product
from shared_resources.stores.protocol import StagedBatch
from tests.inference.foreign_files import foreign_files, inferences
from tests.mesh_files import write_central
from tests.scaffolding.domains import finance

FILES = foreign_files()
CAREFUL = Path(__file__).parent / "careful.csv"


@cache
def careful() -> dict[tuple[str, str], tuple[str, ...]]:
    with CAREFUL.open(newline="", encoding="utf-8") as file:
        return {(line[0], line[1]): tuple(line) for line in csv.reader(file)}


@pytest.mark.slow
def test_a_careful_person_keeps_nearly_all_that_is_inferred() -> None:
    assert len(FILES) >= 20
    kept = told = 0
    for file in FILES:
        for line in inferences(file):
            right = careful()[line[0], line[1]]
            told += len(line) - 2
            kept += sum(a == b for a, b in zip(line[2:], right[2:], strict=True))
    print(f"{kept:,} of {told:,} inferences kept ({kept / told:.1%}), {len(FILES)} files")
    assert kept / told >= 0.98


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_inferred_of_a_file_lets_that_file_through(file: Path, tmp_path: Path) -> None:
    contract = contract_of(file, tmp_path)
    staged = stage_object(contract, file, file.name, tmp_path / "staged")
    batch = StagedBatch(contract.key, "b", tmp_path / "staged", staged.files)
    rules = (*contract.rules, *data_time_rules(contract))
    report = audit(StagedData(batch), contract, rules=rules)
    assert [str(one.rule.name) for one in report.refusals] == []
    # A last line that may have been cut off is said, not taken for a row.
    unread = any("cannot be read" in said for said in contract.to_confirm)
    assert bool(staged.rejected_rows) == unread


def contract_of(file: Path, root: Path) -> Contract:
    write_central(root)
    make_domain(root, finance())
    made = NewProduct("finance/foreign", Beginning.INGEST, "One row.", inferred=infer_files(file))
    return read_contract(make_product(root, made)[0])
