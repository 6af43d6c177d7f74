"""The record of a product's versions in Snowflake: what publishes, and what tells of a lost one.

Belongs here: the rows of `heads`, `versions` and `spares`, and the one statement that publishes.
Does not belong here: tables with data, the view for people, bringing versions back (`repair.py`).
"""
