"""Changes of what a contract's roles show.

Belongs here: a role that goes or comes, its columns, its masks, its rows.
Does not belong here: who has a role (agreements), what the columns hold (`columns.py`).

Whoever has the role reads less, or other values, at his next reading: that breaks him. What is shown
beside that, or no longer masked, breaks nobody; whether it may be shown is for the purposes to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared_resources.contracts.changes.change import Change, breaking, compatible, cosmetic
from shared_resources.contracts.model import Contract
from shared_resources.contracts.roles.model import Role


def role_changes(was: Contract, now: Contract) -> Iterator[Change]:
    for role in was.roles:
        if (later := now.role(role.name)) is None:
            said = f"the role {role.name} is gone: who has it sees nothing any more"
            yield replace(breaking("roles", said), role=role.name)
        else:
            changes = _changes(role, later, was, now)
            yield from (replace(change, role=role.name) for change in changes)
    for role in now.roles:
        if was.role(role.name) is None:
            yield compatible("roles", f"the role {role.name} is new", line=role.line)


def _changes(was: Role, now: Role, before: Contract, after: Contract) -> Iterator[Change]:
    of = f"the role {now.name}"
    seen, sees = _columns(was, before), _columns(now, after)
    kept = {column.name for column in after.columns}
    for name in sorted(seen - sees):
        if name in kept:  # a column that is gone from the table is said once, of the column
            yield breaking("roles", f"{of} does not show {name} any more", name, line=now.line)
    if now.columns is not None:
        for name in sorted(sees - seen):
            yield compatible("roles", f"{of} shows {name}, too", name, line=now.line)
    for name in sorted(seen & sees):
        one, other = was.masks.get(name), now.masks.get(name)
        if one == other:
            continue
        if other is None:
            yield compatible("roles", f"{of} shows {name} without a mask", name, line=now.line)
        else:
            masked = f"{of} shows {name} as {other}" + (f", and did as {one}" if one else "")
            yield breaking("roles", masked, name, line=now.line)
    conditions = [role.rows.condition if role.rows else None for role in (was, now)]
    if conditions[0] != conditions[1]:
        if now.rows is None:
            yield compatible("roles", f"{of} shows all rows", line=now.line)
        else:
            yield breaking("roles", f"{of} shows other rows: where {now.rows.text}", line=now.line)
    if was.description != now.description:
        yield cosmetic("roles", f"another description of {of}", line=now.line)


def _columns(role: Role, contract: Contract) -> set[str]:
    return set(role.columns or (column.name for column in contract.columns))
