"""Policy: personal data is not kept for ever.

Belongs here: this one rule. Does not belong here: deleting old versions (`housekeeping/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy, Setting
from shared_resources.mesh import Domain, Mesh

NAME = "personal_data_retained"
DAYS = "days"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Who asks to be forgotten is not, as long as an old version is kept."""
    most = POLICY.setting(mesh.central, DAYS)
    for product, contract in domain.contracts:
        classified = [
            one.name
            for one in contract.columns
            if one.classification is not None and one.classification.classified
        ]
        if not classified:
            continue
        line = product.line("slaProperties") or 1
        if contract.retention is None:
            said = "does not say how long its versions are kept"
        elif contract.retention.days > most:
            said = (
                f"keeps its versions for {contract.retention.days} days, and {most:g} are the most"
            )
        else:
            continue
        yield Finding(
            product.contract_file,
            line,
            NAME,
            f"{product.key} has classified columns ({', '.join(classified)}) and {said}",
            f"write {{property: retention, value: {most:g}, unit: d}}, or less, in slaProperties; the "
            f"governance team decides of `days` in {mesh.central.file}",
        )


_CLASSIFIED = {"schema.orders.properties.note.classification": "confidential"}


def _kept(years: int) -> dict[str, object]:
    return {**_CLASSIFIED, "slaProperties.retention": {"value": years, "unit": "y"}}


EXAMPLES = (
    passes("nothing is classified", contract={"slaProperties.retention": None}),
    passes("kept for a year", contract=_kept(1)),
    passes(
        "kept for longer, where that is decided",
        contract=_kept(9),
        central={f"policies.{NAME}": {"days": 3650}},
    ),
    fails("kept for nine years", "for 3285 days, and 1095 are the most", contract=_kept(9)),
    fails(
        "nobody says how long",
        "does not say how long its versions are kept",
        contract={**_CLASSIFIED, "slaProperties.retention": None},
    ),
    fails(
        "kept for longer than is decided",
        "and 30 are the most",
        contract=_kept(1),
        central={f"policies.{NAME}": {"days": 30}},
    ),
)
POLICY = LoadTimePolicy(
    NAME,
    "Products with classified columns say how long they are kept, and that is not too long.",
    check,
    settings={DAYS: Setting(1095, 1, 36_500, "the most days that their versions may be kept")},
    examples=EXAMPLES,
)
