"""What Dagster is told about a product, all of it from the contract.

Belongs here: the asset spec, the check specs, the partitions definition.
Does not belong here: the op that makes the product (`product_asset.py`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from shared_resources.contracts.model import HEALTH_CHECK, Column, Contract, Rule, Severity
from shared_resources.contracts.numbers import as_json
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.mesh import ProductKind
from shared_resources.mesh.model import CODE_FILE, model_file

_TAG_VALUE = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_TAG = 63
# What a sensor tells of: nothing in the mesh is followed.
_FROM_OUTSIDE = (ProductKind.INGEST, ProductKind.STREAM)
# Dagster takes no other text for an address: none in a domain of over seven letters, for one.
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def asset_spec(definition: ProductDefinition) -> dg.AssetSpec:
    """The product's spec. What it reads is told by the op's inputs."""
    contract = definition.contract
    freshness = contract.freshness
    return dg.AssetSpec(
        key=asset_key(contract.key),
        description=contract.description,
        owners=owners(contract),
        group_name=contract.domain,
        kinds=_kinds(definition),
        tags={
            **{f"mesh/{_tag(tag)}": "" for tag in contract.tags if tag},
            "mesh/contract-version": _tag(contract.version),
            "mesh/status": _tag(contract.status or "active"),
            **_of_previous_major(contract),
        },
        metadata=_metadata(definition),
        code_version=f"{contract.version}-{contract.digest[:8]}",
        partitions_def=partitions_def(contract),
        freshness_policy=(
            dg.FreshnessPolicy.time_window(fail_window=freshness) if freshness else None
        ),
        automation_condition=(None if definition.kind in _FROM_OUTSIDE else follow_producers()),
    )


def _of_previous_major(contract: Contract) -> dict[str, str]:
    """Of an earlier major version, of what and until when; its readers are those below it in the UI."""
    previous = contract.previous_major
    if previous is None:
        return {}
    return {"mesh/previous-major-of": _tag(previous.of), "mesh/sunset": str(previous.sunset)}


def owners(contract: Contract) -> list[str] | None:
    """The contract's owner as Dagster takes it: what is no address to it is a team."""
    owner = contract.owner
    if not owner:
        return None
    return [owner if _ADDRESS.fullmatch(owner) else f"team:{owner}"]


def _tag(text: str) -> str:
    return _TAG_VALUE.sub("-", text)[:_LONGEST_TAG]


def follow_producers() -> dg.AutomationCondition[Any]:
    """A consumer follows each published partition of its producers, a late day too.

    `eager` but for three things. A late day counts as the latest one does. Nothing asks for blocking
    checks: a materialization exists only after they passed, so publication itself is the gate, and a
    refused batch changes nothing. And something of each input is enough: `eager` waits for each
    partition, so that one day without data would hold those who read the whole product for ever.
    """
    condition = dg.AutomationCondition
    published = (~condition.missing() | condition.will_be_requested()).with_label("published")
    return (
        (condition.newly_missing() | condition.any_deps_updated()).since_last_handled()
        & condition.all_deps_match(published)
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
    ).with_label("follow_producers")


def pool_of(product: str) -> str:
    """The pool that lets one op at a time work on the product with that key."""
    return f"product_{product.replace('/', '_')}"


def check_specs(contract: Contract, rules: Sequence[Rule]) -> list[dg.AssetCheckSpec]:
    """One check a rule, and the product's health. `blocking` is what the platform does, not what
    Dagster would do after it."""
    return [
        dg.AssetCheckSpec(
            name=HEALTH_CHECK,
            asset=asset_key(contract.key),
            description="Nothing of the product was refused, failed or is missing, whichever day "
            "the last run was about.",
        ),
        *(
            dg.AssetCheckSpec(
                name=rule.name,
                asset=asset_key(contract.key),
                blocking=rule.severity is Severity.BLOCKING,
                description=rule.description or rule.clause,
                metadata={
                    "clause": rule.clause,
                    "threshold": str(rule.threshold),
                    "reason": rule.reason,
                    **({"dimension": rule.dimension} if rule.dimension else {}),
                },
            )
            for rule in rules
        ),
    ]


def partitions_def(contract: Contract) -> dg.TimeWindowPartitionsDefinition | None:
    partitioning = contract.partitioning
    if partitioning is None:
        return None
    end = partitioning.end
    return dg.DailyPartitionsDefinition(
        start_date=partitioning.start.isoformat(), end_date=end.isoformat() if end else None
    )


def _kinds(definition: ProductDefinition) -> set[str]:
    kinds = {
        "iceberg" if server.value == "lake" else "duckdb" for server in definition.contract.servers
    }
    match definition.kind:
        case ProductKind.DBT:
            kinds.add("dbt")
        case ProductKind.FUNCTION:
            kinds.add("python")
            if definition.function is not None and definition.function.engine:
                kinds.add(definition.function.engine)
        case ProductKind.ADDED:
            assert definition.maker is not None
            kinds.add(definition.maker.name)
        case ProductKind.DERIVED:
            kinds.add("sql")
        case ProductKind.INGEST:
            landing = definition.contract.landing
            assert landing is not None
            kinds.add(landing.format.tag or landing.format.name)
        case ProductKind.STREAM:
            kinds.add("stream")
    return kinds


def _metadata(definition: ProductDefinition) -> dict[str, Any]:
    contract = definition.contract
    references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
        dg.LocalFileCodeReference(file_path=str(contract.path), label="contract")
    ]
    folder = definition.folder
    if definition.kind is ProductKind.FUNCTION and definition.function is not None:
        line = definition.function.function.__code__.co_firstlineno
        references.append(
            dg.LocalFileCodeReference(
                file_path=str(folder / CODE_FILE), line_number=line, label="code"
            )
        )
    if definition.maker is not None:
        file = str(folder / definition.maker.file)
        references.append(dg.LocalFileCodeReference(file_path=file, label=definition.maker.name))
    if definition.kind is ProductKind.DBT:
        model = model_file(folder.parents[3], contract.domain, contract.name)
        references.append(dg.LocalFileCodeReference(file_path=str(model), label="dbt model"))
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[_table_column(contract, column) for column in contract.columns]
        ),
        "dagster/table_name": contract.key.replace("/", "."),
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references),
        "contract": dg.MetadataValue.text(f"{contract.id} {contract.version}"),
        "clauses enforced": sum(clause.enforced for clause in contract.clauses),
        "clauses not enforced": sum(not clause.enforced for clause in contract.clauses),
        "loss budget percent": as_json(contract.loss_budget_percent),
        **({"sunset": str(previous.sunset)} if (previous := contract.previous_major) else {}),
    }


def _table_column(contract: Contract, column: Column) -> dg.TableColumn:
    alone = contract.primary_key == (column.name,)
    return dg.TableColumn(
        name=column.name,
        type=str(column.type),
        description=column.description,
        constraints=dg.TableColumnConstraints(
            nullable=not column.required, unique=column.unique or alone
        ),
        tags={
            "classification": column.classification.value if column.classification else "undeclared"
        },
    )


def quiet_dagster_previews() -> None:
    """Silence the preview and beta warnings of the few Dagster features that the mesh builds on.

    They are named in docs/limits.md; a warning an asset and process tells nobody anything.
    """
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
