"""Live rows: served rows of a batch product that follow a stream's messages between its versions.

Belongs here: the process that a product's `@live` class is called by, what it is shown of messages, the
checks of what it returns, and how both go on after a kill.
Does not belong here: the class itself (a domain's `product.py`), how rows are kept (`serving_ports/`),
the way of messages to the lake (`process.py` of the room above).

Nothing of it is published: a version is still the only thing that is audited whole, and what the port
falls back to.
"""
