"""Tests of shared_resources/landing."""
