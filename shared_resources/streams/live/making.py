"""The domain's own part of live rows: its class, made of published inputs, and asked what changes.

Belongs here: opening what the class is made of, through the door, and calling it under the guard.
Does not belong here: which messages it is given (`granted.py`), what becomes of what it returns
(`writing.py`).
"""

from __future__ import annotations

import gc
from traceback import extract_tb
from typing import Any

import polars as pl

from shared_resources.access.door import Reader, admit
from shared_resources.confinement.guard import Declared, domain_code
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.function import PUBLISHED, LiveRows
from shared_resources.data_products.pinned_inputs import open_at
from shared_resources.environment import Environment
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.port import Generation
from shared_resources.stores.opening import open_product
from shared_resources.stores.pins import Pin
from shared_resources.stores.protocol import Snapshot
from shared_resources.stores.reading.frames import as_frame


class LiveProblem(MeshProblem):
    """The code of a product's live rows raised, or gave what are no rows of it: somebody has to mend it
    (`exit_code` 2)."""

    exit_code = 2


class OtherContract(LiveProblem):
    """The product's contract is another than the process began with: it is to be started anew."""

    exit_code = 1


class Following:
    """The class of `definition.live`, made for the version that is served. Raises `NotPublished`,
    `NoAgreement`, `LiveProblem`."""

    def __init__(
        self,
        environment: Environment,
        definition: ProductDefinition,
        generation: Generation,
        reader: Reader,
    ) -> None:
        assert definition.live is not None
        self._definition, self._live = definition, definition.live
        version = open_at(
            environment, Pin(definition.key, generation.store, generation.version, "")
        )
        evidence = version.snapshot.version.evidence_or_none
        pinned = evidence.input_versions if evidence else {}
        arguments: dict[str, Any] = {}
        self._declared: dict[str, Declared] = {}
        assert definition.function is not None
        for name in self._live.reads:
            given = definition.function.inputs[name]
            opened = _opened(environment, given.key, pinned.get(given.key))
            snapshot = admit(environment, opened, reader, given.columns)
            self._declared[given.key] = Declared(snapshot, given.columns)
            frame = self._live.frames.get(name)
            arguments[name] = as_frame(snapshot, frame, given.columns)
        frame = self._live.frames.get(PUBLISHED, pl.DataFrame)
        arguments[PUBLISHED] = as_frame(version.snapshot, frame)
        self._made = self._called(lambda live: live.made_by(**arguments))
        _settle()

    def update(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What the product's rows are now whose keys these rows change. Raises `LiveProblem`."""
        found = self._called(lambda live: self._made.update(rows))
        if not isinstance(found, pl.DataFrame):
            raise LiveProblem(
                f"{self._definition.key}: update() of @live returned a {type(found).__name__}; return a "
                "polars.DataFrame, an empty one when nothing changes"
            )
        return found

    def _called(self, call: Any) -> Any:
        definition = self._definition
        try:
            with domain_code(definition.key, self._declared, definition.environment):
                return call(self._live)
        except MeshProblem:
            raise
        except Exception as raised:  # noqa: BLE001 - whatever the code of a domain raises
            problem = _problem(definition, self._live, raised)
        raise problem  # here, where the error is no context: its text may quote a value


def _settle() -> None:
    """What is in memory by now stays: looked through for cycles in the middle of a step, it would hold up
    every message of that step."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def let_go() -> None:
    """At the end: of what is still kept as Python ends, libraries would say that it leaked."""
    gc.unfreeze()


def _opened(environment: Environment, key: str, pinned: tuple[str, int] | None) -> Snapshot:
    """At the version that the served one was made of; the current one, where that is there no more."""
    if pinned is not None:
        try:
            return open_at(environment, Pin(key, *pinned, "")).snapshot
        except (MeshProblem, StopIteration):
            return open_product(environment, key)
    return open_product(environment, key)


def _problem(definition: ProductDefinition, live: LiveRows, problem: Exception) -> LiveProblem:
    """Says where, and not what."""
    frames = [one for one in extract_tb(problem.__traceback__) if "products" in one.filename]
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(definition.folder)
    return LiveProblem(
        f"{where}: {live.made_by.__name__} of {definition.key} raised {type(problem).__name__}; nothing "
        "of these messages was written. Correct it and start `mesh stream live` again"
    )
