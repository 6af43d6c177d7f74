"""Asking a code server, over its socket, in Dagster's own protocol.

Belongs here: every call of Dagster's gRPC client that this room makes.
Does not belong here: what follows from the answers (`loading.py`, `draining.py`).

A call may be made while the server ends: what cannot be reached is None, or nothing, to the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster._grpc.client import DagsterGrpcClient


class Refused(Exception):
    """The server answers that its location has an error; the text is Dagster's."""


@dataclass(frozen=True)
class Held:
    """What a location defines, as webserver and daemon are told."""

    assets: int
    checks: int
    jobs: int
    sensors: int
    schedules: int


def answers(socket: Path) -> bool:
    """Whether the server has loaded its code: it listens only then."""
    from dagster._core.errors import DagsterUserCodeUnreachableError

    if not socket.exists():
        return False
    try:
        _client(socket).ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


def contents(socket: Path, location: str) -> Held:
    """Ask for all that webserver and daemon will ask for. Raises `Refused` with the location's error."""
    from dagster._api.list_repositories import sync_list_repositories_grpc
    from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
    from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
    from dagster._core.remote_representation.external_data import (
        RepositoryErrorSnap,
        RepositorySnap,
    )
    from dagster._serdes import deserialize_value

    client = _client(socket)
    origin = GrpcServerCodeLocationOrigin("localhost", socket=str(socket), location_name=location)
    counts = [0, 0, 0, 0, 0]
    try:
        for symbol in sync_list_repositories_grpc(client).repository_symbols:
            asked = RemoteRepositoryOrigin(origin, symbol.repository_name)
            told = deserialize_value(
                client.external_repository(asked, defer_snapshots=True),
                (RepositorySnap, RepositoryErrorSnap),
            )
            if isinstance(told, RepositoryErrorSnap):
                raise Refused(told.error.to_string() if told.error else "no reason is given")
            parts = (
                told.asset_nodes,
                told.asset_check_nodes or (),
                told.get_job_refs(),
                told.sensors,
                told.schedules,
            )
            counts = [count + len(part) for count, part in zip(counts, parts, strict=True)]
    except (DagsterUserCodeProcessError, DagsterUserCodeUnreachableError) as problem:
        raise Refused(str(problem)) from problem
    return Held(*counts)


def runs(socket: Path) -> list[str] | None:
    """The runs whose processes the server has started and that have not ended; None: unreachable."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.types import GetCurrentRunsResult
    from dagster._serdes import deserialize_value

    if not socket.exists():
        return None
    try:
        told = deserialize_value(_client(socket).get_current_runs(), GetCurrentRunsResult)
    except DagsterUserCodeUnreachableError:
        return None
    return list(told.current_runs)


def say_where(runs_there: Iterable[str], socket: Path, instance_folder: Path) -> None:
    """Tell the instance on which socket these runs can be ended: their domain's leads elsewhere now."""
    import dagster as dg
    from dagster._core.storage.tags import GRPC_INFO_TAG

    tag = json.dumps({"host": "localhost", "socket": str(socket)})
    with dg.DagsterInstance.from_config(str(instance_folder)) as instance:
        for run in runs_there:
            instance.add_run_tags(run, {GRPC_INFO_TAG: tag})


def cancel(socket: Path, run: str, instance_folder: Path) -> None:
    """Let the run end as if a person had ended it in the UI."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(instance_folder)) as instance:
        known = instance.get_run_by_id(run)
        if known is not None and not known.is_finished:
            instance.report_run_canceling(known)  # else its end would be taken for a failure
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.types import CancelExecutionRequest

    try:
        _client(socket).cancel_execution(CancelExecutionRequest(run_id=run))
    except DagsterUserCodeUnreachableError:
        return  # the server is gone, and cannot pass it on


def _client(socket: Path) -> DagsterGrpcClient:
    from dagster._grpc.client import DagsterGrpcClient

    return DagsterGrpcClient(socket=str(socket))
