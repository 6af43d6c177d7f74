"""What stands in for AWS and Snowflake in tests: real servers on loopback, started and stopped here.

Belongs here: starting the servers in processes of their own, and what the stand-ins lack and our
tests need (`aws.py`). Does not belong here: faults (tests/faults), what is asserted (the tests).
"""

from tests.stand_ins.servers import StandIns, running_stand_ins

__all__ = ["StandIns", "running_stand_ins"]
