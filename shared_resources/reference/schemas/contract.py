"""The JSON Schema of a contract: the standard's own, narrowed to what this platform takes.

Belongs here: which parts of ODCS are narrowed to what, from the names that the strict reader knows.
Does not belong here: the mesh's custom properties (`mesh_properties.py`), and what a schema cannot say
(that a column exists, that bounds leave a value): `mesh check` says that.

It marks less than the reader refuses, and nothing that the reader takes.
"""

from __future__ import annotations

import copy
from typing import Any

from shared_resources.contracts.compiling.quality import FOREIGN_ENGINES, engines, metrics
from shared_resources.contracts.model import Classification, Unit
from shared_resources.contracts.odcs import LONGEST_NAME, SERVER_TYPES, STATUSES, VERSION
from shared_resources.contracts.reading.columns import IDENTIFIER
from shared_resources.contracts.reading.logical_types import LOGICAL_TYPES, PHYSICAL_TYPES
from shared_resources.contracts.reading.service_levels import (
    DESCRIPTIVE,
    FRESHNESS,
    RETENTION,
    UNITS,
)
from shared_resources.contracts.reading.standard import standard_schema
from shared_resources.contracts.rules.items import SEVERITIES
from shared_resources.contracts.rules.own.custom import KIND as CUSTOM
from shared_resources.contracts.rules.rows.relationship import REFERENCE
from shared_resources.contracts.serving.model import SERVING
from shared_resources.reference.described import Schema
from shared_resources.reference.schemas.mesh_properties import PLACES, custom_properties

_SERVERS = sorted({type_ for types in SERVER_TYPES.values() for type_ in types})
_NAME: Schema = {"pattern": f"^{IDENTIFIER.pattern}$"}


def contract_schema() -> Schema:
    """The schema, whole and in itself, of Draft 2019-09 as the standard's is."""
    schema = copy.deepcopy(standard_schema())
    definitions = schema["$defs"]
    schema["title"] = "Contract of a data product"
    _narrow_root(schema)
    _narrow_servers(definitions)
    _narrow_table(definitions)
    _narrow_column(definitions)
    _narrow_rules(definitions)
    _narrow_service_levels(definitions["ServiceLevelAgreementProperty"])
    _place_custom_properties(schema, definitions)
    return _without_unused(schema)


def _narrow(schema: Schema, name: str, **more: Any) -> None:
    schema["properties"][name] = {**schema["properties"][name], **more}


def _forbid(schema: Schema, *names: str) -> None:
    for name in names:
        schema["properties"].pop(name, None)


def _narrow_root(schema: Schema) -> None:
    versions = schema["properties"]["apiVersion"]["enum"]
    _narrow(schema, "apiVersion", enum=[v for v in versions if v.startswith("v3")])
    _narrow(schema, "version", pattern=f"^{_plain(VERSION.pattern)}$")
    _narrow(schema, "status", enum=[*STATUSES])
    for name in ("name", "domain"):
        _narrow(schema, name, **_NAME, maxLength=LONGEST_NAME)
    _narrow(schema, "schema", minItems=1, maxItems=1)
    _narrow(schema, "servers", minItems=1)
    _narrow(schema, "description", additionalProperties=False)
    schema["required"] = [*schema["required"], "name", "domain", "schema", "servers"]


def _narrow_servers(definitions: Schema) -> None:
    server = definitions["Server"]
    _narrow(server, "server", enum=[*SERVER_TYPES])
    _narrow(server, "type", enum=_SERVERS)
    kept = [
        branch
        for branch in server["allOf"]
        if branch["if"]["properties"]["type"]["const"] in _SERVERS
    ]
    server["allOf"] = kept + [
        _if("server", name, {"type": {"enum": [*types]}}) for name, types in SERVER_TYPES.items()
    ]
    used = {branch["then"]["$ref"].rsplit("/", 1)[1] for branch in kept}
    sources = definitions["ServerSource"]
    definitions["ServerSource"] = {name: sources[name] for name in sources if name in used}


def _if(name: str, value: str, then: Schema, required: tuple[str, ...] = ()) -> Schema:
    condition = {"properties": {name: {"const": value}}, "required": [name]}
    implied: Schema = {"properties": then}
    return {"if": condition, "then": {**implied, "required": [*required]} if required else implied}


def _narrow_table(definitions: Schema) -> None:
    table = definitions["SchemaObject"]
    measured = {"properties": {"metric": {"enum": [*metrics(of_a_column=False)]}}}
    _narrow(table, "quality", items=measured)
    _narrow(table, "properties", minItems=1)
    references = definitions["RelationshipBase"]["properties"]["to"]
    one = {"type": "string", "pattern": f"^{_plain(REFERENCE.pattern)}$"}
    definitions["RelationshipBase"]["properties"]["to"] = {
        "description": references["description"],
        "oneOf": [one, {"type": "array", "items": one, "minItems": 1}],
    }


