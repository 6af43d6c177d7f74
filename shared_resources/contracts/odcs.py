"""Reading a contract: an ODCS 3.2 file, strictly, into a `Contract` or into every finding at once.

Belongs here: the order of the reading and the fields at the root of the file.
Does not belong here: YAML (`source.py`), the standard's shape (`contracts/reading/standard.py`),
columns, rules and the mesh's own properties (a module each).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from shared_resources.contracts.compiling.clauses import list_clauses
from shared_resources.contracts.compiling.rules import compile_rules
from shared_resources.contracts.model import Contract, Partitioning, Server
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.columns import (
    IDENTIFIER,
    read_columns,
    refuse_physical_names,
)
from shared_resources.contracts.reading.governed.roles import read_roles
from shared_resources.contracts.reading.governed.serving import TYPES, read_serving
from shared_resources.contracts.reading.platform_properties import read_platform_properties
from shared_resources.contracts.reading.service_levels import read_service_levels
from shared_resources.contracts.reading.standard import check_standard
from shared_resources.contracts.reading.vendor import check_elsewhere
from shared_resources.contracts.serving.model import SERVING
from shared_resources.contracts.source import Source, parse_source, read_source
from shared_resources.findings import InvalidFile

STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
SERVER_TYPES: Mapping[str, tuple[str, ...]] = {
    Server.LAKE: ("iceberg", "glue", "custom"),
    Server.WAREHOUSE: ("duckdb", "snowflake", "custom"),
    SERVING: TYPES,
}
VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)


def read_contract(path: Path) -> Contract:
    """Read the contract at `path`. Raises `InvalidFile` with all of its findings."""
    return compile_contract(read_source(path))


def read_contract_text(text: str, path: Path) -> Contract:
    """Read a contract from text, as if it stood at `path`. Raises `InvalidFile`."""
    return compile_contract(parse_source(text.encode("utf-8", "surrogatepass"), path))


def compile_contract(source: Source) -> Contract:
    """The contract in a file that was parsed already. Raises `InvalidFile`."""
    root = Node.root(source)
    check_standard(root)
    _check_root(root)
    domain, name = _name(root, "domain"), _name(root, "name")
    table = _table(root, name)
    columns = read_columns(table)
    by_name = {declared.column.name: declared for declared in columns}
    platform = read_platform_properties(root, by_name)
    if "landing" not in platform.nodes and "stream" not in platform.nodes:
        refuse_physical_names(columns)
    rules = compile_rules(table, columns, platform, f"{domain}/{name}")
    table_name = table.text("name")
    elements = frozenset((table_name, *(f"{table_name}.{column}" for column in by_name)))
    levels = read_service_levels(root, elements)
    servers = _servers(root)
    plain = {name: declared.column for name, declared in by_name.items()}
    roles, serving = read_roles(root, plain), read_serving(root, plain)
    owner = _owner(root)
    if platform.partitioning is not None or "partitions" not in platform.nodes:
        _check_partition_columns(table, platform.partitioning)
    _check_vendor_properties(root)
    if root.findings:
        raise InvalidFile(root.findings)
    return Contract(
        path=source.path,
        digest=source.digest,
        text=source.raw,
        id=root.text("id"),
        domain=domain,
        name=name,
        version=root.text("version"),
        status=root.text("status", "active"),
        description=_description(root, table),
        owner=owner,
        columns=tuple(declared.column for declared in columns),
        rules=rules,
        servers=servers,
        clauses=list_clauses(root, rules),
        tags=tuple(dict.fromkeys((*root.strings("tags"), *table.strings("tags")))),
        landing=platform.landing,
        stream=platform.stream,
        partitioning=platform.partitioning,
        freshness=levels.freshness,
        retention=levels.retention,
        quarantine_retention=platform.quarantine_retention,
        loss_budget_percent=platform.loss_budget_percent,
        allow_empty=platform.allow_empty,
        always_run=platform.always_run,
        to_confirm=platform.to_confirm,
        previous_major=platform.previous_major,
        roles=roles,
        serving=serving,
    )


# With what the stores add to it (versions, batches, prefixes), it must fit into the 255 bytes of a
# file's name, Glue's and Snowflake's 255 characters.
LONGEST_NAME = 100


def _check_root(root: Node) -> None:
    version = root.get("version")
    if version and isinstance(version.value, str) and not VERSION.fullmatch(version.value):
        version.problem(f"is {version.value!r}, no semantic version", "write it as '1.0.0'")
    standard = root.get("apiVersion")
    if standard and str(standard.value).startswith("v2"):
        standard.problem(f"is {standard.value!r}, an older standard", "write v3.2.0")
    status = root.get("status")
    if status is not None and status.value not in STATUSES:
        remedy = suggest(str(status.value), STATUSES)
        status.problem(f"is {status.value!r}, which does not exist", remedy)


def _name(root: Node, field: str) -> str:
    node = root.get(field)
    if node is None:
        root.problem(f"lacks the field {field!r}", f"add `{field}:`")
        return ""
    if isinstance(node.value, str) and not IDENTIFIER.fullmatch(node.value):
        node.problem(
            f"is {node.value!r}, which cannot name a {'product' if field == 'name' else field}",
            "start with a letter and use letters, digits and `_` only",
        )
        return ""
    if isinstance(node.value, str) and len(node.value) > LONGEST_NAME:
        node.problem(
            f"has {len(node.value)} characters; folders, databases and tables are named after it",
            f"use at most {LONGEST_NAME}",
        )
        return ""
    return root.text(field)


def _table(root: Node, product: str) -> Node:
    """The one schema object; a node without fields after a finding."""
    tables = list(root.each("schema"))
    if not tables:
        field = root.get("schema")
        if field is None or field.value == []:
            root.problem("describes no table", f"add `schema:` with the object {product!r}")
        return root.nothing()
    for extra in tables[1:]:
        extra.problem("is a second table", "a product is one table; make it another product")
    table = tables[0]
    field = table.get("name")
    if field and product and field.value != product:
        field.problem(f"is {field.value!r}, but the product is {product!r}", f"write {product!r}")
    physical = table.get("physicalName")
    if physical and product and physical.value != product:
        physical.problem("differs from the product's name", f"write {product!r}, or remove it")
    return table


def _servers(root: Node) -> tuple[Server, ...]:
    found: dict[str, set[str]] = {}
    nodes = list(root.each("servers"))
    if not nodes or all(node.text("server") == SERVING for node in nodes):
        root.problem("is published nowhere", "add `servers:` with lake, warehouse or both")
    for node in nodes:
        field, name, type_ = node.get("server"), node.text("server"), node.text("type")
        if field is None:
            continue
        if name not in SERVER_TYPES:
            field.problem(f"is {name!r}, which does not exist", suggest(name, SERVER_TYPES))
            continue
        environment = node.text("environment")
        if environment in found.setdefault(name, set()):
            field.problem(f"names {name!r} a second time", "keep one, or give another environment")
        found[name].add(environment)
        if type_ and type_ not in SERVER_TYPES[name]:
            (node.get("type") or node).problem(
                f"is {type_!r}, but the {name} is {' or '.join(SERVER_TYPES[name])}",
                f"write {' or '.join(SERVER_TYPES[name])}",
            )
    return tuple(server for server in Server if server in found)


def _owner(root: Node) -> str:
    """The team's member in the role of owner; "" without one (a policy asks for it)."""
    team = root.get("team")
    if team is None:
        return ""
    members = list(team.each("members")) if isinstance(team.value, dict) else list(team.items())
    owners = [m for m in members if m.text("role") == "owner" and m.get("dateOut") is None]
    for second in owners[1:]:
        second.problem("is a second owner", "name one owner, and the others as members")
    return owners[0].text("username") if owners else ""


