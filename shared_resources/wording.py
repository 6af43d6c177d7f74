"""Words of generated sentences that depend on what stands beside them.

Belongs here: articles.
Does not belong here: sentences, which stand where they are said.
"""

from __future__ import annotations

import re

# Vowels that are spoken as consonants (a user, a uuid, one), and consonants that are not spoken.
_NOT_AN = re.compile(r"(?:uni(?!n)|us(?:e|a)|uu|ur[il](?![a-z])|ut[ci]|eu|one|ou)", re.IGNORECASE)
_AN = re.compile(r"(?:[aeiou]|hour|honest|heir)", re.IGNORECASE)


def a(word: str) -> str:
    """`word` behind its article: `a price`, `an age`, `an INTEGER`, `a user_id`."""
    return f"{'an' if _AN.match(word) and not _NOT_AN.match(word) else 'a'} {word}"
