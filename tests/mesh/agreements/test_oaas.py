"""The adapter to OAAS v0.9.0: the standard's own examples are read, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_resources.findings import InvalidFile
from shared_resources.mesh.agreements.folder import file_name, files_of, misplaced
from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
from shared_resources.mesh.agreements.oaas import agreement_text, read_agreement

# Both examples of the RFC; a product of the mesh has one port, called as it is, and needs a role.
MINIMAL = """\
apiVersion: v0.9.0
kind: AccessAgreement
id: 8f5d1c2a-4b3e-4a91-9d7c-6e2f0a1b3c4d
status: approved

description:
  purpose: Train the churn prediction model.

startTimestamp: 2026-07-01T00:00:00Z

provider:
  teamId: sales
  dataProductId: orders
  outputPortId: orders

consumer:
  teamId: marketing

roles:
  - role: analyst
"""
STRUCTURED = """\
apiVersion: v0.9.0
kind: AccessAgreement
id: 8f5d1c2a-4b3e-4a91-9d7c-6e2f0a1b3c4d
name: Orders for Realtime User Classification
version: 1.1.0
status: approved

description:
  purpose: classification
  usage: Read-only access to aggregated order data for model inference.
  limitations: No PII may be extracted. Results must not be resold to third parties.
  terms: Free for the first three months.

startTimestamp: 2026-07-01T00:00:00Z
endTimestamp: 2027-06-30T23:59:59Z
nextReassessmentTimestamp: 2027-01-01T00:00:00Z

provider:
  teamId: sales
  dataProductId: orders
  outputPortId: orders
  dataContractId: 4d2a7e10-9b6c-4f38-8a51-c7e3b9d0f2a6
  dataContractVersion: 1.0.0

consumer:
  teamId: marketing
  dataProductId: realtime_user_classification

roles:
  - role: orders.analyst.eu.read
  - role: orders.analyst.us.read

tags:
  - gdpr-relevant

authoritativeDefinitions:
  - type: legalAgreement
    url: https://acme.com/legal/dpa-marketing-2026.pdf
    description: Signed data processing agreement covering this grant.

customProperties:
  - property: costCenter
    value: MKT-4711
  - {property: decidedBy, value: sales@example.com, vendor: mesh}
  - {property: decidedAt, value: "2026-06-30T09:00:00Z", vendor: mesh}
