"""Tests of serving: real servers under a real supervisor, where it is about processes."""
