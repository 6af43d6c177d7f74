"""The central policies, one a file; adding a file adds the policy to every code location.

Belongs here: modules that define `POLICY`, a `LoadTimePolicy` or a `DataTimePolicy` whose name is
the module's name. They are discovered from this folder; there is no list to keep.
Does not belong here: finding them and applying waivers (`catalogue.py`), exceptions for a domain
(its own `domain.yaml` carries waivers).
"""
