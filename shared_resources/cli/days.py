"""Days as they are written on the command line: FIRST or FIRST..LAST.

Belongs here: turning what was typed into days, or into a message that names the option.
Does not belong here: which days a product has (`running/pending.py`).
"""

from __future__ import annotations

import click

from shared_resources.running.pending import NoDays, days_between


def asked_days(text: str, option: str) -> list[str]:
    """The days, both ends included. Raises `click.BadParameter`."""
    try:
        return days_between(text)
    except NoDays as problem:
        raise click.BadParameter(str(problem), param_hint=option) from problem
