"""`custom` rules: a Python function in the product's own folder that judges the batch.

Belongs here: finding the function, handing it the batch as its annotation asks, its answer.
Does not belong here: comparing the answer with the threshold. (`governance/audit/audit.py`)

The function takes one argument, the batch, as pandas.DataFrame (also without an annotation),
polars.DataFrame, polars.LazyFrame, pyarrow.Table, pyarrow.RecordBatchReader or
duckdb.DuckDBPyRelation. It returns whether the batch passes, or how many rows fail.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import operator
import sys
import typing
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import duckdb

from shared_resources.confinement.withholding import words_of_files
from shared_resources.governance.audit.domain_rules.sql import RuleProblem, first_line
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.governance.audit.engine.staged_data import Auditable

_FRAMES = (
    "pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, "
    "pyarrow.RecordBatchReader or duckdb.DuckDBPyRelation"
)


def run_custom(
    implementation: str, data: Auditable, private: bool, folder: Path, scratch: Path | None
) -> bool | int:
    """What the function answers: whether the batch passes, or the number of rows that fail.

    With `private` (the contract has classified columns) values in its messages are masked. Raises
    `RuleProblem` for whatever keeps it from answering, an exception of its own included.
    """
    function = _function(implementation, folder)
    wanted = _frame_of(function, implementation)
    with audit_connection(scratch) as connection:
        try:
            answer = function(_frame(wanted, data, connection))
        except Exception as problem:
            raise RuleProblem(
                f"{implementation} raised {type(problem).__name__}{_line_of(problem, function)}: "
                f"{first_line(problem, private, words_of_files(folder))}"
            ) from problem
    return _answer(answer, implementation)


def _function(implementation: str, folder: Path) -> Callable[..., Any]:
    module_name, _, function_name = implementation.partition(":")
    path = folder / f"{module_name}.py"
    if not path.is_file() or path.resolve().parent != folder.resolve():
        raise RuleProblem(f"there is no {path}; {implementation} must stand there")
    function = getattr(_module(path), function_name, None)
    if not callable(function):
        raise RuleProblem(f"{path} has no function {function_name}")
    return typing.cast(Callable[..., Any], function)


def _module(path: Path) -> ModuleType:
    """The file as a module under a name of its own: every product may have a `rules.py`."""
    source = path.read_bytes()
    digest = hashlib.sha256(str(path.resolve()).encode() + b"\0" + source).hexdigest()
    name = f"mesh_rules_{digest[:24]}"
    if name in sys.modules:
        return sys.modules[name]
    loader = _TheseBytes(name, str(path), source)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        del sys.modules[name]
        raise RuleProblem(
            f"{path} cannot be loaded: {type(problem).__name__}: {problem}"
        ) from problem
    return module


class _TheseBytes(SourceFileLoader):
    """Runs the source that the name was made of. Python's own cache of compiled files takes a file
    of the same size that was changed within the same second for the old one.
    """

    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self.path)


def _frame_of(function: Callable[..., Any], implementation: str) -> str:
    """The type that the function's one parameter is annotated with, by its full name."""
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is inspect.Parameter.empty
    ]
    if len(parameters) != 1:
        raise RuleProblem(f"{implementation} must take one argument, the batch")
    try:
        annotation = typing.get_type_hints(function).get(parameters[0].name)
    except (NameError, AttributeError, TypeError) as problem:
        raise RuleProblem(f"the annotation of {implementation} is unknown: {problem}") from problem
    if annotation is None:
        return "pandas.DataFrame"
    module = str(getattr(annotation, "__module__", "")).split(".")[0].lstrip("_")
    return f"{module}.{getattr(annotation, '__name__', annotation)}"


def _frame(wanted: str, data: Auditable, connection: duckdb.DuckDBPyConnection) -> Any:
    match wanted:
        case "pandas.DataFrame":
            from shared_resources.contracts.values.lossless import to_pandas

            return to_pandas(data.batches().read_all())
        case "polars.DataFrame" | "polars.LazyFrame":
            import polars

            frame = typing.cast(polars.DataFrame, polars.from_arrow(data.batches().read_all()))
            return frame.lazy() if wanted == "polars.LazyFrame" else frame
        case "pyarrow.Table":
            return data.batches().read_all()
        case "pyarrow.RecordBatchReader":
            return data.batches()
        case "duckdb.DuckDBPyRelation":
            data.register(connection, "batch")
            return connection.view("batch")
    raise RuleProblem(f"a rule cannot take a {wanted}; annotate its argument with {_FRAMES}")


def _answer(answer: Any, implementation: str) -> bool | int:
    answer = answer.item() if hasattr(answer, "item") else answer
    if isinstance(answer, bool):
        return answer
    try:
        return operator.index(answer)
    except TypeError:
        raise RuleProblem(
            f"{implementation} returned a {type(answer).__name__}; return True or False, or the "
            "number of rows that fail"
        ) from None


def _line_of(problem: BaseException, function: Callable[..., Any]) -> str:
    """Where in the rules file it happened, e.g. ` at line 12`."""
    code = getattr(function, "__code__", None)
    line = None
    trace = problem.__traceback__
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" at line {line}" if line is not None else ""
