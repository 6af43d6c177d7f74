"""How a job is run: the command in Flink's environment, and what it may know.

Belongs here: the command line, the variables. Does not belong here: what it runs (`runner.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared_resources.streams.flink.generations import SQL, Generation

RUNNER = Path(__file__).with_name("runner.py")
# Nothing of the platform's own, as what signs its evidence.
_ITS_OWN = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "KAFKA_SASL_PASSWORD")
_PREFIXES = ("JAVA_", "FLINK_", "HADOOP_", "AWS_")


def command(python: str, generation: Generation, options: Sequence[str], hours: float) -> list[str]:
    sql = str(generation.folder / SQL)
    return [python, str(RUNNER), sql, f"{hours * 3600:.0f}", *options]


def ending_command(python: str, generation: Generation, checkpoint: Path) -> list[str]:
    """Runs the generation's job from there until all that it has read is committed."""
    sql = str(generation.folder / SQL)
    resumed = f"execution.state-recovery.path={checkpoint.as_uri()}"
    return [python, str(RUNNER), sql, "end", *generation.options, resumed]


def environment_of(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: said
        for name, said in variables.items()
        if name in _ITS_OWN or name.startswith(_PREFIXES)
    }
