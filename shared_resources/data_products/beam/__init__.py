"""Products made by Apache Beam: a pipeline from published versions to staged files.

Belongs here: everything that knows Beam: its runner, what workers read and write, its failures.
Does not belong here: which inputs a product has, auditing or publishing what a pipeline wrote.

Beam is an extra (`beam`): only `pipeline.py`, `transforms.py` and `elsewhere.py` import it, when a
pipeline is run.
"""
