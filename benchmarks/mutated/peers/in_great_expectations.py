"""Asks Great Expectations, in its own environment: `python THIS PLAN ANSWERS`.

Belongs here: reading with pandas as the contract's types say, and the first expectation that fails.
Does not belong here: which expectations (`great_expectations.py`).
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    plan, answers = map(Path, sys.argv[1:])
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("object")
    batches = asset.add_batch_definition_whole_dataframe("whole")
    said = {}
    for case in json.loads(plan.read_text("utf-8")):
        said[case["name"]] = _said(case, batches)
    answers.write_text(json.dumps(said), "utf-8")


def _said(case: dict[str, Any], batches: Any) -> str:
    try:
        frame = _frame(case)
    except Exception as problem:  # noqa: BLE001 - whatever pandas says of a file that it cannot read
        return f"pandas: {type(problem).__name__}"
    suite = gx.ExpectationSuite(name=case["name"])
    for kind, given in case["expectations"]:
        given = {name: value for name, value in given.items() if value is not None}
        if kind.startswith(("ExpectTable", "ExpectColumnValuesToBeInType")):
            given.pop("mostly", None)
        if kind == "ExpectColumnValuesToBeBetween" and _is_moment(frame, given["column"]):
            for bound in {"min_value", "max_value"} & given.keys():
                given[bound] = pd.Timestamp(given[bound]).to_pydatetime()
        suite.add_expectation(getattr(gx.expectations, kind)(**given))
    result = batches.get_batch(batch_parameters={"dataframe": frame}).validate(suite)
    failed = [one for one in result.results if not one.success]
    return f"`{failed[0].expectation_config.type}`" if failed else ""


def _is_moment(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and pd.api.types.is_datetime64_any_dtype(frame[column])


def _frame(case: dict[str, Any]) -> pd.DataFrame:
    file = Path(case["file"])
    if file.suffix == ".csv":
        types = {
            **dict.fromkeys(case["integers"], "Int64"),
            **dict.fromkeys(case["texts"], "object"),
        }
        return pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
    if file.suffix == ".jsonl":
        frame = pd.read_json(file, lines=True)
        for name in case["dates"]:
            frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d")
        return frame
    return pd.read_parquet(file)


if __name__ == "__main__":
    main()
