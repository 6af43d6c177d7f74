"""What makes a product, as its files say: a digest of its code, and whether it sees only its inputs.

Belongs here: which files decide what a product's rows are beside its contract and its inputs.
Does not belong here: the contract's own digest (`contracts/source.py`), comparing with what is
published (`running/unchanged.py`), whether the code uses only what it may (`platform_use.py`).

The same inputs and the same digest give the same rows, unless the code may look elsewhere: at the
clock, at chance, at files, at other systems. Whether it does is read from its words, and in doubt it
does. Its owner can say better (`alwaysRun` in the contract).
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared_resources.contracts.rules.own.sql import KIND as SQL
from shared_resources.mesh.code.product_code import code_files, parse_python
from shared_resources.mesh.model import (
    CONTRACT_FILE,
    DBT_PROJECT,
    DBT_SETTINGS,
    SHARED_BY_MODELS,
    ProductFolder,
    ProductKind,
)
from shared_resources.release import version_of

# Of the standard library, and beside it, what looks at nothing but what it is given. What of a module
# does all the same is among `_ELSEWHERE`. By name of the module, that of its distribution.
_PURE = frozenset(
    {
        *("__future__", "abc", "bisect", "collections", "contextlib", "copy", "dataclasses"),
        *("datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools"),
        *("json", "math", "numbers", "operator", "re", "statistics", "string", "textwrap", "types"),
        *("typing", "unicodedata", "warnings", "domains", "shared_resources"),
    }
)
_LIBRARIES = {name: name for name in ("numpy", "pandas", "polars", "pyarrow", "scipy")}
_SQL_LIBRARIES = ("dbt-core", "duckdb")
_ELSEWHERE = re.compile(
    r"now|today|utcnow|random\w*|default_rng|sample|shuffle|permutation|uuid\w*|run_id|import_module"
    r"|(read|scan)_\w+|dataset|ParquetFile|fs|memory_map|fromfile|loadtxt|genfromtxt|load|sql"
)
# `hash` of a text, and `id`, differ from process to process.
_BUILT_IN = frozenset({"open", "input", "exec", "eval", "__import__", "hash", "id"})
_TEXTS = frozenset({"now", "today"})
_SQL_ELSEWHERE = re.compile(
    r"\b(?:(?:now|today|random\w*|setseed|uuid\w*|gen_random_uuid|getdate|sysdate|nextval|seq\w*|env_var"
    r"|(?:read|scan)_\w+|age|transaction_timestamp|get_current_\w+)\s*\(|current_(?:date|time\w*)\b"
    r"|local(?:time|timestamp)\b|(?:table)?sample\b|run_started_at\b|invocation_id\b|modules\.|graph\.)",
    re.IGNORECASE,
)
_SQL_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
NO_CODE = (".md", ".oaas.yaml", ".pyc")


@dataclass(frozen=True)
class MakerCode:
    """`digest` is empty for an ingest without code of its own. `elsewhere` says why the same inputs
    may give other rows; empty when they do not."""

    digest: str
    elsewhere: str = ""


def maker_code(root: Path, product: ProductFolder) -> MakerCode:
    """What makes the product now, whichever way it is made."""
    files = list(_own_files(product.folder))
    trees = {file: parse_python(file)[0] for file in files if file.suffix == ".py"}
    if any(tree is not None and _reaches_out(tree, product) for tree in trees.values()):
        helpers = [file for file in code_files(product.folder.parents[1]) if file not in trees]
        trees |= {file: parse_python(file)[0] for file in helpers}
        files += helpers
    doubts = [_in_python(file, tree) for file, tree in trees.items()]
    doubts.append(_in_rules(product))
    libraries = {name for tree in trees.values() if tree is not None for name in _libraries(tree)}
    if product.kind is ProductKind.DBT:
        models = list(_model_files(root / DBT_PROJECT, product))
        doubts += [_in_sql(file.name, _text(file)) for file in models if file.suffix == ".sql"]
        files += models
        libraries.update(_SQL_LIBRARIES)
    if product.kind is ProductKind.ADDED:
        doubts.append("what makes it is another distribution's")
    if product.kind in (ProductKind.FUNCTION, ProductKind.ADDED) and not product.reads:
        doubts.append("it reads no product that could say so")
    elsewhere = next(filter(None, doubts), "")
    return MakerCode(_digest(root, files, libraries) if files else "", elsewhere)


def _own_files(folder: Path) -> Iterator[Path]:
    """What lies in the product's folder and may decide its rows: all but its contract and tests."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        test = file.name.startswith("test_") or file.name == "conftest.py"
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside)
        said = inside == (CONTRACT_FILE,) or file.name.endswith(NO_CODE)
        if file.is_file() and not (test or hidden or said):
            yield file


