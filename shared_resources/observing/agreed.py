"""What becomes of the agreements by which a product reads others.

Belongs here: that one has ended or ends soon, or was to be looked at again, as reasons of its consumer.
Does not belong here: what it grants (`access/`), the rest of a product's health (`product_health.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from shared_resources.access.principal import product_principal
from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence
from shared_resources.mesh.agreements.folder import files_of, read_all
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.read import read_product
from shared_resources.observing.health import Kind, Reason

# Who asks for another agreement needs the producer's review, and somebody who is on holiday.
SOON = timedelta(days=30)


def agreed(environment: Environment, product: str, evidence: Evidence) -> Iterator[Reason]:
    """Of the agreements by which the published version was made."""
    consumers = product_principal(product).consumers
    now = datetime.now(UTC)
    for key, shown in sorted(evidence.grants.items()):
        read = read_product(environment, key, anew=False)
        if read is None:
            continue
        agreements, _ = read_all(files_of(read.folder, consumers))
        used = next((one for one in agreements if one.id == shown.partition(":")[0]), None)
        if used is not None and (why := _why(used, now)):
            ask = f"`mesh access request {key} --as {used.consumer} … --until …`"
            yield Reason(
                Kind.AGREEMENT, f"the agreement by which it reads {key} {why}", ask, (key,)
            )


def _why(agreement: Agreement, now: datetime) -> str:
    if agreement.status is not Status.APPROVED:
        return f"is {agreement.status} now"
    if agreement.ends is not None and agreement.over(now):
        return f"ended on {agreement.ends.date()}"
    if agreement.ends is not None and agreement.ends < now + SOON:
        return f"ends on {agreement.ends.date()}"
    if agreement.reassessment is not None and agreement.reassessment < now:
        return f"was to be looked at again by {agreement.reassessment.date()}"
    return ""
