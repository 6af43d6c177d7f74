"""A mesh of a few files in a temporary folder, for tests that need domains, stores and Dagster.

Belongs here: writing such a mesh and running its products in process.
Does not belong here: contracts without a mesh (`contract_factory.py`), the example's own products.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from shared_resources.contracts.model import Classification
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.environment import Environment
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.locations.location import build_domain
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import Version
from shared_resources.wiring import current

_LOGICAL = {
    "BIGINT": "integer",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "VARCHAR": "string",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "BOOLEAN": "boolean",
}


def column(name: str, physical: str = "BIGINT", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "logicalType": _LOGICAL[physical],
        "physicalType": physical,
        "description": f"The {name}.",
        "classification": "internal",
        **fields,
    }


def custom(**values: Any) -> list[dict[str, Any]]:
    return [{"property": k, "value": v, "vendor": "mesh"} for k, v in values.items()]


def contract_text(
    key: str,
    columns: Sequence[Mapping[str, Any]],
    *,
    servers: Sequence[str] = ("lake",),
    quality: Sequence[Mapping[str, Any]] = (),
    properties: Mapping[str, Any] | None = None,
    version: str = "1.0.0",
) -> str:
    domain, name = key.split("/")
    kinds = {server: {"type": "custom"} for server in ("lake", "warehouse", "serving")}
    contract: dict[str, Any] = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{domain}-{name.replace('_', '-')}",
        "name": name,
        "version": version,
        "status": "active",
        "domain": domain,
        "description": {"purpose": f"The {name} of the {domain} domain, for tests."},
        "team": {
            "name": domain,
            "members": [{"username": f"{domain}@example.com", "role": "owner"}],
        },
        "servers": [{"server": server, **kinds[server]} for server in servers],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "description": f"One row a line of {name}.",
                "properties": [dict(c) for c in columns],
                **({"quality": [dict(q) for q in quality]} if quality else {}),
            }
        ],
    }
    if properties:
        contract["customProperties"] = custom(**properties)
    return yaml.safe_dump(contract, sort_keys=False)


@dataclass
class TinyMesh:
    """`root` holds domains/, `environment` its state."""

    environment: Environment
    instance: dg.DagsterInstance

    @property
    def root(self) -> Path:
        return self.environment.root

    def central(self, **decided: Any) -> Path:
        """What the governance team decides for every domain."""
        file = self.root / "domains" / "governance.yaml"
        central = {
            "approvers": ["governance@example.com"],
            "lossBudgetPercent": 60,
            "open": [level.value for level in Classification],
            **decided,
        }
        file.write_text(yaml.safe_dump(central, sort_keys=False))
        return file

    def domain(self, name: str, **fields: Any) -> Path:
        folder = self.root / "domains" / name
        (folder / "products").mkdir(parents=True, exist_ok=True)
        if not (self.root / "domains" / "governance.yaml").exists():
            self.central()
        owner = f"{name}@example.com"
        described = {
            "name": name,
            "description": f"The {name} domain, for tests.",
            "archetype": "source-aligned",
            "owner": owner,
            "owners": [owner],
            "contact": f"#{name}",
            "waivers": [],
            **fields,
        }
        (folder / "domain.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
        (folder / "definitions.py").write_text(
            f'"""The {name} domain."""\n\nfrom shared_resources import build_domain\n\n'
            "defs = build_domain(__file__)\n"
        )
        return folder

    def product(self, key: str, contract: str, code: str = "", rules: str = "") -> Path:
        domain, name = key.split("/")
        if not (self.root / "domains" / domain / "domain.yaml").exists():
            self.domain(domain)
        folder = self.root / "domains" / domain / "products" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "contract.odcs.yaml").write_text(contract)
        for file, text in (("product.py", code), ("rules.py", rules)):
            if text:
                sys.modules.pop(f"domains.{domain}.products.{name}.product", None)
                (folder / file).write_text(textwrap.dedent(text))
        return folder

    def land(self, key: str, data: pa.Table | bytes | str) -> Path:
        """Put an object into the landing zone, as a producer would: whole. Returns its file (where
        the zone is a bucket, what it was put from)."""
        zone = self.environment.landing_zone
        root = zone.root if isinstance(zone, FolderLandingZone) else self.environment.home / "sent"
        target = root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        if isinstance(data, pa.Table):
            pq.write_table(data, temporary)
        else:
            temporary.write_bytes(data if isinstance(data, bytes) else data.encode())
        temporary.replace(target)
        if not isinstance(zone, FolderLandingZone):
            zone.put(key, target)
        return target

    def definitions(self, domain: str) -> dg.Definitions:
        return build_domain(str(self.root / "domains" / domain / "definitions.py"))

    def run(
        self,
        key: str,
        *,
        partitions: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        selection: dg.AssetSelection | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Materialize one product in process; never raises for a failed run."""
        job = dg.define_asset_job("chosen", selection or dg.AssetSelection.assets(asset_key(key)))
        definitions = self.definitions(key.split("/")[0])
        merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
        ranged = {}
        if len(partitions) == 1:
            ranged = {"dagster/partition": partitions[0]}
        elif partitions:
            ranged = {
                "dagster/asset_partition_range_start": partitions[0],
                "dagster/asset_partition_range_end": partitions[-1],
            }
        return merged.resolve_job_def("chosen").execute_in_process(
            instance=self.instance, raise_on_error=False, tags={**ranged, **(tags or {})}
        )

    def rows(self, key: str, number: int | None = None) -> list[dict[str, Any]]:
        """What a reader sees."""
        rows = open_product(self.environment, key, number).batches().read_all().to_pylist()
        return [dict(row) for row in rows]

    def versions(self, key: str) -> list[Version]:
        """The product's versions in the first store that has any, oldest first."""
        for store in self.environment.stores.values():
            if found := store.versions(key):
                return found
        return []


@contextmanager
def tiny_mesh(folder: Path) -> Iterator[TinyMesh]:
    """A fresh mesh below `folder`, with the process's environment pointing at it.

    Its state is below `folder`, too, or where the variables of a production environment say.
    """
    root = folder / "mesh"
    (root / "domains").mkdir(parents=True)
    (root / "dbt_project" / "models").mkdir(parents=True)
    state = {"MESH_ROOT": str(root), "MESH_HOME": str(folder / "home")}
    before = {name: os.environ.get(name) for name in (*state, "DAGSTER_HOME")}
    os.environ.update(state)
    os.environ.pop("DAGSTER_HOME", None)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            mesh = TinyMesh(current(), instance)
            mesh.central()
            yield mesh
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def failures(result: dg.ExecuteInProcessResult) -> str:
    """The messages of a run's step failures."""
    found = []
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            if data.user_failure_data is not None:
                found.append(str(data.user_failure_data.description))
            elif data.error is not None:
                found.append(str((data.error.cause or data.error).message))
    return "\n".join(found)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Each evaluated check and whether it passed."""
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
