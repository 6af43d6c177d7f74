"""A mesh of one product with roles of every kind, and agreements about it: files alone, nothing runs.

Belongs here: writing them and reading their shares. Does not belong here: assertions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from shared_resources.access.principal import principal_named
from shared_resources.engines.shares import Shares, shares_of
from shared_resources.mesh import read_mesh
from shared_resources.mesh.agreements.folder import file_name
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.agreements.oaas import agreement_text
from tests.access.test_door import PURPOSES as FEW
from tests.access.test_door import people_contract
from tests.mesh_files import write_central, write_domain, write_product
from tests.tiny_mesh import custom

KEY = "crm/people"
PURPOSES = {**FEW, "more": FEW["care"]}
NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class People:
    """`crm/people` below `root`, published to these servers, with these roles."""

    def __init__(
        self, root: Path, *servers: str, roles: dict[str, Any] | None = None, key: str = KEY
    ) -> None:
        self.root = root
        self.key = key
        text = people_contract(*servers, roles=roles)
        domain, _, name = key.partition("/")
        text = text.replace("crm-people", f"{domain}-{name}")
        text = text.replace("crm", domain).replace("people", name)
        write_central(root, yaml.safe_dump({"approvers": ["g@example.com"], "purposes": PURPOSES}))
        write_product(root, key, text)
        write_domain(root, "marketing")

    def agree(
        self,
        consumer: str,
        *roles: str,
        purpose: str = "care",
        status: Status = Status.APPROVED,
        **moments: datetime | None,
    ) -> Path:
        """The consumer's agreement for the purpose, as its file; another one of it is replaced."""
        domain, _, name = self.key.partition("/")
        folder = self.root / "domains" / domain / "products" / name / "agreements"
        folder.mkdir(exist_ok=True)
        who = principal_named(consumer).consumers[0]
        file = folder / file_name(who, purpose)
        agreement = Agreement(
            f"{name}-{file.name}", self.key, who, purpose, status, roles, file,
            decided_by=f"{domain}@example.com", decided_at=NOW - DAY, **moments,  # type: ignore[arg-type]
        )  # fmt: skip
        file.write_text(agreement_text(agreement, f"{domain}-{name}", "1.0.0"))
        return file

    def rename(self, roles: dict[str, Any], former: Any) -> None:
        """The column `email` is called `address` from now on; `roles` name it so."""
        domain, _, name = self.key.partition("/")
        file = self.root / "domains" / domain / "products" / name / "contract.odcs.yaml"
        file.write_text(renamed(file.read_text(), roles, former))

    def shares(self, now: datetime = NOW) -> Shares:
        return shares_of(read_mesh(self.root), now)


def renamed(contract: str, roles: dict[str, Any], former: Any) -> str:
    """The contract of people, whose column `email` is called `address`; with other roles."""
    said = {**yaml.safe_load(contract), "version": "2.0.0"}
    [email] = [one for one in said["schema"][0]["properties"] if one["name"] == "email"]
    email |= {"name": "address", "physicalName": "email"}
    email["customProperties"] = custom(renamedFrom=former)
    said["roles"] = [
        {"role": role, "customProperties": custom(**sees)} for role, sees in roles.items()
    ]
    return yaml.safe_dump(said, sort_keys=False)
