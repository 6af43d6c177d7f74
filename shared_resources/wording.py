"""Words of generated sentences that depend on what stands beside them.

Belongs here: articles, lengths of time.
Does not belong here: sentences, which stand where they are said.
"""

from __future__ import annotations

import re
from datetime import timedelta

# Vowels that are spoken as consonants (a user, a uuid, one), and consonants that are not spoken.
_NOT_AN = re.compile(r"(?:uni(?!n)|us(?:e|a)|uu|ur[il](?![a-z])|ut[ci]|eu|one|ou)", re.IGNORECASE)
_AN = re.compile(r"(?:[aeiou]|hour|honest|heir)", re.IGNORECASE)


def a(word: str) -> str:
    """`word` behind its article: `a price`, `an age`, `an INTEGER`, `a user_id`."""
    return f"{'an' if _AN.match(word) and not _NOT_AN.match(word) else 'a'} {word}"


def duration(length: timedelta) -> str:
    """A length of time in its largest whole unit: `30 days`, `1 day`, `36 hours`, `90 minutes`."""
    for unit, of in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count, rest = divmod(round(length.total_seconds()), of)
        if count and not rest:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{round(length.total_seconds())} seconds"
