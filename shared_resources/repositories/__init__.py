"""Repositories: a domain in a repository of its own, begun from a template and upgraded by a merge.

Belongs here: the template, the platform's wheel that a repository pins, its lock, its upgrades.
Does not belong here: a domain's and a product's own files (`scaffolding/`), deploying what stands there.
"""
