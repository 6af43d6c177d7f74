"""What a contract compiles into: rules, clauses, schemas.

Belongs here: every rule in its stable order, what is enforced, Iceberg's schema, what pandera needs.
Does not belong here: reading (`reading/`), one kind of rule (`rules/`).
"""
