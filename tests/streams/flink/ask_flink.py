"""Asks Flink, in its own environment: statements from a file, the queries' answers into another."""

import json
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    statements = json.loads(Path(sys.argv[1]).read_text())
    table = import_module("pyflink.java_gateway").get_gateway().jvm.org.apache.flink.table.api
    settings = table.EnvironmentSettings.newInstance().inBatchMode().build()
    environment = table.TableEnvironment.create(settings)
    for name, said in (("table.local-time-zone", "UTC"), ("parallelism.default", "1")):
        environment.getConfig().set(name, said)
    answers = []
    for statement in statements:
        try:
            answer = ask(environment, statement)
        except Exception as problem:  # noqa: BLE001 -- py4j's, with Java's in it
            causes = [line for line in str(problem).splitlines() if "Caused by" in line]
            answer = {"-1": "\n".join([*causes[-3:], statement])}
        if answer is not None:
            answers.append(answer)
    Path(sys.argv[2]).write_text(json.dumps(answers))


def ask(environment, statement):
    """By the first column, the second; None of what is no query."""
    result = environment.executeSql(statement)
    if not statement.startswith("SELECT"):
        return None
    rows, answer = result.collect(), {}
    while rows.hasNext():
        row = rows.next()
        answer[str(row.getField(0))] = row.getField(1)
    return answer


if __name__ == "__main__":
    main()
