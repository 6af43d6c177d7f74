"""Which domains a change touches.

Belongs here: what a changed file means for the domains.
Does not belong here: which files changed (`git_history.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

# What every domain is made with; what stands beside these (pages, tests, CI) touches none.
_OF_ALL = ("shared_resources", "pyproject.toml", "requirements.lock", "uv.lock")


def touched_domains(changed: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Those of `known` of which a file changed, or all of them where it is everybody's.

    `changed` are paths below the project's root; `known` has the domains of before and after.
    """
    found: set[str] = set()
    for path in changed:
        match path.split("/"):
            case ["domains", name, _, *_] | ["dbt_project", "models", name, _, *_]:
                found |= {name} & {*known}
            case ["domains", _] | ["dbt_project", *_] if not path.endswith(".md"):
                return tuple(sorted(known))
            case [first, *_] if first in _OF_ALL:
                return tuple(sorted(known))
    return tuple(sorted(found))
