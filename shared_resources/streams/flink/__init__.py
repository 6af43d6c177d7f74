"""Flink: a stream that is too large for one machine's processes, decoded and judged by a job of Flink's.

Belongs here: the job's SQL, where it puts what it has read, taking that into windows, checking it.
Does not belong here: the window's audit and commit (`streams/window.py`): they are the same for every
engine, for a job is not trusted. Nothing here imports Flink, which has an environment of its own.
"""