"""


def _read(tmp_path: Path, text: str, name: str = "marketing.oaas.yaml") -> Agreement:
    file = tmp_path / name
    file.write_text(text)
    return read_agreement(file)


def test_the_minimal_example_is_read(tmp_path: Path) -> None:
    found = _read(tmp_path, MINIMAL)
    assert (found.product, found.consumer) == ("sales/orders", Consumer("marketing"))
    assert found.starts == datetime(2026, 7, 1, tzinfo=UTC)
    assert (found.ends, found.reassessment, found.decided_by) == (None, None, "")


def test_the_structured_example_is_read(tmp_path: Path) -> None:
    found = _read(tmp_path, STRUCTURED)
    assert found.consumer == Consumer("marketing", "realtime_user_classification")
    assert found.roles == ("orders.analyst.eu.read", "orders.analyst.us.read")
    assert found.ends == datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert found.decided_at == datetime(2026, 6, 30, 9, tzinfo=UTC)
    assert found.usage.startswith("Read-only access")


@pytest.mark.parametrize(
    ("given", "instead", "said"),
    [
        ("apiVersion: v0.9.0", "apiVersion: v1.0.0", "write `apiVersion: v0.9.0`"),
        ("kind: AccessAgreement", "kind: DataContract", "kind is 'DataContract'"),
        ("status: approved", "status: granted", "use one of requested, approved, rejected"),
        ("status: approved", "state: approved", "did you mean 'status'?"),
        ("  purpose: classification\n", "", "'purpose' is missing"),
        ("  purpose: classification", "  porpose: classification", "did you mean 'purpose'?"),
        ("endTimestamp: 2027-06-30T23:59:59Z", "endTimestamp: 2027-06-30", "no moment in UTC"),
        (
            "endTimestamp: 2027-06-30T23:59:59Z",
            "endTimestamp: 2027-06-30T23:59:59+02:00",
            "no moment in UTC",
        ),
        ("outputPortId: orders", "outputPortId: orders_snowflake", "no output port of 'orders'"),
        ("  teamId: sales\n", "", "'teamId' is missing"),
        ("  teamId: marketing\n", "", "a product without its team"),
        (
            "  teamId: marketing\n  dataProductId: realtime_user_classification",
            "  userId: jane",
            "may be a person or a domain",
        ),
        (
            "  dataProductId: realtime_user_classification",
            "  userId: jane@example.com",
            "a person and a team",
        ),
        (
            "  teamId: marketing\n  dataProductId: realtime_user_classification",
            "  {}",
            "it serves nobody",
        ),
        ("  - role: orders.analyst.us.read", "  - name: x", "'role' is missing"),
        ("  - role: orders.analyst.us.read", "  - x", "a role without a name"),
        ("value: sales@example.com", "value: 7", "'decidedBy' is not text"),
        ("property: decidedBy", "property: approvedBy", "no property of an agreement"),
        ('"2026-06-30T09:00:00Z"', "yesterday", "'decidedAt' is no moment"),
        ("tags:", "status: approved\ntags:", "status"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, given: str, instead: str, said: str
) -> None:
    assert given in STRUCTURED
    with pytest.raises(InvalidFile) as raised:
        _read(tmp_path, STRUCTURED.replace(given, instead, 1))
    assert said in str(raised.value)
    assert all(finding.line for finding in raised.value.findings)
    assert all(finding.remedy for finding in raised.value.findings)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "x: &a [*a]\n", "\x00"])
def test_what_is_no_agreement_at_all_is_a_finding(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidFile):
        _read(tmp_path, text)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    before = _read(tmp_path, STRUCTURED)
    text = agreement_text(before, "sales-orders", "1.0.0")
    assert replace(_read(tmp_path, text), line=before.line) == before


def test_a_consumers_files_are_found_by_their_names_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "agreements"
    folder.mkdir()
    for name in (
        "marketing.oaas.yaml",
        "marketing.campaigns.oaas.yaml",
        "marketing.other.oaas.yaml",
        "marketing2.oaas.yaml",
        "jane-example-com.oaas.yaml",
        "marketing.txt",
    ):
        (folder / name).touch()

    def found(*consumers: Consumer) -> set[str]:
        return {file.name for file in files_of(tmp_path, consumers)}

    assert found(Consumer("marketing", "campaigns")) == {"marketing.campaigns.oaas.yaml"}
    assert "marketing2.oaas.yaml" not in found(Consumer("marketing"))
    assert found(Consumer(user="jane@example.com")) == {"jane-example-com.oaas.yaml"}
    assert found(Consumer("nobody")) == set()


def test_an_agreement_in_anothers_place_is_a_finding(tmp_path: Path) -> None:
    agreement = _read(tmp_path, MINIMAL, "finance.oaas.yaml")
    said = [finding.message for finding in misplaced(agreement, "sales/returns")]
    assert any("lies with sales/returns" in one for one in said)
    assert any("nobody reads it" in one for one in said)
    assert not list(misplaced(_read(tmp_path, MINIMAL), "sales/orders"))


@pytest.mark.parametrize(
    "user", ["../../etc@x.org", "a/b@x", "a*b@x", "A.B@Example.COM", "agent:x"]
)
def test_a_file_of_a_person_stays_in_its_folder(user: str) -> None:
    name = file_name(Consumer(user=user))
    assert "/" not in name and "*" not in name and name.endswith(".oaas.yaml")
    assert not name.startswith(".")


def test_it_is_in_force_from_its_start_to_its_end() -> None:
    agreement = Agreement(
        "1", "a/b", Consumer("c"), "p", Status.APPROVED, ("r",), Path("x"),
        starts=datetime(2026, 1, 1, tzinfo=UTC), ends=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    )  # fmt: skip
    assert not agreement.in_force(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert agreement.in_force(datetime(2026, 1, 1, tzinfo=UTC))
    assert agreement.in_force(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert not agreement.in_force(datetime(2027, 1, 1, tzinfo=UTC))
    assert not replace(agreement, status=Status.REQUESTED).in_force(
        datetime(2026, 5, 1, tzinfo=UTC)
    )
