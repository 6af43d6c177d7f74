"""The JSON Schemas of `domain.yaml` and of `domains/governance.yaml`.

Belongs here: each field that their readers know, with its form and what it is for.
Does not belong here: what holds between files (owners, approvers): policies and `mesh check` say that.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared_resources.contracts.model import Classification, Severity
from shared_resources.governance.catalogue import all_policies
from shared_resources.governance.policy import Policy
from shared_resources.mesh import central_file, domain_file
from shared_resources.mesh.model import LONGEST_WAIVER_DAYS, Archetype
from shared_resources.reference.described import Schema, described

_DRAFT = "https://json-schema.org/draft/2019-09/schema"
_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"type": "array", "items": _TEXT, "minItems": 1}

_WAIVER: Mapping[str, Schema] = {
    "policy": {**_TEXT, "description": "The policy, by its name in shared_resources/governance/."},
    "product": {**_TEXT, "description": "The product of this domain that may break it."},
    "reason": {**_TEXT, "description": "Why it cannot hold yet."},
    "approver": {
        **_TEXT,
        "description": "One of the approvers in domains/governance.yaml, nobody of this domain.",
    },
    "expires": {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}$",
        "description": "The last day on which it holds.",
    },
}
_DOMAIN: Mapping[str, Schema] = {
    "name": {**_TEXT, "description": "The domain: the name of its folder."},
    "description": {**_TEXT, "description": "What the team is responsible for."},
    "archetype": {"enum": [*Archetype], "description": "What its products are nearest to."},
    "owner": {**_TEXT, "description": "Who answers for the domain; one of `owners`."},
    "owners": {**_TEXTS, "description": "Who may own a contract of the domain."},
    "contact": {**_TEXT, "description": "Where the team is reached."},
    "waivers": {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": described(domain_file.WAIVER_FIELDS, _WAIVER),
            "required": [*domain_file.WAIVER_FIELDS],
            "additionalProperties": False,
        },
        "description": "Policies that a product may break for a while.",
    },
    "environment": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "description": "Variables that the domain's code may see; none of the platform's own.",
    },
}


def _decision(policy: Policy) -> Schema:
    numbers = {
        name: {
            "type": "number",
            "minimum": one.least,
            "maximum": one.most,
            "description": f"{one.says}; {one.usual} where nothing is said.",
        }
        for name, one in policy.settings.items()
    }
    severity: Schema = {"enum": [*Severity] if policy.waivable else [Severity.BLOCKING]}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {"severity": severity, **numbers},
        "description": policy.summary,
    }


_LEVELS: Schema = {"type": "array", "items": {"enum": [*Classification]}, "minItems": 1}
_CENTRAL: Mapping[str, Schema] = {
    "approvers": {**_TEXTS, "description": "Who may approve a waiver."},
    "waiverDays": {
        "type": "number",
        "minimum": 1,
        "maximum": LONGEST_WAIVER_DAYS,
        "description": "How many days from now a waiver may end at the latest.",
    },
    "lossBudgetPercent": {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "description": "The most that a contract may set as its own `lossBudgetPercent`.",
    },
    "landingPrefixes": {
        "type": ["object", "null"],
        "additionalProperties": _TEXT,
        "description": "Landing prefixes beside `<domain>/`, each with the domain that has it.",
    },
    "purposes": {
        "type": ["object", "null"],
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": {
            "type": "object",
            "properties": described(
                central_file.PURPOSE_FIELDS,
                {
                    "description": {**_TEXT, "description": "What data are read for."},
                    "classifications": {
                        **_LEVELS,
                        "description": "What may be read for it where no mask hides it.",
                    },
                },
            ),
            "required": [*central_file.PURPOSE_FIELDS],
            "additionalProperties": False,
        },
        "description": "What agreements may name as their purpose.",
    },
    "open": {
        **_LEVELS,
        "description": "Columns of these classifications are read without an agreement; default none.",
    },
    "awsPrincipals": {
        "type": ["object", "null"],
        "additionalProperties": {"type": "string", "pattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:"},
        "description": "The role or user of AWS that each consumer is, for `mesh access apply`.",
    },
}


def domain_schema() -> Schema:
    fields = described(domain_file.FIELDS, _DOMAIN)
    required = [name for name in fields if name not in domain_file.OPTIONAL]
    return _file("Domain of a data mesh", fields, required)


def central_schema() -> Schema:
    policies = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {name: _decision(policy) for name, policy in all_policies().items()},
        "description": "How severe policies are, and the numbers that they let be set.",
    }
    fields = described(central_file.FIELDS, {**_CENTRAL, "policies": policies})
    return _file("What the governance team decides for every domain", fields, ["approvers"])


def _file(title: str, fields: Mapping[str, Schema], required: list[str]) -> Schema:
    return {
        "$schema": _DRAFT,
        "title": title,
        "type": "object",
        "properties": dict(fields),
        "required": required,
        "additionalProperties": False,
    }
