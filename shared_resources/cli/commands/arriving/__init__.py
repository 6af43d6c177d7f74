"""Commands about what comes to the mesh from outside: landed objects, messages of topics.

Belongs here: `landing`, `stream` and its parts.
Does not belong here: what they show and start (`arrivals/`, `streams/`).
"""
