"""Landing zones: the place where other systems' objects arrive: a folder, or a prefix of a bucket.

Belongs here: what is asked of such a place, and its implementations.
Does not belong here: which objects are meant or new, and what is in them.
"""
