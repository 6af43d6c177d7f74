"""Contact details of the retailer's households: made up, because the data set has none.

Belongs here: generating them, reproducibly. Nobody is meant: the addresses are in example.com,
which is reserved for examples, and the telephone numbers are of the 555-01xx kind, which is
reserved for fiction.
Does not belong here: how they are classified and protected (`domains/customer/products/contacts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
from faker import Faker

SEED = 8451

SCHEMA = pa.schema(
    [
        ("household_id", pa.int64()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("email", pa.string()),
        ("phone", pa.string()),
    ]
)


def synthetic_contacts(household_ids: Iterable[int]) -> pa.Table:
    """One made-up contact a household, ordered by its id; the same ids give the same rows."""
    fake = Faker("en_US")
    fake.seed_instance(SEED)
    rows = [_contact(fake, household_id) for household_id in sorted(household_ids)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _contact(fake: Faker, household_id: int) -> dict[str, object]:
    first, last = fake.first_name(), fake.last_name()
    mailbox = re.sub(r"[^a-z.]", "", f"{first}.{last}".lower())
    area, line = fake.random_int(201, 989), fake.random_int(100, 199)
    return {
        "household_id": household_id,
        "first_name": first,
        "last_name": last,
        # The household's number keeps the addresses of namesakes apart.
        "email": f"{mailbox}.{household_id}@example.com",
        "phone": f"+1-{area}-555-0{line}",
    }
