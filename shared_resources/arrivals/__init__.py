"""Arrivals: what is new in the landing zone, what was ingested, and what was passed over.

Belongs here: finding new objects by listing and by events, the whole prefix at once, where a sensor
stands, and why an object was not taken.
Does not belong here: reading an object (`landing/`), asking Dagster for a run (`locations/sensing/`).
"""
