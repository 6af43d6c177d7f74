"""The structure of the code: what imports what, where things are, and how large they get."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from shared_resources.governance.policies.structure.no_domain_imports import POLICY
from shared_resources.mesh import read_mesh
from tests.architecture.tree import ROOT, dotted, modules, syntax

LONGEST_MODULE = 320
LONGEST_FUNCTION = 60

MOST_MODULES = 12

# Business names and platform concepts name folders; these say nothing about what is in them.
EMPTY_NAMES = {
    *("utils", "util", "helpers", "common", "misc", "lib", "core", "shared"),
    *("dagster", "duckdb", "iceberg", "pyiceberg", "pandas", "polars", "pandera", "snowflake"),
    *("spark", "s3", "aws", "airflow", "assets", "resources", "sensors", "jobs"),
}


def test_no_domain_imports_another_nor_the_source_systems() -> None:
    mesh = read_mesh(ROOT)
    assert len(mesh.domains) >= 1
    findings = [str(f) for domain in mesh.domains for f in POLICY.check(domain, mesh)]
    assert findings == []


def test_every_module_is_in_a_layer_and_none_imports_in_a_circle() -> None:
    """The layers, their reasons and the few exceptions stand in `pyproject.toml`."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_room_holds_at_most_a_dozen_modules() -> None:
    rooms = Counter(
        module.parent for module in modules("shared_resources") if module.stem != "__init__"
    )
    assert {str(room): n for room, n in rooms.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("module", modules("shared_resources"), ids=str)
def test_a_module_says_first_what_belongs_in_it_and_what_does_not(module: Path) -> None:
    said = ast.get_docstring(syntax(module)) or ""
    assert "Belongs here:" in said, f"{dotted(module)} does not say what belongs in it"
    assert "oes not belong here:" in said, f"{dotted(module)} does not say what does not"


@pytest.mark.parametrize("module", modules("domains"), ids=str)
def test_a_module_of_a_domain_has_a_docstring(module: Path) -> None:
    empty = not (ROOT / module).read_text(encoding="utf-8").strip()
    assert ast.get_docstring(syntax(module)) or empty


@pytest.mark.parametrize("module", modules(), ids=str)
def test_modules_stay_short_and_functions_fit_a_screen(module: Path) -> None:
    lines = len((ROOT / module).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE, f"{module} has {lines} lines: it has two subjects"
    long = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(syntax(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in long.items() if n > LONGEST_FUNCTION} == {}


def test_no_folder_has_a_tools_name_or_one_that_says_nothing() -> None:
    folders = {parent.name for module in modules() for parent in module.parents if parent.name}
    assert folders & EMPTY_NAMES == set()


def test_definitions_build_the_location_and_nothing_else() -> None:
    for domain in read_mesh(ROOT).domains:
        module = (domain.folder / "definitions.py").relative_to(ROOT)
        kinds = [type(node) for node in syntax(module).body]
        assert kinds == [ast.Expr, ast.ImportFrom, ast.Assign], module
