"""Runs a job: given a file of statements, in the environment that has Flink.

Belongs here: what must happen in Flink's own Python: nothing of the platform is imported.
Does not belong here: the statements (`job_sql.py`), starting this (`running_job.py`).

    python runner.py FILE SECONDS [key=value …]

The statements are run one after the other; the last one is the job. This ends when it does, or after so
many seconds. Without
`execution.target=remote` it runs here, in a JVM that ends with this process. `${KAFKA_SASL_PASSWORD}` in
a statement before the job is that environment variable, so that no file holds a secret. In the job
itself, which has patterns and values of a contract in it, nothing is filled in.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path

SEPARATOR = "\n;\n"


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
            environment.executeSql(filled(statement))
    for option in options:
        name, _, said = option.partition("=")
        config.set(name, said)
    running = environment.executeSql(job)
    print("started", flush=True)
    ended = running.getJobClient().get().getJobExecutionResult()
    try:
        ended.get(int(seconds), java.java.util.concurrent.TimeUnit.SECONDS)
    except Exception as problem:
        if "java.util.concurrent.TimeoutException" not in str(problem):
            raise
        running.getJobClient().get().cancel().get()
        print(f"ended after {seconds} seconds, to be begun anew", flush=True)


if __name__ == "__main__":
    main()
