"""What the benchmarks found: one line a figure, and the chart of them.

Belongs here: printing and keeping figures, drawing them.
Does not belong here: measuring (the modules above).
"""
