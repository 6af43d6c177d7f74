"""An environment whose state is gone after the rehearsal; of the real one it only reads.

Belongs here: what a rehearsal takes from the real environment, and what it has for itself.
Does not belong here: what the environments are made of (`wiring/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from shared_resources.access.shared_log import SharedLog
from shared_resources.data_products.dbt.target import DbtTarget
from shared_resources.environment import Environment
from shared_resources.landing.zones.zone import LandingZone
from shared_resources.registry.registry import Registry
from shared_resources.wiring import LocalEnvironment


@dataclass(frozen=True)
class ForgettingEnvironment(LocalEnvironment):
    """Stores, ledger and quarantine of its own, in a folder; landing zone and dbt of the `real` one."""

    real: Environment

    @cached_property
    def landing_zone(self) -> LandingZone:
        return self.real.landing_zone

    @cached_property
    def dbt_target(self) -> DbtTarget:
        return self.real.dbt_target

    @cached_property
    def registry(self) -> Registry:
        return self.real.registry

    @property
    def dbt(self) -> Path:
        """Projects that were parsed once need not be again; each run has a folder of its own there."""
        return self.real.dbt

    @property
    def home_of_readers(self) -> Path:
        return self.real.home_of_readers

    @property
    def shared_access_log(self) -> SharedLog | None:
        return self.real.shared_access_log

    @property
    def compiled(self) -> Path:
        return self.real.compiled


@contextmanager
def forgetting(real: Environment) -> Iterator[ForgettingEnvironment]:
    """The environment of one rehearsal."""
    with TemporaryDirectory(prefix="mesh-rehearsal-") as home:
        yield ForgettingEnvironment(real.root, Path(home), real)
