"""Changes of a product's columns and of its key.

Belongs here: columns that come, go and change, in each of their clauses but the rules.
Does not belong here: rules on columns (`rules.py`), what a widened type is (`contracts/promise.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from shared_resources.contracts.changes.change import (
    Change,
    breaking,
    compatible,
    cosmetic,
    either,
)
from shared_resources.contracts.changes.rules import never_repeats
from shared_resources.contracts.model import Classification, Column, Contract
from shared_resources.contracts.promise import widens
from shared_resources.contracts.text_formats import STRING_FORMATS
from shared_resources.contracts.types import Family


def column_changes(was: Contract, now: Contract) -> Iterator[Change]:
    before, after = _by_name(was), _by_name(now)
    for name, column in before.items():
        if name not in after:
            yield breaking(_place(was, name), f"column {name} is gone", name)
            continue
        yield from _of_column(_place(now, name), column, after[name])
        yield from _repeats(was, now, column, after[name])
    for name, column in after.items():
        if name not in before:
            place = _place(now, name)
            yield compatible(place, f"column {name} is new", name, line=column.line)
    yield from _key(was, now)
    stay = [name for name in before if name in after]
    if stay != [name for name in after if name in before]:
        place = f"schema.{now.name}.properties"
        yield compatible(place, "the columns stand in another order")


def _by_name(contract: Contract) -> dict[str, Column]:
    return {column.name: column for column in contract.columns}


def _place(contract: Contract, column: str) -> str:
    return f"schema.{contract.name}.properties.{column}"


def _of_column(place: str, was: Column, now: Column) -> Iterator[Change]:
    name, line = now.name, now.line
    if was.type != now.type:
        widened = widens(was.type, now.type)
        said = f"{name} from {was.type} to {now.type}"
        message = f"the type is wider: {said}" if widened else f"the type changes: {said}"
        yield either(not widened, f"{place}.logicalType", message, name, line=line)
    if was.required != now.required:
        said = f"{name} may now be null" if was.required else f"{name} is never null any more"
        yield either(was.required, f"{place}.required", said, name, line=line)
    if was.classification != now.classification:
        yield _classified(place, was, now)
    if was.absent_before != now.absent_before:
        yield _absent(place, was, now)
    yield from _landed(place, was, now)
    if was.anonymisation != now.anonymisation:
        yield _anonymised(place, was, now)
    for field, one, other in (
        ("description", was.description, now.description),
        ("businessName", was.business_name, now.business_name),
        ("tags", was.tags, now.tags),
        ("transformSourceObjects", was.made_from, now.made_from),
        ("customProperties.toConfirm", was.to_confirm, now.to_confirm),
        ("customProperties.subject", was.subject, now.subject),
    ):
        if one != other:
            yield cosmetic(f"{place}.{field}", f"{name}: another {field}", name, line=line)


def _repeats(was: Contract, now: Contract, column: Column, after: Column) -> Iterator[Change]:
    if column.unique == after.unique:
        return
    name = column.name
    breaks = column.unique and not never_repeats(now, name)
    said = f"values of {name} may repeat now" if breaks else f"no value of {name} repeats"
    if column.unique and not breaks:
        said += ", as another clause says now"
    yield either(breaks, f"{_place(now, name)}.unique", said, name, line=after.line)


def _classified(place: str, was: Column, now: Column) -> Change:
    """What becomes classified is masked wherever a person looks; so is what nobody classified."""
    hidden = _is_hidden(now.classification) and not _is_hidden(was.classification)
    said = (
        f"the classification of {now.name} is {_said(now.classification)} and was "
        f"{_said(was.classification)}" + (": people see it masked" if hidden else "")
    )
    return either(hidden, f"{place}.classification", said, now.name, line=now.line)


def _anonymised(place: str, was: Column, now: Column) -> Change:
    """Who joins by a hashed value, or reads a rounded one, gets others by another method."""
    methods = [one.anonymisation.method if one.anonymisation else None for one in (was, now)]
    said = (
        f"{now.name} is anonymised by {methods[1]} and was by {methods[0]}"
        if all(methods) and methods[0] != methods[1]
        else f"{now.name} is anonymised by {methods[1]}, in other groups than before"
        if all(methods)
        else f"{now.name} is anonymised by {methods[1]}"
        if methods[1]
        else f"{now.name} is not anonymised any more"
    )
    clause = f"{place}.customProperties.anonymisation"
    return either(methods[0] != methods[1], clause, said, now.name, line=now.line)


def _is_hidden(classification: Classification | None) -> bool:
    return classification is None or classification.classified


def _said(classification: Classification | None) -> str:
    return classification.value if classification is not None else "not named"


def _absent(place: str, was: Column, now: Column) -> Change:
    """Of days before the one that is named a value may be null that came with every file."""
    later = now.absent_before is not None and (
        was.absent_before is None or now.absent_before > was.absent_before
    )
    if now.absent_before is None:
        said = f"every file has {now.name}"
    elif now.absent_before == date.max:
        said = f"any file may lack {now.name}"
    else:
        said = f"files of days before {now.absent_before} may lack {now.name}"
    clause = f"{place}.customProperties.mayBeAbsent"
    return either(later, clause, said, now.name, line=now.line)


def _landed(place: str, was: Column, now: Column) -> Iterator[Change]:
    """What concerns those who land files, and no reader; but for how a text is to be taken."""
    if was.landed_as != now.landed_as:
        said = (
            f"landed files call {now.name} {now.landed_as or now.name}; they called it "
            f"{was.landed_as or was.name}"
        )
        yield compatible(f"{place}.physicalName", said, now.name, line=now.line)
    one, other = was.text_format, now.text_format
    # Formats with a pattern are rules; of other types they say how landed text is read.
    if one == other or was.type.family is not now.type.family:
        return
    clause = f"{place}.logicalTypeOptions.format"
    if now.type.family is not Family.STRING:
        said = f"landed text is read as {other or 'ISO 8601'}"
        yield compatible(clause, f"{now.name}: {said}", now.name, line=now.line)
    elif {one, other} & _TREATED:
        said = f"{now.name} is to be taken as {other or 'text'} and was as {one or 'text'}"
        yield breaking(clause, said, now.name, line=now.line)


# Formats without a pattern: what the text stands for.
_TREATED = frozenset(name for name, pattern in STRING_FORMATS.items() if pattern is None)


def _key(was: Contract, now: Contract) -> Iterator[Change]:
    one, other = was.primary_key, now.primary_key
    if one == other:
        return
    clause = f"schema.{now.name}.properties.primaryKey"
    if not one:
        said = f"the primary key is ({', '.join(other)}) and was none"
        yield compatible(clause, said, *other)
        return
    shown = f"({', '.join(other)})" if other else "none"
    yield breaking(clause, f"the primary key was ({', '.join(one)}) and is {shown}", *one)
