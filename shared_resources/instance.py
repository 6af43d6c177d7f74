"""The Dagster instance that the command line, the UI and the daemon share.

Belongs here: its configuration file and opening it.
Does not belong here: running anything in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_resources.environment import Environment, current

if TYPE_CHECKING:
    import dagster as dg

_CONFIGURATION = """\
# Written once by the platform; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 4
    # New objects of one product are ingested one after the other, in the order of their arrival.
    tag_concurrency_limits:
      - key: mesh/product
        limit: 1
        value:
          applyLimitPerUniqueValue: true
  pools:
    # Two runs of one product never make it at the same time.
    default_limit: 1
    granularity: op
"""


def prepare_instance(environment: Environment) -> None:
    """Create the instance's folder and `dagster.yaml`, unless they are there."""
    environment.dagster.mkdir(parents=True, exist_ok=True)
    file = environment.dagster / "dagster.yaml"
    if not file.exists():
        file.write_text(_CONFIGURATION)


def open_instance(environment: Environment) -> dg.DagsterInstance:
    """The instance, opened for writing events and runs."""
    import dagster as dg

    prepare_instance(environment)
    return dg.DagsterInstance.from_config(str(environment.dagster))


if __name__ == "__main__":
    # `make dev` needs the folder before Dagster starts.
    here = current()
    prepare_instance(here)
    print(here.dagster)
