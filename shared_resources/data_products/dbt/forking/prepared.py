"""What dbt's server has ready before it forks: modules, and the schemas that dbt builds of its classes.

Belongs here: what no project changes and every command would work out anew.
Does not belong here: anything of a project, of a connection, or of a command's own state, which a child
would inherit of another.

Importing dbt takes 1.4 s of CPU and the schemas 0.3 s (0.85 s to parse), of the 3.5 s of a command.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What dbt-core 1.11 checks projects, profiles and their files against: `module:class`.
_BY_EVERY_COMMAND = (
    "dbt.contracts.project:ProjectFlags",
    "dbt.contracts.project:ProfileConfig",
    "dbt.contracts.project:Project",
    "dbt.contracts.project:PackageConfig",
    "dbt.contracts.project:Configuration",
    "dbt.contracts.selection:SelectorFile",
    "dbt.adapters.duckdb.credentials:DuckDBCredentials",
)
_BY_PARSING = (
    "dbt.artifacts.resources.v1.model:ModelConfig",
    "dbt.artifacts.resources.v1.components:Contract",
    "dbt.artifacts.resources.v1.config:TestConfig",
    "dbt.artifacts.resources.v1.source_definition:SourceConfig",
    "dbt.contracts.graph.nodes:ModelNode",
    "dbt.contracts.graph.nodes:SingularTestNode",
    "dbt.contracts.graph.nodes:GenericTestNode",
    "dbt.contracts.graph.unparsed:UnparsedSingularTestUpdate",
    "dbt.contracts.graph.unparsed:UnparsedSourceDefinition",
    "dbt.contracts.graph.unparsed:UnparsedModelUpdate",
)


class Prepared:
    """What this process has ready; asking for it again costs nothing."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._schemas: set[str] = set()

    def prepare(self, modules: Sequence[str], parsing: bool) -> None:
        """Import the modules, and build the schemas that parsing, or any command, asks for."""
        new = set(modules) - self._modules
        for name in modules:
            importlib.import_module(name)
        self._modules |= new
        schemas = {*_BY_EVERY_COMMAND, *(_BY_PARSING if parsing else ())} - self._schemas
        for name in sorted(schemas):
            _build(name)
        self._schemas |= schemas
        if new or schemas:
            gc.collect()
            gc.freeze()  # a child that collects garbage would copy every page of it


def threads() -> int:
    """How many the process has, those of libraries included, of which Python knows nothing."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _build(name: str) -> None:
    module, _, attribute = name.partition(":")
    # An adapter that was not imported has no class to be checked; another dbt may have moved one.
    found: Any = getattr(sys.modules.get(module), attribute, None)
    if found is not None:
        found.json_schema()
