"""What a contract is compiled to, without Flink: how messages are proved, which rules are asked, which
settings are there whatever is asked for."""

import re
from pathlib import Path

import pytest

from shared_resources.contracts.odcs import read_contract
from shared_resources.problems import MeshProblem
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.sql import quote_literal
from shared_resources.streams.flink import runner
from shared_resources.streams.flink.gate_sql import JobGate
from shared_resources.streams.flink.job_sql import SEPARATOR, Job, compile_job, statement
from shared_resources.streams.flink.message_sql import plain_message
from shared_resources.streams.flink.verdict_sql import job_rules
from tests.contracts.reading import findings, read
from tests.streams.receipts import contract
from tests.tiny_mesh import column

KAFKA = KafkaSettings("one:9092,two:9092")
JOB = Job({0: 5, 1: 0}, "file:///staging/x", 7)


def made(**stream):
    return read(contract(engine="flink", **stream))


def test_a_job_begins_where_it_is_told_and_sees_what_was_committed_alone():
    sql = compile_job(made(), KAFKA, JOB)
    assert "'partition:0,offset:5;partition:1,offset:0'" in sql
    assert "'properties.isolation.level' = 'read_committed'" in sql
    assert "'properties.bootstrap.servers' = 'one:9092,two:9092'" in sql


def test_the_sink_that_loses_rows_is_never_used():
    sql = compile_job(made(), KAFKA, JOB)
    assert "SET 'table.exec.iceberg.use-v2-sink' = 'true'" in sql
    assert "SET 'execution.checkpointing.mode' = 'EXACTLY_ONCE'" in sql
    assert "'execution.checkpointing.interval' = '7 s'" in sql


def test_no_secret_is_in_it():
    kafka = KafkaSettings(
        "b:1", "SASL_SSL", "SCRAM-SHA-512", 're"ader', "planted-secret", authority="/ca.pem"
    )
    sql = compile_job(made(), kafka, JOB)
    assert "planted-secret" not in sql and "${KAFKA_SASL_PASSWORD}" in sql
    assert "scram.ScramLoginModule" in sql and 'username="re\\"ader"' in sql
    assert "'properties.ssl.truststore.location' = '/ca.pem'" in sql


def test_a_password_of_any_form_stands_in_its_statement_and_no_other_variable_does(monkeypatch):
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", 'it\'s \\ "quoted"')
    assert runner.filled("'password=\"${KAFKA_SASL_PASSWORD}\"; ${HOME}'") == (
        "'password=\"it''s \\\\ \\\"quoted\\\"\"; ${HOME}'"
    )


@pytest.mark.parametrize(
    "kafka",
    [
        KafkaSettings("b:1", "SASL_SSL", "AWS_MSK_IAM", region="eu-west-1"),
        KafkaSettings("b:1", "SSL", certificate="/c.pem", key="/k.pem"),
    ],
)
def test_brokers_that_it_cannot_log_in_to_are_refused(kafka):
    with pytest.raises(MeshProblem, match="does not log in to Kafka by"):
        compile_job(made(), kafka, JOB)


GATE = {"topic": "good", "engine": "flink"}


def with_gate(**stream):
    given = read(contract(**{"engine": "flink", "gate": GATE, **stream}))
    gate = JobGate({0: 9, 1: 0}, "mesh.shop.receipts.gate", job_rules(given))
    return compile_job(given, KAFKA, Job({0: 5, 1: 0}, "file:///staging/x", 7, gate))


def test_a_gates_topics_are_written_of_what_is_read_and_judged_once():
    sql = with_gate(deadLetters={"topic": "bad"})
    assert sql.count("FROM `topic`") == 1 and sql.count("FROM `judged`") == 4
    inserts = sql.split("BEGIN\n")[1].split(";\n")
    to = {one.split("`")[1]: one for one in inserts if "INTO `" in one}
    assert "_mesh_verdict` = 'kept' AND" in to["passed"]
    assert "_mesh_verdict` = 'broken' AND" in to["dead"] and "mesh.rules" in to["dead"]
    assert "(`_mesh_verdict` = 'unread') AND" in to["undecided"]
    for name in ("passed", "dead", "undecided"):  # what the gate had before passes no more
        assert "CASE `_mesh_partition` WHEN 0 THEN 9 WHEN 1 THEN 0 ELSE 0 END" in to[name]
    assert "CASE `_mesh_partition`" not in to["staging"]
    assert "'topic' = 'good.undecided'" in sql and "'topic' = 'bad'" in sql


def test_a_gate_is_delivered_as_its_contract_says():
    once = with_gate()
    assert once.count("'sink.delivery-guarantee' = 'exactly-once'") == 2
    assert "'sink.transactional-id-prefix' = 'mesh.shop.receipts.gate.job.passed'" in once
    assert "'execution.checkpointing.dir' = 'file:///staging/x/checkpoints'" in once
    often = with_gate(gate={**GATE, "delivery": "at_least_once"})
    assert often.count("'sink.delivery-guarantee' = 'at-least-once'") == 2
    assert "transactional" not in often


