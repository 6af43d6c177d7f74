"""The audit: every rule of a contract and of the policies, on a batch before it is published.

Belongs here: asking the rules in the fewest queries, their report, samples of failing rows, and
splitting a batch within its loss budget.
Does not belong here: one kind of rule (`contracts/rules/`), what becomes of a verdict (`data_products/`).
"""
