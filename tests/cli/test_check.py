"""`mesh check`: what it prints, how it ends, and what it does not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared_resources.cli.commands.check import check
from tests.mesh_files import (
    DOMAIN,
    contract_text,
    in_days,
    write_central,
    write_domain,
    write_product,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESH_ROOT", str(tmp_path))
    write_product(tmp_path, "order/lines")
    write_product(tmp_path, "sales/daily", lines="order/lines")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check, list(arguments))


def unclassified(root: Path, key: str = "order/lines") -> None:
    text = contract_text(key, landing=True)
    at = text.rindex("        classification: internal\n")
    write_product(
        root, key, text[:at] + text[at:].replace("        classification: internal\n", "", 1)
    )


def test_a_sound_mesh_ends_with_0_and_says_what_was_checked(root: Path) -> None:
    result = run()
    assert result.exit_code == 0
    (line,) = result.output.splitlines()
    assert line.startswith("2 domains, 2 contracts, ")
    assert " enforced, " in line
    assert line.endswith("0 findings, 0 waived")


def test_each_finding_is_one_line_with_place_policy_and_remedy(root: Path) -> None:
    unclassified(root)
    write_product(root, "sales/daily", lines="order/linse")
    result = run()
    assert result.exit_code == 1
    first, second, last = result.output.splitlines()
    assert first.startswith("domains/order/products/lines/contract.odcs.yaml:")
    assert "column 'note' has no classification [classified] -> add `classification:`" in first
    assert second.startswith("domains/sales/products/daily/product.py:6: ")
    assert second.endswith("-> did you mean 'order/lines'?")
    assert "2 findings" in last


def test_a_contract_that_is_not_valid_is_one_line_each(root: Path) -> None:
    write_product(root, "order/lines", contract_text("order/lines") + "colour: blue\n")
    result = run()
    assert result.exit_code == 1
    assert any("'colour'" in line or "colour" in line for line in result.output.splitlines())


def test_json_is_json_alone(root: Path) -> None:
    unclassified(root)
    result = run("--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    (found,) = told["findings"]
    assert found["file"] == "domains/order/products/lines/contract.odcs.yaml"
    assert found["rule"] == "classified"
    assert found["line"] > 0
    assert set(found) == {"file", "line", "rule", "message", "remedy"}
    assert told["passed"] is False
    assert told["contracts"] == ["order/lines", "sales/daily"]
    assert told["clauses"]["enforced"] > 0


def test_one_domain_alone(root: Path) -> None:
    unclassified(root)
    assert run("--domain", "sales").exit_code == 0
    assert run("--domain", "order").exit_code == 1


@pytest.mark.parametrize("arguments", [("--domain", "ordr"), ("--clauses", "order/line")])
def test_names_that_do_not_exist_are_wrong_use(root: Path, arguments: tuple[str, str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert repr(arguments[1]) in result.output
    assert "order" in result.output


def test_a_root_without_domains_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_ROOT", str(tmp_path))
    result = run()
    assert result.exit_code == 2
    assert "MESH_ROOT" in result.output


def test_a_waived_finding_is_listed_and_does_not_fail(root: Path) -> None:
    unclassified(root)
    write_central(root)
    ends = in_days(90)
    waiver = (
        "waivers:\n  - {policy: classified, product: lines, reason: awaiting the vendor, "
        f"approver: governance@example.com, expires: {ends}}}\n"
    )
    text = DOMAIN.format(name="order").replace("waivers: []\n", waiver)
    write_domain(root, "order", text)
    result = run()
    assert result.exit_code == 0
    assert result.output.startswith("waived: domains/order/products/lines/contract.odcs.yaml:")
    assert f"waived until {ends} by governance@example.com: awaiting the vendor" in result.output
    assert "0 findings, 1 waived" in result.output
    (waived,) = json.loads(run("--json").stdout)["waived"]
    assert (waived["approver"], waived["expires"]) == ("governance@example.com", ends)


def test_a_location_without_definitions_is_found(root: Path) -> None:
    (root / "domains" / "order" / "definitions.py").unlink()
    result = run()
    assert result.exit_code == 1
    assert "[location]" in result.output


def test_clauses_say_what_enforces_them_or_why_nothing_does(root: Path) -> None:
    told = json.loads(run("--clauses", "order/lines", "--json").stdout)
    assert {"line", "clause", "enforced", "how"} == set(told[0])
    assert all(clause["how"] for clause in told)
    assert {clause["enforced"] for clause in told} == {True, False}
    table = run("--clauses", "order/lines")
    assert table.exit_code == 0
    assert len(table.output.splitlines()) >= len(told)


def test_clauses_of_a_contract_that_is_not_valid_are_its_findings(root: Path) -> None:
    write_product(root, "order/lines", "kind: [\n")
    result = run("--clauses", "order/lines")
    assert result.exit_code == 1
    assert "not valid" in result.stderr
    assert "contract.odcs.yaml:" in result.stderr


def test_the_example_mesh_is_sound_and_checked_without_dagster(tmp_path: Path) -> None:
    """One process, as an editor would start it: what is heavy is not imported."""
    code = (
        "import sys\n"
        "from shared_resources.cli.main import mesh\n"
        "try:\n    mesh.main(['check', '--static'], standalone_mode=False)\n"
        "finally:\n"
        "    heavy = {'dagster', 'pandas', 'pyiceberg', 'duckdb', 'polars', 'rich'}\n"
        "    print('imported:', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("MESH_ROOT", "MESH_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert done.stderr.strip() == "imported: []"
    assert "0 findings" in done.stdout
