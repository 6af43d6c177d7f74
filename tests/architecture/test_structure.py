"""The structure of the code: what imports what, where things are, and how large they get."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from shared_resources.governance.policies.structure.no_domain_imports import POLICY
from shared_resources.mesh import read_mesh
from tests.architecture.tree import ROOT, dotted, imported, modules, syntax

LONGEST_MODULE = 320
LONGEST_FUNCTION = 60

# What a part may not import: an audit, a contract check or a status must never wait for Dagster,
# and what is below must not know what is above it.
FORBIDDEN = {
    "contracts": ("dagster", "domains", "shared_resources.governance", "shared_resources.mesh"),
    "mesh": ("dagster", "pandas", "polars", "pyiceberg", "duckdb", "shared_resources.governance"),
    "evidence": (
        "dagster",
        "domains",
        "shared_resources.governance",
        "shared_resources.io_managers",
    ),
    "governance": ("dagster", "domains", "shared_resources.data_products", "shared_resources.cli"),
    "io_managers": ("dagster", "domains", "shared_resources.data_products", "shared_resources.cli"),
    "landing": ("dagster", "domains", "shared_resources.data_products", "shared_resources.cli"),
    "observing": ("dagster", "domains", "shared_resources.data_products", "shared_resources.cli"),
    "production": ("domains", "shared_resources.io_managers", "shared_resources.data_products"),
    "data_products": ("domains", "shared_resources.cli"),
    "housekeeping": ("domains", "shared_resources.cli"),
    "cli": ("domains",),
}
# Through these Dagster reaches the stores and the landing zone, which work without it.
DAGSTERS_DOORS = {
    Path("shared_resources/io_managers/product_io_manager.py"),
    Path("shared_resources/locations/sensing/landing_sensor.py"),
    Path("shared_resources/locations/sensing/run_requests.py"),
    Path("shared_resources/locations/sensing/run_outcomes.py"),
}
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


@pytest.mark.parametrize("module", modules("shared_resources"), ids=str)
def test_the_platform_knows_no_domain(module: Path) -> None:
    named = {name for name in imported(module) if name.split(".")[0] == "domains"}
    assert named == set(), f"{module} must work for domains that it has never seen"


@pytest.mark.parametrize("part", FORBIDDEN)
def test_parts_import_only_what_is_below_them(part: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module in modules(f"shared_resources/{part}")
        if module not in DAGSTERS_DOORS
        for name in imported(module)
        if name.startswith(tuple(f"{forbidden}." for forbidden in FORBIDDEN[part]))
        or name in FORBIDDEN[part]
    ]
    assert wrong == []


def test_every_folder_of_the_platform_has_its_imports_ruled() -> None:
    folders = {module.parts[1] for module in modules("shared_resources") if len(module.parts) > 2}
    assert folders == set(FORBIDDEN), "a new folder needs a line in FORBIDDEN, an old one none"


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
