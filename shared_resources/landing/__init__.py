"""The landing zone: where other systems' objects arrive, and how they become staged batches.

Belongs here: listing and fetching objects (`zone.py`), which of them a contract means
(`objects.py`), reading one into staged Parquet without losing or changing anything (`reader.py`
and the module of each format), what was ingested already (`ledger.py`), and the sensor.
Does not belong here: auditing, publishing and quarantine; a landing object is never changed,
moved or deleted.
"""
