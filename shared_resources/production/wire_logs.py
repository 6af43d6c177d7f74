"""Keeping what the clients of AWS and Snowflake send out of the logs.

Belongs here: which libraries log requests with their credentials at DEBUG, and stopping them.
Does not belong here: what the mesh itself logs.
"""

from __future__ import annotations

import logging

# botocore writes the session token of a role into its log when it signs a request.
_TALKATIVE = ("boto3", "botocore", "s3transfer", "snowflake.connector", "urllib3")


def keep_wire_logs_off() -> None:
    """Who logs everything gets no requests; who names one of these loggers gets what it logs.

    The level is set whatever the root's is now: DEBUG may be chosen after a client was made. It is
    not lowered, as the root's handlers would then show what they do not show now.
    """
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
