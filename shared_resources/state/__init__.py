"""The mesh's own small state, and how a process keeps anything at all.

Belongs here: the state database, leases, last attempts; files that are private, on disk before they
are named, or not to be written to.
Does not belong here: data (`stores/`), landing objects (`arrivals/`), Dagster's own records.
"""
