"""Trying a policy on its examples: what it was to find, and what it found.

Belongs here: asking a policy of one example's mesh, or of its rows.
Does not belong here: writing the mesh (`minimal_mesh.py`), saying it to people (`cli/`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from shared_resources.contracts.rules.batch.volume import HISTORY
from shared_resources.findings import Finding
from shared_resources.governance.example import Example
from shared_resources.governance.examples.minimal_mesh import KEY, write_mesh
from shared_resources.governance.policy import DataTimePolicy, LoadTimePolicy, Policy
from shared_resources.governance.published import from_list
from shared_resources.mesh import Domain, Mesh, read_mesh


@dataclass(frozen=True)
class Tried:
    """One example of a policy. `problem` says what was expected and what came; empty when it held."""

    policy: str
    example: str
    problem: str = ""

    @property
    def held(self) -> bool:
        return not self.problem


def try_policy(policy: Policy) -> Iterator[Tried]:
    """Each example of the policy; and that there are some that pass and some that fail."""
    for lacking, some in (
        ("must pass", any(one.must_pass for one in policy.examples)),
        ("must fail", any(not one.must_pass for one in policy.examples)),
    ):
        if not some:
            problem = f"expected an example that {lacking}, and the policy carries none"
            yield Tried(policy.name, lacking, problem)
    for example in policy.examples:
        yield Tried(policy.name, example.says, _problem(policy, example))


def _problem(policy: Policy, example: Example) -> str:
    with tempfile.TemporaryDirectory(prefix="mesh-example-") as folder:
        root = Path(folder).resolve()
        try:
            write_mesh(root, example)
        except (KeyError, FileNotFoundError) as problem:
            return f"the example cannot be written: {problem}"
        mesh = read_mesh(root)
        # What no contract is read from, no policy sees: the example would pass for the wrong reason.
        broken = [one for one in mesh.findings if one.rule != policy.name]
        if broken and any(product.contract is None for product in mesh.products):
            return f"the example's own files are not valid: {_said(broken, root)}"
        return _differs(example, _found(policy, example, mesh), root)


def _found(policy: Policy, example: Example, mesh: Mesh) -> list[str]:
    domain = mesh.domain(KEY.partition("/")[0])
    if isinstance(policy, LoadTimePolicy):
        found = list(policy.check(domain, mesh))
        if policy.published is not None:
            found += policy.published(domain, mesh, from_list(example.published()))
        return [f"{one.message} -> {one.remedy}" for one in found]
    return _broken_rules(policy, example, domain)


def _broken_rules(policy: DataTimePolicy, example: Example, domain: Domain) -> list[str]:
    from shared_resources.governance.examples.rows import audited  # DuckDB is slow to import

    contract = domain.product(KEY.partition("/")[2]).contract
    assert contract is not None
    rules = [
        replace(rule, arguments={**rule.arguments, HISTORY: example.history})
        for rule in policy.rules(contract, domain.central)
    ]
    report = audited(contract, rules, example.rows)
    return [one.message for one in report.results if not one.passed]


def _differs(example: Example, found: list[str], root: Path) -> str:
    came = "; ".join(found).replace(f"{root}/", "") or "nothing"
    if example.must_pass:
        return f"expected no finding; came: {came}" if found else ""
    if any(example.finds in one for one in found):
        return ""
    return f"expected a finding that says {example.finds!r}; came: {came}"


def _said(findings: list[Finding], root: Path) -> str:
    return "; ".join(str(one) for one in findings).replace(f"{root}/", "")
