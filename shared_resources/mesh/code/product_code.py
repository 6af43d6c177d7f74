"""What a domain's code says without being run: its inputs, and whether it can be loaded at all.

Belongs here: reading `product.py` and `rules.py` as syntax trees.
Does not belong here: importing them (`data_products/`), judging them (`governance/policies/`), dbt's
models (`model_text.py`).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import decode_source, find_spec
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.own.custom import KIND as CUSTOM
from shared_resources.findings import Finding
from shared_resources.mesh.code.engines import ENGINE, ENGINES
from shared_resources.mesh.model import ProductReference

RULE = "product"
_DECORATOR = "data_product"
_CONTEXT = "context"
_INPUT = "product_input"
_PLACES: ContextVar[tuple[str, ...] | None] = ContextVar("places", default=None)


def python_files(folder: Path) -> Iterator[Path]:
    """The Python files below `folder`, sorted, without caches and hidden folders."""
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(p.startswith(".") or p == "__pycache__" for p in parts):
            yield file


def code_files(folder: Path) -> Iterator[Path]:
    """The Python files of a domain that run in the mesh: all but its tests."""
    for file in python_files(folder):
        if not (file.name.startswith("test_") or file.name == "conftest.py"):
            yield file


def parse_python(file: Path) -> tuple[ast.Module | None, Finding | None]:
    """The file's syntax tree, or the finding that says why there is none."""
    try:
        # As an import does it: handed bytes, the parser passes over a comment that is no UTF-8.
        text = decode_source(file.read_bytes())
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"the file is no {error.encoding}: {error.object[error.start : error.end]!r}"
        return None, Finding(file, line, "python", message, "save it as UTF-8")
    except (SyntaxError, LookupError) as error:
        message = f"the file's encoding is not known: {error}"
        return None, Finding(file, 0, "python", message, "save it as UTF-8")
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        return None, Finding(file, 0, "python", message, "make it readable")
    try:
        return _parsed(text, str(file)), None
    except SyntaxError as error:
        line, problem = error.lineno or 0, error.msg
    except (ValueError, RecursionError, MemoryError) as error:  # NUL, too deep
        line, problem = 0, str(error) or "nested too deep"
    return None, Finding(
        file, line, "python", f"the file is no valid Python: {problem}", "mend the syntax"
    )


@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> ast.Module:
    """The same tree for the same text: each file of a product is looked at for several things."""
    return ast.parse(text, filename=name)


