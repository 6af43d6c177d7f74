"""Where dbt builds a model: the interface that each engine implements, `environment.dbt_target`.

Belongs here: what differs between the engines as far as composing a project and running it goes.
Does not belong here: an engine's own part (`on_duckdb.py`,
`data_products/dbt/on_snowflake/target.py`), or dialects: what differs in SQL is in
`dbt_project/macros/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from shared_resources.stores.protocol import Snapshot


class Built(Protocol):
    """The scratch place of a run after dbt: what it made can be read while this is open."""

    def columns_of(self, relation: str) -> dict[str, str]:
        """Column name to the engine's type of a view or table, in order."""
        ...

    def read(self, relation: str, columns: tuple[str, ...]) -> pa.RecordBatchReader:
        """Stream a table. `columns` are the contract's names, which an engine may write otherwise."""
        ...


class Scratch(Protocol):
    """The private place of one run: its pinned inputs under their `source()` names, and no other."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What dbt's process of this run finds in its environment, secrets among it."""
        ...

    def opened(self) -> AbstractContextManager[Built]:
        """Read what dbt built. dbt must have ended."""
        ...


class DbtTarget(Protocol):
    """One engine under dbt. `name` is dbt's word for the adapter and sqlglot's for the dialect."""

    name: str
    # Its `main` is dbt's own command line, confined. It is called in dbt's process.
    module: str
    # What dbt's server imports before it forks that process: nothing that starts a thread.
    prepared: tuple[str, ...]

    def profile(self) -> dict[str, Any]:
        """The output of the generated profile. Nothing in it is secret or differs from run to run."""
        ...

    def settings(self) -> dict[str, Any]:
        """What the composed `dbt_project.yml` needs beside the author's."""
        ...

    def source(self, domain: str) -> dict[str, Any]:
        """Where the views of the domain's products lie in the scratch place, as dbt has it."""
        ...

    def table(self, product: str) -> dict[str, Any]:
        """What dbt must know of the view of one product beside its name."""
        ...

    def parsing(self) -> Mapping[str, str]:
        """The variables that parsing needs: no secret, and nothing that leads to a server."""
        ...

    def scratch(self, run: Path, inputs: Mapping[str, Snapshot]) -> AbstractContextManager[Scratch]:
        """Make the run's private place, for as long as the block lasts. `run` is its folder."""
        ...

    def remove_abandoned(self, run: Path) -> None:
        """Remove what a run outside its folder left, whose process is gone."""
        ...
