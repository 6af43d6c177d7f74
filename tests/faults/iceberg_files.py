"""Which files an Iceberg table in Glue needs, found by pyiceberg alone.

Belongs here: reading the table's own metadata, with nothing of the stores. Does not belong here: what
is done about files that it does not name.
"""

from __future__ import annotations

import os

import boto3
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError

from shared_resources.production.settings import ProductionSettings


def named_by_iceberg(settings: ProductionSettings, product: str) -> set[str]:
    """Every file that the table's metadata leads to; none if there is no such table."""
    catalog = GlueCatalog(
        "mesh",
        boto3.client("glue"),
        **{
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
            "s3.endpoint": os.environ["AWS_ENDPOINT_URL"],
            "s3.region": settings.region,
            "s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"],
            "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"],
        },
    )
    domain, _, name = product.partition("/")
    try:
        table = catalog.load_table((settings.glue_prefix + domain, name))
    except NoSuchTableError:
        return set()
    named = {table.metadata_location}
    named.update(entry.metadata_file for entry in table.metadata.metadata_log)
    # Beside each stands the mark that the catalog has pointed at it.
    named.update({file.replace(".metadata.json", ".committed") for file in named})
    named.update(file.statistics_path for file in table.metadata.statistics)
    for snapshot in table.metadata.snapshots:
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            named.update(entry.data_file.file_path for entry in entries)
    return named
