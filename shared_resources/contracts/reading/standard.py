"""Whether a file has the shape of ODCS: the standard's own JSON schema, read more strictly than it.

Belongs here: validating raw YAML against the schema and saying in plain words what is wrong.
Does not belong here: what the fields mean, or which of them the platform supports (`contracts/odcs.py`).

The schema leaves some objects open (`description`, for one) and names an unknown field in ways
that help nobody, so unknown fields are looked for here, at every depth, from its `properties`.

A contract may have thousands of columns of few shapes (`repeated.py`): each shape is looked at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.model import Operator
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.keeping import CannotTell, Keeping, is_integer
from shared_resources.contracts.reading.repeated import Shapes, referred

if TYPE_CHECKING:
    # Imported where something is wrong, or cannot be told without it: hardly ever.
    from jsonschema import ValidationError

Schema = dict[str, Any]
_OPERATORS = frozenset(operator.value for operator in Operator)
_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of fields",
    "null": "nothing",
}
_PATTERNS = {
    "^[A-Za-z0-9_-]+$": "use letters, digits, `_` and `-` only",
    "^sftp://.*": "start it with sftp://",
}


def _found_by_name(*_: object) -> Iterator[ValidationError]:
    """The keyword `unevaluatedProperties`: what it finds is found by `_check_known`.

    It validates everything anew, several times over, and says nothing that is shown. No branch that
    decides on another has it: a test sees to that.
    """
    return iter(())


def _items(validator: Any, wanted: Any, found: Any, schema: Schema) -> Iterator[ValidationError]:
    """The keyword `items`, which looks at each shape once."""
    if not isinstance(wanted, dict) or not isinstance(found, list):
        from jsonschema import Draft201909Validator

        yield from Draft201909Validator.VALIDATORS["items"](validator, wanted, found, schema)
        return
    sound = _sound()[0]
    for position, item in enumerate(found):
        shape = sound.of(item, [wanted])
        if sound.knows(shape):
            continue
        errors = list(validator.descend(item, wanted, path=position))
        if not errors:
            sound.add(shape)
        yield from errors


@cache
def standard_schema() -> Schema:
    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    schema: Schema = json.loads(text)
    return schema


@cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator, validators

    # Numbers with a point are Decimals, which the library takes for numbers, but never for whole ones.
    checker = Draft201909Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: is_integer(value)
    )
    ours: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft201909Validator,
        {"unevaluatedProperties": _found_by_name, "items": _items},
        type_checker=checker,
    )
    return ours(standard_schema())


@cache
def _sound() -> tuple[Shapes, Shapes]:
    """What was found to be sound: by the schema itself, and by the names of its fields."""
    return Shapes(standard_schema()), Shapes(standard_schema())


@cache
def _keeping() -> Keeping:
    return Keeping(standard_schema(), _sound()[0])


def check_standard(root: Node) -> None:
    """Add a finding to `root.findings` for everything in which the file is not ODCS."""
    _check_known(root, [standard_schema()])
    if not _keeps(root.value, standard_schema(), otherwise=lambda: False):
        for error in _validator().iter_errors(root.value):
            _report(root, error)


def _keeps(value: Any, schema: Schema, otherwise: Callable[[], bool]) -> bool:
    """Whether the value keeps the schema; where that cannot be told at once, what `otherwise` says."""
    try:
        return _keeping().keeps(value, schema)
    except CannotTell:
        return otherwise()


# Unknown fields ------------------------------------------------------------------------------


def _check_known(node: Node, schemas: list[Schema]) -> None:
    if isinstance(node.value, float) and not math.isfinite(node.value):
        node.broken_by(f"is {node.value}, which is no finite number", "give a finite number")
    if not isinstance(node.value, dict | list):
        return
    applying = list(_applying(node.value, schemas))
    names = _names(applying)
    if names is not None and not _of_no_kind(node, applying):
        node.unknown_fields(names)
    for name, field in node.fields():
        _check_known(field, _below(applying, name))
    sound, each = _sound()[1], _below(applying, 0)
    for item in node.items():
        shape = sound.of(item.value, each)
        if sound.knows(shape):
            continue
        before = len(node.broken)  # what is complained about here is broken, every time
        _check_known(item, each)
        if len(node.broken) == before:
            sound.add(shape)


def _of_no_kind(node: Node, applying: list[Schema]) -> bool:
    """Whether the `type` that decides on the other fields does not exist itself."""
    kind = node.get("type")
    allowed = [
        s["properties"]["type"].get("enum") for s in applying if "type" in s.get("properties", ())
    ]
    return kind is not None and any(names and kind.value not in names for names in allowed)


def _names(applying: list[Schema]) -> frozenset[str] | None:
    closed = [schema["properties"] for schema in applying if "properties" in schema]
    return frozenset(name for properties in closed for name in properties) if closed else None


def _below(applying: list[Schema], step: str | int) -> list[Schema]:
    if isinstance(step, int):
        return [schema["items"] for schema in applying if "items" in schema]
    return [s["properties"][step] for s in applying if step in s.get("properties", ())]


def _applying(value: Any, schemas: list[Schema]) -> Iterator[Schema]:
    """`schemas` and all that they pull in for this value: references, branches, conditions."""
    kind = "object" if isinstance(value, dict) else "array"
    for schema in schemas:
        if kind == "object" and "default" in schema.get("properties", {}).get("type", ()):
            # A quality rule without a type is a library rule, and has the fields of one.
            value = {"type": schema["properties"]["type"]["default"], **value}
        if schema.get("type", kind) != kind:
            continue
        yield schema
        pulled = list(schema.get("allOf", ()))
        if "$ref" in schema:
            pulled.append(_definition(schema["$ref"]))
        for branch in ("oneOf", "anyOf"):
            pulled += schema.get(branch, ())
        if "if" in schema:
            asked = partial(_is_valid, value, schema["if"])
            pulled += [schema["then"]] if _keeps(value, schema["if"], asked) else []
        yield from _applying(value, pulled)


def _is_valid(value: Any, schema: Schema) -> bool:
    return bool(_validator().evolve(schema=schema).is_valid(value))


def _definition(reference: str) -> Schema:
    schema: Schema = referred(standard_schema(), reference)
    return schema


# Everything else -----------------------------------------------------------------------------


def _report(root: Node, error: ValidationError) -> None:
    if error.validator in ("unevaluatedProperties", "additionalProperties"):
        return  # found by name above
    if _left_to_meaning(error) or _of_no_type(error):
        return
    if error.validator in ("oneOf", "anyOf"):
        from jsonschema.exceptions import best_match

        error = best_match([error]) or error
        if error.validator in ("unevaluatedProperties", "additionalProperties"):
            return
    node = _at(root, error)
    message, remedy = _explain(error)
    if error.validator == "required":
        node.problem(message, remedy)
    else:
        node.broken_by(message, remedy)


def _left_to_meaning(error: ValidationError) -> bool:
    """What the readers of quality rules and relationships report in better words themselves."""
    place = list(error.absolute_path)
    if "relationships" in place:
        rest = place[place.index("relationships") + 1 :]
        if rest[1:2] in (["to"], ["from"]) or error.validator in ("oneOf", "not"):
            return True
    branches = error.schema.get("oneOf", ()) if isinstance(error.schema, dict) else ()
    operators = {name for branch in branches for name in branch.get("required", ())}
    return bool(operators & _OPERATORS)


def _of_no_type(error: ValidationError) -> bool:
    """What only columns of some type need: to JSON schema a column without one meets any condition."""
    return (
        error.validator == "required"
        and "then" in error.absolute_schema_path
        and list(error.absolute_path)[-2:-1] == ["properties"]
        and isinstance(error.instance, dict)
        and "logicalType" not in error.instance
    )


def _at(root: Node, error: ValidationError) -> Node:
    node = root
    for step in error.absolute_path:
        node = node.below(step, node.value[step])
    return node


def _explain(error: ValidationError) -> tuple[str, str]:
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else list(wanted)
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            quoted = "; put it in quotes" if kinds == ["string"] and not _container(given) else ""
            return f"must be {expected}, not {_shown(given)}", f"write {expected}{quoted}"
        case "required":
            missing = [name for name in wanted if name not in given]
            # jsonschema reports each missing field on its own; the message names which
            name = next((m for m in missing if repr(m) in error.message), missing[0])
            return f"lacks the field {name!r}", f"add `{name}:`"
        case "enum":
            return f"is {_shown(given)}, which does not exist", suggest(
                str(given), map(str, wanted)
            )
        case "pattern":
            return f"is {_shown(given)}, which is not allowed here", _PATTERNS.get(
                wanted, f"make it match {wanted}"
            )
        case "minItems" | "maxItems":
            word = "at least" if error.validator == "minItems" else "at most"
            return f"has {len(given)} items", f"give it {word} {wanted}"
        case "uniqueItems":
            return "names the same thing twice", "keep one of the two"
        case "minimum":
            return f"is {_shown(given)}", f"make it {wanted} or more"
        case "exclusiveMinimum":
            return f"is {_shown(given)}", f"make it more than {wanted}"
    return error.message, "see the Open Data Contract Standard 3.2"


def _container(value: Any) -> bool:
    return isinstance(value, dict | list)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping of fields"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
