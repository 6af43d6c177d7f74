"""What a domain's code says without being run: its inputs, and whether it is Python at all.

Belongs here: reading `product.py` and dbt models as text (syntax trees, `source(...)` calls).
Does not belong here: importing them (`data_products/`), judging them (`governance/policies/`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.mesh.model import ProductReference

_DECORATOR = "data_product"
_INPUT = "product_input"
_SOURCE = re.compile(r"""\bsource\(\s*(['"])([^'"]+)\1\s*,\s*(['"])([^'"]+)\3\s*\)""")
_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)


def python_files(folder: Path) -> Iterator[Path]:
    """The Python files below `folder`, sorted, without caches and hidden folders."""
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(p.startswith(".") or p == "__pycache__" for p in parts):
            yield file


def parse_python(file: Path) -> tuple[ast.Module | None, Finding | None]:
    """The file's syntax tree, or the finding that says why there is none."""
    try:
        return ast.parse(file.read_bytes(), filename=str(file)), None
    except SyntaxError as error:
        line, problem = error.lineno or 0, error.msg
    except (ValueError, OSError, RecursionError) as error:  # NUL bytes, unreadable, too deep
        line, problem = 0, str(error)
    return None, Finding(
        file, line, "python", f"the file is no valid Python: {problem}", "mend the syntax"
    )


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the nodes that are docstrings, or any other bare string: text, not code."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def inputs_of_code(file: Path) -> tuple[tuple[ProductReference, ...], Finding | None]:
    """The inputs that `@data_product(...)` names in `file`, and a finding if it cannot be parsed.

    Inputs that are not written as literals are left out: loading the location tells those.
    """
    tree, broken = parse_python(file)
    if tree is None:
        return (), broken
    found: list[ProductReference] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _called(decorator) == _DECORATOR:
                found += [
                    reference
                    for keyword in decorator.keywords
                    if (reference := _input(keyword.value, file)) is not None
                ]
    return tuple(found), None


def inputs_of_model(file: Path) -> tuple[ProductReference, ...]:
    """The products that a dbt model reads: its `source('domain', 'product')` calls."""
    text = file.read_text(encoding="utf-8", errors="replace")
    # Comments are blanked rather than cut, so that the lines of what follows stay right.
    text = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    return tuple(
        ProductReference(f"{call[2]}/{call[4]}", None, file, text.count("\n", 0, call.start()) + 1)
        for call in _SOURCE.finditer(text)
    )


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _input(value: ast.expr, file: Path) -> ProductReference | None:
    match value:
        case ast.Constant(value=str(key)):
            return ProductReference(key, None, file, value.lineno)
        case ast.Call() if _called(value) == _INPUT:
            given = {keyword.arg: keyword.value for keyword in value.keywords}
            key_node = value.args[0] if value.args else given.get("key")
            columns = value.args[1] if len(value.args) > 1 else given.get("columns")
            if isinstance(key_node, ast.Constant) and isinstance(key_node.value, str):
                return ProductReference(key_node.value, _names(columns), file, value.lineno)
    return None


def _names(node: ast.expr | None) -> tuple[str, ...] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    return tuple(
        item.value
        for item in node.elts
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    )
