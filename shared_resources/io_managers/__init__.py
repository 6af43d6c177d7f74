"""The Dagster IO managers that all locations share.

Belongs here: `handle_output` and `load_input`, in front of the stores.
Does not belong here: how a store publishes and reads (`stores/`).
"""
