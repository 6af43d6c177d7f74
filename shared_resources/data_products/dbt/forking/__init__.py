"""dbt's server: one process that has imported dbt, and forks a child for each command.

Belongs here: asking it (`asking.py`), its loop and its children (`server.py`), what it has ready
before it forks (`prepared.py`), and how a dbt of its own ends in time (`parent.py`).
Does not belong here: what dbt is asked, and a dbt of its own where no server is (`process.py`).
"""
