"""docs/production.md on Lake Formation: its policy allows what the engine can ask, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import boto3

from shared_resources.mesh.central_file import read_central_file
from tests.architecture.tree import ROOT
from tests.production.test_production_page import Policy, blocks


def test_the_policy_allows_what_the_engine_can_ask_and_no_more() -> None:
    code = "".join(
        file.read_text() for file in (ROOT / "shared_resources/engines/lake_grants").glob("*.py")
    )
    client = boto3.client(
        "lakeformation", "eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    asked = {
        f"lakeformation:{operation}"
        for method, operation in client.meta.method_to_api_mapping.items()
        if re.search(rf"\b{method}\b", code)
    }
    assert Policy("grants").actions == {*asked, "glue:GetTable"}


def test_the_principals_of_the_page_are_read(tmp_path: Path) -> None:
    file = tmp_path / "governance.yaml"
    file.write_text("approvers: [a@example.com]\n" + blocks("central")["principals"])
    central = read_central_file(file)
    assert central.findings == ()
    assert central.aws_principals is not None and "customer/customer_360" in central.aws_principals
