"""The mesh as its files describe it: domains, their products, and what is wrong with them.

Belongs here: the immutable types of the static view, and look-ups in them.
Does not belong here: reading files (`read.py`, `domain_file.py`, `code/`), policies
(`governance/policies/`), or anything that a running Dagster or a store knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from shared_resources.contracts.model import Classification, Contract, Severity
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.findings import Finding
from shared_resources.mesh.agreements.model import Purpose

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEY = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_PINNED = re.compile(rf"({_KEY.pattern})@(\d{{1,9}})")


class ProductKind(StrEnum):
    """How a product is made: by `product.py`, a file for which another distribution has the maker, a dbt
    model, landing objects or a topic's messages alone; an earlier major version from the current one."""

    FUNCTION = "function"
    ADDED = "added"
    DBT = "dbt"
    INGEST = "ingest"
    STREAM = "stream"
    DERIVED = "derived"


class Archetype(StrEnum):
    SOURCE_ALIGNED = "source-aligned"
    AGGREGATE = "aggregate"
    CONSUMER_ALIGNED = "consumer-aligned"


@dataclass(frozen=True)
class Waiver:
    """A domain's permission to break one policy in one product, until the day `expires` is over."""

    policy: str
    product: str
    reason: str
    approver: str
    expires: date
    file: Path
    line: int = 0

    def expired(self, today: date) -> bool:
        """Whether the waiver no longer holds: its last day lies before `today`."""
        return self.expires < today


@dataclass(frozen=True)
class ProductReference:
    """Where a product names another one. `columns` is None when it reads them all. `pin` is how it is
    written where that pins a major version, `domain/product@1`; `key` is the product that has it.
    """

    key: str
    columns: tuple[str, ...] | None
    file: Path
    line: int
    pin: str = ""


@dataclass(frozen=True)
class ProductFolder:
    """One folder below `products/`. `contract` is None when the file is missing or not valid.

    `kind` is None when the product has no maker or more than one. `lines` gives the line of each
    statement of the contract by its path, e.g. `schema.transactions.properties.quantity`. Its served rows
    follow the streams `followed`, and it is made without them.
    """

    domain: str
    name: str
    folder: Path
    contract: Contract | None
    kind: ProductKind | None
    inputs: tuple[ProductReference, ...] = ()
    followed: tuple[ProductReference, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.domain}/{self.name}"

    @property
    def contract_file(self) -> Path:
        return self.folder / CONTRACT_FILE

    @property
    def model_file(self) -> Path:
        """Where its dbt model would be: below the project's `dbt_project`, a folder a domain."""
        return model_file(self.folder.parents[3], self.domain, self.name)

    def line(self, path: str) -> int:
        """The line of a statement of the contract; 0 if it is not there."""
        return self.lines.get(path, 0)

    @property
    def relationships(self) -> tuple[ProductReference, ...]:
        """What the contract's columns refer to."""
        return tuple(
            ProductReference(
                product,
                tuple(map(str, rule.arguments.get("columns", ()))),
                self.contract_file,
                rule.line,
            )
            for rule in (self.contract.rules if self.contract else ())
            if (product := kind_of(rule).product(rule)) is not None
        )

    @property
    def references(self) -> tuple[ProductReference, ...]:
        """Everywhere that this product names another: its code's inputs, then its relationships."""
        return tuple(one for one in (*self.inputs, *self.relationships) if one.key != self.key)

    @property
    def reads(self) -> tuple[str, ...]:
        """The keys of the products that it needs to be there, sorted, each once."""
        return tuple(sorted({reference.key for reference in self.references}))


# A waiver that outlives two quarters is a rule of its own: then the policy is to be changed.
LONGEST_WAIVER_DAYS = 180


@dataclass(frozen=True)
class Decision:
    """What is decided centrally of one policy: how severe it is, None as it says itself, and the numbers
    that it lets be set."""

    severity: Severity | None = None
    settings: Mapping[str, Decimal] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class Central:
    """What the governance team decides for every domain: `domains/governance.yaml`.

    `approvers` may approve waivers, which end within `waiver_days`. `loss_budget_percent` is the most
    that a contract may lose. `landing_prefixes` gives domains prefixes beside the one of their name.
    `policies` are decisions by the policies' names, whether or not there are such policies.
    `purposes` are for agreements to name; columns of the classifications `open` are read without one.
    `aws_principals` are ARNs by consumer, None where agreements are not carried to AWS.
    """

    file: Path
    approvers: tuple[str, ...] = ()
    waiver_days: int = LONGEST_WAIVER_DAYS
    loss_budget_percent: Decimal = Decimal(10)
    landing_prefixes: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, Decision] = field(default_factory=dict)
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    open: frozenset[Classification] = frozenset()
    aws_principals: Mapping[str, str] | None = None
    findings: tuple[Finding, ...] = ()


UNDECIDED = Central(Path("domains/governance.yaml"))