def _narrow_column(definitions: Schema) -> None:
    column = definitions["SchemaBaseProperty"]
    _narrow(column, "logicalType", enum=[*LOGICAL_TYPES])
    _narrow(
        column, "physicalType", examples=[n for names in PHYSICAL_TYPES.values() for n in names]
    )
    _narrow(column, "classification", enum=[*Classification], examples=[])
    _narrow(column, "semanticType", enum=["column"])
    _narrow(
        column, "quality", items={"properties": {"metric": {"enum": [*metrics(of_a_column=True)]}}}
    )
    column["allOf"] = [branch for branch in column["allOf"] if _is_of_a_kept_type(branch)]
    named = definitions["SchemaProperty"]
    named["properties"] = {"name": dict(_NAME)}
    named["required"] = ["name", "logicalType"]


def _is_of_a_kept_type(branch: Schema) -> bool:
    """Whether the standard says here what a type may have that a column can be of."""
    if "if" not in branch:
        return True
    conditions = branch["if"].get("anyOf", [branch["if"]])
    return any(c["properties"]["logicalType"]["const"] in LOGICAL_TYPES for c in conditions)


def _narrow_rules(definitions: Schema) -> None:
    rule = definitions["DataQuality"]
    _narrow(rule, "severity", enum=[*SEVERITIES], examples=[])
    _narrow(rule, "unit", enum=[*Unit], examples=[])
    _narrow(rule, "name", pattern="^[A-Za-z0-9_]+$")
    _forbid(definitions["DataQualityLibrary"], "rule")
    custom = definitions["DataQualityCustom"]
    _narrow(custom, "engine", enum=[*engines(), *FOREIGN_ENGINES], examples=[])
    function = {"type": "string", "pattern": "^rules:[A-Za-z_][A-Za-z0-9_]*$"}
    custom["allOf"] = [_if("engine", CUSTOM.engine, {"implementation": function})]


def _narrow_service_levels(level: Schema) -> None:
    measured = (*FRESHNESS, *RETENTION)
    _narrow(level, "property", enum=[*measured, *DESCRIPTIVE])
    length = {"value": {"type": "number", "exclusiveMinimum": 0}, "unit": {"enum": [*UNITS]}}
    level["allOf"] = [_if("property", name, length, ("value", "unit")) for name in measured]


def _place_custom_properties(schema: Schema, definitions: Schema) -> None:
    """The mesh's own at the root, under roles, columns, relationships, functions; elsewhere none."""
    definitions["CustomProperties"] = {**custom_properties({}), "description": "Of other vendors."}
    schema["properties"]["customProperties"] = custom_properties(PLACES["contract"])
    definitions["SchemaElement"]["properties"].pop("customProperties")
    for name, place in (("SchemaBaseProperty", "column"), ("RelationshipBase", "relationship")):
        known = custom_properties(PLACES[place])
        definitions[name]["properties"]["customProperties"] = known
    role = {**definitions["Role"], "properties": dict(definitions["Role"]["properties"])}
    role["properties"]["customProperties"] = custom_properties(PLACES["role"])
    schema["properties"]["roles"] = {**schema["properties"]["roles"], "items": role}
    elsewhere = {"$ref": "#/$defs/CustomProperties"}
    serving = {"properties": {"customProperties": custom_properties(PLACES["server"])}}
    server = definitions["Server"]
    server["properties"]["customProperties"] = {"type": "array"}
    server["allOf"] = [
        *server["allOf"],
        {
            "if": {"properties": {"server": {"const": SERVING}}, "required": ["server"]},
            "then": serving,
            "else": {"properties": {"customProperties": elsewhere}},
        },
    ]
    definitions["SchemaObject"]["properties"]["customProperties"] = dict(elsewhere)
    for name in ("Team", "TeamMember", "EnumValue"):
        definitions[name]["properties"]["customProperties"] = dict(elsewhere)
    rule = definitions["DataQuality"]
    rule["properties"]["customProperties"] = {"type": "array"}
    is_function = {"properties": {"type": {"const": "custom"}}, "required": ["type"]}
    of_a_function = {"properties": {"customProperties": custom_properties(PLACES["function"])}}
    rule["allOf"] = [
        *rule["allOf"],
        {
            "if": is_function,
            "then": of_a_function,
            "else": {"properties": {"customProperties": elsewhere}},
        },
    ]


def _without_unused(schema: Schema) -> Schema:
    """The schema without the definitions that nothing refers to any more."""
    definitions: Schema = schema["$defs"]
    reached: set[str] = set()
    waiting = _references({k: v for k, v in schema.items() if k != "$defs"})
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting |= _references(definitions[name])
    kept = {name: definition for name, definition in definitions.items() if name in reached}
    return {**schema, "$defs": kept}


def _references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in _references(item)}
    if not isinstance(schema, dict):
        return set()
    found = {name for value in schema.values() for name in _references(value)}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found.add(reference.removeprefix("#/$defs/").partition("/")[0])
    return found


def _plain(pattern: str) -> str:
    """A pattern without the names of its groups, which JavaScript writes differently."""
    while "(?P<" in pattern:
        before, _, rest = pattern.partition("(?P<")
        pattern = f"{before}({rest.partition('>')[2]}"
    return pattern
