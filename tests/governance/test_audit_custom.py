"""`custom` rules: a function in the product's folder, the frame it asks for, what it answers."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from shared_resources.contracts.model import Classification, Unit
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import RuleResult
from tests.contract_factory import (
    at_most,
    make_column,
    make_contract,
    make_rule,
    result_of,
    stage,
    table,
)


def _ask(folder: Path, source: str, **fields: object) -> RuleResult:
    product = folder / "product"
    product.mkdir(parents=True, exist_ok=True)
    (product / "rules.py").write_text(textwrap.dedent(source))
    rule = make_rule("custom", name="own", implementation="rules:judge", **fields)
    contract = make_contract({"v": "int", "name": "text"}, [rule])
    batch = stage(folder / "staged", table(contract, v=[1, 2, None], name=["a", "b", None]))
    return result_of(audit(StagedData(batch), contract, folder=product), "own")


@pytest.mark.parametrize(
    ("imports", "annotation", "count"),
    [
        ("import pandas as pd", "pd.DataFrame", "len(batch[batch.v > 1])"),
        ("import pandas as pd", "'pd.DataFrame'", "len(batch[batch.v > 1])"),
        ("import polars as pl", "pl.DataFrame", "batch.filter(pl.col('v') > 1).height"),
        (
            "import polars as pl",
            "pl.LazyFrame",
            "batch.filter(pl.col('v') > 1).collect().height",
        ),
        ("import pyarrow as pa", "pa.Table", "sum((v or 0) > 1 for v in batch['v'].to_pylist())"),
        (
            "import pyarrow as pa",
            "pa.RecordBatchReader",
            "sum((v or 0) > 1 for b in batch for v in b.column('v').to_pylist())",
        ),
        ("import duckdb", "duckdb.DuckDBPyRelation", "batch.filter('v > 1').shape[0]"),
    ],
)
def test_the_batch_comes_as_the_annotation_asks(
    tmp_path: Path, imports: str, annotation: str, count: str
) -> None:
    source = f"{imports}\ndef judge(batch: {annotation}) -> int:\n    return {count}\n"
    result = _ask(tmp_path, source)
    assert (result.rows_failed, result.measured, result.passed) == (1, 1, False), result.message


def test_without_an_annotation_it_is_pandas_and_nothing_is_lost(tmp_path: Path) -> None:
    source = """
        def judge(batch):
            return batch.v.tolist()[:2] == [1, 2] and str(batch.v.dtype) == "Int64"
    """
    result = _ask(tmp_path, source)
    assert result.passed and result.rows_failed is None, result.message


def test_true_passes_and_false_fails(tmp_path: Path) -> None:
    for number, (answer, passed) in enumerate((("True", True), ("batch.v.max() > 5", False))):
        result = _ask(tmp_path / str(number), f"def judge(batch):\n    return {answer}\n")
        assert result.passed is passed and result.rows_failed is None
        assert result.message == (
            f"rules:judge says that the batch {'passes' if passed else 'fails'}"
        )


def test_rows_failed_are_compared_with_the_threshold(tmp_path: Path) -> None:
    source = "def judge(batch):\n    return 1\n"
    assert not _ask(tmp_path / "a", source).passed
    within = _ask(tmp_path / "b", source, threshold=at_most(34, Unit.PERCENT))
    assert within.passed and "33.3333 %" in within.message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def judge(batch):\n    raise KeyError('colour')\n",
            "raised KeyError at line 2: 'colour'",
        ),
        ("def judge(batch):\n    return 'bad'\n", "returned a str; return True or False"),
        ("def judge(batch):\n    return None\n", "returned a NoneType; return True or False"),
        ("def judge():\n    return 1\n", "must take one argument, the batch"),
        ("def judge(batch: dict):\n    return 1\n", "cannot take a builtins.dict; annotate"),
        ("def judge(batch: 'pd.DataFrame'):\n    return 1\n", "annotation of rules:judge is"),
        ("import no_such_module\n", "cannot be loaded: ModuleNotFoundError"),
        ("def judge(batch:\n", "cannot be loaded: SyntaxError"),
        ("def other(batch):\n    return 1\n", "has no function judge"),
    ],
)
def test_what_cannot_answer_is_a_failed_rule_with_one_message(
    tmp_path: Path, source: str, said: str
) -> None:
    result = _ask(tmp_path, source)
    assert not result.passed and result.message.startswith("not checked: ")
    assert said in result.message and "Traceback" not in result.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    rule = make_rule("custom", name="own", implementation="rules:judge")
    contract = make_contract({"v": "int"}, [rule])
    data = StagedData(stage(tmp_path, table(contract, v=[1])))
    message = result_of(audit(data, contract, folder=tmp_path), "own").message
    assert f"there is no {tmp_path / 'rules.py'}" in message


def test_two_products_rules_do_not_meet(tmp_path: Path) -> None:
    first = _ask(tmp_path / "a", "LIMIT = 1\ndef judge(batch):\n    return LIMIT\n")
    second = _ask(tmp_path / "b", "LIMIT = 2\ndef judge(batch):\n    return LIMIT\n")
    changed = _ask(tmp_path / "a", "LIMIT = 3\ndef judge(batch):\n    return LIMIT\n")
    assert [first.measured, second.measured, changed.measured] == [1, 2, 3]


def test_messages_do_not_show_values_of_classified_columns(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("def judge(batch):\n    return batch.mail.astype(int)\n")
    rule = make_rule("custom", name="own", implementation="rules:judge")
    mail = make_column("mail", "text", classification=Classification.CONFIDENTIAL)
    contract = make_contract([mail], [rule])
    data = StagedData(stage(tmp_path / "staged", table(contract, mail=["ada@example.com"])))
    message = result_of(audit(data, contract, folder=tmp_path), "own").message
    assert "raised ValueError" in message and "ada@example.com" not in message


def test_dataclasses_and_annotations_work_in_rules(tmp_path: Path) -> None:
    source = """
        from __future__ import annotations
        from dataclasses import dataclass
        import pyarrow as pa

        @dataclass
        class Limit:
            rows: int

        def judge(batch: pa.Table) -> int:
            return Limit(batch.num_rows).rows
    """
    assert _ask(tmp_path, source).measured == 3
