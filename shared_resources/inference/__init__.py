"""What a contract would say of data that is there already: inferred, with the evidence for it.

Belongs here: looking at files and published products, and what follows from what is found in them.
Does not belong here: the files of a new product (`scaffolding/`), reading and judging data, for which
the readers of the landing zone and the audit are used as they are: what is inferred is what they accept.
"""
