"""Agreements in Lake Formation, over its stand-in: what is granted, changed, taken back, and withheld."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import Stubber

from shared_resources.engines.applying import apply_to, plan_for
from shared_resources.engines.difference import Plan
from shared_resources.engines.engine import AccessEngine
from shared_resources.engines.lake_grants.client import LakeFormationProblem
from shared_resources.mesh.agreements.model import Status
from shared_resources.wiring import ProductionEnvironment, current
from tests.access.test_door import PURPOSES
from tests.engines.people import DAY, People
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment

NOW = datetime.now().astimezone()
MARKETING, BOT = (f"arn:aws:iam::123456789012:role/{name}" for name in ("marketing", "bot"))
PRINCIPALS = {"marketing": MARKETING, "agent:bot": BOT}
COLUMNS = ("id", "email", "born", "region", "spent")


class Lake(People):
    """`crm/people` with a table in Glue, in a production environment of its own."""

    def __init__(self, root: Path, made: ProductionEnvironment) -> None:
        super().__init__(root, "lake")
        self.environment = made
        self.aws = made.settings.lake_formation()
        self.central()
        self.database = made.settings.glue_prefix + "crm"

    @property
    def engine(self) -> AccessEngine:
        return current().engines["lakeformation"]

    def central(self, **decided: Any) -> None:
        said = {
            "approvers": ["g@example.com"],
            "purposes": PURPOSES,
            "awsPrincipals": PRINCIPALS,
            **decided,
        }
        (self.root / "domains" / "governance.yaml").write_text(yaml.safe_dump(said))

    def publish(self, *columns: str) -> None:
        glue = self.environment.settings.glue()
        glue.create_database(DatabaseInput={"Name": self.database})
        described: Any = {
            "Location": self.environment.settings.lake.url("crm", "people"),
            "Columns": [{"Name": name, "Type": "string"} for name in columns or COLUMNS],
        }
        table: Any = {"Name": "people", "StorageDescriptor": described}
        glue.create_table(DatabaseName=self.database, TableInput=table)

    def plan(self, *, prune: bool = False, now: datetime = NOW) -> Plan:
        return plan_for(self.engine, self.shares(now), prune=prune)

    def apply(self, *, prune: bool = False) -> list[tuple[str, str]]:
        engine = self.engine
        plan = plan_for(engine, self.shares(NOW), prune=prune)
        return [(str(one.action), one.item.kind) for one in apply_to(engine, plan)]

    def granted(self) -> dict[str, list[Any]]:
        """What Lake Formation lists of each principal, in few words."""
        found: dict[str, list[Any]] = {}
        token: dict[str, str] = {}
        while True:
            page = self.aws.list_permissions(**token)
            for one in page["PrincipalResourcePermissions"]:
                kind, what = next(iter(one["Resource"].items()))
                if what.get("DatabaseName") == self.database:
                    said = what.get("ColumnNames") or what["Name"]
                    whose = one["Principal"]["DataLakePrincipalIdentifier"]
                    found.setdefault(whose, []).append((kind, said))
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}

    def filters(self) -> list[dict[str, Any]]:
        table = {"DatabaseName": self.database, "Name": "people"}
        return list(self.aws.list_data_cells_filter(Table=table)["DataCellsFilters"])

    def give(self, principal: str, resource: dict[str, Any], *permissions: str) -> None:
        self.aws.grant_permissions(
            Principal={"DataLakePrincipalIdentifier": principal},
            Resource=resource,
            Permissions=list(permissions or ("SELECT",)),
        )

    def table(self, **more: Any) -> dict[str, Any]:
        return {"DatabaseName": self.database, "Name": "people", **more}


@pytest.fixture
def lake(stand_ins: StandIns, tmp_path: Path) -> Iterator[Lake]:
    root = tmp_path / "mesh"
    root.mkdir()
    variables = {"MESH_HOME": str(tmp_path / "home"), "MESH_ROOT": str(root)}
    with environment({**stand_ins.fresh(), **variables}):
        made = current()
        assert isinstance(made, ProductionEnvironment)
        yield Lake(root, made)


def test_columns_are_granted_changed_and_taken_back(lake: Lake) -> None:
    lake.publish()
    file = lake.agree("marketing", "everything")
    done = lake.apply()
    assert done[-2:] == [("make", "tagged columns"), ("make", "grant")]
    assert lake.granted() == {MARKETING: [("TableWithColumns", sorted(COLUMNS))]}
    assert not lake.plan().differs
    lake.agree("marketing", "amounts")
    assert lake.apply() == [("replace", "grant")]
    assert lake.granted() == {MARKETING: [("TableWithColumns", ["id"])]}
    assert [one.column for one in lake.plan().withheld] == ["spent"]
    lake.agree("marketing", "everything")
    (change,) = lake.plan().changes
    assert [one.split()[2] for one in lake.engine.words(change)] == ["grant-permissions"]
    lake.apply()
    assert not lake.plan().differs
    file.unlink()
    assert [item.consumer for item in lake.plan().kept] == ["marketing"]
    assert lake.apply(prune=True) == [("remove", "grant")]
    assert lake.granted() == {}


def test_rows_are_a_filter_that_is_there_before_its_grant_and_longer(lake: Lake) -> None:
    lake.publish()
    lake.agree("marketing", "north")
    done = lake.apply()
    assert done[-2:] == [("make", "data cells filter"), ("make", "grant")]
    (made,) = lake.filters()
    assert made["RowFilter"] == {"FilterExpression": "(region = 'north')"}
    assert made["ColumnNames"] == ["id", "region"]
    assert lake.granted() == {MARKETING: [("DataCellsFilter", made["Name"])]}
    assert not lake.plan().differs
    lake.agree("marketing", "north", "south")
    assert lake.apply() == [("replace", "data cells filter")]
    assert "OR" in lake.filters()[0]["RowFilter"]["FilterExpression"]
    lake.agree("marketing", "everything")
    assert lake.apply() == [("replace", "grant"), ("remove", "data cells filter")]
    assert lake.filters() == []
    assert lake.granted() == {MARKETING: [("TableWithColumns", sorted(COLUMNS))]}
    lake.agree("marketing", "south")
    assert lake.apply() == [("make", "data cells filter"), ("replace", "grant")]
    assert not lake.plan(prune=True).differs


def test_what_is_given_by_hand_is_listed_and_pruned_and_a_consumers_is_put_right(
    lake: Lake,
) -> None:
    lake.publish()
    lake.agree("marketing", "north")
    lake.apply()
    stranger = "arn:aws:iam::123456789012:role/stranger"
    lake.give(stranger, {"Table": lake.table()})
    lake.give("IAM_ALLOWED_PRINCIPALS", {"Table": lake.table()}, "ALL")
    lake.give(MARKETING, {"TableWithColumns": lake.table(ColumnNames=["email"])})
    lake.give(BOT, {"TableWithColumns": lake.table(ColumnWildcard={"ExcludedColumnNames": ["id"]})})
    lake.give(stranger, {"Table": {"DatabaseName": lake.database, "TableWildcard": {}}}, "SELECT")
    lake.give("arn:aws:iam::123456789012:role/writer", {"Table": lake.table()}, "INSERT")
    plan = lake.plan()
    assert sorted(item.consumer for item in plan.kept) == sorted(
        ["IAM_ALLOWED_PRINCIPALS", "agent:bot", stranger]
    )
    assert [(str(one.action), one.item.consumer) for one in plan.changes] == [
        ("replace", "marketing")
    ]
    lake.apply(prune=True)
    assert [whose for whose in lake.granted() if not whose.endswith("writer")] == [MARKETING]
    assert [kind for kind, _ in lake.granted()[MARKETING]] == ["DataCellsFilter"]
    assert not lake.plan(prune=True).differs


def test_many_permissions_are_read_page_by_page(lake: Lake) -> None:
    lake.publish()
    for number in range(12):
        arn = f"arn:aws:iam::123456789012:role/r{number}"
        lake.give(arn, {"TableWithColumns": lake.table(ColumnNames=["id"])})
    assert len(lake.plan().kept) == 12


def test_classifications_are_tags_of_columns(lake: Lake) -> None:
    lake.publish()
    lake.apply()
    resource = {"TableWithColumns": lake.table(ColumnNames=list(COLUMNS))}

    def tags() -> dict[str, str]:
        found = lake.aws.get_resource_lf_tags(Resource=resource).get("LFTagsOnColumns", ())
        return {one["Name"]: tag["TagValues"][0] for one in found for tag in one["LFTags"]}

    first = tags()
    assert (first["email"], first["born"], first["id"]) == (
        "restricted",
        "confidential",
        "internal",
    )
    contract = lake.root / "domains" / "crm" / "products" / "people" / "contract.odcs.yaml"
    said = yaml.safe_load(contract.read_text())
    columns = {one["name"]: one for one in said["schema"][0]["properties"]}
    columns["born"]["classification"] = "restricted"
    del columns["region"]["classification"]
    contract.write_text(yaml.safe_dump(said, sort_keys=False))
    assert lake.apply() == [("replace", "tagged columns")]
    assert tags()["born"] == "restricted"
    assert "region" not in tags()
    assert not lake.plan().differs


def test_what_cannot_be_granted_there_is_said_and_closed(lake: Lake) -> None:
    lake.publish()
    lake.agree("marketing", "everything")
    lake.agree("agent:other", "everything")
    lake.apply()
    lake.agree("marketing", "north", purpose="research")
    lake.agree("agent:bot", "pseudonymous", starts=NOW + DAY)
    plan = lake.plan()
    said = {one.consumer: one.why for one in plan.withheld}
    assert "have no purpose: those for care and research" in said["marketing"]
    assert "awsPrincipals in domains/governance.yaml" in said["agent:other"]
    assert "it begins" in said["agent:bot"]
    assert [(str(one.action), one.item.kind) for one in plan.changes] == [("remove", "grant")]
    lake.apply()
    assert lake.granted() == {}


def test_an_agreement_that_has_ended_is_taken_back_by_the_next_apply(lake: Lake) -> None:
    lake.publish()
    lake.agree("marketing", "everything")
    lake.apply()
    lake.agree("marketing", "everything", ends=NOW - DAY)
    assert ["it ended" in one.why for one in lake.plan().withheld] == [True]
    assert lake.apply() == [("remove", "grant")]
    lake.agree("marketing", "everything", ends=NOW - DAY, status=Status.REQUESTED)
    assert not lake.plan().withheld


def test_what_is_not_published_or_all_masked_is_withheld(lake: Lake) -> None:
    lake.agree("marketing", "everything")
    assert "not published in the lake" in lake.plan().withheld[0].why
    lake.publish("email")
    lake.agree("marketing", "pseudonymous")
    assert [one.why for one in lake.plan().withheld][-1].startswith("nothing is left")
    lake.agree("marketing", "north")
    assert "none of its columns" in lake.plan().withheld[0].why


def test_conditions_on_days_are_withheld(tmp_path: Path, lake: Lake) -> None:
    contract = lake.root / "domains" / "crm" / "products" / "people" / "contract.odcs.yaml"
    text = contract.read_text().replace("region = 'north'", "born > '1990-01-01'")
    contract.write_text(text)
    lake.publish()
    lake.agree("marketing", "north")
    assert "depend on 'born', a date" in lake.plan().withheld[0].why


def test_who_is_killed_between_two_calls_goes_on(lake: Lake) -> None:
    lake.publish()
    lake.agree("marketing", "north")
    engine = lake.engine
    plan = plan_for(engine, lake.shares(NOW))
    (made,) = (one for one in plan.changes if one.item.kind == "data cells filter")
    engine.execute(made)
    engine.execute(made)  # it was made, and nobody was told
    assert lake.granted() == {}
    assert lake.apply()[-1] == ("make", "grant")
    assert not lake.plan().differs


def test_another_lakes_table_is_not_touched(lake: Lake) -> None:
    lake.publish()
    glue = lake.environment.settings.glue()
    described: Any = {
        "Location": "s3://elsewhere/people",
        "Columns": [{"Name": "id", "Type": "int"}],
    }
    table: Any = {"Name": "people", "StorageDescriptor": described}
    glue.update_table(DatabaseName=lake.database, TableInput=table)
    lake.agree("marketing", "everything")
    assert not lake.plan().changes


def test_a_refusal_names_the_call_and_what_to_do(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.publish()
    client = boto3.client("lakeformation", region_name="eu-central-1")
    monkeypatch.setattr(type(lake.environment.settings), "lake_formation", lambda _: client)
    for code, words in (
        ("AccessDeniedException", "docs/production.md"),
        ("ConcurrentModificationException", "apply again"),
        ("InvalidInputException", "nothing was opened"),
    ):
        with Stubber(client) as stubbed:
            stubbed.add_client_error("list_lf_tags", code, "not you")
            with pytest.raises(LakeFormationProblem, match=f"list_lf_tags .{code}.*{words}"):
                current().engines["lakeformation"].live()


def test_a_part_that_fails_fails_the_change(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.publish()
    lake.agree("marketing", "everything")
    lake.apply()
    lake.agree("marketing", "north")
    engine = lake.engine
    plan = plan_for(engine, lake.shares(NOW))
    client = boto3.client("lakeformation", region_name="eu-central-1")
    monkeypatch.setattr(engine._aws, "_client", client)  # type: ignore[attr-defined]
    change = next(one for one in plan.changes if one.item.kind == "grant")
    for message, passes in (
        ("you may not", False),
        ("No permissions revoked. Nothing there", True),
    ):
        with Stubber(client) as stubbed:
            failure = {
                "RequestEntry": {"Id": "0"},
                "Error": {"ErrorCode": "InvalidInputException", "ErrorMessage": message},
            }
            stubbed.add_response("batch_revoke_permissions", {"Failures": [failure]})
            if passes:
                stubbed.add_response("grant_permissions", {})
                engine.execute(change)
                stubbed.assert_no_pending_responses()
            else:
                with pytest.raises(LakeFormationProblem, match="you may not"):
                    engine.execute(change)


def test_words_are_commands_of_aws(lake: Lake) -> None:
    lake.publish()
    lake.agree("marketing", "north")
    for change in lake.plan().changes:
        for said in lake.engine.words(change):
            head, _, sent = said.partition(" --cli-input-json ")
            assert head.startswith("aws lakeformation ")
            parameters = json.loads(sent[1:-1].replace("'\\''", "'"))
            assert "123456789012" in json.dumps(parameters)


def test_a_former_name_is_said_to_be_none_of_the_table(lake: Lake) -> None:
    """A table of the lake has each column once; who reads it there reads the present name."""
    sees = {"columns": ["id", "address"]}
    lake.rename({"reader": sees}, {"name": "email", "until": "2099-12-31"})
    lake.publish("id", "address", *COLUMNS[2:])
    lake.agree("marketing", "reader")
    (unsaid,) = plan_for(lake.engine, lake.shares()).withheld
    assert (unsaid.column, "read address" in unsaid.why) == ("email", True)
