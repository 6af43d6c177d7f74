"""`domains/governance.yaml`, read strictly: what the governance team decides for every domain.

Belongs here: who may approve exceptions, for how long at most, how many rows an owner may lose, which
landing prefixes a domain has beside its own, how severe a policy is and what it is set to, for which
purposes data are read, whom AWS knows a consumer as.
Does not belong here: what a domain decides for itself (`domain_file.py`), or enforcing any of it
(`governance/`), such as whether there is a policy of a name and what can be set of it.

A mesh without the file has the strictest answer to each question: nobody approves, so nothing is
waived; a budget of at most 10 %; each domain lands below its own name; no data are read for any purpose
by another domain, and none without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared_resources.contracts.model import Classification, Severity
from shared_resources.contracts.source import read_source
from shared_resources.findings import InvalidFile
from shared_resources.mesh.agreements.model import Purpose, is_purpose_name
from shared_resources.mesh.field_reader import FieldReader
from shared_resources.mesh.model import (
    LONGEST_WAIVER_DAYS,
    Central,
    Decision,
    is_domain_name,
    is_product_key,
)

RULE = "central"
FIELDS = (
    "approvers",
    "waiverDays",
    "lossBudgetPercent",
    "landingPrefixes",
    "policies",
    "purposes",
    "open",
    "awsPrincipals",
)
PURPOSE_FIELDS = ("description", "classifications")
# The highest number that a policy can be set to: ten years in seconds, a thousand million rows.
MOST = 10**9
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]{1,512}", re.ASCII)
_EXAMPLES = {
    "approvers": "approvers: [governance@example.com]",
    "waiverDays": f"waiverDays: {LONGEST_WAIVER_DAYS}",
    "lossBudgetPercent": "lossBudgetPercent: 10",
    "landingPrefixes": "landingPrefixes: {crm/export: customer}",
    "policies": "policies: {described: {severity: warning}}",
    "severity": "severity: warning",
    "purposes": "purposes: {research: {description: …, classifications: [public, internal]}}",
    "open": "open: [public]",
    "awsPrincipals": "awsPrincipals: {marketing: 'arn:aws:iam::123456789012:role/marketing'}",
    "description": "description: what data are used for",
    "classifications": "classifications: [public, internal]",
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
        purposes=dict(_purposes(reader)),
        open=_classifications(reader, ("open",)) if "open" in source.data else frozenset(),
        aws_principals=dict(_aws_principals(reader)) if "awsPrincipals" in source.data else None,
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


def _purposes(reader: FieldReader) -> Iterator[tuple[str, Purpose]]:
    """The complete purposes; half of one is a finding, and nothing is read for it."""
    given = reader.value(("purposes",))
    if given is None:
        return
    if not isinstance(given, dict):
        reader.add(("purposes",), "'purposes' is no mapping", f"write `{_EXAMPLES['purposes']}`")
        return
    for name, said in given.items():
        place = ("purposes", str(name))
        if not is_purpose_name(str(name)):
            remedy = "start with a letter and use small letters, digits and `_` only"
            reader.add(place, f"{name!r} cannot name a purpose", remedy)
            continue
        if not isinstance(said, dict):
            reader.add(
                place, f"the purpose {name!r} says nothing", f"write `{_EXAMPLES['purposes']}`"
            )
            continue
        reader.expect_fields(place, said, PURPOSE_FIELDS, of=f"purpose {name}: ")
        description = reader.text((*place, "description"))
        levels = _classifications(reader, (*place, "classifications"))
        if description and levels:
            yield str(name), Purpose(description, levels)


def _classifications(reader: FieldReader, place: tuple[str, ...]) -> frozenset[Classification]:
    """A list of classifications; none where one of it does not exist."""
    given = reader.texts(place)
    unknown = [level for level in given if level not in list(Classification)]
    for level in unknown:
        remedy = f"use some of {', '.join(Classification)}"
        reader.add(place, f"{level!r} is no classification", remedy)
    return frozenset() if unknown else frozenset(map(Classification, given))


def _aws_principals(reader: FieldReader) -> Iterator[tuple[str, str]]:
    """The ARN of each consumer. One that two consumers have is neither's: what the one is granted would
    be the other's, too."""
    field = "awsPrincipals"
    given = reader.value((field,))
    if given is None:
        return
    if not isinstance(given, dict):
        reader.add((field,), f"{field!r} is no mapping", f"write `{_EXAMPLES[field]}`")
        return
    arns = [arn for arn in given.values() if isinstance(arn, str)]
    for name, arn in given.items():
        place, consumer = (field, str(name)), str(name)
        if not _is_consumer(consumer):
            remedy = "write a domain, domain/product, somebody@example.com or agent:name"
            reader.add(place, f"{consumer!r} is no consumer", remedy)
        elif not isinstance(arn, str) or not _PRINCIPAL.fullmatch(arn):
            remedy = "write the ARN of a role or user, such as arn:aws:iam::123456789012:role/name"
            reader.add(place, f"{consumer}: {arn!r} is no principal of AWS", remedy)
        elif arns.count(arn) > 1:
            remedy = "give each a role of its own: what the one may read would be the other's, too"
            reader.add(place, f"{consumer}: {arn} stands for another consumer as well", remedy)
        else:
            yield consumer, arn


def _is_consumer(name: str) -> bool:
    person = ("@" in name or ":" in name) and name.isprintable() and " " not in name
    return is_domain_name(name) or is_product_key(name) or person
