"""How to reach Kafka: the ecosystem's variables, read and checked without the network.

Belongs here: `MESH_LOG` and `KAFKA_…`, what is wrong with them, the clients' configuration that they
come to. Does not belong here: the clients themselves (`streams/log/kafka/`), other settings
(`checks.py`).

A problem is one line: the variable, what is wrong with it, what to set. It never holds a secret.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_resources.problems import MeshProblem
from shared_resources.production.quoting import holds_login, quoted

# Where topics are: in the mesh's own log below its home, or in Kafka.
LOG = "MESH_LOG"
EMBEDDED, KAFKA = "embedded", "kafka"
SERVERS = "KAFKA_BOOTSTRAP_SERVERS"
# How the brokers of Amazon MSK are logged in to with a role of AWS's.
MSK_IAM = "AWS_MSK_IAM"
VARIABLES = frozenset(
    {
        SERVERS,
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SSL_CA_LOCATION",
        "KAFKA_SSL_CERTIFICATE_LOCATION",
        "KAFKA_SSL_KEY_LOCATION",
        "KAFKA_SSL_KEY_PASSWORD",
    }
)
# Says that a login may go over the network in clear, as where the network itself is encrypted.
CLEAR, ALLOWED = "MESH_KAFKA_PLAINTEXT", "allowed"
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT")
_WITH_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}")


@dataclass(frozen=True)
class KafkaSettings:
    """`servers` is `host:port,host:port`. Its repr shows no secret."""

    servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = field(default=None, repr=False)
    region: str | None = None

    def client(self) -> dict[str, Any]:
        """What every client of librdkafka's is given; with secrets in it."""
        given: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.protocol,
            "ssl.ca.location": self.authority,
            "ssl.certificate.location": self.certificate,
            "ssl.key.location": self.key,
            "ssl.key.password": self.key_password,
        }
        if self.mechanism == MSK_IAM:
            given |= {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": _token_of_aws(self.region)}
        elif self.protocol.startswith("SASL"):
            given |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        return {name: value for name, value in given.items() if value is not None}

    def java_client(self, password: str) -> dict[str, str]:
        """What a client in Java is given beside the servers, `password` standing for that of SASL.

        Raises `MeshProblem` for a way of logging in that needs more than Kafka's own client.
        """
        if self.mechanism == MSK_IAM or self.certificate is not None:
            how = self.mechanism or "a certificate of the client's"
            raise MeshProblem(
                f"A job of Flink's does not log in to Kafka by {how}: give it SASL with a password "
                "(KAFKA_SASL_MECHANISM), or let the platform's own process decode (`engine: mesh`)"
            )
        given = {"security.protocol": self.protocol}
        if self.authority is not None:
            given |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": self.authority}
        if self.protocol.startswith("SASL"):
            scram = (self.mechanism or "").startswith("SCRAM")
            module = "scram.ScramLoginModule" if scram else "plain.PlainLoginModule"
            given |= {
                "sasl.mechanism": self.mechanism or "PLAIN",
                # The connector's jar has Kafka's classes under a name of its own.
                "sasl.jaas.config": "org.apache.flink.kafka.shaded.org.apache.kafka.common.security."
                f'{module} required username="{_escaped(self.username or "")}" password="{password}";',
            }
        return given


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _token_of_aws(region: str | None) -> Callable[[str], tuple[str, float]]:
    """What gives a token when the client needs one: for the role that boto3 would use."""

    def token(_: str) -> tuple[str, float]:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

        made, expires_in_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return made, expires_in_ms / 1000

    return token


def is_embedded(variables: Mapping[str, str], *, is_production: bool) -> bool:
    """Whether `MESH_LOG` names the mesh's own log, which is what a local mesh has by default."""
    return (variables.get(LOG) or (KAFKA if is_production else EMBEDDED)) == EMBEDDED


def read_log(
    variables: Mapping[str, str],
    region: str | None,
    problems: list[str],
    *,
    is_production: bool,
) -> KafkaSettings | None:
    """The settings of Kafka where `MESH_LOG` names it, or production does not name another; None where
    topics are in the mesh's own log, where nothing is set, or `problems` say what is wrong."""
    named = variables.get(LOG, "")
    if named not in ("", EMBEDDED, KAFKA):
        problems.append(f"{LOG}={quoted(named)} is no log; set it to {EMBEDDED} or {KAFKA}")
        return None
    if is_embedded(variables, is_production=is_production):
        return None
    if named == KAFKA and not variables.get(SERVERS, "").strip():
        problems.append(
            f"{SERVERS} is not set, but {LOG}={KAFKA} needs it; set it to host:port,host:port"
        )
    if variables.get(SERVERS, "").strip():
        problems.extend(_not_installed(variables))
    return read_kafka(variables, region, problems)


def read_kafka(
    variables: Mapping[str, str], region: str | None, problems: list[str]
) -> KafkaSettings | None:
    """The settings; None where no `KAFKA_BOOTSTRAP_SERVERS` is set, or `problems` say what is wrong."""
    servers = variables.get(SERVERS, "").strip()
    if not servers:
        return None
    before = len(problems)
    problems.extend(_wrong_servers(servers))
    protocol = (variables.get("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT").upper()
    mechanism = (variables.get("KAFKA_SASL_MECHANISM") or "").upper() or None
    problems.extend(_wrong_login(variables, protocol, mechanism, region))
    problems.extend(_in_clear(servers, protocol, variables.get(CLEAR, "")))
    problems.extend(_wrong_files(variables, protocol))
    if len(problems) > before:
        return None
    return KafkaSettings(
        servers=servers,
        protocol=protocol,
        mechanism=mechanism,
        username=variables.get("KAFKA_SASL_USERNAME") or None,
        password=variables.get("KAFKA_SASL_PASSWORD") or None,
        authority=variables.get("KAFKA_SSL_CA_LOCATION") or None,
        certificate=variables.get("KAFKA_SSL_CERTIFICATE_LOCATION") or None,
        key=variables.get("KAFKA_SSL_KEY_LOCATION") or None,
        key_password=variables.get("KAFKA_SSL_KEY_PASSWORD") or None,
        region=region,
    )


def _not_installed(variables: Mapping[str, str]) -> Iterator[str]:
    if not _installed("confluent_kafka"):
        yield (
            f"{SERVERS} is set, but Kafka's client is not installed; run `pip install "
            "'dagster-data-mesh[streams]'`, or unset it"
        )
    signs = (variables.get("KAFKA_SASL_MECHANISM") or "").upper() == MSK_IAM
    if signs and not _installed("aws_msk_iam_sasl_signer"):
        yield (
            f"KAFKA_SASL_MECHANISM={MSK_IAM} needs what signs for Amazon MSK; run `pip install "
            "aws-msk-iam-sasl-signer-python`"
        )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _wrong_servers(servers: str) -> Iterator[str]:
    each = [one.strip() for one in servers.split(",")]
    wrong = [one for one in each if not _SERVER.fullmatch(one)]
    if any(map(holds_login, each)):
        yield f"{SERVERS} must hold no user or password; set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
    elif wrong:
        yield f"{SERVERS}: {quoted(wrong[0])} is no broker; set it to host:port,host:port"


def _wrong_login(
    variables: Mapping[str, str], protocol: str, mechanism: str | None, region: str | None
) -> Iterator[str]:
    if protocol not in _PROTOCOLS:
        yield f"KAFKA_SECURITY_PROTOCOL={quoted(protocol)} is none; set {', '.join(_PROTOCOLS)}"
        return
    if not protocol.startswith("SASL"):
        if mechanism or variables.get("KAFKA_SASL_PASSWORD"):
            yield (
                f"KAFKA_SECURITY_PROTOCOL is {protocol}, which logs in to nothing, but KAFKA_SASL_… is "
                "set; set it to SASL_SSL, or unset those"
            )
        return
    if mechanism == MSK_IAM:
        if region is None:
            yield "KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs a region; set AWS_DEFAULT_REGION"
    elif mechanism not in _WITH_PASSWORD:
        ways = ", ".join((*_WITH_PASSWORD, MSK_IAM))
        said = f"={quoted(mechanism)} is none that is known" if mechanism else " is not set"
        yield f"KAFKA_SASL_MECHANISM{said}; set {ways}"
    else:
        for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if not variables.get(name):
                yield f"{name} is not set, but KAFKA_SASL_MECHANISM={mechanism} needs it"


def _in_clear(servers: str, protocol: str, allowed: str) -> Iterator[str]:
    """`PLAIN` sends the password itself; of the others, what is heard serves to guess it, and whoever is
    in between reads all messages of the one who logged in."""
    if allowed not in ("", ALLOWED):
        yield f"{CLEAR}={quoted(allowed)} means nothing; set it to {ALLOWED}, or unset it"
    beyond = [host for host in map(_host, servers.split(",")) if not _is_here(host)]
    if protocol == "SASL_PLAINTEXT" and beyond and not allowed:
        yield (
            f"KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT would log in to {beyond[0]} in clear; set SASL_SSL, "
            f"or {CLEAR}={ALLOWED} where the network itself is encrypted"
        )


def _host(server: str) -> str:
    return server.strip().rpartition(":")[0].strip("[]")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong_files(variables: Mapping[str, str], protocol: str) -> Iterator[str]:
    for name in ("CA", "CERTIFICATE", "KEY"):
        variable = f"KAFKA_SSL_{name}_LOCATION"
        file = variables.get(variable)
        if file and not protocol.endswith("SSL"):
            yield (
                f"{variable} is set, but KAFKA_SECURITY_PROTOCOL={protocol} has no TLS; set SASL_SSL or "
                "SSL"
            )
        elif file and not Path(file).is_file():
            yield f"{variable}={quoted(file)} is no file; set the path of a PEM file"
