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
        result = environment.executeSql(statement)
        if statement.startswith("SELECT"):
            rows = result.collect()
            answer = {}
            while rows.hasNext():
                row = rows.next()
                answer[str(row.getField(0))] = row.getField(1)
            answers.append(answer)
    Path(sys.argv[2]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
