"""Contracts: what an ODCS file says, as the platform's own model.

Belongs here: the model, the column types, numbers, names of objects, patterns and formats of text,
what consumers rely on, and the pandera schema for authors' own tests.
Does not belong here: reading a file (`reading/`), one kind of rule (`rules/`), what a contract compiles
into (`compiling/`), values of its types (`values/`), checking data (`governance/`), several contracts
(`mesh/`).
"""
