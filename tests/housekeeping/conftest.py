"""Fixtures of the housekeeping tests: every store, as for the conformance suite."""

from __future__ import annotations

from tests.stores.conftest import place, places, store

__all__ = ["place", "places", "store"]
