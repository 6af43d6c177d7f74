"""What a product reads although its sunset is over: an earlier major version of another.

Belongs here: that reason, from the inputs of the version that is published.
Does not belong here: the rest of a product's health (`product_health.py`), the same said of files
(`mesh/majors.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence
from shared_resources.mesh.read import read_product
from shared_resources.observing.health import Kind, Reason

# How an earlier major version is called: of no other product the contract is looked at.
_EARLIER = re.compile(r".*_v\d+")


def ended(environment: Environment, evidence: Evidence) -> Iterator[Reason]:
    today = datetime.now(UTC).date()
    for key in sorted(evidence.inputs):
        if _EARLIER.fullmatch(key) is None:
            continue
        product = read_product(environment, key, anew=False)
        contract = product.contract if product is not None else None
        previous = contract.previous_major if contract is not None else None
        if previous is not None and previous.sunset < today:
            current = f"{key.partition('/')[0]}/{previous.of}"
            yield Reason(
                Kind.SUNSET,
                f"{key} is an earlier major version of {current}, and its sunset was "
                f"{previous.sunset}",
                f"read {current} as it is now",
                (key,),
            )
