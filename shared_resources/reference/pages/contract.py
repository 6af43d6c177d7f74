"""The page of the contract: every field of ODCS, and what this platform makes of it.

Belongs here: the parts of a contract, the order of their fields, words for those whose verdict
depends on the contract. Does not belong here: the verdicts of the others
(`contracts/compiling/clauses.py`), the forms of values (`schemas/contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared_resources.contracts.compiling.clauses import VERDICTS, Verdict
from shared_resources.contracts.compiling.quality import metrics
from shared_resources.contracts.reading.logical_types import (
    LOGICAL_TYPES,
    PHYSICAL_TYPES,
    REFUSED_TYPES,
)
from shared_resources.contracts.reading.service_levels import DESCRIPTIVE, FRESHNESS, RETENTION
from shared_resources.contracts.reading.standard import standard_schema
from shared_resources.contracts.text_formats import STRING_FORMATS, SUPPORTED
from shared_resources.reference.described import Schema, described
from shared_resources.reference.pages.contract_parts import PARTS, REFUSED, Part
from shared_resources.reference.pages.markdown import code, page, table
from shared_resources.reference.schemas.contract import contract_schema
from shared_resources.reference.schemas.mesh_properties import PLACES

_INTRODUCTION = """
A product's contract is one file of the Open Data Contract Standard (ODCS) 3.2,
`domains/<domain>/products/<product>/contract.odcs.yaml`. It is read strictly: a field that the standard
does not know, a value that this platform does not know, and a property of vendor `mesh` that it does
not know are errors of `mesh check`, with file, line and remedy. A field of the standard is one of

- **enforced**: something breaks if it is not kept; the page names the check, the policy or the reader;
- *read*: kept and shown, or left to people and other tools; the page says why nothing enforces it;
- **refused**: the standard has it, this platform does not take it.

`mesh check --clauses order/transactions` lists the same for one contract, line by line. Editors complete
and mark a file that begins with
`# yaml-language-server: $schema=../../../../docs/reference/schemas/contract.schema.json`.
"""
_METRICS: Mapping[str, str] = {
    "nullValues": "rows in which the column is null",
    "missingValues": "rows in which it is null or one of `arguments.missingValues`",
    "invalidValues": "rows whose value is not null and breaks `arguments`: `validValues`, `pattern` "
    "(text), `minimum`, `maximum` and their exclusive forms (numbers, dates, timestamps)",
    "duplicateValues": "rows whose value, or values of `arguments.properties`, another row has too",
    "rowCount": "rows of the batch",
}


def contract_page() -> str:
    blocks = [_INTRODUCTION]
    for part in PARTS:
        blocks += [f"## {part.title}", part.introduction, _fields(part)]
        blocks += _besides(part)
    return page("The contract", *(block for block in blocks if block))


def _besides(part: Part) -> Iterator[str]:
    """What a part has beside its table of fields."""
    match part.name:
        case "column":
            yield "### Types"
            yield _types()
            yield "### `logicalTypeOptions`"
            yield _options()
            yield (
                f"Formats of text: {code(STRING_FORMATS)}. "
                f"Parts of a date's or timestamp's: {SUPPORTED}."
            )
        case "rule":
            yield table(("`metric`", "under", "counts"), _metrics())
        case "service level":
            yield table(("`property`", "what the platform makes of it"), _levels())
    known = PLACES.get(part.properties, {})
    if known:
        yield f"### `customProperties` of vendor `mesh`: {part.title.lower()}"
        yield table(("`property`", "value", "what it is for"), _properties(known))


def _fields(part: Part) -> str:
    standard, narrowed = standard_schema(), contract_schema()
    names = [name for place in part.definitions for name in _of(standard, place)]
    forms = {n: form for place in part.definitions for n, form in _of(narrowed, place).items()}
    verdicts: dict[str, Verdict] = {**VERDICTS.get(part.name, {}), **part.verdicts}
    refused = {name: REFUSED[name] for name in names if name not in forms}
    rows = []
    for name, verdict in described(dict.fromkeys(names), _chosen(verdicts, names)).items():
        enforced, how = verdict
        if name in refused:
            rows.append((f"`{name}`", "", f"**refused**: {refused[name]}"))
        else:
            how = f"**enforced**: {how}" if enforced else how
            rows.append((f"`{name}`", _form(forms[name]), how))
    return table(("field", "form", "what the platform makes of it"), rows)


def _chosen(verdicts: Mapping[str, Verdict], names: list[str]) -> dict[str, Verdict]:
    """The verdicts of a part's own fields: some tables hold the shared ones of several parts."""
    return {name: verdict for name, verdict in verdicts.items() if name in names}


def _of(schema: Schema, definition: str) -> dict[str, Any]:
    found = schema["$defs"][definition] if definition else schema
    return dict(found.get("properties", {}))


