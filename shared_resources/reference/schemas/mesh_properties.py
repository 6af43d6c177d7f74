"""The mesh's custom properties as JSON Schema: where each may stand, its values, what it is for.

Belongs here: one schema with a description for each property that `contracts/reading/` knows.
Does not belong here: the standard's own fields (`contract.py`), reading a value.

The names come from the readers. One that has no description here is an error, so that no property
can be added without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared_resources.contracts.file_formats import OWN
from shared_resources.contracts.model import LandingMode, Method
from shared_resources.contracts.reading.columns import COLUMN_PROPERTIES
from shared_resources.contracts.reading.governed.roles import PROPERTIES as ROLE_PROPERTIES
from shared_resources.contracts.reading.governed.serving import PROPERTIES as SERVER_PROPERTIES
from shared_resources.contracts.reading.governed.stream import STREAM_FIELDS
from shared_resources.contracts.reading.platform_properties import (
    LANDING_FIELDS,
    MOST_DAYS,
    PARTITION_FIELDS,
    PREVIOUS_FIELDS,
    PROPERTIES,
)
from shared_resources.contracts.reading.vendor import VENDOR
from shared_resources.contracts.roles.masks import GENERALISE, KINDS
from shared_resources.contracts.rules.items import SEVERITIES
from shared_resources.contracts.rules.own.custom import LIMITS
from shared_resources.contracts.rules.rows.relationship import PROPERTIES as RELATIONSHIP_PROPERTIES
from shared_resources.reference.described import Schema, described
from shared_resources.reference.schemas.serving_properties import OF_A_SERVER
from shared_resources.reference.schemas.stream_properties import STREAM

_DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
_PERCENT: Schema = {"type": "number", "minimum": 0, "maximum": 100}

_PREVIOUS: Mapping[str, Schema] = {
    "of": {"type": "string", "description": "The product, of the same domain, that is current."},
    "sunset": {
        **_DAY,
        "description": "Its last day. When it is over and nobody reads it, it is made no more; who "
        "reads it still is a finding.",
    },
    "derivedBy": {
        "type": "string",
        "description": "One SELECT from the current product that makes it; without it, it is made as "
        "any other product.",
    },
}
_LANDING: Mapping[str, Schema] = {
    "prefix": {
        "type": "string",
        "description": "Where objects of this product land: below `<domain>/`, or a prefix that the "
        "governance team gave to the domain.",
    },
    "format": {"enum": [one.name for one in OWN], "description": "The format of the objects."},
    "object": {
        "type": "string",
        "description": "The objects' names below the prefix: with `*`, or with `{partition}` once, "
        "where each object is one day.",
    },
    "mode": {
        "enum": [*LandingMode],
        "description": "`replace` (default): each object is a full extract, the newest counts. "
        "`partition`: each object is one day; needs `partitions`.",
    },
    "encoding": {"type": "string", "description": "Of csv and jsonl; default utf-8."},
    "delimiter": {
        "type": "string",
        "minLength": 1,
        "maxLength": 1,
        "description": "Of csv; default a comma.",
    },
    "nullText": {
        "type": "string",
        "description": "Of csv: the text that means null; default the empty cell.",
    },
    "extraColumns": {
        "enum": ["refuse", "ignore"],
        "description": "`refuse` (default): a column that the contract does not know refuses the "
        "object. `ignore`: it is left out and named with the run.",
    },
}
_PARTITIONS: Mapping[str, Schema] = {
    "cadence": {"enum": ["daily"], "description": "How long a partition is."},
    "column": {
        "type": "string",
        "description": "The date or timestamp column that says of which day a row is.",
    },
    "start": {**_DAY, "description": "The first day."},
    "end": {**_DAY, "description": "The first day that is out; default: it goes on."},
    "closed": {
        "type": "array",
        "items": _DAY,
        "description": "Days of which nothing is to come, so that none of them is missing.",
    },
}


def _mapping(fields: Mapping[str, Schema], names: Iterable[str], required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": described(names, fields),
        "required": required,
        "additionalProperties": False,
    }


_TO_CONFIRM: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ],
    "description": "What `mesh new product --from` took for true and could not know: `mesh check` "
    "reports it until it is removed.",
}
_OF_A_CONTRACT: Mapping[str, Schema] = {
    "landing": {
        **_mapping(_LANDING, LANDING_FIELDS, ["prefix", "format", "object"]),
        "description": "The product is an ingest: its rows come from objects in the landing zone.",
    },
    "stream": {
        **_mapping(STREAM, STREAM_FIELDS, ["topic", "format"]),
        "description": "The product is made of the messages of a topic, by `mesh stream`; needs "
        "lossBudgetPercent.",
    },
    "partitions": {
        **_mapping(_PARTITIONS, PARTITION_FIELDS, ["cadence", "column", "start"]),
        "description": "The product has a partition a day; each is made, audited and replaced by "
        "itself.",
    },
    "lossBudgetPercent": {
        **_PERCENT,
        "description": "So many failing rows may go to quarantine while the rest is published; "
        "default 0. `domains/governance.yaml` caps it.",
    },
    "alwaysRun": {
        "type": "boolean",
        "description": "Whether `mesh run` makes the product again although nothing that it is made "
        "of has changed.",
    },
    "toConfirm": _TO_CONFIRM,
    "previousMajor": {
        **_mapping(_PREVIOUS, PREVIOUS_FIELDS, ["of", "sunset"]),
        "description": "The product is an earlier major version of another one of its domain, and is "
        "called `<of>_v<major>`; both are served until its sunset.",
    },
    "allowEmpty": {
        "type": "boolean",
        "description": "Whether a batch without rows may replace what is published; default false.",
    },
    "quarantineDays": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_DAYS,
        "description": "How long rejected rows are kept; default 90.",
    },
}
_METHODS: Schema = {
    "type": "object",
    "properties": {
        "method": {
            "enum": [*Method],
            "description": "`aggregation`: summed up over many. `keyedHash`: a hash with a secret key. "
            "`generalisation`: made coarser, such as a year of a day.",
        },
        "minimumGroup": {
            "type": "integer",
            "minimum": 2,
            "description": "Of an aggregation: how many a value sums up at least. Checked on every row.",
        },
        "groupSize": {
            "type": "string",
            "description": "Of an aggregation: the column that counts whom a row sums up.",
        },
    },
    "required": ["method"],
    "additionalProperties": False,
    "description": "How the column was made less personal than what it is made from.",
}
_FORMER: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "description": "The former name."},
                "until": {
                    **_DAY,
                    "description": "The last day for which readers are promised the former name, too.",
                },
            },
            "required": ["name"],
            "additionalProperties": False,
        },
    ]
}
_OF_A_COLUMN: Mapping[str, Schema] = {
    "anonymisation": _METHODS,
    "mayBeAbsent": {
        "anyOf": [{"type": "boolean"}, _DAY],
        "description": "A landed file may lack this nullable column: always (true), or before the "
        "first day that has it.",
    },
    "subject": {
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]{0,62}$",
        "description": "The column, a text or an integer, is the key of a subject of this kind, such as "
        "`household`: by it `mesh erase` finds the subject's rows. The same word in every contract.",
    },
    "renamedFrom": {
        "anyOf": [*_FORMER["anyOf"], {"type": "array", "minItems": 1, "items": _FORMER}],
        "description": "What the column was called, the latest name first: what is published under it is "
        "read under the new one. With `until` readers are given the old name beside it.",
    },
    "toConfirm": _TO_CONFIRM,
}
_OF_A_RELATIONSHIP: Mapping[str, Schema] = {
    "maxOrphansPercent": {
        **_PERCENT,
        "description": "So many rows may refer to something that does not exist; default 0.",
    },
    "reason": {"type": "string", "minLength": 1, "description": "Why that many are tolerated."},
    "severity": {
        "enum": [*SEVERITIES],
        "description": "Whether a failure keeps the batch from readers (default) or only warns.",
    },
}
_OF_A_FUNCTION: Mapping[str, Schema] = {
    "seconds": {
        "type": "integer",
        "minimum": 1,
        "maximum": LIMITS["seconds"],
        "description": "How long the function may take; default 300.",
    },
    "memoryMiB": {
        "type": "integer",
        "minimum": 1,
        "maximum": LIMITS["memoryMiB"],
        "description": "How much memory the function may take; default 2048.",
    },
}
_MASK: Schema = {
    "anyOf": [
        {"enum": [name for name in KINDS if name != GENERALISE]},
        {
            "type": "object",
            "properties": {GENERALISE: {"type": "number", "exclusiveMinimum": 0}},
            "required": [GENERALISE],
            "additionalProperties": False,
        },
    ]
}
_OF_A_ROLE: Mapping[str, Schema] = {
    "columns": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "description": "The columns that the role shows; without it all.",
    },
    "masks": {
        "type": "object",
        "additionalProperties": _MASK,
        "minProperties": 1,
        "description": "A mask a column: "
        + "; ".join(f"`{k.name}`: {k.says}" for k in KINDS.values()),
    },
    "rows": {
        "type": "string",
        "minLength": 1,
        "description": "The rows that the role shows: comparisons of columns with values, IN, BETWEEN, "
        "IS NULL, LIKE 'text%', joined by AND, OR, NOT.",
    },
}

PLACES: Mapping[str, Mapping[str, Schema]] = {
    "contract": described(PROPERTIES, _OF_A_CONTRACT),
    "role": described(ROLE_PROPERTIES, _OF_A_ROLE),
    "server": described(SERVER_PROPERTIES, OF_A_SERVER),
    "column": described(COLUMN_PROPERTIES, _OF_A_COLUMN),
    "relationship": described(RELATIONSHIP_PROPERTIES, _OF_A_RELATIONSHIP),
    "function": described(LIMITS, _OF_A_FUNCTION),
}


def custom_properties(known: Mapping[str, Schema]) -> Schema:
    """`customProperties` where the mesh reads `known`; those of other vendors pass as they are."""
    ours = {"properties": {"vendor": {"const": VENDOR}}, "required": ["vendor"]}
    values = [
        {
            "if": {"properties": {"property": {"const": name}}, "required": ["property"]},
            "then": {"properties": {"value": schema}},
        }
        for name, schema in known.items()
    ]
    then: Schema = {"properties": {"property": {"enum": [*known]}}, "allOf": values}
    item: Schema = {"allOf": [{"$ref": "#/$defs/CustomProperty"}]}
    if known:
        without = {"properties": {"property": {"enum": [*known]}}, "not": {"required": ["vendor"]}}
        item["allOf"].append({"if": without, "then": {"required": ["vendor"]}})
        item["allOf"].append({"if": ours, "then": then})
    else:
        item["allOf"].append({"not": ours})
    return {"type": "array", "items": item}
