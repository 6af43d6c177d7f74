"""Faults between the clients and the stand-ins, and what must hold after each of them.

Belongs here: the proxy that injects them, what the services answer when they fail, the plans that
choose where, full disks, and the tests of single stores under faults.
Does not belong here: the stand-ins (tests/stand_ins), faults over the whole mesh
(tests/guarantees), killed processes (tests/stores/test_crashes.py).
"""
