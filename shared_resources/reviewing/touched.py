"""Which domains a change touches.

Belongs here: what a changed file means for the domains.
Does not belong here: which files changed (`git_history.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

# What every domain is made with; what stands beside these (pages, CI) touches none.
_OF_ALL = ("shared_resources", "pyproject.toml", "requirements.lock", "uv.lock")


def touched_domains(
    changed: Iterable[str], known: Collection[str], tests_of: str | None = None
) -> tuple[str, ...]:
    """Those of `known` of which a file changed, or all of them where it is everybody's.

    `changed` are paths below the project's root; `known` has the domains of before and after;
    `tests_of` is the one whose tests are in the project's folder for tests, if it is one's.
    """
    found: set[str] = set()
    for path in changed:
        match path.split("/"):
            case ["domains", name, _, *_] | ["dbt_project", "models", name, _, *_]:
                found |= {name} & {*known}
            case ["tests", _, *_] if tests_of is not None:
                found.add(tests_of)
            case ["domains", _] | ["dbt_project", *_] if not path.endswith(".md"):
                return tuple(sorted(known))
            case [first, *_] if first in _OF_ALL:
                return tuple(sorted(known))
    return tuple(sorted(found))
