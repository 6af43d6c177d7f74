"""`domains/governance.yaml`, read strictly: what the governance team decides for every domain.

Belongs here: who may approve exceptions, for how long at most, how many rows an owner may lose, which
landing prefixes a domain has beside its own, how severe a policy is and what it is set to.
Does not belong here: what a domain decides for itself (`domain_file.py`), or enforcing any of it
(`governance/`), such as whether there is a policy of a name and what can be set of it.

A mesh without the file has the strictest answer to each question: nobody approves, so nothing is
waived; a budget of at most 10 %; each domain lands below its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_resources.contracts.model import Severity
from shared_resources.contracts.source import read_source
from shared_resources.findings import InvalidFile
from shared_resources.mesh.field_reader import FieldReader
from shared_resources.mesh.model import LONGEST_WAIVER_DAYS, Central, Decision

RULE = "central"
FIELDS = ("approvers", "waiverDays", "lossBudgetPercent", "landingPrefixes", "policies")
# The highest number that a policy can be set to: ten years in seconds, a thousand million rows.
MOST = 10**9
_EXAMPLES = {
    "approvers": "approvers: [governance@example.com]",
    "waiverDays": f"waiverDays: {LONGEST_WAIVER_DAYS}",
    "lossBudgetPercent": "lossBudgetPercent: 10",
    "landingPrefixes": "landingPrefixes: {crm/export: customer}",
    "policies": "policies: {described: {severity: warning}}",
    "severity": "severity: warning",
}


def read_central_file(file: Path) -> Central:
    """What stands in the mesh's central file; where it is wrong or absent, the strictest answer."""
    if not file.is_file():
        return Central(file)
    try:
        source = read_source(file, RULE)
    except InvalidFile as invalid:
        return Central(file, findings=invalid.findings)
    reader = FieldReader(source, RULE, _EXAMPLES, list(source.findings))
    reader.expect_fields((), source.data, FIELDS, optional=FIELDS[1:])
    days = reader.number(("waiverDays",), 1, LONGEST_WAIVER_DAYS)
    budget = reader.number(("lossBudgetPercent",), 0, 100)
    strictest = Central(file)
    return Central(
        file,
        approvers=reader.texts(("approvers",)),
        waiver_days=strictest.waiver_days if days is None else int(days),
        loss_budget_percent=strictest.loss_budget_percent if budget is None else budget,
        landing_prefixes=dict(_prefixes(reader)),
        policies=dict(_policies(reader)),
        findings=tuple(sorted(set(reader.findings))),
    )


def _policies(reader: FieldReader) -> Iterator[tuple[str, Decision]]:
    given = reader.value(("policies",))
    if given is None:
        return
    if not isinstance(given, dict):
        message = "'policies' is not a mapping of policies to what is decided of them"
        reader.add(("policies",), message, f"write `{_EXAMPLES['policies']}`")
        return
    for name, decided in given.items():
        place = ("policies", str(name))
        if not isinstance(decided, dict):
            message = f"{name!r} is not a mapping of what is decided of the policy"
            reader.add(place, message, f"write `{_EXAMPLES['policies']}`")
            continue
        severity, settings = None, {}
        for field in decided:
            if field == "severity":
                severity = _severity(reader, (*place, field))
            elif (number := reader.number((*place, str(field)), 0, MOST)) is not None:
                settings[str(field)] = number
        yield str(name), Decision(severity, settings, reader.source.line(place))


def _severity(reader: FieldReader, place: tuple[str, ...]) -> Severity | None:
    given = reader.value(place)
    if given not in list(Severity):
        reader.add(place, f"{given!r} is no severity", f"write one of: {', '.join(Severity)}")
        return None
    return Severity(given)


def _prefixes(reader: FieldReader) -> Iterator[tuple[str, str]]:
    given = reader.value(("landingPrefixes",))
    if given is None:
        return
    if not isinstance(given, dict):
        reader.add(
            ("landingPrefixes",),
            "'landingPrefixes' is not a mapping of prefixes to domains",
            f"write `{_EXAMPLES['landingPrefixes']}`",
        )
        return
    for prefix, domain in given.items():
        if isinstance(domain, str) and domain.strip():
            yield str(prefix).strip("/"), domain.strip()
        else:
            reader.add(
                ("landingPrefixes", str(prefix)),
                f"the prefix {prefix!r} is granted to no domain",
                f"write `{_EXAMPLES['landingPrefixes']}`",
            )
