"""JSON messages: by the layout of their producer, or carefully, one by one.

Belongs here: both ways, and texts as values.
Does not belong here: which text is a value of which type (`landing/`).
"""
