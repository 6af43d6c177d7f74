"""A domain in a repository of its own, begun and released by the commands that its team types.

Belongs here: beginning it, what it says in each release, calling `mesh` in it.
Does not belong here: releases that no command made (`served.py`), what must hold (the tests).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shared_resources.environment import PROJECT_ROOT
from shared_resources.releasing.releases import Releases
from shared_resources.repositories.lock import make_lock
from tests.cli.commands import Called, start
from tests.serving.served import Served, write_domain

_OURS = "goes below; then `make lock`.\n"


@dataclass(frozen=True)
class OwnRepository:
    """Its checkout, and the mesh that it is deployed to."""

    root: Path
    domain: str
    running: Served

    def write(self, number: int, first: str = "") -> None:
        """The domain's files as they are for the release of that number."""
        write_domain(self.root, self.domain, number, first)

    def mesh(self, *arguments: str) -> Called:
        return start(*arguments, **{**self.running.variables, "MESH_ROOT": str(self.root)})

    def deploy(self, number: int, *options: str, first: str = "") -> Called:
        self.write(number, first)
        return self.mesh("deploy", self.domain, *options)

    @property
    def python(self) -> Path:
        """The interpreter of the release that is served."""
        releases = Releases(self.running.home)
        served = self.running.servers.serving(self.domain)
        assert served is not None
        return releases.python(releases.get(self.domain, served))


def begin(folder: Path, domain: str, polars: str, running: Served) -> OwnRepository:
    """Begin the repository, with that version of polars, for a mesh whose runs are on Postgres."""
    pins = folder / "pins.txt"  # what is resolved today is what everything else is tested with
    lines = (PROJECT_ROOT / "requirements.lock").read_text().splitlines()
    pins.write_text("\n".join(one.removesuffix(" \\") for one in lines if one[:1].isalnum()))
    os.environ["UV_CONSTRAINT"] = str(pins)
    try:
        root = folder / domain
        owner = ("--owner", f"{domain}@example.com", "--yes")
        begun = start("new", "domain", domain, *owner, "--repository", str(root))
        assert begun.code == 0, begun
        project = root / "pyproject.toml"
        wanted = f'{_OURS}  "polars=={polars}",\n  "dagster-data-mesh[production]",\n'
        project.write_text(project.read_text().replace(_OURS, wanted))
        make_lock(root)
    finally:
        del os.environ["UV_CONSTRAINT"]
    lock = (root / "requirements.lock").read_text()
    assert f"polars=={polars}" in lock and "dagster-postgres==" in lock
    return OwnRepository(root, domain, running)
