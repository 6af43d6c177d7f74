"""The page of policies: what every domain and every batch is held to.

Belongs here: each policy by its name, what it asks for, when it looks, whether it can be waived.
Does not belong here: any policy (`governance/policies/`), how to add one (`CONTRIBUTING.md`).
"""

from __future__ import annotations

from shared_resources.governance.catalogue import all_policies
from shared_resources.governance.policy import LoadTimePolicy, Policy
from shared_resources.reference.pages.markdown import page, table

_INTRODUCTION = """
Policies hold in every domain. One that looks at files stops the product that breaks it, and what reads
it; one that looks at data is a check of every product, `policy_<name>`, which blocks unless the policy
only warns; what one finds in what is published stops nothing and is said by `mesh check`. A waiver in the
domain's `domain.yaml` lets a product break one for a while, where that is possible. `policies` in
`domains/governance.yaml` says that one only warns, or sets its numbers:
`policies: {described: {severity: warning}}`.
"""


def _looks_at(policy: Policy) -> str:
    if not isinstance(policy, LoadTimePolicy):
        return "data"
    return "files" if policy.published is None else "files, what is published"


def policies_page() -> str:
    rows = [
        (
            f"`{name}`",
            policy.summary,
            _looks_at(policy),
            "yes" if policy.waivable else "no",
            policy.severity.value,
            "; ".join(
                f"`{setting}`: {one.says} ({one.usual})" for setting, one in policy.settings.items()
            ),
        )
        for name, policy in all_policies().items()
    ]
    header = (
        "policy",
        "what it asks for",
        "looks at",
        "can be waived",
        "severity",
        "settings (usual)",
    )
    return page("The policies", _INTRODUCTION, table(header, rows))
