"""What a domain's `definitions.py` and helper modules say of its location, without being run.

Belongs here: that it is `defs = build_domain(__file__, …)` and makes no asset, check or IO manager
of its own. Does not belong here: `workspace.yaml` (`locations.py`), what is handed to `build_domain`
when it runs (`data_products/additions.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.mesh.model import DEFINITIONS_FILE
from shared_resources.mesh.product_code import code_files, parse_python

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


def definitions_findings(folder: Path) -> Iterator[Finding]:
    """What is wrong with a domain's location; nothing if there is no `definitions.py` to look at."""
    file = folder / DEFINITIONS_FILE
    if file.is_file():
        tree, broken = parse_python(file)
        if broken is not None:
            yield broken
        if tree is not None:
            yield from _of_location(file, tree)
    for other in code_files(folder):
        tree, _ = parse_python(other)
        if tree is not None:
            yield from _own_assets(other, tree)


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
    if [ast.unparse(argument) for argument in call.args] != ["__file__"]:
        message = f"{BUILDER}() is not given this file, so it would build another domain"
        yield Finding(file, call.lineno, RULE, message, f"write {_FORM}")
    for keyword in call.keywords:
        if keyword.arg not in ADDITIONS:
            given = keyword.arg or "**"
            message = f"{BUILDER}() is given {given!r}, which a location does not decide"
            yield Finding(file, keyword.value.lineno, RULE, message, f"write {_FORM}")


def _own_assets(file: Path, tree: ast.Module) -> Iterator[Finding]:
    modules, names = _dagster(tree)
    for node in ast.walk(tree):
        used = ""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = node.attr if node.value.id in modules else ""
        elif isinstance(node, ast.Name):
            used = names.get(node.id, "")
        if used == "*" or (used and _OF_DAGSTER.fullmatch(used)):
            yield Finding(
                file,
                getattr(node, "lineno", 0),
                RULE,
                f"the code uses dagster.{used}: assets, checks and IO managers come from products",
                "make a product folder for the data, with a contract; a domain's own jobs, sensors "
                f"and resources are given to {BUILDER}()",
            )


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
    return modules, names


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
