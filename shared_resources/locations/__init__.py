"""Code locations: a domain's folder as `dg.Definitions`; what knows Dagster's definitions is here.

Belongs here: `build_domain`, a product's asset and checks, what a domain may add, the jobs of
housekeeping, the landing sensor.
Does not belong here: making, auditing and publishing a batch (`data_products/`), what Dagster is
told of it (`reporting/`).
"""
