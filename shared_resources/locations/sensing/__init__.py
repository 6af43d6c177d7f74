"""The landing sensor: new objects become runs, each once, and what became of those runs.

Belongs here: the sensor, the run requests that it makes, and the outcomes that it notes.
Does not belong here: finding what is new and remembering it (`arrivals/`).
"""
