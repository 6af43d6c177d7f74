"""The ledger: what became of each landing object, found by its key however many there are.

Belongs here: its tables, its rows, its questions, and what people said of objects.
Does not belong here: where objects are found, and what is done about one.
"""
