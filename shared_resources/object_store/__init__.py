"""Objects on S3 and their local copies: one client for everything that the mesh keeps there.

Belongs here: whole objects sent and read, Iceberg's view of them, the bounded cache on this machine.
Does not belong here: what an object means (`stores/`, `governance/quarantine/`, `landing/zones/`).
"""
