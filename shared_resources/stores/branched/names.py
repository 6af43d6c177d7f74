"""The names of branches, and of a branch's products in the stores.

Belongs here: which name is safe, and the product key that stands for a product in a branch.
Does not belong here: which branches there are (`registry.py`).

A name becomes part of a database of Glue, of a schema of Snowflake and of folders. So it has small
letters, digits and single hyphens: a hyphen is written as an underscore there, and no two names
become one. No domain's name has two underscores in a row (policy `naming`), which the namespace has.
"""

from __future__ import annotations

import re

from shared_resources.problems import MeshProblem

LONGEST_NAME = 40
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MARK = "__branch_"


class BranchProblem(MeshProblem):
    """A branch cannot be had as it was asked for; the message says why, and what to do."""

    exit_code = 2


def check_name(name: str) -> str:
    """The name, if it can be a branch's. Raises `BranchProblem`."""
    if len(name) <= LONGEST_NAME and _NAME.fullmatch(name):
        return name
    proposed = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST_NAME].strip("-")
    instead = f"; {proposed!r} would do" if proposed else ""
    raise BranchProblem(
        f"{name!r} cannot name a branch: it becomes part of the names of schemas, databases and "
        f"folders. Use small letters, digits and single hyphens, at most {LONGEST_NAME}{instead}."
    )


def in_branch(product: str, branch: str) -> str:
    """The key that the product has in the stores where the branch has versions of its own."""
    domain, _, name = product.partition("/")
    return f"{domain_in_branch(domain, branch)}/{name}"


def domain_in_branch(domain: str, branch: str) -> str:
    return f"{domain}{_MARK}{check_name(branch).replace('-', '_')}"


def of_branch(keys: list[str], branch: str) -> dict[str, str]:
    """Of all keys in a store those of the branch, by the product that each stands for."""
    end = domain_in_branch("", branch)
    found = {}
    for key in keys:
        domain, _, name = key.partition("/")
        if domain.endswith(end):
            found[f"{domain.removesuffix(end)}/{name}"] = key
    return found


def is_of_a_branch(key: str) -> bool:
    return _MARK in key.partition("/")[0]


def without_branches(keys: list[str]) -> list[str]:
    return [key for key in keys if not is_of_a_branch(key)]
