"""What `domains/governance.yaml` decides of policies, judged by the policies that there are.

Belongs here: whether there is a policy of each name, and whether that lets it be decided.
Does not belong here: reading the file (`mesh/central_file.py`), acting on it (`policy.py`).

What is wrong has no effect: the policy is as severe as it says itself, and set as usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from shared_resources.contracts.model import Severity
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import all_policies
from shared_resources.governance.policy import Policy
from shared_resources.mesh import Central, Decision

RULE = "central"


def central_findings(
    central: Central, policies: Mapping[str, Policy] | None = None
) -> tuple[Finding, ...]:
    """Everything that is wrong with the mesh's central file, by all policies or those given."""
    known = all_policies() if policies is None else policies
    found = [
        Finding(central.file, decided.line, RULE, message, remedy)
        for name, decided in central.policies.items()
        for message, remedy in _problems(name, decided, known)
    ]
    return tuple(sorted({*central.findings, *found}))


def _problems(
    name: str, decided: Decision, known: Mapping[str, Policy]
) -> Iterator[tuple[str, str]]:
    policy = known.get(name)
    if policy is None:
        close = get_close_matches(name, known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
        yield f"decides of {name!r}, which is no policy", remedy
        return
    if decided.severity is Severity.WARNING and not policy.waivable:
        yield (
            f"lets the policy {name!r} only warn, but what breaks it fails when it runs anyway",
            "take it out: the policy has no waivers either",
        )
    for setting, number in decided.settings.items():
        one = policy.settings.get(setting)
        if one is None:
            there = ", ".join(("severity", *policy.settings))
            yield f"sets {setting!r} of the policy {name!r}, which has none", f"there are: {there}"
        elif not one.least <= number <= one.most:
            yield (
                f"sets {setting!r} of the policy {name!r} to {number:g}",
                f"write a number from {one.least} to {one.most}: {one.says}",
            )
