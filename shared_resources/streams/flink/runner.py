"""Runs a job: given a file of statements, in the environment that has Flink.

Belongs here: what must happen in Flink's own Python: nothing of the platform is imported.
Does not belong here: the statements (`job_sql.py`), starting this (`running_job.py`).

    python runner.py FILE SECONDS [key=value …]
    python runner.py FILE end [key=value …]

The statements are run one after the other; the last one is the job. This ends when it does, or after so
many seconds; `end`: as soon as it runs, all that it has written committed. Without
`execution.target=remote` it runs here, in a JVM that ends with this process. `${KAFKA_SASL_PASSWORD}` in
a table's options is that environment variable, so that no file holds a secret. In a view and the job
itself, which have patterns and values of a contract in them, nothing is filled in.
"""

from __future__ import annotations

import os
import re
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

SEPARATOR = "\n;\n"
TABLE = "CREATE TEMPORARY TABLE "
STARTING_SECONDS = 180


def filled(statement: str) -> str:
    """It stands between double quotes of Kafka's own form, and that between single ones of SQL."""
    return re.sub(
        r"\$\{(KAFKA_SASL_PASSWORD)\}",
        lambda found: (
            os.environ[found[1]].replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
        ),
        statement,
    )


def main() -> None:
    file, seconds, *options = sys.argv[1:]
    # Its Java interface: the one for Python wants Beam, for functions of which this job has none.
    java = import_module("pyflink.java_gateway").get_gateway().jvm
    table = java.org.apache.flink.table.api
    settings = table.EnvironmentSettings.newInstance().inStreamingMode().build()
    environment = table.TableEnvironment.create(settings)
    config = environment.getConfig()
    *before, job = Path(file).read_text(encoding="utf-8").split(SEPARATOR)
    for statement in before:
        if setting := re.fullmatch(r"SET '([^']+)' = '([^']*)'", statement):
            config.set(setting[1], setting[2])  # as the SQL client does, which alone knows SET
        else:
            is_table = statement.startswith(TABLE)
            environment.executeSql(filled(statement) if is_table else statement)
    for option in options:
        name, _, said = option.partition("=")
        config.set(name, said)
    running = environment.executeSql(job)
    print("started", flush=True)
    if seconds == "end":
        end(java, running.getJobClient().get())
        return
    ended = running.getJobClient().get().getJobExecutionResult()
    try:
        ended.get(int(seconds), java.java.util.concurrent.TimeUnit.SECONDS)
    except Exception as problem:
        if "java.util.concurrent.TimeoutException" not in str(problem):
            raise
        running.getJobClient().get().cancel().get()
        print(f"ended after {seconds} seconds, to be begun anew", flush=True)


def end(java: Any, job: Any) -> None:
    """Stop the job with all committed that it has read. It is refused until all its tasks run."""
    canonical = java.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
    until = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            job.stopWithSavepoint(False, None, canonical).get()
            break
        except Exception:
            if time.monotonic() > until or job.getJobStatus().get().isTerminalState():
                raise
            time.sleep(0.5)
    job.getJobExecutionResult().get()
    print("ended, with all of it committed", flush=True)


if __name__ == "__main__":
    main()
