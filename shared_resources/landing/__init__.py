"""Landing: how an object that another system wrote becomes staged rows and rejects.

Belongs here: which objects a contract means, reading one without losing or changing anything, rows
from text to types, and rejects.
Does not belong here: where objects lie (`zones/`), one file format (`formats/`), what is new
(`arrivals/`), auditing and publishing; a landing object is never changed, moved or deleted.
"""