def test_tombstones_and_what_may_be_late_are_left_to_the_platform():
    at = column("at", "TIMESTAMP", logicalTypeOptions={"timezone": True})
    late = with_gate(
        mode="upsert",
        columns=[{**at, "physicalType": "TIMESTAMPTZ"}],
        late={"column": "at", "hours": 3},
    )
    assert "`_mesh_verdict` = 'unread' OR `_mesh_verdict` = 'empty' OR COALESCE(" in late
    assert late.count(">= 3, FALSE)") == 2 and late.count("AND NOT COALESCE(") == 1


def test_no_secret_is_in_a_gates_tables_and_nothing_is_filled_in_beside_them():
    kafka = KafkaSettings("b:1", "SASL_SSL", "SCRAM-SHA-512", "reader", "planted-secret")
    given = made(gate=GATE)
    gate = JobGate({0: 0}, "g", job_rules(given))
    sql = compile_job(given, kafka, Job({0: 0}, "file:///x", 7, gate))
    assert "planted-secret" not in sql
    filled = [one for one in sql.split(SEPARATOR) if "${KAFKA_SASL_PASSWORD}" in one]
    assert len(filled) == 3 and all(one.startswith(runner.TABLE) for one in filled)


PLAIN = [
    '{"receipt_id": 1, "till": "one", "paid": 1.5}',
    '{"receipt_id":1,"till":null,"paid":-0.05}',
    ' {\n"receipt_id" :\t12 , "till": "日本, \':{}" , "paid": null } ',
]
NOT_PLAIN = [
    '{"receipt_id": 1, "till": "one"}',
    '{"till": "one", "receipt_id": 1, "paid": 1.5}',
    '{"receipt_id": 1, "till": "o\\"ne", "paid": 1.5}',
    '{"receipt_id": 1, "till": "one", "paid": 1.555}',
    '{"receipt_id": 1, "till": "one", "paid": 123456789.5}',
    '{"receipt_id": 1, "till": "one", "paid": "1.5"}',
    '{"receipt_id": 1, "till": "one", "paid": 1.5, "paid": 1.5}',
    '{"receipt_id": 1, "till": "one", "paid": 1.5}x',
    '{"receipt_id": 1, "till": "one", "paid": 1.5}{"receipt_id": 1, "till": "one", "paid": 1.5}',
    '{"receipt_id": 01, "till": "one", "paid": 1.5}',
    '{"receipt_id": 1, "till": "a\nb", "paid": 1.5}',
    '{"receipt_id": 1, "till": "\ufffd", "paid": 1.5}',
    "[1]",
    "",
]


def matches(text):
    """Python's engine, in which the pattern's words for Java's are said otherwise."""
    pattern = plain_message(made(), ["receipt_id", "till", "paid"])
    said = re.sub(r"\\Q(.*?)\\E", lambda found: re.escape(found[1]), pattern)
    said = said.replace(r"\z", r"\Z").replace(r"\x{FFFD}", "\ufffd")
    return re.search(said, text) is not None


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_plainly_written_is_proved(text):
    assert matches(text)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_all_else_is_left_to_the_platform(text):
    assert not matches(text)


def test_every_rule_is_asked_by_the_job_or_named_with_why_not():
    for file in ("domains/order/products/transactions", "domains/customer/products/households"):
        given = read_contract(Path(file, "contract.odcs.yaml"))
        rules = job_rules(given)
        asked = {rule.name for rule, _ in rules.asked}
        left = {name for name, why in rules.left if why}
        decoding = {rule.name for rule in given.rules if rule.kind in ("columns", "parse")}
        assert asked | left | decoding == {rule.name for rule in given.rules}
        assert asked


def test_a_rule_of_which_some_rows_may_fail_rejects_none():
    given = read(
        contract(
            engine="flink",
            columns=[
                {
                    **column("note", "VARCHAR"),
                    "quality": [
                        {
                            "id": "few",
                            "type": "library",
                            "metric": "nullValues",
                            "mustBeLessThan": 5,
                            "unit": "percent",
                        }
                    ],
                }
            ],
        )
    )
    rules = job_rules(given)
    assert "few" in {name.removeprefix("quality_") for name, _ in rules.left} or rules.left
    assert all(rule.kind != "null_values" for rule, _ in rules.asked)


def test_names_and_values_cannot_end_what_they_stand_in():
    given = read(contract(engine="flink", columns=[
        {**column("o", "VARCHAR"), "logicalTypeOptions": {"pattern": "it's"}},
    ]))  # fmt: skip
    assert quote_literal("it's") in statement(given)


@pytest.mark.parametrize(
    ("stream", "columns", "said"),
    [
        ({"format": "avro"}, (), "cannot be flink for messages in avro"),
        ({"engine": "spark"}, (), "does not exist"),
        (
            {},
            [{**column("day", "DATE"), "logicalTypeOptions": {"format": "dd.MM.yyyy"}}],
            "the column day has a `format` of its own",
        ),
    ],
)
def test_a_contract_that_no_job_can_read_is_refused(stream, columns, said):
    found = findings(contract(columns=columns, **{"engine": "flink", **stream}))
    assert any(said in one.message for one in found), found
