"""What dbt's server has ready before it forks: modules, and what dbt works out of its classes.

Belongs here: what no project changes and every command would work out anew.
Does not belong here: anything of a project, of a connection, or of a command's own state, which a child
would inherit of another.

Importing dbt takes 1.4 s of CPU and the schemas 0.3 s (0.85 s to parse), of the 3.5 s of a command. The
code that reads and writes its objects is generated when it is first asked for, which takes each command
0.3 s more, and Python's first look at the stack 0.06 s.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
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
_NODES, _RESOURCES = "dbt.contracts.graph.nodes", "dbt.artifacts.resources.v1"
_KEPT = (  # what a parsed project holds, in the manifest and in the file for partial parsing
    *(f"{_NODES}:{name}" for name in ("ModelNode", "GenericTestNode", "SingularTestNode")),
    *(f"{_NODES}:{name}" for name in ("SourceDefinition", "Macro", "Documentation")),
    f"{_RESOURCES}.components:ColumnInfo",
    f"{_RESOURCES}.source_definition:SourceConfig",
    "dbt.artifacts.schemas.manifest.v12.manifest:ManifestMetadata",
)
_WRITTEN = (
    *_KEPT,
    f"{_RESOURCES}.config:TestConfig",
    f"{_RESOURCES}.generic_test:GenericTest",
    f"{_RESOURCES}.macro:Macro",
    f"{_RESOURCES}.model:Model",
    f"{_RESOURCES}.model:ModelConfig",
    f"{_RESOURCES}.singular_test:SingularTest",
    f"{_RESOURCES}.source_definition:SourceDefinition",
    "dbt.adapters.duckdb.credentials:DuckDBCredentials",
    "dbt.adapters.duckdb.relation:DuckDBRelation",
    "dbt.artifacts.schemas.manifest.v12.manifest:WritableManifest",
)
_READ = (
    *_WRITTEN,
    "dbt.contracts.files:SchemaSourceFile",
    "dbt.contracts.files:SourceFile",
    "dbt.contracts.graph.unparsed:UnparsedColumn",
    "dbt.contracts.graph.unparsed:UnparsedModelUpdate",
    "dbt.contracts.graph.unparsed:UnparsedSourceDefinition",
    "dbt.contracts.graph.unparsed:UnparsedSourceTableDefinition",
    "dbt.contracts.project:PackageConfig",
    "dbt.contracts.project:Project",
    "dbt.contracts.project:ProjectFlags",
)
_WHOLE = ("dbt.contracts.graph.manifest:Manifest",)
# The methods of mashumaro's that dbt's classes have: reading and writing, of which form.
_GENERATED = (
    ("__mashumaro_from_dict__", _READ),
    (
        "__mashumaro_from_dict_msgpack__",
        (*_KEPT, "dbt.contracts.graph.manifest:ManifestStateCheck"),
    ),
    ("__mashumaro_from_msgpack__", _WHOLE),
    ("__mashumaro_to_dict__", _WRITTEN),
    ("__mashumaro_to_dict_msgpack__", _KEPT),
    ("__mashumaro_to_msgpack__", _WHOLE),
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
        if new:
            for method, classes in _GENERATED:
                for name in classes:
                    _generate(name, method)
            inspect.stack()
        if new or schemas:
            gc.freeze()  # a child that collects garbage would copy every page of it


def threads() -> int:
    """How many the process has, those of libraries included, of which Python knows nothing."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _build(name: str) -> None:
    if (found := _class(name)) is not None:
        found.json_schema()


def _generate(name: str, method: str) -> None:
    """Have the class generate the method, which it does when it is called, with whatever."""
    found = _class(name)
    if found is not None and hasattr(found, method):
        # There is nothing in it to be read or written, which comes out after it was generated.
        with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
            getattr(found, method)({} if "_from_" in method else object.__new__(found))


def _class(name: str) -> Any:
    """The class; None of an adapter that was not imported, or where another dbt has moved it."""
    module, _, attribute = name.partition(":")
    return getattr(sys.modules.get(module), attribute, None)
