"""Engines: the agreements as each engine's own grants, for who does not go through the platform's door.

Belongs here: what agreements come to on any engine (`shares.py`), the port (`engine.py`), the ordered
difference between what is agreed and what an engine has (`difference.py`), and one folder an engine that
says it in that engine's objects.
Does not belong here: deciding who may see what (`access/`), the engine's own logins (its own user
management says who holds a role), the commands (`cli/`).
"""
