"""What is wrong with Kafka's variables is said, and without what they hold of secrets."""

from __future__ import annotations

import pytest

from shared_resources.production.kafka.settings import KafkaSettings, read_kafka

LOGIN = {
    "KAFKA_BOOTSTRAP_SERVERS": "one:9092, two:9092",
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "mesh",
    "KAFKA_SASL_PASSWORD": "planted-secret",
}


def problems_with(changed: dict[str, str | None], region: str | None = None) -> str:
    given = {name: value for name, value in {**LOGIN, **changed}.items() if value is not None}
    problems: list[str] = []
    assert read_kafka(given, region, problems) is None
    told = "\n".join(problems)
    assert told and "planted-secret" not in told
    return told


def test_a_mesh_without_streams_needs_no_kafka():
    problems: list[str] = []
    assert read_kafka({}, None, problems) is None
    assert not problems


def test_a_login_is_what_the_client_is_given_and_its_password_is_not_shown(tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    problems: list[str] = []
    settings = read_kafka({**LOGIN, "KAFKA_SSL_CA_LOCATION": str(authority)}, None, problems)
    assert settings is not None
    assert not problems
    assert "planted-secret" not in repr(settings)
    assert settings.client() == {
        "bootstrap.servers": "one:9092, two:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "mesh",
        "sasl.password": "planted-secret",
        "ssl.ca.location": str(authority),
    }


def test_without_a_login_none_is_given():
    assert KafkaSettings("one:9092").client() == {
        "bootstrap.servers": "one:9092",
        "security.protocol": "PLAINTEXT",
    }


def test_amazons_brokers_are_logged_in_to_with_a_token():
    given = {**LOGIN, "KAFKA_SASL_MECHANISM": "aws_msk_iam", "KAFKA_SASL_PASSWORD": ""}
    problems: list[str] = []
    settings = read_kafka(given, "eu-central-1", problems)
    assert settings is not None
    client = settings.client()
    assert client["sasl.mechanism"] == "OAUTHBEARER"
    assert callable(client["oauth_cb"])
    assert "sasl.password" not in client


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "mesh:planted-secret@one:9092"},
            "must hold no user or password",
        ),
        ({"KAFKA_BOOTSTRAP_SERVERS": "one"}, "'one' is no broker; set it to host:port"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "TLS"},
            "KAFKA_SECURITY_PROTOCOL='TLS' is none; set PLAINTEXT, SSL",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": None}, "logs in to nothing, but KAFKA_SASL_… is set"),
        ({"KAFKA_SASL_MECHANISM": None}, "KAFKA_SASL_MECHANISM is not set; set PLAIN"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM='GSSAPI' is none that is known"),
        ({"KAFKA_SASL_USERNAME": None}, "KAFKA_SASL_USERNAME is not set"),
        ({"KAFKA_SASL_PASSWORD": None}, "KAFKA_SASL_PASSWORD is not set"),
        ({"KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"}, "needs a region; set AWS_DEFAULT_REGION"),
        ({"KAFKA_SSL_CA_LOCATION": "/nowhere/ca.pem"}, "is no file; set the path of a PEM file"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SSL_KEY_LOCATION": "/nowhere"},
            "has no TLS; set SASL_SSL or SSL",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
            "would log in to one in clear; set SASL_SSL, or MESH_KAFKA_PLAINTEXT=allowed",
        ),
        (
            {
                "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,two:9092",
            },
            "would log in to two in clear",
        ),
        ({"MESH_KAFKA_PLAINTEXT": "yes"}, "MESH_KAFKA_PLAINTEXT='yes' means nothing"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_set(changed, told):
    assert told in problems_with(changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,[::1]:9093,localhost:9094"},
        {"MESH_KAFKA_PLAINTEXT": "allowed"},
    ],
)
def test_a_login_in_clear_stays_on_this_machine_or_is_allowed(changed):
    problems: list[str] = []
    given = {**LOGIN, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **changed}
    assert read_kafka(given, None, problems) is not None
    assert problems == []
