"""HTTP: the small server that answers point reads under agreements.

Belongs here: requests, answers and problems (RFC 9457), bearer tokens, the description (OpenAPI).
Does not belong here: finding a row and what is shown of it (`serving_ports/reading.py`).
"""
