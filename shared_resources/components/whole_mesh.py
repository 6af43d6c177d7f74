"""All domains as one location, for `dg` at the project's root.

Belongs here: putting the domains' locations together, and what `dg check defs` is to refuse.
Does not belong here: one domain's location (`locations/location.py`). `workspace.yaml` lists each by
itself, and that is what runs: here a domain that cannot be loaded keeps all of them from being loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from shared_resources import wiring
from shared_resources.components.location import location_of
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import check_domain
from shared_resources.governance.decisions import central_findings
from shared_resources.io_managers.product_io_manager import io_managers
from shared_resources.locations.location import automation
from shared_resources.mesh import Mesh, read_whole_mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.problems import MeshProblem

NAME = "mesh"
# Set by `dg check defs` and `dagster definitions validate`.
_VALIDATES = "DAGSTER_IS_DEFS_VALIDATION_CLI"


class NotOneLocation(MeshProblem):
    """The domains cannot be one location; the message says why, and what to do instead."""


@dg.definitions
def defs() -> dg.Definitions:
    """Each domain's location in one. Raises `NotOneLocation`, and what loading a domain raises."""
    environment = wiring.current()
    mesh = read_whole_mesh(environment)
    if os.environ.get(_VALIDATES):
        refuse_findings(environment, mesh)
    return in_one({one.name: location_of(one.folder) for one in mesh.own_domains})


def refuse_findings(environment: Environment, mesh: Mesh) -> None:
    """Raises `NotOneLocation` for what `mesh check --static` finds in files.

    A location loads in spite of it, with the products that are wrong refusing to run.
    """
    found = {*mesh.findings, *central_findings(mesh.central), *location_findings(mesh)}
    for domain in mesh.own_domains:
        found.update(check_domain(domain, mesh).findings)
    if found:
        lines = "".join(f"\n  {finding}" for finding in sorted(found))
        raise NotOneLocation(f"`mesh check` finds in {environment.root}:{lines}")


def in_one(locations: Mapping[str, dg.Definitions]) -> dg.Definitions:
    """The locations, by domain, as one. What one reads of another is the other's asset in it."""
    parts = locations.values()
    return dg.Definitions(
        assets=[*_assets([asset for part in parts for asset in part.assets or ()])],
        jobs=[job for part in parts for job in part.jobs or ()],
        schedules=[schedule for part in parts for schedule in part.schedules or ()],
        # Each domain's would ask for all assets of the location: one does.
        sensors=[
            *(
                sensor
                for part in parts
                for sensor in part.sensors or ()
                if not isinstance(sensor, dg.AutomationConditionSensorDefinition)
            ),
            automation(NAME),
        ],
        executor=dg.in_process_executor,
        resources={**io_managers(), **_own_resources(locations)},
    )


def _assets(given: Sequence[Any]) -> Iterator[Any]:
    made = {key for one in given if isinstance(one, dg.AssetsDefinition) for key in one.keys}
    named: set[dg.AssetKey] = set()
    for one in given:
        if not isinstance(one, dg.AssetSpec):
            yield one
        elif one.key not in made | named:
            named.add(one.key)
            yield one


def _own_resources(locations: Mapping[str, dg.Definitions]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    whose: dict[str, str] = {}
    for domain, part in locations.items():
        for name, resource in (part.resources or {}).items():
            if name in io_managers():
                continue
            if name in found:
                raise NotOneLocation(
                    f"the domains {whose[name]} and {domain} each have a resource {name!r}; call one of "
                    "them otherwise, or load the domains by themselves: `--workspace workspace.yaml`"
                )
            found[name], whose[name] = resource, domain
    return found