def _description(root: Node, table: Node) -> str:
    """Purpose, usage and limitations as paragraphs; the table's own description without them."""
    node = root.get("description")
    if node is None:
        return table.text("description").strip()
    paragraphs = [node.text("purpose").strip()]
    for field, title in (("usage", "Usage"), ("limitations", "Limitations")):
        if text := node.text(field).strip():
            paragraphs.append(f"{title}: {text}")
    return "\n\n".join(filter(None, paragraphs)) or table.text("description").strip()


def _check_partition_columns(table: Node, partitioning: Partitioning | None) -> None:
    column = partitioning.column if partitioning else ""
    for node in table.each("properties"):
        partitioned, name = node.get("partitioned"), node.text("name")
        if partitioned is not None and partitioned.value is True and name != column:
            partitioned.problem(
                f"makes {name!r} a partition column, but the custom property `partitions` does not",
                "declare `partitions` with this column, or remove it",
            )
        if partitioned is not None and partitioned.value is False and name == column:
            partitioned.problem("contradicts the custom property `partitions`", "write true")
        position = node.get("partitionKeyPosition")
        if position is not None and position.value not in ((1,) if name == column else (-1,)):
            position.problem("is no place in the partition key", "remove it")


def _check_vendor_properties(root: Node) -> None:
    """The mesh reads its own at the root, in roles, servers, columns, relationships, functions."""
    read = {root.place, *(role.place for role in root.each("roles"))}
    read |= {node.place for node in root.each("servers") if node.text("server") == SERVING}
    for table in root.each("schema"):
        read |= {column.place for column in table.each("properties")}
        for holder in (table, *table.each("properties")):
            read |= {node.place for node in holder.each("relationships")}
            functions = (node for node in holder.each("quality") if node.text("type") == "custom")
            read |= {node.place for node in functions}
    check_elsewhere(root, frozenset(read))
