"""Who reads: a domain, one of its products, a person, an agent, or who operates the mesh.

Belongs here: telling them apart by what they are called. Does not belong here: what they may see, and
whether they are who they say (the login of the machine or of the engine decides that).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.mesh.agreements.model import Consumer
from shared_resources.mesh.model import is_domain_name, is_product_key
from shared_resources.problems import MeshProblem


class NoPrincipal(MeshProblem):
    """Nobody can be called so, or nobody was named."""

    exit_code = 2


@dataclass(frozen=True)
class Principal:
    """`operator`: whoever runs an embedded mesh on his own machine, whose files are his."""

    domain: str = ""
    product: str = ""
    user: str = ""
    operator: bool = False

    def __str__(self) -> str:
        if self.operator:
            return "the operator of this machine's mesh"
        return str(Consumer(self.domain, self.product, self.user))

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Whom an agreement must name to serve it: the product before its domain."""
        if self.user:
            return (Consumer(user=self.user),)
        team = Consumer(self.domain)
        return (Consumer(self.domain, self.product), team) if self.product else (team,)


OPERATOR = Principal(operator=True)


def principal_named(text: str) -> Principal:
    """`domain`, `domain/product`, somebody@example.com or `agent:name`. Raises `NoPrincipal`."""
    if is_product_key(text):
        domain, _, product = text.partition("/")
        return Principal(domain, product)
    if is_domain_name(text):
        return Principal(text)
    if ("@" in text or ":" in text) and text.isprintable() and not any(map(str.isspace, text)):
        return Principal(user=text)
    raise NoPrincipal(
        f"{text!r} is no principal; write a domain, domain/product, somebody@example.com or agent:name"
    )


def product_principal(key: str) -> Principal:
    """The product `domain/name` as a reader of others."""
    domain, _, name = key.partition("/")
    return Principal(domain, name)
