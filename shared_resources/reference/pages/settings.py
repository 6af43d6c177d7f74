"""The page of settings: every environment variable that the platform reads.

Belongs here: what each of the mesh's own is for and its default, and where the others are explained.
Does not belong here: what makes one wrong (`production/checks.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from shared_resources.production.checks import KNOWN
from shared_resources.production.kafka.settings import VARIABLES as OF_KAFKA
from shared_resources.production.snowflake_settings import VARIABLES
from shared_resources.reference.described import described
from shared_resources.reference.pages.markdown import code, page, table
from shared_resources.streams.decoding.registry import VARIABLES as OF_THE_REGISTRY

_INTRODUCTION = """
Settings are environment variables. With `MESH_ENV=production` every `mesh` command and every code
location checks all of them when it starts, without the network, and says what is missing or wrong in one
message; a misspelt `MESH_…` variable is an error.
"""
# Each variable: its default, and what it is for.
_MESH: Mapping[str, tuple[str, str]] = {
    "MESH_ENV": ("`local`", "`local`: nothing to install. `production`: S3, Glue, Snowflake."),
    "MESH_ROOT": (
        "the checkout that the platform runs from, else the nearest folder above with both",
        "The folder with `domains/` and `workspace.yaml`.",
    ),
    "MESH_HOME": (
        "`.mesh` in the project",
        "State: locally everything, in production staged batches and copies.",
    ),
    "MESH_BRANCH": ("", "The branch that is worked in: it reads production, and writes beside it."),
    "MESH_DEBUG": ("", "Set to anything: `mesh` shows a traceback of what it did not expect."),
    "MESH_AUDIT_MEMORY": ("512MB", "What an audit holds in memory before it spills to disk."),
    "MESH_AUDIT_SQL_SECONDS": ("300", "How long one `sql` rule of a contract may take."),
    "MESH_BEAM_RUNNER": (
        "`FnApiRunner`: in this process",
        "What carries out the pipelines of products made by [Beam](../how-to/beam.md).",
    ),
    "MESH_BEAM_OPTIONS": ("", "Beam's own options for that runner, written as for a shell."),
    "MESH_FLINK": (
        "",
        "The Python of [Flink's own environment](../how-to/flink.md), which `mesh stream job` runs in.",
    ),
    "MESH_FLINK_STAGING": (
        "`flink` below `MESH_HOME`",
        "Folder in which such jobs put what they have decoded; on a cluster one that its workers and "
        "`mesh stream` all see.",
    ),
    "MESH_SIGNING_KEY": (
        "nothing is signed",
        "File of the private Ed25519 key (PEM) that signs the attestation of each version.",
    ),
    "MESH_VERIFY_KEYS": (
        "that of `MESH_SIGNING_KEY`",
        "File, or folder of `.pem` files, of the public keys whose signatures `mesh evidence` trusts.",
    ),
    "MESH_PRINCIPAL": (
        "the operator of an embedded mesh",
        "Who reads by `mesh read` and `read()`: a domain, a product, a person or an agent.",
    ),
    "MESH_MASKING_KEY": (
        "made below `MESH_HOME`",
        "Secret of the masks that hash, at least 32 characters; needed in production where one is used.",
    ),
    "MESH_SERVING": (
        "SQLite below `MESH_HOME`; in production nowhere",
        "Cassandra, where [rows are served by their key](../how-to/serving.md): "
        "`cassandra://host[,host…][:port]/keyspace/datacenter`; or `embedded`, in SQLite there, for "
        "production on one machine.",
    ),
    "MESH_SERVING_USER": ("", "Who logs in there."),
    "MESH_SERVING_PASSWORD": ("", "Secret: its password."),
    "MESH_SERVING_CA": (
        "no TLS",
        "File of the certificate that signed the servers' own; speaks TLS.",
    ),
    "MESH_LOG": (
        "`embedded`; in production `kafka`",
        "Where [topics](../how-to/streams.md) are: `embedded`, in SQLite below `MESH_HOME`, or `kafka`, "
        "where Kafka's variables say.",
    ),
    "MESH_KAFKA_PLAINTEXT": (
        "",
        "`allowed`: `KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT` may log in to another machine, over a "
        "network that is encrypted itself.",
    ),
    "MESH_SERVING_PLAINTEXT": (
        "",
        "`allowed`: the password may go to another machine without TLS, over a network that is encrypted "
        "itself.",
    ),
    "MESH_SERVER_MEMORY": ("2GB", "`mesh serve` replaces a code server that holds more."),
    "MESH_COPIES_BYTES": (
        "20 GiB",
        "How much of what was read from S3 is kept below `MESH_HOME`.",
    ),
    "MESH_LAKE": ("", "Needed in production: `s3://bucket/prefix` of the lake."),
    "MESH_LANDING": ("", "Needed in production: `s3://bucket/prefix` of the landing zone."),
    "MESH_QUARANTINE": ("", "Needed in production: `s3://bucket/prefix` of the quarantine."),
    "MESH_GLUE_PREFIX": ("", "How the names of the mesh's Glue databases begin."),
    "MESH_KMS_KEY": (
        "S3's own keys",
        "ARN, id or `alias/…` of the key that objects are encrypted with.",
    ),
    "MESH_LANDING_EVENTS": ("`listing`", "How sensors hear of new objects: `listing` or `sqs`."),
    "MESH_LANDING_QUEUE": (
        "",
        "Needed with `sqs`: the queues' name, with `{domain}` and `{product}`.",
    ),
    "MESH_DATABASE_URL": (
        "SQLite below `MESH_HOME`",
        "`postgresql://…` for Dagster's and the mesh's own state: needed for more than one machine.",
    ),
}


def settings_page() -> str:
    ours = described(sorted(KNOWN, key=list(_MESH).index), _MESH)
    rows = [(f"`{name}`", default, what) for name, (default, what) in ours.items()]
    return page(
        "The settings",
        _INTRODUCTION,
        "## The mesh's own",
        table(("variable", "default", "what it is for"), rows),
        "## Of AWS, Snowflake and Kafka",
        f"Production reads boto3's own variables (`AWS_…`) and the Snowflake connector's: "
        f"{code(sorted(VARIABLES))}. Where there are streams, it reads "
        f"{code(sorted(OF_KAFKA | OF_THE_REGISTRY))}. "
        "[What each is for](../production.md#7-variables), with the accounts that they name.",
        "## Of a domain",
        "A domain's code sees none of these. It sees what every process needs, and the variables that "
        "its `domain.yaml` names under `environment`.",
    )