def _model_files(project: Path, product: ProductFolder) -> Iterator[Path]:
    """The model, its domain's steps and tests, and what all models share.

    Not the models of the domain's other products: what they published is an input like others.
    """
    others = {folder.name for folder in product.folder.parent.iterdir()} - {product.name}
    places = [project / name for name in (DBT_SETTINGS, *SHARED_BY_MODELS)]
    places += [project / kind / product.domain for kind in ("models", "tests")]
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            another = file.parent == project / "models" / product.domain and file.stem in others
            if file.is_file() and not another and not file.name.endswith(NO_CODE):
                yield file


def _digest(root: Path, files: Iterable[Path], libraries: Iterable[str]) -> str:
    said = [f"python={sys.version_info[0]}.{sys.version_info[1]}"]
    said += [f"{name}={_version(name)}" for name in sorted(libraries)]
    digest = hashlib.sha256("\n".join(said).encode())
    for file in sorted(set(files)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _version(distribution: str) -> str:
    try:
        return version_of(distribution)
    except ModuleNotFoundError:  # as what is not installed is called, too
        return ""


def _modules(tree: ast.Module) -> Iterator[str]:
    """The modules that the file imports, by absolute name; what is relative begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _libraries(tree: ast.Module) -> Iterator[str]:
    tops = {name.partition(".")[0] for name in _modules(tree)} - _PURE - {""}
    yield from (_LIBRARIES.get(top, top) for top in tops)


def _reaches_out(tree: ast.Module, product: ProductFolder) -> bool:
    """Whether the file takes code from elsewhere in its domain than the product's folder."""
    own = f"domains.{product.domain}.products.{product.name}."
    return any(
        name.startswith("..") or (name.startswith("domains") and not f"{name}.".startswith(own))
        for name in _modules(tree)
    )


def _in_python(file: Path, tree: ast.Module | None) -> str:
    """Why the code may look at more than its inputs, for people; empty when it does not."""
    if tree is None:
        return f"{file.name} is no Python"
    for name in _modules(tree):
        top, *below = name.split(".")
        if top and top not in _PURE and top not in _LIBRARIES:
            return f"{file.name} imports {top}, which may look elsewhere"
        if top not in ("domains", "") and any(_ELSEWHERE.fullmatch(part) for part in below):
            return f"{file.name} imports {name}, which may look elsewhere"
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if _ELSEWHERE.fullmatch(name):
                return f"{file.name}:{node.lineno} uses `{name}`, which may look elsewhere"
            case ast.Name(id=name) if name in _BUILT_IN:
                return f"{file.name}:{node.lineno} uses `{name}`, which may look elsewhere"
            case ast.Constant(value=str(text)) if text in _TEXTS:
                return f"{file.name}:{node.lineno} says {text!r}, which may mean the clock"
    return ""


def _in_sql(name: str, text: str) -> str:
    found = _SQL_ELSEWHERE.search(_SQL_COMMENT.sub(" ", text))
    return f"{name} says `{found[0].strip()}`, which may look elsewhere" if found else ""


def _in_rules(product: ProductFolder) -> str:
    """A rule's query may ask the clock, and then let rows through that it refused before."""
    rules = product.contract.rules if product.contract else ()
    queries = (str(rule.arguments["query"]) for rule in rules if rule.kind == SQL.name)
    return next(filter(None, (_in_sql("a rule's query", query) for query in queries)), "")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
