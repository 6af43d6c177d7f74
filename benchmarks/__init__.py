"""Measurements, each beside the peer that it is measured against; run by `make bench`."""
