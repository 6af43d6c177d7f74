"""`domains/governance.yaml`: what is decided for every domain, and what is said of one that is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from shared_resources.mesh import read_mesh
from shared_resources.mesh.central_file import read_central_file
from tests.mesh_files import write_central


def test_without_the_file_nobody_approves_and_each_domain_lands_below_its_name(
    tmp_path: Path,
) -> None:
    central = read_central_file(tmp_path / "governance.yaml")
    assert (central.approvers, central.landing_prefixes) == ((), {})
    assert (central.waiver_days, central.loss_budget_percent) == (180, Decimal(10))


def test_what_stands_in_it_is_read(tmp_path: Path) -> None:
    write_central(
        tmp_path,
        "approvers: [a@example.com]\nwaiverDays: 30\nlossBudgetPercent: 2.5\n"
        "landingPrefixes: {crm/export/: customer}\n",
    )
    central = read_mesh(tmp_path).central
    assert central.findings == ()
    assert central.approvers == ("a@example.com",)
    assert (central.waiver_days, central.loss_budget_percent) == (30, Decimal("2.5"))
    assert central.landing_prefixes == {"crm/export": "customer"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("waiverDays: 30\n", 1, "'approvers' is missing"),
        ("approvers: []\n", 1, "'approvers' is not a list of texts"),
        ("approvers: [a]\nwaiverDays: 181\n", 2, "'waiverDays' is not a number from 1 to 180"),
        ("approvers: [a]\nlossBudgetPercent: 101\n", 2, "from 0 to 100"),
        ("approvers: [a]\nlossBudgetPercent: .nan\n", 2, "from 0 to 100"),
        ("approvers: [a]\nlossBudgetPercent: true\n", 2, "from 0 to 100"),
        ("approvers: [a]\nlandingPrefixes: [crm]\n", 2, "not a mapping"),
        ("approvers: [a]\nlandingPrefixes:\n  crm: 7\n", 3, "granted to no domain"),
        ("approvers: [a]\napprover: b\n", 2, "unknown field 'approver'"),
        ("approvers: [\n", 2, ""),
        ("approvers: [a]\nawsPrincipals: [x]\n", 2, "no mapping"),
        ("approvers: [a]\nawsPrincipals:\n  Mar keting: x\n", 3, "'Mar keting' is no consumer"),
        ("approvers: [a]\nawsPrincipals:\n  marketing: role/x\n", 3, "no principal of AWS"),
        ("approvers: [a]\nawsPrincipals:\n  marketing: [x]\n", 3, "no principal of AWS"),
    ],
)
def test_what_is_wrong_with_it_is_found_by_line_and_grants_nothing(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = write_central(tmp_path, text)
    central = read_central_file(file)
    assert central.findings
    assert any(f.file == file and f.line == line and words in f.message for f in central.findings)
    assert central.landing_prefixes == {}
    assert central.loss_budget_percent == 10


def test_consumers_are_principals_of_aws_each_by_his_own(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/"
    given = {"marketing": "m", "crm/people": "p", "agent:bot": "b", "a@example.com": "same"}
    lines = [f"  {who}: {role}{name}\n" for who, name in given.items()]
    text = "approvers: [a]\nawsPrincipals:\n" + "".join(lines)
    central = read_central_file(write_central(tmp_path, text))
    assert central.findings == ()
    assert central.aws_principals == {who: role + name for who, name in given.items()}
    central = read_central_file(write_central(tmp_path, f"{text}  b@example.com: {role}same\n"))
    assert len(central.findings) == 2
    assert central.aws_principals == {who: role + name for who, name in [*given.items()][:3]}
    assert read_central_file(write_central(tmp_path, "approvers: [a]\n")).aws_principals is None
    empty = read_central_file(write_central(tmp_path, "approvers: [a]\nawsPrincipals:\n"))
    assert empty.aws_principals == {}
