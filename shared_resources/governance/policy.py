"""What a central policy is: a name, what it asks for, and how it looks.

Belongs here: the two kinds of policy. A load-time policy looks at a domain's files, and what
breaks it is stopped: a product, or a whole location. A data-time policy adds rules to the audit of
every product.
Each carries examples of what it lets pass and of what it finds, which `mesh policy test` tries.
Does not belong here: the policies (`policies/`, one a file), finding and applying them
(`catalogue.py`), waivers (`waivers.py`), what an example is (`example.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared_resources.contracts.model import Contract, Rule
from shared_resources.findings import Finding
from shared_resources.governance.example import Example
from shared_resources.mesh import Domain, Mesh

CHECK_PREFIX = "policy_"


@dataclass(frozen=True)
class LoadTimePolicy:
    """A rule about a domain's files. `check` yields findings whose `rule` is the policy's `name`.

    A finding in a product's folder belongs to that product and can be waived for it, unless the
    policy guards something that would break at run time anyway: then `waivable` is False.
    """

    name: str
    summary: str
    check: Callable[[Domain, Mesh], Iterable[Finding]]
    waivable: bool = True
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class DataTimePolicy:
    """A rule about data. Each `Rule` becomes a blocking check named `policy_...` of the product."""

    name: str
    summary: str
    rules: Callable[[Contract], tuple[Rule, ...]]
    waivable: bool = True
    examples: tuple[Example, ...] = ()


Policy = LoadTimePolicy | DataTimePolicy
