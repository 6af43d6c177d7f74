"""The names of all properties that the mesh commits with a version.

Belongs here: every name that begins with `mesh.`, once.
Does not belong here: what stands under them (`record.py`, and for the stores' own
`stores/versions.py`).
"""

from __future__ import annotations

PREFIX = "mesh."

# The stores' own, which nobody else can set.
NUMBER = "mesh.version"
BATCH_ID = "mesh.batch-id"
ROLLBACK_OF = "mesh.rollback-of"
ROWS = "mesh.rows"
PUBLISHED_AT = "mesh.published-at"
ERASED = "mesh.erased"  # erasures that took rows from it since, with how many
ATTESTATION = "mesh.attestation"  # SHA-256 of the statement about all of the others

# The evidence.
RUN_ID = "mesh.run-id"
CONTRACT_VERSION = "mesh.contract-version"
CONTRACT_DIGEST = "mesh.contract-digest"
PROMISE = "mesh.promise"
POLICIES = "mesh.policies"
CODE = "mesh.code"
CHECKS = "mesh.checks"
CHECKS_PASSED = "mesh.checks-passed"
CHECKS_FAILED = "mesh.checks-failed"
REFUSING = "mesh.refusing-rules"
INPUTS = "mesh.inputs"
GRANTS = "mesh.grants"
OBJECTS = "mesh.objects"
PARTITIONS = "mesh.partitions"
QUARANTINED = "mesh.quarantined"
FILES = "mesh.files"
LINEAGE = "mesh.column-lineage"
STREAM = "mesh.stream"  # how far into its topic the product is
REPLAY_OF = "mesh.replay-of"
REPLAY_OF_BATCH = "mesh.replay-of-batch"
TERMS = "mesh.terms"
INPUT_ATTESTATIONS = "mesh.input-attestations"
ROLLBACK_REASON = "mesh.rollback-reason"
ROLLBACK_BY = "mesh.rollback-by"
ROLLBACK_ATTESTATION = "mesh.rollback-attestation"
ROLLBACK_DESPITE = "mesh.rollback-despite"
PROMOTED_FROM = "mesh.promoted-from-branch"
PROMOTED_PINS = "mesh.promoted-versions"
PROMOTED_BY = "mesh.promoted-by"
