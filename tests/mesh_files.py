"""Meshes as files in a temporary folder, for tests that read them without Dagster.

Belongs here: writing sound domains, contracts and products, as text whose lines a test knows.
Does not belong here: running them (`tiny_mesh.py`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from shared_resources.governance.catalogue import utc_today

DOMAIN = """\
name: {name}
description: The {name} desk.
archetype: source-aligned
owner: {name}@example.com
owners: [{name}@example.com]
contact: "#{name}"
waivers: []
"""

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: {domain}-{id}
name: {name}
version: 1.0.0
status: active
domain: {domain}
description:
  purpose: One row a line of {name}.
team:
  name: {domain}
  members: [{{username: {domain}@example.com, role: owner}}]
servers:
  - {{server: lake, type: iceberg, catalog: mesh, catalogUrl: "mesh://lake", namespace: {domain}}}
slaProperties:
  - {{property: latency, value: 2, unit: d}}
  - {{property: retention, value: 1, unit: y}}
schema:
  - name: {name}
    logicalType: object
    description: Rows of {name}.
    properties:
      - name: row_id
        logicalType: integer
        physicalType: BIGINT
        description: The row's number.
        classification: internal
        required: true
      - name: note
        logicalType: string
        physicalType: VARCHAR
        description: What somebody remarked.
        classification: internal
"""

LANDING = """\
customProperties:
  - property: landing
    vendor: mesh
    value: {{prefix: {domain}/{name}, format: csv, mode: replace, object: "{name}.csv"}}
"""

CODE = '''\
"""Makes {name}."""

from shared_resources import data_product


@data_product({inputs})
def {name}({parameters}):
    return None
'''

DEFINITIONS = '''\
"""The code location of the domain."""

from shared_resources import build_domain

defs = build_domain(__file__)
'''


CENTRAL = "approvers: [governance@example.com]\nopen: [public, internal]\n"


def write_central(root: Path, text: str = CENTRAL) -> Path:
    """What the governance team decides for every domain."""
    file = root / "domains" / "governance.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def in_days(days: int) -> str:
    """The day so many days from now: waivers end on one."""
    return (utc_today() + timedelta(days=days)).isoformat()


def write_domain(root: Path, name: str, text: str | None = None) -> Path:
    """A domain without products; `text` replaces its `domain.yaml`."""
    folder = root / "domains" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "domain.yaml").write_text(DOMAIN.format(name=name) if text is None else text)
    (folder / "definitions.py").write_text(DEFINITIONS)
    return folder


def contract_text(key: str, *, landing: bool = False) -> str:
    domain, _, name = key.partition("/")
    text = CONTRACT + (LANDING if landing else "")
    return text.format(domain=domain, name=name, id=name.replace("_", "-"))


def write_product(
    root: Path,
    key: str,
    contract: str | None = None,
    *,
    code: str | None = None,
    model: str | None = None,
    **inputs: str,
) -> Path:
    """A product with its domain: made by `code`, a dbt `model`, or, by default, an ingest.

    `inputs` gives it a function that reads these products.
    """
    domain, _, name = key.partition("/")
    if not (root / "domains" / domain).exists():
        write_domain(root, domain)
    folder = root / "domains" / domain / "products" / name
    folder.mkdir(parents=True, exist_ok=True)
    if (code or model or inputs) and not (root / "domains" / "governance.yaml").exists():
        write_central(root)
    if inputs:
        named = ", ".join(f'{parameter}="{read}"' for parameter, read in inputs.items())
        code = CODE.format(name=name, inputs=named, parameters=", ".join(inputs))
    if contract is None:
        contract = contract_text(key, landing=code is None and model is None)
    (folder / "contract.odcs.yaml").write_text(contract)
    if code is not None:
        (folder / "product.py").write_text(code)
    if model is not None:
        file = root / "dbt_project" / "models" / domain / f"{name}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(model)
    return folder
