"""Releases: a domain as it was when it was deployed, and bringing one into service.

Belongs here: what a release is made of, building it, judging it before, deploying and going back.
Does not belong here: keeping code servers up (`serving/`), what others know of a domain (`registry/`).
"""
