"""Tiny meshes for the tests of policies, put together in memory or as files.

Belongs here: builders with one sound domain to start from.
Does not belong here: what is wrong with a mesh: each test says that itself.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import Classification, Column, Contract, Rule
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.mesh import Central, Domain, Mesh, ProductFolder, ProductKind

OWNER = "orders@example.com"


def column(name: str = "order_id", **changes: Any) -> Column:
    sound = Column(
        name=name,
        type=ColumnType(Family.INTEGER),
        description="What a value means.",
        classification=Classification.INTERNAL,
        line=20,
    )
    return replace(sound, **changes)


def contract(key: str = "order/orders", **changes: Any) -> Contract:
    domain, _, name = key.partition("/")
    sound = Contract(
        path=Path("unused"),
        digest="0" * 64,
        id=f"{domain}-{name}".replace("_", "-"),
        domain=domain,
        name=name,
        version="1.0.0",
        status="active",
        description="One row an order.",
        owner=OWNER,
        columns=(column(),),
        rules=(),
        servers=(),
        freshness=timedelta(days=1),
        retention=timedelta(days=365),
    )
    return replace(sound, **changes)


def relationship(to: str, columns: tuple[str, ...] = (), line: int = 30) -> Rule:
    return Rule(
        name="relationship_order_id",
        kind="relationship",
        columns=("order_id",),
        clause="schema.orders.properties.order_id.relationships[0]",
        arguments={"product": to, "columns": list(columns)},
        line=line,
    )


def product(key: str = "order/orders", root: Path = Path("/mesh"), **changes: Any) -> ProductFolder:
    domain, _, name = key.partition("/")
    sound = ProductFolder(
        domain=domain,
        name=name,
        folder=root / "domains" / domain / "products" / name,
        contract=contract(key),
        kind=ProductKind.FUNCTION,
        lines={"id": 3, "name": 4, "team": 12, "domain": 7, "slaProperties": 16, "description": 8},
    )
    return replace(sound, **changes)


def domain(
    name: str = "order", *products: ProductFolder, root: Path = Path("/mesh"), **changes: Any
) -> Domain:
    sound = Domain(
        name=name,
        folder=root / "domains" / name,
        declared_name=name,
        description="Orders.",
        owner=OWNER,
        owners=(OWNER,),
        contact="#order",
        products=products,
    )
    return replace(sound, **changes)


APPROVER = "governance@example.com"


def mesh(*domains: Domain, root: Path = Path("/mesh"), **central: Any) -> Mesh:
    """A mesh in which APPROVER approves; `central` changes what is decided centrally."""
    decided = Central(root / "domains" / "governance.yaml", approvers=(APPROVER,))
    return Mesh(root=root, domains=domains, central=replace(decided, **central))


def with_contract(key: str = "order/orders", **changes: Any) -> ProductFolder:
    """A product whose contract is sound but for `changes`."""
    return product(key, contract=contract(key, **changes))
