"""The parts of a contract, in the order in which the page shows them.

Belongs here: where the standard defines each, and the verdicts on fields whose clauses depend on
what the contract says. Does not belong here: the other verdicts (`contracts/compiling/clauses.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_resources.contracts.compiling.clauses import Verdict
from shared_resources.contracts.reading.thresholds import OPERATORS
from shared_resources.reference.pages.markdown import code


@dataclass(frozen=True)
class Part:
    """`definitions` are places in the standard's schema whose fields the part has, together.

    `properties` names the place of the mesh's own properties (`schemas/mesh_properties.py`).
    """

    name: str
    title: str
    definitions: tuple[str, ...]
    introduction: str = ""
    properties: str = ""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


# Fields of the standard that the narrowed schema has no longer, with what to do instead.
REFUSED: Mapping[str, str] = {"rule": "deprecated; use `metric`"}

_BELOW: Verdict = (False, "see below")
_NOT_READ: Verdict = (False, "for people who read the file")
_OTHER_VENDORS: Verdict = (False, "of other vendors only")
_OWNER: Verdict = (
    True,
    "of the member in the role `owner`: policy owner_known_to_domain; the asset's owner",
)
_WHERE: Verdict = (False, "the environment says where each store is")
_THE_RULE: Verdict = (True, "the check itself")

_CONTRACT = Part(
    "contract",
    "The contract",
    ("",),
    properties="contract",
    verdicts={
        "servers": _BELOW,
        "schema": (True, "one object, the product's table; see below"),
        "team": _BELOW,
        "slaProperties": _BELOW,
        "customProperties": _BELOW,
        "description": (
            True,
            "`purpose`, `usage`, `limitations`: policy described; shown with the product",
        ),
    },
)
_SERVER = Part(
    "server",
    "Servers",
    ("Server",),
    "Where the product is published, and `serving`: each version is served by the primary key, too. The "
    "fields that the standard has for one type of server are not "
    "read: the environment says where each store is.",
    verdicts={
        "server": (True, "published to that store; `serving`: each version is served by its key"),
        "type": (
            True,
            "the lake is `iceberg`, `glue` or `custom`; the warehouse `duckdb`, `snowflake` or `custom`; "
            "serving `custom`",
        ),
        **dict.fromkeys(("id", "description", "environment", "roles"), _WHERE),
        "customProperties": (True, "of `serving`, below; otherwise of other vendors only"),
    },
    properties="server",
)
_TEAM = Part(
    "team",
    "Team members",
    ("TeamMember",),
    "`team` is a mapping with `members`, or a list of members as in older contracts.",
    verdicts={
        "username": _OWNER,
        "role": _OWNER,
        "dateOut": (False, "a member that has left is no owner"),
        **dict.fromkeys(
            ("id", "name", "description", "dateIn", "replacedByUsername", "tags"), _NOT_READ
        ),
        "customProperties": _OTHER_VENDORS,
        "authoritativeDefinitions": _NOT_READ,
    },
)
_LEVEL = Part(
    "service level",
    "Service levels",
    ("ServiceLevelAgreementProperty",),
    "Items of `slaProperties`.",
    verdicts={
        "property": _BELOW,
        "value": (True, "a number above 0, of freshness and retention"),
        "unit": (True, "`s`, `min`, `h`, `d`, `w`, `mo` (30 days), `y` (365 days), or their names"),
        "customProperties": _OTHER_VENDORS,
    },
)
_TABLE = Part(
    "table",
    "The table",
    ("SchemaElement", "SchemaObject"),
    "The one item of `schema`.",
    verdicts={
        "properties": (True, "the columns; see below"),
        "quality": (True, "rules over the whole batch; see below"),
        "relationships": _BELOW,
        "customProperties": _OTHER_VENDORS,
    },
)
_COLUMN = Part(
    "column",
    "Columns",
    ("SchemaElement", "SchemaBaseProperty"),
    "Items of the table's `properties`. Names begin with a letter and hold letters, digits and `_`.",
    properties="column",
    verdicts={
        "primaryKey": (True, "check `primary_key`: no two rows have the same, none is null"),
        "required": (True, "check `required_<column>`"),
        "unique": (True, "check `unique_<column>`"),
        "enum": (True, "check `enumeration_<column>`"),
        "partitioned": (True, "check `partition`: agrees with the property `partitions`"),
        "logicalTypeOptions": _BELOW,
        "quality": (True, "rules on this column; see below"),
        "relationships": _BELOW,
        "customProperties": _BELOW,
    },
)
_RULE = Part(
    "rule",
    "Rules",
    ("DataQuality", "DataQualityLibrary", "DataQualitySql", "DataQualityCustom"),
    "Items of `quality`, of a column or of the table. Each is one check of the asset, decided before "
    f"publication. A rule that is run has exactly one operator: {code(OPERATORS)}.",
    properties="function",
    verdicts={
        "name": (True, "the check's name"),
        "type": (True, "`library` (default), `sql`, `custom` are run; `text` is prose"),
        "description": (True, "shown with the check; the reason, where failing rows are tolerated"),
        "dimension": (False, "shown with the check"),
        "severity": (
            True,
            "`error`, `blocking` (default) keep the batch from readers; `warning`, `info` report",
        ),
        "unit": (True, "whether failing rows are counted or their share of the batch"),
        "customProperties": (True, "of a `custom` rule; see below"),
        "metric": _THE_RULE,
        "rule": (False, ""),
        "arguments": _THE_RULE,
        "query": (
            True,
            "one SELECT that answers with one number; `${object}` is the batch, `${property}` the column",
        ),
        "engine": (True, "`python` is run; the others are prose here"),
        "implementation": (True, "`rules:function`, a function in `rules.py` beside the contract"),
    },
)
_RELATIONSHIP = Part(
    "relationship",
    "Relationships",
    ("RelationshipBase",),
    "Items of `relationships`, of a column or of the table: the values exist in the published version of "
    "another product, `<domain>/products/<product>/contract.odcs.yaml"
    "#/schema/<product>/properties/<column>`.",
    properties="relationship",
    verdicts={
        "id": (False, "for other tools; the platform does not read it"),
        "type": (True, "the strict reader refuses another value"),
        "from": (True, "of the table: `[<table>.<column>, …]`; not under a column, which it is"),
        "to": (
            True,
            "check `relationship_<columns>`; policies relationships_exist, relationships_compare",
        ),
        "customProperties": _BELOW,
    },
)

PARTS = (_CONTRACT, _SERVER, _TEAM, _LEVEL, _TABLE, _COLUMN, _RULE, _RELATIONSHIP)
