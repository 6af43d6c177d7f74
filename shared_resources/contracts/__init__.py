"""Contracts: ODCS files read strictly, and everything that is compiled from one.

Belongs here: the model of a contract, its reader, and its forms for engines and authors (Arrow,
Iceberg, pandera), with the conversions that lose nothing.
Does not belong here: checking data against a contract (`governance/`), or how several contracts fit
together (`mesh/`, `governance/policies/`).
"""
