"""What a domain's Python files import, without being run.

Belongs here: which names of `shared_resources` each file may use, and the findings for others; those
for modules that there are not.
Does not belong here: what a location holds (`locations.py`), imports of other domains (a policy),
and refusing the same while the code runs (`confinement/guard.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.mesh.code.product_code import code_files, missing_modules, parse_python

RULE = "platform"
PLATFORM = "shared_resources"
# What makes a product, and what tests it; the rest of the platform is its own business.
_OF_PRODUCTS = frozenset({"MakingContext", "Produced", "data_product", "live", "product_input"})
_OF_TESTS = "shared_resources.contracts.pandera_schema"
# A domain's own jobs and sensors are consumers like others.
_OF_LOCATIONS = frozenset({"build_domain", "read"})
_DECLARE = (
    "declare it (`@data_product(rows='domain/product')`) and take it as a parameter, so that its "
    "version is pinned and in the lineage"
)
_PUBLIC = "use what `from shared_resources import …` offers: " + ", ".join(sorted(_OF_PRODUCTS))
_IMPORTERS = frozenset({"import_module", "__import__", "run_module", "find_spec"})


def platform_findings(folder: Path) -> Iterator[Finding]:
    """What the Python files of a domain take from the platform and may not; its tests are no part."""
    for file in code_files(folder):
        tree, _ = parse_python(file)  # what is no Python is found where it is read
        if tree is not None:
            yield from missing_modules(file, tree, folder.parents[1])
            of_product = file.relative_to(folder).parts[0] == "products"
            yield from _of_file(file, tree, of_product)


def _of_file(file: Path, tree: ast.Module, of_product: bool) -> Iterator[Finding]:
    allowed = _OF_PRODUCTS if of_product else _OF_PRODUCTS | _OF_LOCATIONS
    for node in ast.walk(tree):
        for name in _taken(node):
            member = name.removeprefix(f"{PLATFORM}.")
            if member in allowed or f"{name}.".startswith(f"{_OF_TESTS}."):
                continue
            line = getattr(node, "lineno", 0)
            if member == "read":
                message = "the product's code reads with read(), past its declared inputs"
                yield Finding(file, line, RULE, message, _DECLARE)
            else:
                message = f"the code uses {name}, an internal part of the platform"
                yield Finding(file, line, RULE, message, _DECLARE if of_product else _PUBLIC)


def _taken(node: ast.AST) -> Iterator[str]:
    """The names below `shared_resources` that a syntax node takes; the package itself is one."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names if _ours(alias.name))
        case ast.ImportFrom(module=str(module), level=0) if _ours(module):
            yield from (f"{module}.{alias.name}" for alias in node.names)
        case ast.Call(func=function, args=[ast.Constant(value=str(text)), *_]) if _ours(text):
            called = function.attr if isinstance(function, ast.Attribute) else ""
            called = function.id if isinstance(function, ast.Name) else called
            if called in _IMPORTERS:
                yield text


def _ours(name: str) -> bool:
    return name == PLATFORM or name.startswith(f"{PLATFORM}.")
