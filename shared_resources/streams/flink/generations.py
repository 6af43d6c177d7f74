"""Generations of staging: what one job has read, and from where it began.

Belongs here: beginning a job at the product's committed position, finding the current generation,
removing what no window will ever take.
Does not belong here: the statements (`job_sql.py`), the files of a generation (`staged.py`).

A job that stages alone has no memory of its own: whoever begins it begins a new generation, in a folder
of its own, at the position of the version that readers see, and what the job before staged and nobody
took is dropped. So neither a checkpoint nor a savepoint is needed, a job of another contract continues
nothing, and a job that was thought dead writes where nobody looks. One that passes messages on at a gate,
too, has its checkpoints in that folder: they serve to end it (`ending.py`), and not to continue it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Delivery, Engine
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.problems import MeshProblem
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.flink.gate_sql import JobGate
from shared_resources.streams.flink.job_sql import Job, compile_job, statement
from shared_resources.streams.log.port import Positions
from shared_resources.streams.standing import begin_at, look

STAGING = "MESH_FLINK_STAGING"
SQL, SAID, CURRENT = "job.sql", "generation.json", "current"
# Each checkpoint is a commit of the staging table: more often than this they cost more than they hasten.
SHORTEST_CHECKPOINT = 1


class NoJob(MeshProblem):
    """No job of Flink's decodes the product's messages: its contract names another engine."""

    exit_code = 2


@dataclass(frozen=True)
class Generation:
    """`begins` is from where the job reads each partition; `statement` names what it was compiled to.
    `gate` is from where it passes messages on exactly once, None where it does not; `options` are Flink's
    settings that it was begun with."""

    folder: Path
    topic_id: str
    begins: Positions
    statement: str
    checkpoint_seconds: int
    gate: Positions | None = None
    options: tuple[str, ...] = ()

    @property
    def metadata(self) -> Path:
        return self.folder / "stream" / "messages" / "metadata"


def staging_of(environment: Environment, contract: Contract) -> Path:
    """The folder of all generations of the product: on the workers' and the platform's machines alike."""
    named = platform_variables().get(STAGING)
    below = Path(named) if named else environment.home / "flink"
    return below.resolve() / contract.domain / contract.name


def statement_digest(contract: Contract) -> str:
    """What the job does with a message, whichever brokers and positions it was begun with."""
    return hashlib.sha256(statement(contract).encode()).hexdigest()[:16]


def plan(
    environment: Environment,
    contract: Contract,
    folder: Path,
    gate: JobGate | None = None,
    options: Sequence[str] = (),
) -> tuple[Generation, str]:
    """A generation in that folder that would begin now, and its job. Nothing is written.

    Raises `MessagesGone` when messages are missing that nobody said may be, `NoJob` for a product
    whose engine is another, and `MeshProblem` for one whose topic no job can read.
    """
    kafka = _kafka(environment, contract)
    topic, gap, at, _ = look(environment, contract)
    begins = dict(begin_at(topic, at, gap, sorted(topic.ends)))
    if gate is not None:  # what is staged before the product's position, no window takes
        begins = {p: min(begin, gate.begins[p]) for p, begin in begins.items()}
    stream = contract.stream
    assert stream is not None
    seconds = max(SHORTEST_CHECKPOINT, stream.window_seconds)
    once = stream.gate is not None and stream.gate.delivery is Delivery.EXACTLY_ONCE
    made = Generation(
        folder,
        topic.id,
        begins,
        statement_digest(contract),
        seconds,
        gate.begins if gate is not None and once else None,
        tuple(options),
    )
    return made, compile_job(contract, kafka, Job(begins, folder.as_uri(), seconds, gate))


def begin(
    environment: Environment,
    contract: Contract,
    gate: JobGate | None = None,
    options: Sequence[str] = (),
) -> Generation:
    """Make a new generation the current one, and remove the others. Raises as `plan`."""
    root = staging_of(environment, contract)
    made, sql = plan(environment, contract, root / uuid.uuid4().hex[:12], gate, options)
    made.folder.mkdir(parents=True, mode=0o700)
    (made.folder / SQL).write_text(sql, encoding="utf-8")
    said = {
        "topic_id": made.topic_id,
        "begins": {str(p): at for p, at in made.begins.items()},
        "gate": None if made.gate is None else {str(p): at for p, at in made.gate.items()},
        "options": list(made.options),
        "statement": made.statement,
        "checkpoint_seconds": made.checkpoint_seconds,
    }
    (made.folder / SAID).write_text(json.dumps(said), encoding="utf-8")
    part = root / f".{CURRENT}-{made.folder.name}"
    part.write_text(made.folder.name, encoding="utf-8")
    part.replace(root / CURRENT)
    for other in root.iterdir():
        if other.is_dir() and other != made.folder:
            shutil.rmtree(other, ignore_errors=True)
    return made


def current(environment: Environment, contract: Contract) -> Generation | None:
    """None where no job was ever begun."""
    root = staging_of(environment, contract)
    try:
        folder = root / (root / CURRENT).read_text(encoding="utf-8").strip()
        said = json.loads((folder / SAID).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Generation(
        folder,
        said["topic_id"],
        _positions(said["begins"]),
        said["statement"],
        int(said["checkpoint_seconds"]),
        _positions(said["gate"]) if said.get("gate") is not None else None,
        tuple(said.get("options", ())),
    )


def _positions(said: Mapping[str, int]) -> Positions:
    return {int(p): int(at) for p, at in said.items()}


def _kafka(environment: Environment, contract: Contract) -> KafkaSettings:
    if contract.stream is None or contract.stream.engine is not Engine.FLINK:
        raise NoJob(
            f"{contract.key} is not made by Flink: add `engine: flink` to its `stream` in {contract.path}"
        )
    kafka: KafkaSettings | None = getattr(environment.log, "kafka", None)
    if kafka is None:
        raise EnvironmentProblem(
            f"{contract.key}: a job of Flink's reads Kafka, and the topics are in {environment.log}; set "
            "MESH_LOG=kafka and KAFKA_BOOTSTRAP_SERVERS"
        )
    return kafka
