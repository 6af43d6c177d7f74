"""What a domain's code says without being run: its inputs, and whether it is Python at all.

Belongs here: reading `product.py` and dbt models as text (syntax trees, `source(...)` calls).
Does not belong here: importing them (`data_products/`), judging them (`governance/policies/`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
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

    Names of constants of the same file are followed. Inputs that are put together in any other way
    are left out: loading the location tells those.
    """
    tree, broken = parse_python(file)
    if tree is None:
        return (), broken
    constants = _constants(tree)
    found: list[ProductReference] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _called(decorator) == _DECORATOR:
                found += [
                    reference
                    for keyword in decorator.keywords
                    if (reference := _input(keyword.value, constants, file)) is not None
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


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What is assigned to plain names at the top of a module."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _input(
    value: ast.expr, constants: Mapping[str, ast.expr], file: Path
) -> ProductReference | None:
    """The reference that one keyword of the decorator names, if it can be read."""
    columns: tuple[str, ...] | None = None
    key = value
    if isinstance(value, ast.Call):
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        first = value.args[0] if value.args else given.get("key")
        if _called(value) != _INPUT or first is None:
            return None
        second = value.args[1] if len(value.args) > 1 else given.get("columns")
        columns = _texts(second, constants) if second is not None else None
        key = first
    texts = _texts(key, constants)
    if texts is None or len(texts) != 1:
        return None
    return ProductReference(texts[0], columns, file, value.lineno)


def _texts(node: ast.expr, constants: Mapping[str, ast.expr]) -> tuple[str, ...] | None:
    """The constant text, or list of texts, that an expression stands for; None if it is neither."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name) if name in constants:
            # Without its own name, so that `a = a` cannot go round in circles.
            return _texts(constants[name], {k: v for k, v in constants.items() if k != name})
        case ast.Starred(value=inner):
            return _texts(inner, constants)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            read = [_texts(item, constants) for item in items]
            known = [texts for texts in read if texts is not None]
            return tuple(t for texts in known for t in texts) if len(known) == len(read) else None
    return None
