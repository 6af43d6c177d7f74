"""The peers that are shown the broken objects, each with the best rules that it can express.

Belongs here: what each is told, and asking it. `in_great_expectations.py` and `in_datacontract_cli.py`
run in an environment that shares nothing with the platform, and import none of it.
Does not belong here: the objects (`mutated/data.py`), the table (`benchmarks/mutations.py`).
"""
