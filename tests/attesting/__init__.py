"""Attestations, verified against what is stored."""
