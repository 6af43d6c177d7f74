"""A job of Flink's: the topic's JSON, ten rules, Iceberg; run by the Python of Flink's environment.

    PYTHON flink.py BROKER TOPIC FOLDER

As somebody writes it who uses Flink alone: its own JSON format, the rules as a condition, the v2 sink
(the one before lost rows), a commit a second. What breaks a rule goes nowhere. Runs until it is ended.
"""

import sys
from importlib import import_module

SETTINGS = {
    "execution.runtime-mode": "streaming",
    "execution.checkpointing.interval": "1 s",
    "table.exec.iceberg.use-v2-sink": "true",
    "table.local-time-zone": "UTC",
    "parallelism.default": "2",
    "taskmanager.numberOfTaskSlots": "2",
}
COLUMNS = (
    "basket BIGINT, household BIGINT, store BIGINT, product BIGINT, quantity BIGINT, amount DOUBLE, "
    "channel STRING, code STRING, `day` DATE, note STRING"
)
KEEPS = (
    "basket IS NOT NULL AND household IS NOT NULL AND amount IS NOT NULL AND `day` IS NOT NULL "
    "AND (quantity IS NULL OR quantity BETWEEN 1 AND 100) AND amount >= 0 AND amount < 1000 "
    "AND `day` >= DATE '2017-01-01' AND (channel IS NULL OR channel IN ('web', 'shop', 'phone')) "
    "AND (code IS NULL OR REGEXP(code, '^[A-Z][0-9]{5}$')) "
    "AND (note IS NULL OR CHAR_LENGTH(note) <= 40)"
)


def main() -> None:
    broker, topic, folder = sys.argv[1:]
    table = import_module("pyflink.java_gateway").get_gateway().jvm.org.apache.flink.table.api
    settings = table.EnvironmentSettings.newInstance().inStreamingMode().build()
    environment = table.TableEnvironment.create(settings)
    for name, said in SETTINGS.items():
        environment.getConfig().set(name, said)
    environment.executeSql(
        f"CREATE TEMPORARY TABLE messages ({COLUMNS}) WITH ('connector' = 'kafka', 'topic' = '{topic}', "
        f"'properties.bootstrap.servers' = '{broker}', 'scan.startup.mode' = 'earliest-offset', "
        "'properties.isolation.level' = 'read_committed', 'format' = 'json', "
        "'json.ignore-parse-errors' = 'true')"
    )
    environment.executeSql(
        "CREATE CATALOG lake WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', "
        f"'warehouse' = 'file://{folder}')"
    )
    environment.executeSql("CREATE DATABASE lake.shop")
    environment.executeSql(
        f"CREATE TABLE lake.shop.`lines` ({COLUMNS}) WITH ('format-version' = '2', "
        "'write.parquet.compression-codec' = 'zstd')"
    )
    print("began", flush=True)
    running = environment.executeSql(
        f"INSERT INTO lake.shop.`lines` SELECT * FROM messages WHERE {KEEPS}"
    )
    running.getJobClient().get().getJobExecutionResult().get()


if __name__ == "__main__":
    main()
