"""The environment of a branch: production's, with a place of its own for whatever is written.

Belongs here: which port of a branch reads production's, and which stands on its own.
Does not belong here: how they work (`stores/branched/`, `governance/quarantine/branched.py`), making,
comparing, promoting and dropping branches (`shared_resources/branching/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Server
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.wiring.local import LocalEnvironment

if TYPE_CHECKING:
    from shared_resources.access.shared_log import SharedLog
    from shared_resources.arrivals.events import LandingQueue
    from shared_resources.data_products.dbt.target import DbtTarget
    from shared_resources.governance.quarantine.quarantine import Quarantine
    from shared_resources.landing.zones.zone import LandingZone
    from shared_resources.registry.contracts import PublishedContracts
    from shared_resources.registry.registry import Registry
    from shared_resources.state.database import StateDatabase
    from shared_resources.stores.attested.attestor import Attestor
    from shared_resources.stores.branched.store import BranchStore
    from shared_resources.stores.pins import Pins
    from shared_resources.streams.log.port import Log

BRANCHES = "branches"


@dataclass(frozen=True)
class BranchEnvironment(Environment):
    """`home` holds what the branch keeps on this machine: state, quarantine, Dagster's instance."""

    base: LocalEnvironment
    branch: str

    @property
    def dagster(self) -> Path:
        """The branch's own, whatever `DAGSTER_HOME` says: that is production's."""
        return self.home / "dagster"

    @property
    def dbt(self) -> Path:
        """Projects that were parsed once need not be again; each run has a folder of its own there."""
        return self.base.dbt

    @property
    def compiled(self) -> Path:
        return self.base.compiled

    @property
    def home_of_readers(self) -> Path:
        return self.base.home_of_readers

    @property
    def shared_access_log(self) -> SharedLog | None:
        return self.base.shared_access_log

    @property
    def group_of_readers(self) -> str:
        return f"{self.base.group_of_readers}.branch.{self.branch}"

    @property
    def is_production(self) -> bool:
        return self.base.is_production

    @property
    def holds_anything(self) -> bool:
        return self.base.holds_anything

    @cached_property
    def stores(self) -> Mapping[Server, BranchStore]:
        return self.base.branched_stores(self.branch)

    @property
    def landing_zone(self) -> LandingZone:
        return self.base.landing_zone

    @property
    def sensed_zone(self) -> LandingZone:
        return self.base.sensed_zone

    def landing_queue(self, contract: Contract) -> LandingQueue | None:
        """None: what a branch took from production's queue, production would never hear of."""
        return None

    @property
    def log(self) -> Log:
        """Production's: where a branch's product stands is in the branch's own versions."""
        return self.base.log

    @cached_property
    def quarantine(self) -> Quarantine:
        from shared_resources.governance.quarantine.branched import BranchedQuarantine
        from shared_resources.governance.quarantine.folder import QuarantineFolder
        from shared_resources.governance.quarantine.quarantine import Quarantine

        own = QuarantineFolder(self.home / "quarantine")
        return Quarantine(BranchedQuarantine(self.base.quarantine.store, own))

    @property
    def state_file(self) -> Path:
        return self.home / "state.db"

    @cached_property
    def state(self) -> StateDatabase:
        from shared_resources.state.database import StateDatabase

        return StateDatabase(f"sqlite:///{self.state_file}", self.home / "locks")

    @cached_property
    def pins(self) -> Pins:
        from shared_resources.stores.pins import Pins

        return Pins(self.state)

    @property
    def registry(self) -> Registry:
        return self.base.registry

    @property
    def published_contracts(self) -> PublishedContracts:
        return self.base.published_contracts

    @property
    def attestor(self) -> Attestor:
        return self.base.attestor

    @cached_property
    def dbt_target(self) -> DbtTarget:
        return self.base.dbt_target_over(self.stores[Server.WAREHOUSE])


def branch_of(base: Environment, name: str) -> BranchEnvironment:
    """The branch over `base`, whether there is such a branch or not.

    Raises `EnvironmentProblem` where the stores are of a kind that has no branches.
    """
    from shared_resources.stores.branched.names import check_name

    if not isinstance(base, LocalEnvironment):
        raise EnvironmentProblem(
            f"{type(base).__name__} has no branches: its stores would have to share versions "
            "(shared_resources/stores/branched/sharing.py). Unset MESH_BRANCH."
        )
    return BranchEnvironment(base.root, base.home / BRANCHES / check_name(name), base, name)


def existing_branch(base: Environment, name: str) -> BranchEnvironment:
    """The branch over `base`. Raises `BranchProblem` when there is none of that name, or this machine
    keeps the state of an earlier one."""
    from shared_resources.stores.branched.home import settle_home
    from shared_resources.stores.branched.registry import Branches

    branch = branch_of(base, name)
    settle_home(branch.home, Branches(base.state).get(name))
    return branch