def _form(schema: Schema) -> str:
    """What a value looks like, in few words."""
    if "enum" in schema:
        return code(schema["enum"]) if len(schema["enum"]) <= 12 else "see below"
    if "$ref" in schema:
        return _REFERENCES.get(schema["$ref"].rsplit("/", 1)[1], "a mapping")
    for several in ("anyOf", "oneOf"):
        if several in schema:
            forms = dict.fromkeys(_form(branch) for branch in schema[several])
            return " or ".join(form for form in forms if form)
    kind = schema.get("type", "")
    kinds = [kind] if isinstance(kind, str) else kind
    return " or ".join(_KINDS.get(kind, "") for kind in kinds)


_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true, false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_REFERENCES = {
    "StableId": "text",
    "Tags": "a list of texts",
    "AuthoritativeDefinitions": "a list",
    "CustomProperties": "a list",
    "DataQualityChecks": "a list",
    "Support": "a list",
    "Synonyms": "a list",
    "Context": "text or a mapping",
    "AnyType": "any value",
    "ShorthandReference": "text",
    "FullyQualifiedReference": "text",
    "AnyNonCollectionType": "a single value",
}


def _types() -> str:
    rows = [
        (f"`{logical}`", f"`{default}`", code(PHYSICAL_TYPES[logical]))
        for logical, default in LOGICAL_TYPES.items()
    ]
    rows += [(f"`{name}`", "**refused**", remedy) for name, remedy in REFUSED_TYPES.items()]
    return table(("`logicalType`", "stored as", "`physicalType`, in any case"), rows)


def _options() -> str:
    """Each option with the types that have it, as the narrowed schema gives them."""
    of: dict[str, list[str]] = {}
    forms: dict[str, Schema] = {}
    column = contract_schema()["$defs"]["SchemaBaseProperty"]
    for branch in column["allOf"]:
        if "if" not in branch:
            continue
        options = branch["then"]["properties"]["logicalTypeOptions"]["properties"]
        for condition in branch["if"].get("anyOf", [branch["if"]]):
            logical = condition["properties"]["logicalType"]["const"]
            if logical in LOGICAL_TYPES:
                for name, form in options.items():
                    of.setdefault(name, []).append(logical)
                    forms.setdefault(name, form)
    rows = [
        (f"`{name}`", code(of[name]), how)
        for name, how in described(of, _OPTIONS).items()
    ]  # fmt: skip
    return table(("option", "of", "what the platform makes of it"), rows)


_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("minimum", "maximum"), "**enforced**: check `range_<column>`"),
    **dict.fromkeys(
        ("exclusiveMinimum", "exclusiveMaximum"), "**enforced**: check `range_<column>`"
    ),
    **dict.fromkeys(("minLength", "maxLength"), "**enforced**: check `length_<column>`"),
    "pattern": "**enforced**: check `pattern_<column>`; of the subset of regular expressions that "
    "every engine reads alike",
    "multipleOf": "**enforced**: check `multiple_of_<column>`",
    "format": "of text **enforced**, check `format_<column>`, where it says which text it is; of "
    "numbers `i32`, `i64`, `f32`, `f64`, **enforced** as the stored width; of dates and timestamps "
    "the pattern by which landed text is read",
    "timezone": "**enforced**: whether the column's moments have a zone, check `columns`",
    "defaultTimezone": "UTC alone, and only for landed text of a column with a zone whose `format` has "
    "none; elsewhere a timestamp without a zone gets none",
}


def _metrics() -> Iterator[tuple[str, ...]]:
    both = dict.fromkeys((*metrics(of_a_column=True), *metrics(of_a_column=False)))
    for name, counts in described(both, _METRICS).items():
        under = [
            word
            for word, metrics in (
                ("a column", metrics(of_a_column=True)),
                ("the table", metrics(of_a_column=False)),
            )
            if name in metrics
        ]
        yield f"`{name}`", " or ".join(under), counts


def _levels() -> Iterator[tuple[str, ...]]:
    yield (
        code(FRESHNESS),
        "**enforced**: the asset's freshness policy; the shorter of the two counts",
    )
    yield code(RETENTION), "**enforced**: versions are kept so long, and removed after it"
    yield code(DESCRIPTIVE), "shown; the platform does not measure it"


def _properties(known: Mapping[str, Schema]) -> Iterator[tuple[str, ...]]:
    for name, schema in known.items():
        yield f"`{name}`", _value(schema), schema["description"]
        for field, inner in schema.get("properties", {}).items():
            needed = " (needed)" if field in schema["required"] else ""
            yield f"`{name}.{field}`{needed}", _value(inner), inner["description"]


def _value(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = f" from {least} to {most:,}" if least is not None and most is not None else ""
    if "anyOf" in schema:
        return " or ".join(_value(branch) for branch in schema["anyOf"])
    if "pattern" in schema:
        return "a day"
    return _form(schema) + bounds
