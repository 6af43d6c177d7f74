"""The engine `lakeformation`: agreements about the lake as grants of AWS Lake Formation on Glue's tables.

Belongs here: classifications as LF-tags on columns, grants on columns, data cells filters for rows.
Does not belong here: what is agreed (`shares.py`), the order of changes (`difference.py`), the tables
themselves (`stores/lake/`).

What Lake Formation has not is said in the plan, and not granted: masks (a masked column is left out of
the grant, as no unmasked one may take its place), the end of an agreement (one that has ended is taken
back by the next `apply`), its purpose (a reader with two about one product gets neither), conditions on
days and moments.
"""
