"""Spark's structured streaming: the topic's JSON, ten rules, Iceberg; run by the Python of PySpark's.

    PYTHON spark.py BROKER TOPIC FOLDER JARS

As somebody writes it who uses Spark alone: `from_json`, the rules as a condition, a batch a second at
most. What breaks a rule goes nowhere. JARS is a folder with Iceberg's runtime for Spark and the connector
for Kafka (`pom.xml`). Runs until it is ended.
"""

import sys
from importlib import import_module
from pathlib import Path

SCHEMA = (
    "basket BIGINT, household BIGINT, store BIGINT, product BIGINT, quantity BIGINT, amount DOUBLE, "
    "channel STRING, code STRING, day DATE, note STRING"
)
KEEPS = (
    "basket IS NOT NULL AND household IS NOT NULL AND amount IS NOT NULL AND day IS NOT NULL "
    "AND (quantity IS NULL OR quantity BETWEEN 1 AND 100) AND amount >= 0 AND amount < 1000 "
    "AND day >= DATE '2017-01-01' AND (channel IS NULL OR channel IN ('web', 'shop', 'phone')) "
    "AND (code IS NULL OR code RLIKE '^[A-Z][0-9]{5}$') AND (note IS NULL OR length(note) <= 40)"
)


def main() -> None:
    broker, topic, folder, jars = sys.argv[1:]
    builder = import_module("pyspark.sql").SparkSession.builder.master("local[2]")
    of_lake = "spark.sql.catalog.lake"
    for name, said in {
        "spark.jars": ",".join(map(str, sorted(Path(jars).glob("*.jar")))),
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        of_lake: "org.apache.iceberg.spark.SparkCatalog",
        f"{of_lake}.type": "hadoop",
        f"{of_lake}.warehouse": folder,
    }.items():
        builder = builder.config(name, said)
    spark = builder.getOrCreate()
    spark.sql(
        f"CREATE TABLE lake.shop.lines ({SCHEMA}) USING iceberg TBLPROPERTIES ("
        "'format-version' = '2', 'write.parquet.compression-codec' = 'zstd')"
    )
    print("began", flush=True)
    messages = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", broker)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("kafka.isolation.level", "read_committed")
        .load()
    )
    rows = messages.selectExpr(f"from_json(CAST(value AS STRING), '{SCHEMA}') AS row")
    written = (
        rows.select("row.*")
        .where(KEEPS)
        .writeStream.format("iceberg")
        .outputMode("append")
        .trigger(processingTime="1 second")
        .option("checkpointLocation", f"{folder}/checkpoints")
        .toTable("lake.shop.lines")
    )
    written.awaitTermination()


if __name__ == "__main__":
    main()
