"""What a job says of each message beside its values: the columns of its own, and the verdicts.

Belongs here: their names. Does not belong here: how they come to be (`job_sql.py`).
"""

from __future__ import annotations

PARTITION, OFFSET, VERDICT = "_mesh_partition", "_mesh_offset", "_mesh_verdict"
REASONS = "_mesh_reasons"
# Of one message: it keeps the rules, breaks some, is not plainly written, has no value.
KEPT, BROKEN, UNREAD, EMPTY = "kept", "broken", "unread", "empty"
