"""What Dagster is told of products: materializations, check results, what became of a run.

Belongs here: outcomes in Dagster's words, and writing down a run's attempt however it ends.
Does not belong here: definitions (`locations/`), the instance itself (`dagster_instance/`).
"""
