"""Whether engines grant what is agreed: a check a domain and engine, every hour.

Belongs here: the checks, what they hang on, their job and its schedule.
Does not belong here: what differs (`engines/drift.py`), changing it (`mesh access apply`).

The checks hang on an asset of their own, and on no product: a product's runs would wait for engines
otherwise, and its checks decide about its rows. A domain without agreements has none.

No postponed annotations here: Dagster looks at the check's own.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from shared_resources import wiring
from shared_resources.engines.drift import drift_of
from shared_resources.engines.shares import shares_of
from shared_resources.environment import Environment
from shared_resources.mesh import Domain, look_at_mesh
from shared_resources.mesh.agreements.folder import agreement_files

# No domain's name begins so.
ASSETS = "_access"


@dataclass(frozen=True)
class AccessDrift:
    assets: Sequence[dg.AssetSpec] = ()
    checks: Sequence[dg.AssetChecksDefinition] = ()
    jobs: Sequence[UnresolvedAssetJobDefinition] = ()
    schedules: Sequence[dg.ScheduleDefinition] = ()


def access_drift(environment: Environment, domain: Domain) -> AccessDrift:
    """What a location holds of it; nothing where no engine keeps grants, or nobody has an agreement."""
    engines = sorted(name for name, engine in environment.engines.items() if engine.in_use)
    if not engines or not any(agreement_files(one.folder) for one in domain.products):
        return AccessDrift()
    asset = dg.AssetSpec(
        dg.AssetKey([ASSETS, domain.name]),
        description=f"What engines grant of the {domain.name} domain's products, by its agreements.",
        group_name=domain.name,
    )
    check = _check(domain.name, asset, engines)
    job = dg.define_asset_job(
        f"{domain.name}_access_drift",
        dg.AssetSelection.checks(check),
        description=f"Compares what {', '.join(engines)} grants with the agreements.",
    )
    minute = zlib.crc32(domain.name.encode()) % 60  # not all domains at once
    schedule = dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=f"{minute} * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return AccessDrift([asset], [check], [job], [schedule])


def _check(domain: str, asset: dg.AssetSpec, engines: Sequence[str]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{domain}_access_as_agreed",
        specs=[
            dg.AssetCheckSpec(
                f"as_agreed_in_{engine}",
                asset=asset.key,
                description=f"{engine} grants what the agreements say; `mesh access apply` makes it so.",
            )
            for engine in engines
        ],
    )
    def as_agreed() -> Iterator[dg.AssetCheckResult]:
        environment = wiring.current()
        shares = shares_of(look_at_mesh(environment), datetime.now(UTC), domain)
        for name in engines:
            drift = drift_of(environment.engines[name], shares, domain)
            yield dg.AssetCheckResult(
                passed=not drift.differs,
                asset_key=asset.key,
                check_name=f"as_agreed_in_{name}",
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={
                    "differs": dg.MetadataValue.json(list(drift.differs)),
                    "not_granted": dg.MetadataValue.json(list(drift.withheld)),
                },
            )

    return as_agreed
