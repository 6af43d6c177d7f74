"""Policy: domains meet through products, never through each other's code.

Belongs here: this one rule, read from the syntax of every Python file of a domain.
Does not belong here: what shared_resources may import (`tests/architecture/`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh
from shared_resources.mesh.code.product_code import docstrings, parse_python, python_files
from shared_resources.mesh.model import SOURCE_SYSTEMS

NAME = "no_domain_imports"
_IMPORTERS = {"import_module", "__import__", "run_module", "resolve_name", "find_spec"}
_REMEDY = (
    "read the other domain's product instead (`@data_product(rows='domain/product')`), or move "
    "what both need into shared_resources"
)


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A domain that imports another cannot be deployed, changed or granted access on its own."""
    for file in python_files(domain.folder):
        tree, broken = parse_python(file)
        if broken is not None:
            yield broken
        if tree is not None:
            yield from _of_file(file, tree, domain.name, _package(file, domain))


def _package(file: Path, domain: Domain) -> list[str]:
    """The package that relative imports in `file` start from."""
    inside = file.relative_to(domain.folder).parent.parts
    return ["domains", domain.name, *inside]


def _of_file(file: Path, tree: ast.Module, own: str, package: list[str]) -> Iterator[Finding]:
    skipped = docstrings(tree)
    seen: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        for place, target in _references(node, own, package, skipped):
            if (place, target) not in seen:
                seen.add((place, target))
                yield Finding(file, place, NAME, f"domain {own!r} reaches into {target}", _REMEDY)


def _references(
    node: ast.AST, own: str, package: list[str], skipped: set[int]
) -> Iterator[tuple[int, str]]:
    """(line, what is reached) for each forbidden module that one syntax node names."""
    names: list[str] = []
    match node:
        case ast.Import():
            names = [alias.name for alias in node.names]
        case ast.ImportFrom():
            base = _absolute(node.module or "", node.level, package)
            names = [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
        case ast.Call():
            yield from _dynamic_import(node, own, package)
        case ast.Constant(value=str(text)) if id(node) not in skipped:
            module = _as_module(text)
            if module is not None:
                names = [module]
    for name in names:
        target = _forbidden(name, own)
        if target is not None:
            yield node.lineno, target  # type: ignore[attr-defined]


def _absolute(module: str, level: int, package: list[str]) -> str:
    """The absolute name of a relative import. Climbing out of the project counts as `domains`."""
    if level == 0:
        return module
    base = package[: len(package) - (level - 1)] or ["domains"]
    return ".".join([*base, module] if module else base)


def _forbidden(name: str, own: str) -> str | None:
    """What `name` reaches that this domain may not reach, else None."""
    parts = name.split(".")
    if parts[0] != "domains":
        return None
    # `import domains` and `from domains import *` give every domain that happens to be loaded.
    if len(parts) == 1 or parts[1] == "*":
        return "the package of all domains"
    if parts[1] == SOURCE_SYSTEMS:
        return f"{SOURCE_SYSTEMS!r}, which stands for systems outside of the mesh"
    return None if parts[1] == own else f"domain {parts[1]!r}"


def _as_module(text: str) -> str | None:
    """A string that is a module name or a path below `domains`, as a dotted name; else None."""
    found = re.fullmatch(r"(?:\./)?(domains[./][a-z]\w*(?:[./][\w./-]*)?)", text)
    return found[1].replace("/", ".") if found else None


def _dynamic_import(node: ast.Call, own: str, package: list[str]) -> Iterator[tuple[int, str]]:
    """Imports by function: relative names, and names put together while running."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    called = node.func.id if isinstance(node.func, ast.Name) else called
    if called not in _IMPORTERS or not node.args:
        return
    known, whole = _text(node.args[0], ".".join(package))
    if known.startswith("."):
        level = len(known) - len(known.lstrip("."))
        known = _absolute(known.lstrip("."), level, package)
    first, dot, second = known.partition(".")
    if not whole and (not dot or (first == "domains" and "." not in second)):
        yield node.lineno, "a module whose name is put together while it runs"
    elif first == "domains":
        target = _forbidden(known, own)
        if target is not None:
            yield node.lineno, target


def _text(node: ast.expr, package: str) -> tuple[str, bool]:
    """(the constant text that an expression starts with, whether that is all of it)."""
    match node:
        case ast.Constant(value=str(text)):
            return text, True
        case ast.Name(id="__name__" | "__package__"):
            return package, True
        case ast.FormattedValue(value=value):
            return _text(value, package)
        case ast.JoinedStr(values=parts):
            return _joined(parts, package)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([left, right], package)
    return "", False


def _joined(parts: list[ast.expr], package: str) -> tuple[str, bool]:
    text = ""
    for part in parts:
        more, whole = _text(part, package)
        text += more
        if not whole:
            return text, False
    return text, True


EXAMPLES = (
    passes(
        "its own code",
        files={"domains/shop/prices.py": "from domains.shop.products import orders\n"},
    ),
    fails(
        "another domain's code",
        "domain 'shop' reaches into domain 'sales'",
        files={"domains/shop/prices.py": "from domains.sales.prices import PRICES\n"},
    ),
    fails(
        "another domain's file, by its path",
        "domain 'shop' reaches into domain 'sales'",
        files={"domains/shop/prices.py": 'PRICES = open("domains/sales/prices.csv")\n'},
    ),
    fails(
        "the simulated source systems",
        "outside of the mesh",
        files={"domains/shop/prices.py": "import domains.source_systems.source\n"},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "No domain imports another domain, nor the simulated source systems.",
    check,
    examples=EXAMPLES,
)
