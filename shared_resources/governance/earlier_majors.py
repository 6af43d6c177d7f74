"""Who still reads an earlier major version of a product, and whether it is made no more.

Belongs here: products, by what files say, together with people, agents and teams, by the access log.
Does not belong here: the former alone (`mesh/majors.py`), other reasons not to be made (`stopped.py`).

A reader of an engine of its own (Snowflake, Athena) is in no log of the mesh: an agreement, whose end is
looked at apart, is all that is known of him.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from shared_resources.access.log import lately, log_of
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import utc_today
from shared_resources.mesh import Mesh, look_at_mesh
from shared_resources.mesh.majors import EarlierMajor, earlier_major, why_retired


def read_earlier_major(
    environment: Environment, mesh: Mesh, contract: Contract
) -> EarlierMajor | None:
    """What the product is an earlier major of, with everybody who reads it; None of any other."""
    earlier = earlier_major(mesh, contract)
    if earlier is None:
        return None
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    who = {reading.who for reading in lately(log, contract.key, datetime.now(UTC))}
    return replace(earlier, lately=tuple(sorted(who)))


def why_over(environment: Environment, contract: Contract, mesh: Mesh | None = None) -> str | None:
    """Why an earlier major version is made no more. Who reads it is asked only after its sunset."""
    previous, today = contract.previous_major, utc_today()
    if previous is None or previous.sunset >= today:
        return None
    mesh = mesh or look_at_mesh(environment)
    earlier = earlier_major(mesh, contract)
    if earlier is None or earlier.readers:
        return None
    return why_retired(read_earlier_major(environment, mesh, contract) or earlier, contract, today)
