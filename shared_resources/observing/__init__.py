"""Health: what consumers may count on now, computed in one place.

Belongs here: a product's health from what is published, kept in quarantine, written down of attempts
and recorded by Dagster, shown alike by `mesh status`, by the UI's check and in exit codes.
Does not belong here: changing any of these, telling people through channels, printing.
"""