@dataclass(frozen=True)
class Domain:
    """One folder below `domains/`: one team, one code location. `name` is the folder's name.

    Fields that `domain.yaml` lacks or garbles are empty, and `findings` says so; `findings` holds
    everything that is wrong with the domain's files before any policy is asked. `environment` names
    the variables that its code sees beside those that every domain sees (`confinement/variables.py`).
    `central` is what is decided for every domain.
    `registered` is true of one whose files are elsewhere: what is known of it is what it promised when
    it was deployed.
    """

    name: str
    folder: Path
    declared_name: str = ""
    description: str = ""
    owner: str = ""
    owners: tuple[str, ...] = ()
    contact: str = ""
    archetype: Archetype | None = None
    waivers: tuple[Waiver, ...] = ()
    environment: tuple[str, ...] = ()
    products: tuple[ProductFolder, ...] = ()
    findings: tuple[Finding, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    registered: bool = False
    central: Central = field(default=UNDECIDED, repr=False)

    @property
    def file(self) -> Path:
        return self.folder / DOMAIN_FILE

    @property
    def contracts(self) -> Iterator[tuple[ProductFolder, Contract]]:
        """The products whose contract is valid, with it: what the policies look at."""
        for product in self.products:
            if product.contract is not None:
                yield product, product.contract

    def product(self, name: str) -> ProductFolder:
        """The product of that name. Raises `KeyError` when there is none."""
        for product in self.products:
            if product.name == name:
                return product
        raise KeyError(f"domain {self.name!r} has no product {name!r}")


@dataclass(frozen=True)
class Mesh:
    """Every domain below `root`, broken ones included, and those known from the registry, by name."""

    root: Path
    domains: tuple[Domain, ...]
    central: Central = UNDECIDED

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.central.findings, *(one for of in self.domains for one in of.findings))

    @property
    def products(self) -> tuple[ProductFolder, ...]:
        return tuple(product for domain in self.domains for product in domain.products)

    @property
    def own_domains(self) -> tuple[Domain, ...]:
        """Those whose files are here: the others are made, and judged, where theirs are."""
        return tuple(domain for domain in self.domains if not domain.registered)

    @property
    def own_products(self) -> tuple[ProductFolder, ...]:
        return tuple(product for domain in self.own_domains for product in domain.products)

    @property
    def domain_names(self) -> tuple[str, ...]:
        return tuple(domain.name for domain in self.domains)

    def domain(self, name: str) -> Domain:
        """The domain of that name. Raises `KeyError` when there is none."""
        for domain in self.domains:
            if domain.name == name:
                return domain
        raise KeyError(f"no domain {name!r}; there are: {', '.join(self.domain_names) or 'none'}")

    def product(self, key: str) -> ProductFolder:
        """The product in the folder of that `domain/name`. Raises `KeyError` when there is none."""
        for product in self.products:
            if product.key == key:
                return product
        raise KeyError(f"no product {key!r} below {self.root / 'domains'}")

    def consumers(self, key: str) -> tuple[ProductFolder, ...]:
        """The products that read `key`, relate to it, or have rows that follow it, directly."""
        return tuple(p for p in self.products if key in {*p.reads, *(f.key for f in p.followed)})


DBT_PROJECT = "dbt_project"
DBT_SETTINGS = "dbt_project.yml"
# What all models are made with, beside the project's settings, by its path in the project.
SHARED_BY_MODELS = ("macros", "tests/generic", "packages.yml", "package-lock.yml", "dbt_packages")
DOMAIN_FILE = "domain.yaml"
CENTRAL_FILE = "governance.yaml"
CONTRACT_FILE = "contract.odcs.yaml"
CODE_FILE = "product.py"
DEFINITIONS_FILE = "definitions.py"
# What stands in for the systems outside of the mesh lies beside the domains, and is none.
SOURCE_SYSTEMS = "source_systems"


def model_file(root: Path, domain: str, name: str) -> Path:
    return root / DBT_PROJECT / "models" / domain / f"{name}.sql"


def only_domain(root: Path) -> str | None:
    """The domain of a repository of its own, beside which its tests stand; None in any other project:
    in one of several domains, and in the platform's own checkout, `tests/` is everybody's."""
    if (root / "shared_resources").is_dir():
        return None
    folders = [file.parent for file in (root / "domains").glob(f"*/{DOMAIN_FILE}")]
    return folders[0].name if len(folders) == 1 else None


def is_domain_name(text: str) -> bool:
    """Whether a domain can be called so: what names folders, sockets and entries is nothing else."""
    return _NAME.fullmatch(text) is not None and text != SOURCE_SYSTEMS


def pin_of(text: str) -> tuple[str, int] | None:
    """The product's key and the major version of `domain/product@1`; None of what pins none."""
    found = _PINNED.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def key_of_pin(text: str, is_there: Callable[[str], bool]) -> str:
    """The key of the product that has the pinned major: `orders_v1` where there is one, else the
    current `orders`, whose version a policy compares. What pins none is a key as it is."""
    pin = pin_of(text)
    if pin is None:
        return text
    earlier = f"{pin[0]}_v{pin[1]}"
    return earlier if is_there(earlier) else pin[0]


def is_product_key(text: str) -> bool:
    """Whether it is written as a product's key is: `domain/product`."""
    return _KEY.fullmatch(text) is not None
