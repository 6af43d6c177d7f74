"""Every statement of a contract, and whether the platform enforces it.

Belongs here: the closed list of ODCS fields with what enforces each, or why nothing does.
Does not belong here: enforcing. A field that the standard knows and this list does not is a bug,
which a test finds; a field that the standard does not know never gets here.

A clause stands for its field and everything below it, except for what has a clause of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shared_resources.contracts.file_formats import format_named
from shared_resources.contracts.model import Clause, Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.service_levels import FRESHNESS, RETENTION
from shared_resources.contracts.reading.vendor import VENDOR
from shared_resources.contracts.rules.own.custom import KIND as CUSTOM
from shared_resources.contracts.rules.registry import all_kinds
from shared_resources.contracts.serving.model import SERVING
from shared_resources.contracts.text_formats import STRING_FORMATS

Verdict = tuple[bool, str]

_READER: Verdict = (True, "the strict reader refuses another value")
_KEY: Verdict = (True, "the product's key, of which the mesh has one: policy unique_keys")
_COLUMNS: Verdict = (True, "check columns")
_DESCRIBED: Verdict = (True, "policy described; shown with the product")
_SHOWN: Verdict = (False, "shown with the product; there is nothing to check")
_FOR_READERS: Verdict = (False, "for people who read the file")
_FOR_OTHER_TOOLS: Verdict = (False, "for other tools; the platform does not read it")
_EVERY_PUBLISH: Verdict = (False, "every rule runs before every publish, whatever its schedule")
_NOTHING_ASKED: Verdict = (False, "asks for nothing")

_COMMON: Mapping[str, Verdict] = {
    "id": _FOR_OTHER_TOOLS,
    "authoritativeDefinitions": _FOR_READERS,
    "synonyms": _FOR_READERS,
    "context": _FOR_READERS,
    "tags": _SHOWN,
    "businessName": _SHOWN,
    "deprecated": _SHOWN,
}
_ROOT: Mapping[str, Verdict] = {
    **_COMMON,
    "id": (True, "policies naming and unique_keys"),
    "apiVersion": _READER,
    "kind": _READER,
    "name": _KEY,
    "domain": _KEY,
    "status": (True, "only active and deprecated contracts publish"),
    "version": (
        True,
        "the strict reader; recorded with every version, never lower than the last one",
    ),
    "tenant": _FOR_OTHER_TOOLS,
    "dataProduct": _FOR_OTHER_TOOLS,
    "support": _FOR_READERS,
    "price": _FOR_READERS,
    "roles": (True, "the door: what a reader sees whose agreement names the role"),
    "slaDefaultElement": (False, "deprecated; a service level is about the whole product"),
    "contractCreatedTs": _FOR_READERS,
}
_TABLE: Mapping[str, Verdict] = {
    **_COMMON,
    "name": _KEY,
    "logicalType": _READER,
    "physicalName": _READER,
    "physicalType": (False, "the stores decide between table and view"),
    "description": _SHOWN,
    "dataGranularityDescription": _FOR_READERS,
}
_PROPERTY: Mapping[str, Verdict] = {
    **_COMMON,
    "name": _COLUMNS,
    "logicalType": _COLUMNS,
    "physicalType": _COLUMNS,
    "physicalName": (True, "what landed files call the column, where it is not its name"),
    "description": _DESCRIBED,
    "semanticType": _READER,
    "classification": (True, "policy classified; samples of failing rows mask classified columns"),
    "primaryKeyPosition": (True, "check primary_key"),
    "partitionKeyPosition": _READER,
    "encryptedName": _FOR_OTHER_TOOLS,
    "transformSourceObjects": (
        True,
        "the column's lineage: policies classification_kept and lineage_exists; in the evidence",
    ),
    "transformLogic": _FOR_READERS,
    "transformDescription": _FOR_READERS,
    "examples": _FOR_READERS,
    "criticalDataElement": _FOR_READERS,
    "items": _READER,
    "map": _READER,
    "properties": _READER,
}
# What may stand in a rule or relationship beside what it checks.
_BESIDE_A_RULE: Mapping[str, Verdict] = {
    "id": _FOR_OTHER_TOOLS,
    "authoritativeDefinitions": _FOR_READERS,
    "businessImpact": _FOR_READERS,
    "method": _FOR_READERS,
    "tags": _FOR_READERS,
    "schedule": _EVERY_PUBLISH,
    "scheduler": _EVERY_PUBLISH,
}
_SERVICE_LEVEL: Mapping[str, Verdict] = {
    "id": _FOR_OTHER_TOOLS,
    "authoritativeDefinitions": _FOR_READERS,
    "description": _FOR_READERS,
    "driver": _FOR_READERS,
    "valueExt": _FOR_READERS,
    "element": (False, "freshness and retention are the whole product's"),
    "schedule": (False, "automation publishes when the inputs do; freshness is what is promised"),
    "scheduler": (False, "automation publishes when the inputs do; freshness is what is promised"),
}
_PLATFORM: Mapping[str, str] = {
    "landing": "the sensor and the reader of the landing zone; check parse",
    "stream": "`mesh stream`: rows and thresholds by window, keys and references over what is published",
    "partitions": "publishing replaces whole days; check partition",
    "lossBudgetPercent": "the audit: failing rows within it go to quarantine, over it the batch",
    "mayBeAbsent": "the reader of the landing zone: a file that may lack the column has nulls",
    "quarantineDays": "housekeeping keeps what was rejected so long",
    "anonymisation": "policy classification_kept; of an aggregation, check minimum_group",
    "subject": "`mesh erase` finds a subject's rows by it",
    "renamedFrom": "what is published under the old name is read under this one; with `until`, readers "
    "are given the old name, too",
    "toConfirm": "`mesh check` reports it until somebody has confirmed it and removed it",
    "previousMajor": "an earlier major version, made, pinned by `name@major` and retired by it",
    "columns": "the columns that are served by the key",
    "graceMinutes": "how long a generation that was replaced is kept for readers that are at it",
    "generations": "how many generations are kept at most",
    "alwaysRun": "whether `mesh run` makes it again although nothing that it is made of has changed",
}

# What stands for a field wherever it stands, by the part of a contract: for whoever explains contracts.
VERDICTS: Mapping[str, Mapping[str, Verdict]] = {
    "contract": _ROOT,
    "table": _TABLE,
    "column": _PROPERTY,
    "rule": _BESIDE_A_RULE,
    "service level": _SERVICE_LEVEL,
    "mesh": {name: (True, how) for name, how in _PLATFORM.items()},
}


def list_clauses(root: Node, rules: tuple[Rule, ...]) -> tuple[Clause, ...]:
    """Every clause of a valid contract, in the order of the file."""
    found = list(_Lister(root, rules).clauses())
    return tuple(sorted(found, key=lambda clause: clause.line))


class _Lister:
    def __init__(self, root: Node, rules: tuple[Rule, ...]) -> None:
        self._root = root
        self._names = {rule.name for rule in rules}
        self._by_clause = {rule.clause: rule for rule in rules}
        # The first kind that enforces a field is the one that says so.
        kinds = list(reversed(all_kinds().values()))
        self._enforced = {name: checks for kind in kinds for name, checks in kind.enforces.items()}

    def clauses(self) -> Iterator[Clause]:
        special: dict[str, Callable[[Node], Iterator[Clause]]] = {
            "team": self._team,
            "servers": self._servers,
            "slaProperties": self._service_levels,
            "schema": self._schema,
            "customProperties": self._custom_properties,
        }
        for name, field in self._root.fields():
            if name in special:
                yield from special[name](field)
            elif name == "description":
                for part, text in field.fields():
                    said = part in ("purpose", "usage", "limitations")
                    yield _clause(text, _DESCRIBED if said else _FOR_READERS)
            else:
                yield _clause(field, _ROOT[name])

    def _team(self, team: Node) -> Iterator[Clause]:
        yield _clause(team, _FOR_READERS)
        members = team.each("members") if isinstance(team.value, dict) else team.items()
        for member in members:
            owner = member.text("role") == "owner" and member.get("dateOut") is None
            for name, field in member.fields():
                if owner and name in ("username", "role"):
                    yield _clause(field, (True, "policy owner_known_to_domain; the asset's owner"))

    def _servers(self, servers: Node) -> Iterator[Clause]:
        for server in servers.items():
            to = server.text("server")
            how = "served by the key" if to == SERVING else f"published to the {to}"
            for name, field in server.fields():
                if name in ("server", "type"):
                    yield _clause(field, (True, how))
                elif name == "customProperties":
                    yield from self._custom_properties(field)
                else:
                    yield _clause(field, (False, "the environment says where each store is"))

    def _service_levels(self, levels: Node) -> Iterator[Clause]:
        for level in levels.items():
            kind = level.text("property")
            if kind in FRESHNESS:
                verdict = (True, "the asset's freshness policy; policy service_levels_declared")
            elif kind in RETENTION:
                verdict = (True, "versions are kept so long; policy service_levels_declared")
            else:
                verdict = (False, f"the platform does not measure {kind}")
            yield _clause(level, verdict)
            yield from self._beside(level, _SERVICE_LEVEL)

    def _schema(self, schema: Node) -> Iterator[Clause]:
        for table in schema.items():
            for name, field in table.fields():
                if name == "properties":
                    for column in field.items():
                        yield from self._column(column)
                elif name in ("quality", "relationships"):
                    yield from self._rules(field)
                elif name == "customProperties":
                    yield from self._custom_properties(field)
                else:
                    yield _clause(field, _TABLE[name])

    def _column(self, column: Node) -> Iterator[Clause]:
        name = column.text("name")
        for field_name, field in column.fields():
            if field_name in ("quality", "relationships"):
                yield from self._rules(field)
            elif field_name == "customProperties":
                yield from self._custom_properties(field)
            elif field_name == "logicalTypeOptions":
                for option, value in field.fields():
                    yield _clause(value, self._option(name, option, value))
            else:
                yield _clause(field, self._property(name, field_name, field))

    def _property(self, column: str, name: str, field: Node) -> Verdict:
        if checks := self._enforced.get(name):
            if field.value is False:
                return _NOTHING_ASKED
            return self._check(*(check.format(column=column) for check in checks))
        if name == "physicalType" and "(" in field.value and f"length_{column}" in self._names:
            return True, f"check columns; check length_{column}"
        return _PROPERTY[name]

    def _option(self, column: str, name: str, field: Node) -> Verdict:
        for kind in all_kinds().values():
            if name in kind.enforces_options:
                return self._check(f"{kind.enforces_options[name]}_{column}")
        if name == "timezone" or field.value in ("i32", "i64", "f32", "f64"):
            return _COLUMNS
        if name == "format":
            return self._format(column, str(field.value))
        if name == "defaultTimezone":
            return (
                False,
                "a timestamp without a zone gets none, but by a `format` without one (UTC)",
            )
        return _READER

    def _format(self, column: str, format_: str) -> Verdict:
        if f"format_{column}" in self._names:
            return self._check(f"format_{column}")
        if format_ in STRING_FORMATS:
            return False, "says how the text is treated, not which text it is"
        for item in self._root.each("customProperties"):
            landing = item.get("value") if item.text("property") == "landing" else None
            form = format_named(landing.text("format")) if landing is not None else None
            if form is not None and "encoding" in form.options:
                return True, "landed text is read by it; check parse"
        return False, "describes text, and this product reads none"

    def _check(self, *names: str) -> Verdict:
        return True, f"check {next(name for name in names if name in self._names)}"

    def _rules(self, rules: Node) -> Iterator[Clause]:
        for node in rules.items():
            rule = self._by_clause.get(node.path)
            if rule is not None:
                yield _clause(node, (True, f"check {rule.name} ({rule.severity.value})"))
            elif node.text("type") == "custom":
                reason = f"engine {node.text('engine')} is not run; write it for {CUSTOM.engine}"
                yield _clause(node, (False, reason))
            else:
                yield _clause(node, (False, "prose: write it as a library, sql or custom rule"))
            yield from self._beside(node, _BESIDE_A_RULE)

    def _beside(self, node: Node, table: Mapping[str, Verdict]) -> Iterator[Clause]:
        """The fields of an item that are not enforced though the item is."""
        for name, field in node.fields():
            if name in table:
                yield _clause(field, table[name])
            elif name == "customProperties":
                for item in field.items():
                    if item.text("vendor") != VENDOR:
                        yield _clause(item, _FOR_OTHER_TOOLS)

    def _custom_properties(self, properties: Node) -> Iterator[Clause]:
        for item in properties.items():
            name = item.text("property")
            if (rule := self._by_clause.get(item.path)) is not None:
                # Of a kind of rule that another distribution adds.
                yield _clause(item, (True, f"check {rule.name} ({rule.severity.value})"))
            elif item.text("vendor") != VENDOR:
                yield _clause(item, _FOR_OTHER_TOOLS)
            elif name == "allowEmpty":
                empty = "an empty batch is published" if item.flag("value") else "check not_empty"
                yield _clause(item, (True, empty))
            else:
                yield _clause(item, (True, _PLATFORM[name]))


def _clause(node: Node, verdict: Verdict) -> Clause:
    enforced, how = verdict
    return Clause(node.path, node.line, enforced, how)