def missing_modules(file: Path, tree: ast.Module, root: Path) -> Iterator[Finding]:
    """What the file imports that is neither installed nor beside `domains/`; nothing is imported.

    An import within `try`, `if` or `with` is the author's own business: of what is there on some
    machines, or for a type checker.
    """
    tried = {
        id(node)
        for attempt in ast.walk(tree)
        if isinstance(attempt, ast.Try | ast.TryStar | ast.If | ast.With)
        for node in ast.walk(attempt)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names = [module]
            case _:
                continue
        if id(node) in tried:
            continue
        for name in names:
            first = name.split(".")[0]
            beside = (root / first).is_dir() or (root / f"{first}.py").is_file()
            if not beside and not _installed(first, _PLACES.get()):
                message = f"the file imports {first!r}, and there is no such module"
                remedy = "correct the name, or install what has it"
                yield Finding(file, node.lineno, "python", message, remedy)


@lru_cache(maxsize=4096)
def _installed(module: str, places: tuple[str, ...] | None) -> bool:
    if places is None:
        return module in sys.modules or find_spec(module) is not None
    known = module in sys.stdlib_module_names or module == "shared_resources"
    return known or PathFinder.find_spec(module, places) is not None


@contextmanager
def installed_in(places: Sequence[str]) -> Iterator[None]:
    """Within it, installed is what lies in these folders, the `sys.path` of another interpreter: of a
    release that runs in an environment of its own."""
    token = _PLACES.set(tuple(places))
    try:
        yield
    finally:
        _PLACES.reset(token)


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the nodes that are docstrings, or any other bare string: text, not code."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


@dataclass(frozen=True)
class ProductCode:
    """What `product.py` says. Inputs that are not written out are left out: loading tells those."""

    inputs: tuple[ProductReference, ...] = ()
    findings: tuple[Finding, ...] = ()


def read_product_code(file: Path) -> ProductCode:
    """The inputs of the file's one `@data_product` function, and what keeps it from being one."""
    tree, broken = parse_python(file)
    if broken is not None:
        return ProductCode(findings=(broken,))
    assert tree is not None
    makers = [
        (node, decorator)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if called(decorator) == _DECORATOR
    ]
    if len(makers) != 1:
        line = makers[1][0].lineno if makers else 1
        return ProductCode(
            findings=(
                Finding(
                    file,
                    line,
                    RULE,
                    f"the file holds {len(makers)} functions with @{_DECORATOR}",
                    "decorate the one function that makes the product",
                ),
            )
        )
    function, decorator = makers[0]
    given = decorator.keywords if isinstance(decorator, ast.Call) else []
    keywords = [keyword for keyword in given if keyword.arg != ENGINE]
    constants = constants_of(tree)
    engines = [_engine(one.value, constants, file) for one in given if one.arg == ENGINE]
    inputs = (_input(keyword.value, constants, file) for keyword in keywords)
    return ProductCode(
        tuple(given for given in inputs if given is not None),
        (*filter(None, engines), *_signature(file, function, keywords)),
    )


def _engine(value: ast.expr, constants: Mapping[str, ast.expr], file: Path) -> Finding | None:
    """The finding for an engine that there is not; one that is not written out is told by loading."""
    texts = texts_of(value, constants)
    if texts is None or (len(texts) == 1 and texts[0] in ENGINES):
        return None
    known = " or ".join(map(repr, ENGINES))
    message = f"@{_DECORATOR} names the engine {', '.join(map(repr, texts)) or 'nothing'}"
    return Finding(file, value.lineno, RULE, message, f"write {known}, or leave it out for Python")


def _signature(
    file: Path, function: ast.FunctionDef | ast.AsyncFunctionDef, keywords: list[ast.keyword]
) -> Iterator[Finding]:
    """The finding for parameters without a product, or products without a parameter."""
    named = {keyword.arg for keyword in keywords}
    if None in named:  # `**inputs`: known only when it runs
        return
    arguments = function.args
    parameters = {
        argument.arg
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    } - {_CONTEXT}
    if parameters != named:
        yield Finding(
            file,
            function.lineno,
            RULE,
            f"{function.name} takes ({', '.join(sorted(parameters))}) but @{_DECORATOR} names "
            f"({', '.join(sorted(map(str, named)))})",
            "name a product for each parameter, and no other",
        )


def missing_rule_functions(contract: Contract, folder: Path) -> Iterator[Finding]:
    """The custom rules of a contract whose function is not in the product's folder."""
    for rule in contract.rules:
        if rule.kind != CUSTOM.name:
            continue
        module, _, function = str(rule.arguments["implementation"]).partition(":")
        file = folder / f"{module}.py"
        if not file.is_file():
            yield Finding(
                contract.path, rule.line, RULE, f"{file.name} is not there", f"add it: {file}"
            )
            continue
        tree, broken = parse_python(file)
        if broken is not None:
            yield broken
        elif tree is not None and function not in _defined(tree):
            yield Finding(
                contract.path,
                rule.line,
                RULE,
                f"{file.name} has no function {function!r}",
                f"define it in {file}",
            )


def _defined(tree: ast.Module) -> set[str]:
    """The names of functions, and whatever else is bound by assignment or import, of a module."""
    names: set[str] = set(constants_of(tree))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def called(node: ast.expr) -> str:
    """The last name of a decorator, or of what a call calls."""
    match node:
        case ast.Call(func=function):
            return called(function)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
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
        if called(value) != _INPUT or first is None:
            return None
        second = value.args[1] if len(value.args) > 1 else given.get("columns")
        columns = texts_of(second, constants) if second is not None else None
        key = first
    texts = texts_of(key, constants)
    if texts is None or len(texts) != 1:
        return None
    return ProductReference(texts[0], columns, file, value.lineno)


def texts_of(node: ast.expr, constants: Mapping[str, ast.expr]) -> tuple[str, ...] | None:
    """The constant text, or list of texts, that an expression stands for; None if it is neither."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name) if name in constants:
            # Without its own name, so that `a = a` cannot go round in circles.
            return texts_of(constants[name], {k: v for k, v in constants.items() if k != name})
        case ast.Starred(value=inner):
            return texts_of(inner, constants)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            read = [texts_of(item, constants) for item in items]
            known = [texts for texts in read if texts is not None]
            return tuple(t for texts in known for t in texts) if len(known) == len(read) else None
    return None
