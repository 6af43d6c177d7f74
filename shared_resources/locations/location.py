"""A domain's folder as one Dagster code location.

Belongs here: `build_domain`, which attaches to every location what the mesh decides centrally.
Does not belong here: one product's asset (`product_asset.py`), what the policies look for
(`governance/`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from shared_resources import wiring
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.dbt.messages import DbtModelFailed
from shared_resources.data_products.definition import (
    ProductDefinition,
    define_product,
    product_inputs,
)
from shared_resources.data_products.function import ProductProblem
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.governance.earlier_majors import why_over
from shared_resources.governance.stopped import (
    stopped_products,
    why_resting,
)
from shared_resources.io_managers.product_io_manager import io_managers
from shared_resources.locations.access_drift import access_drift
from shared_resources.locations.additions import Additions, NotAdded
from shared_resources.locations.asset_spec import partitions_def, quiet_dagster_previews
from shared_resources.locations.housekeeping_jobs import housekeeping
from shared_resources.locations.product_asset import build_asset
from shared_resources.locations.sensing.landing_sensor import landing_sensor
from shared_resources.locations.sensing.stream_sensor import stream_sensor
from shared_resources.locations.stopped_asset import stopped_asset
from shared_resources.mesh import Domain, Mesh, ProductKind, look_at_mesh
from shared_resources.mesh.circles import way_back
from shared_resources.mesh.code.definitions_file import definitions_findings
from shared_resources.state.private_files import keep_files_private

_KEY = re.compile(r"[A-Za-z0-9_]+/[A-Za-z0-9_]+")


def build_domain(
    definitions_file: str,
    *,
    jobs: Sequence[dg.JobDefinition | UnresolvedAssetJobDefinition] = (),
    schedules: Sequence[dg.ScheduleDefinition] = (),
    sensors: Sequence[dg.SensorDefinition] = (),
    resources: Mapping[str, Any] | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Everything of the domain whose `definitions.py` this is (pass `__file__`).

    `jobs`, `schedules`, `sensors` and `resources` are the domain's own, beside the platform's.
    `resource_overrides` replaces shared resources by key, for tests alone. A product that breaks a
    load-time policy, or whose code cannot be used, is there as an asset that refuses to run. Raises
    `PolicyViolation`, with every finding in one message, when the domain itself is wrong, and
    `NotAdded` for an addition that takes the platform's place.
    """
    quiet_dagster_previews()
    keep_files_private()
    environment = wiring.current()
    name = Path(definitions_file).resolve().parent.name
    mesh = look_at_mesh(environment, anew=name)
    domain = mesh.domain(name)
    own = Additions(domain.name, jobs, schedules, sensors, resources or {})
    refuse_other_definitions(domain.folder)
    _refuse_overrides(environment, domain.name, resource_overrides)
    stopped = stopped_products(mesh, domain)
    resting = _resting(environment, mesh, domain, stopped)
    made = dict(_made(environment, domain, stopped, resting))
    reads = {one.key: one.reads for one in mesh.products}
    reads |= {key: inputs for key, (_, inputs, _) in made.items()}
    # Files say less than code: what of it is no circle of the policy's is found here.
    for key in [key for key in made if way_back(key, reads)]:
        stopped[key] = f"{key} depends on itself: {' -> '.join(way_back(key, reads))}"
        del made[key]
    definitions = [one for one, _, _ in made.values()]
    nightly = housekeeping(domain.name, [one.contract for one in definitions])
    drift = access_drift(environment, domain)
    return dg.Definitions(
        assets=[
            *(asset for _, _, asset in made.values()),
            *_stopped_assets(domain, stopped, resting, reads),
            *_foreign_products(
                mesh, domain, {*stopped, *resting}, (inputs for _, inputs, _ in made.values())
            ),
            *drift.assets,
        ],
        asset_checks=drift.checks,
        jobs=[*nightly[0], *drift.jobs, *own.jobs],
        schedules=[*nightly[1], *drift.schedules, *own.schedules],
        sensors=[
            *_landing_sensors(domain.name, definitions),
            *_stream_sensors(domain.name, definitions),
            automation(domain.name),
            *own.sensors,
        ],
        # A process a step costs 1.5 s; a run is a process of its own already.
        executor=dg.in_process_executor,
        resources={**own.resources, **io_managers(), **(resource_overrides or {})},
    )


