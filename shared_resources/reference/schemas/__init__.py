"""JSON Schemas of the files that people write, for their editors.

Belongs here: contracts, the mesh's own properties in them, `domain.yaml`, `domains/governance.yaml`.
Does not belong here: reading any of them; the strict readers decide, these mark what they would refuse.
"""
