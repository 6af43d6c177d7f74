"""Rules that a domain wrote itself, as SQL or as Python: asked in confined processes.

Belongs here: asking them, confining a query, calling a function, the processes.
Does not belong here: the platform's own kinds of rule (`contracts/rules/`).
"""