def _refuse_overrides(
    environment: Environment, domain: str, overrides: Mapping[str, Any] | None
) -> None:
    if overrides and environment.is_production:
        raise NotAdded(
            f"domains/{domain}/definitions.py: resource_overrides is for tests, and MESH_ENV is "
            "production; take it out"
        )


def _stopped_assets(
    domain: Domain,
    stopped: Mapping[str, str],
    resting: Mapping[str, str],
    reads: Mapping[str, tuple[str, ...]],
) -> Iterator[dg.AssetsDefinition]:
    for product in domain.products:
        key = product.key
        # Dagster loads no location with a circle, nor with an input of such a name.
        known = [read for read in product.reads if _KEY.fullmatch(read)]
        after = [] if way_back(key, reads) else known
        if key in stopped:
            yield stopped_asset(product, after, stopped[key])
        elif key in resting:
            yield stopped_asset(product, after, resting[key], broken=False)


def _resting(
    environment: Environment, mesh: Mesh, domain: Domain, stopped: Collection[str]
) -> dict[str, str]:
    """Why the products that publish nothing do not: by their contract's status, or retired; by key.

    Who reads what would retire stands in a shared log elsewhere, where there is one: nothing is asked
    over a network while a location loads, and the run that would make it finds out.
    """
    asked = environment.shared_access_log is None
    found = {
        product.key: why_resting(contract)
        or (why_over(environment, contract, mesh) if asked else None)
        for product, contract in domain.contracts
    }
    return {key: why for key, why in found.items() if why and key not in stopped}


def refuse_other_definitions(folder: Path) -> None:
    """Raises `PolicyViolation` for a `definitions.py` that is more, or less, than `build_domain`.

    What it made beside would be a product to Dagster without any of what makes one.
    """
    found = list(definitions_findings(folder))
    if found:
        raise PolicyViolation(folder.name, found)


def _made(
    environment: Environment, domain: Domain, stopped: dict[str, str], resting: Collection[str]
) -> Iterator[tuple[str, tuple[ProductDefinition, tuple[str, ...], dg.AssetsDefinition]]]:
    """The products that can be made, with what they read and their asset, by key; `stopped` learns
    of the others."""
    for product in domain.products:
        if product.key in stopped or product.key in resting:
            continue
        try:
            definition = define_product(environment, domain, product)
            inputs = product_inputs(environment, definition)
            asset = build_asset(definition, inputs)
        except (ProductProblem, DbtModelFailed) as problem:
            stopped[product.key] = str(problem)
        except dg.DagsterError as problem:
            stopped[product.key] = f"{product.contract_file}: Dagster does not take it: {problem}"
        else:
            yield product.key, (definition, inputs, asset)


def _foreign_products(
    mesh: Mesh, domain: Domain, stopped: Collection[str], inputs: Iterable[tuple[str, ...]]
) -> list[dg.AssetSpec]:
    """What the domain reads of others: keys only, and their partitions where their contract is here.

    The other location says everything else; in the UI the two are one asset.
    """
    of_stopped = (one.reads for one in domain.products if one.key in stopped)
    read = {key for keys in (*inputs, *of_stopped) for key in keys}
    foreign = {key for key in read if key.split("/")[0] != domain.name and _KEY.fullmatch(key)}
    contracts = {p.key: p.contract for d in mesh.domains for p in d.products if p.contract}
    return [
        dg.AssetSpec(
            asset_key(key),
            partitions_def=partitions_def(contracts[key]) if key in contracts else None,
        )
        for key in sorted(foreign)
    ]


def _landing_sensors(
    domain: str, definitions: list[ProductDefinition]
) -> list[dg.SensorDefinition]:
    ingested = [one.contract for one in definitions if one.kind is ProductKind.INGEST]
    return [landing_sensor(domain, ingested)] if ingested else []


def _stream_sensors(domain: str, definitions: list[ProductDefinition]) -> list[dg.SensorDefinition]:
    streamed = [one.contract for one in definitions if one.kind is ProductKind.STREAM]
    return [stream_sensor(domain, streamed)] if streamed else []


def automation(location: str) -> dg.AutomationConditionSensorDefinition:
    """Consumers follow their producers: a materialization exists only when its audit had passed."""
    return dg.AutomationConditionSensorDefinition(
        f"{location}_automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
    )
