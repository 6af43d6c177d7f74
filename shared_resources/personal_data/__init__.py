"""What tells personal data from other data: addresses, telephones, payment, devices, persons' numbers,
names, places.

Belongs here: how each kind looks, how it is verified, and how it is told from chance, on any query of
DuckDB's.
Does not belong here: which columns may hold it (`governance/policies/promises/`), the rule that
looks into a batch (`contracts/rules/rows/`), what is proposed for a new contract
(`inference/personal_data.py`).
"""
