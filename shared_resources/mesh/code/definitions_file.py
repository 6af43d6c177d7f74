"""What a domain's `definitions.py` and helper modules say of its location, without being run.

Belongs here: that it is `defs = build_domain(__file__, …)` and makes no asset, check or IO manager
of its own. Does not belong here: `workspace.yaml` (`locations.py`), what is handed to `build_domain`
when it runs (`locations/additions.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.mesh.code.component_files import component_findings
from shared_resources.mesh.code.product_code import code_files, parse_python
from shared_resources.mesh.model import DEFINITIONS_FILE

RULE = "location"
BUILDER = "build_domain"
ADDITIONS = ("jobs", "schedules", "sensors", "resources")
_FORM = f"`defs = {BUILDER}(__file__)`, with {', '.join(f'{a}=' for a in ADDITIONS)} of its own"
# What puts an asset, a check, what is stored of one, or a second location beside the platform's.
_OF_DAGSTER = re.compile(
    r"(multi_|graph_|graph_multi_|observable_source_)?assets?(_check)?|multi_asset_check|dbt_assets"
    r"|Assets?Definition|AssetsDefinition|Asset(Spec|Out|Dep|CheckSpec|CheckResult|Materialization"
    r"|Observation|CheckEvaluation|ChecksDefinition)|SourceAsset|ObserveResult|MaterializeResult"
    r"|external_assets?_\w+|load_\w+|Definitions|definitions|repository|RepositoryDefinition"
    r"|io_manager|\w*IOManager|Component\w*|build_\w*checks?\w*"
)

_MODULE = re.compile(r"[a-z_][a-z0-9_]*")


def definitions_findings(folder: Path) -> Iterator[Finding]:
    """What is wrong with a domain's location; nothing if there is no `definitions.py` to look at."""
    file = folder / DEFINITIONS_FILE
    if file.is_file():
        tree, broken = parse_python(file)
        if broken is not None:
            yield broken
        if tree is not None:
            yield from _of_location(file, tree)
    yield from component_findings(folder)
    for other in code_files(folder):
        tree, _ = parse_python(other)
        if tree is not None:
            yield from _own_assets(other, tree)
            yield from _test_code(other, tree)


def _of_location(file: Path, tree: ast.Module) -> Iterator[Finding]:
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == BUILDER
    ]
    bound = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and [ast.unparse(target) for target in node.targets] == ["defs"]
    ]
    if len(calls) != 1 or bound != calls:
        line = calls[-1].lineno if calls else 1
        yield Finding(
            file,
            line,
            RULE,
            f"the location is not what {BUILDER}() gives, once and whole, so nothing holds the "
            "policies and checks in it",
            f"write {_FORM}",
        )
        return
    (call,) = calls
    yield from _bound_otherwise(file, tree)
    if [ast.unparse(argument) for argument in call.args] != ["__file__"]:
        message = f"{BUILDER}() is not given this file, so it would build another domain"
        yield Finding(file, call.lineno, RULE, message, f"write {_FORM}")
    for keyword in call.keywords:
        if keyword.arg not in ADDITIONS:
            given = keyword.arg or "**"
            message = f"{BUILDER}() is given {given!r}, which a location does not decide"
            yield Finding(file, keyword.value.lineno, RULE, message, f"write {_FORM}")


def _bound_otherwise(file: Path, tree: ast.Module) -> Iterator[Finding]:
    """`defs` bound again, in whatever way, or a `build_domain` that is not the platform's."""
    ours: list[ast.AST] = [
        alias
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "shared_resources"
        for alias in node.names
        if alias.name == BUILDER and alias.asname in (None, BUILDER)
    ]
    ours += [
        target
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if ast.unparse(target) == "defs"
    ]
    for node in ast.walk(tree):
        for name in {"defs", BUILDER} & set(_binds(node)):
            if node in ours:
                continue
            message = f"{name!r} is bound to something else than the platform's"
            remedy = f"bind it once, at the top of the file: write {_FORM}"
            yield Finding(file, getattr(node, "lineno", 0), RULE, message, remedy)


def _binds(node: ast.AST) -> Iterator[str]:
    """The names that a syntax node binds, unbinds, or reaches for in a module's own dictionary."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield (other or name).split(".")[0]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Call(func=ast.Name(id="globals" | "exec" | "eval")):
            yield "defs"
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield name


def _own_assets(file: Path, tree: ast.Module) -> Iterator[Finding]:
    modules, names = _dagster(tree)
    for node in ast.walk(tree):
        used = _used(node, modules, names)
        if used and _OF_DAGSTER.fullmatch(used):
            yield Finding(
                file,
                getattr(node, "lineno", 0),
                RULE,
                f"the code uses dagster.{used}: assets, checks and IO managers come from products",
                "make a product folder for the data, with a contract; a domain's own jobs, sensors "
                f"and resources are given to {BUILDER}()",
            )


def _test_code(file: Path, tree: ast.Module) -> Iterator[Finding]:
    """Imports of the domain's tests, in which nothing is looked for."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("domains.")]
        elif isinstance(node, ast.ImportFrom) and (
            node.level or str(node.module).split(".")[0] == "domains"
        ):
            names = [f"{node.module or ''}.{alias.name}" for alias in node.names]
        for name in names:
            tests = [p for p in name.split(".") if p.startswith("test_") or p == "conftest"]
            if tests:
                message = f"the code imports {tests[0]}, which is a test by its name"
                remedy = "move what it needs into a module of another name"
                yield Finding(file, getattr(node, "lineno", 0), RULE, message, remedy)


def _used(node: ast.AST, modules: set[str], names: dict[str, str]) -> str:
    """What of Dagster a syntax node takes; nothing if it takes none."""
    match node:
        case ast.Attribute(attr=attr):
            root = node.value
            while isinstance(root, ast.Attribute) and _MODULE.fullmatch(root.attr):
                root = root.value
            known = isinstance(root, ast.Name) and (
                root.id in modules or (_MODULE.fullmatch(names.get(root.id, "")) is not None)
            )
            return attr if known or (isinstance(root, ast.Call) and _imports_dagster(root)) else ""
        case ast.Name(id=name):
            return names.get(name, name if "*" in names else "")
        case ast.Call(
            func=ast.Name(id="getattr"),
            args=[ast.Name(id=root_name), ast.Constant(value=str(attr)), *_],
        ):
            return attr if root_name in modules else ""
    return ""


def _imports_dagster(call: ast.Call) -> bool:
    """`import_module("dagster")` and its kin."""
    match call.args:
        case [ast.Constant(value=str(text)), *_]:
            return text.split(".")[0].startswith("dagster") and "import" in _name(call)
    return False


def _dagster(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """The names under which a file has Dagster's modules, and its members by their name there."""
    modules: set[str] = set()
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0].startswith("dagster"):
                    modules.add((alias.asname or alias.name).split(".")[0])
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("dagster"):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Call):
            value = node.value
            again = isinstance(value, ast.Name) and value.id in modules
            if again or (isinstance(value, ast.Call) and _imports_dagster(value)):
                modules |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return modules, names


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
