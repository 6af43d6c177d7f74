"""Processes of their own that make, roll back and replay batches, and that can be killed.

Belongs here: running the pipeline without Dagster in a forked child, and dying at a chosen step.
Does not belong here: what must hold afterwards (the tests).
"""

from __future__ import annotations

import importlib
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import Run, attempt
from shared_resources.data_products.definition import ProductDefinition, define_product
from shared_resources.data_products.makers.making import make
from shared_resources.data_products.publishing import already_published, publish, rollback
from shared_resources.data_products.replaying import replay
from shared_resources.environment import Environment
from shared_resources.mesh import read_mesh
from tests.forkserver import forkserver


@dataclass(frozen=True)
class Death:
    """Where a process kills itself: before or after `module:Owner.function` for the n-th time."""

    where: str
    after: bool = False
    time: int = 1


def definition(environment: Environment, key: str) -> ProductDefinition:
    mesh = read_mesh(environment.root)
    domain = mesh.domain(key.split("/")[0])
    return define_product(environment, domain, domain.product(key.split("/")[1]))


def make_batch(
    environment: Environment, key: str, run_id: str, partitions: Sequence[str] = ("",)
) -> bool:
    """What the product's op does, without Dagster; whether the batch is published."""
    product = definition(environment, key)
    made_by = attempt(environment, product, Run(run_id, tuple(partitions)), {})
    if already_published(environment, product.contract, made_by.batch_id):
        return True
    audited = audit_batch(made_by, make(made_by))
    if audited.staged is None:
        return False
    publish(audited)
    return True


def roll_back(environment: Environment, key: str, to: int) -> None:
    rollback(environment, definition(environment, key).contract, to, by="tests")


def replay_entry(environment: Environment, key: str, entry_id: str) -> None:
    entry = environment.quarantine.get(entry_id)
    replay(environment, definition(environment, key), entry, f"replay-{uuid.uuid4()}", {})


def child(work: Callable[..., Any], *arguments: Any, death: Death | None = None) -> BaseProcess:
    """A process of its own for `work`, to be started, which dies where `death` says."""
    return forkserver().Process(target=_child, args=(work, arguments, death))


def start(work: Callable[..., Any], *arguments: Any, death: Death | None = None) -> BaseProcess:
    """For a `work` that ends by itself; `forkserver.running` ends one that would not."""
    process = child(work, *arguments, death=death)
    process.start()
    return process


def _child(work: Callable[..., Any], arguments: tuple[Any, ...], death: Death | None) -> None:
    for argument in arguments:
        if isinstance(argument, Environment):
            os.environ["MESH_ROOT"] = str(argument.root)
            os.environ["MESH_HOME"] = str(argument.home)
    if death is not None:
        _arm(death)
    work(*arguments)


def _arm(death: Death) -> None:
    """Replace a function by one that kills the process; SIGKILL leaves no time to clean up."""
    module_name, _, path = death.where.partition(":")
    owner: Any = importlib.import_module(module_name)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    calls = 0

    def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == death.time and not death.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if calls == death.time:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)
