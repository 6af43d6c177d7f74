"""Tests of repositories: a domain in one of its own."""
