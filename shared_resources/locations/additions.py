"""What a domain adds to its location: its own jobs, schedules, sensors and resources.

Belongs here: refusing what would stand beside the platform's assets, checks and IO managers.
Does not belong here: building the location (`location.py`), the same in the file's text
(`mesh/code/definitions_file.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from shared_resources.problems import MeshProblem

PLATFORMS = frozenset({"lake", "warehouse"})  # the keys under which products are stored


class NotAdded(MeshProblem):
    """A domain gives its location what it may not; the message says what."""


@dataclass(frozen=True)
class Additions:
    """Of one domain. Raises `NotAdded` for what is none of the four or takes the platform's place."""

    domain: str
    jobs: Sequence[dg.JobDefinition | UnresolvedAssetJobDefinition] = ()
    schedules: Sequence[dg.ScheduleDefinition] = ()
    sensors: Sequence[dg.SensorDefinition] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._expect("jobs", self.jobs, (dg.JobDefinition, UnresolvedAssetJobDefinition))
        self._expect("schedules", self.schedules, (dg.ScheduleDefinition,))
        self._expect("sensors", self.sensors, (dg.SensorDefinition,))
        for job in self._all_jobs():
            keys = job.asset_layer.asset_graph.get_all_asset_keys()
            if keys:
                made = ", ".join(sorted(key.to_user_string() for key in keys))
                raise self._refused(f"the job {job.name} makes {made}")
        for sensor in self.sensors:
            if isinstance(sensor, dg.AutomationConditionSensorDefinition):
                raise self._refused(f"the sensor {sensor.name} evaluates automation conditions")
        taken = sorted(PLATFORMS & set(self.resources))
        if taken:
            raise self._refused(f"resources= replaces {', '.join(taken)}")

    def _expect(self, name: str, given: Sequence[object], kinds: tuple[type, ...]) -> None:
        for one in given:
            if not isinstance(one, kinds):
                raise self._refused(f"{name}= holds a {type(one).__name__}")

    def _all_jobs(self) -> Iterator[dg.JobDefinition]:
        """Those that it brings itself; a selection of assets can only name what the location has."""
        own: list[object] = [*self.jobs]
        own += [s.job for s in self.schedules if s.has_job]
        for sensor in self.sensors:
            own += sensor.jobs if sensor.has_jobs else []
        yield from (job for job in own if isinstance(job, dg.JobDefinition))

    def _refused(self, what: str) -> NotAdded:
        return NotAdded(
            f"domains/{self.domain}/definitions.py: {what}; a domain adds its own jobs, schedules, "
            "sensors and resources, and every asset, check and IO manager comes from a product's folder"
        )
