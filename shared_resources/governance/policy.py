"""What a central policy is: a name, what it asks for, and how it looks.

Belongs here: the two kinds of policy. A load-time policy looks at a domain's files, and what
breaks it is stopped: a product, or a whole location. A data-time policy adds rules to the audit of
every product. Each carries examples of what it lets pass and of what it finds, which `mesh policy test`
tries; how severe it is, and the numbers that it lets be set, are decided centrally.
Does not belong here: the policies (`policies/`, one a file), finding and applying them
(`catalogue.py`), waivers (`waivers.py`), what an example is (`example.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.findings import Finding
from shared_resources.governance.example import Example
from shared_resources.governance.published import Published
from shared_resources.mesh import Central, Domain, Mesh

CHECK_PREFIX = "policy_"


@dataclass(frozen=True)
class Setting:
    """A number that `domains/governance.yaml` may set, from `least` to `most`; `usual` where it does not.
    `says` is what it means."""

    usual: int
    least: int
    most: int
    says: str


@dataclass(frozen=True)
class _Policy:
    name: str
    summary: str

    # What every policy says of itself beside how it looks.
    waivable: bool = field(default=True, kw_only=True)
    severity: Severity = field(default=Severity.BLOCKING, kw_only=True)
    settings: Mapping[str, Setting] = field(default_factory=dict, kw_only=True)
    examples: tuple[Example, ...] = field(default=(), kw_only=True)

    def severity_under(self, central: Central) -> Severity:
        """How severe it is by what is decided centrally, else by itself."""
        decided = central.policies.get(self.name)
        if decided is None or decided.severity is None or not self.waivable:
            return self.severity
        return decided.severity

    def setting(self, central: Central, name: str) -> Decimal:
        """What the setting is by what is decided centrally, else as usual."""
        decided = central.policies.get(self.name)
        known = self.settings[name]
        number = decided.settings.get(name) if decided else None
        if number is None or not known.least <= number <= known.most:
            return Decimal(known.usual)
        return number


@dataclass(frozen=True)
class LoadTimePolicy(_Policy):
    """A rule about a domain's files. `check` yields findings whose `rule` is the policy's `name`.

    A finding in a product's folder belongs to that product and can be waived for it, unless the
    policy guards something that would break at run time anyway: then `waivable` is False, and it
    blocks whatever is decided centrally.
    """

    check: Callable[[Domain, Mesh], Iterable[Finding]]
    # What it looks for in what is published, too; that stops nothing, and `mesh check` says it.
    published: Callable[[Domain, Mesh, Published], Iterable[Finding]] | None = field(
        default=None, kw_only=True
    )


@dataclass(frozen=True)
class DataTimePolicy(_Policy):
    """A rule about data. Each `Rule` becomes a check named `policy_...` of the product, as severe as the
    policy is."""

    rules: Callable[[Contract, Central], tuple[Rule, ...]]
    # What it does not look for in this environment, and why, as each version's evidence says.
    unasked: Callable[[Contract, Central], tuple[str, ...]] = field(
        default=lambda contract, central: (), kw_only=True
    )


Policy = LoadTimePolicy | DataTimePolicy
