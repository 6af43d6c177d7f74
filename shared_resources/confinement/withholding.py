"""What an error of a domain's code may say where columns are classified: words, and no value.

Belongs here: masking a message down to words that cannot be a value.
Does not belong here: rows in samples (`governance/audit/samples.py`), and in cells
(`contracts/values/offending.py`).

A message of somebody's code may hold a value anywhere, quoted or not: `bad salary 81234 of Ada`. So
nothing is looked for in it. What stays is what stands in the code itself, what the contract names, and
the words with which Python, DuckDB and their kin complain; every other word and number is `***`.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from pathlib import Path

from shared_resources.contracts.model import MASK

_WORD = re.compile(r"\w+")
_MASKED = re.compile(r"\*\*\*(?:[\s.,:;'\"`+\-/@_]*\*\*\*)+")

# Lower case, or with a capital at its beginning, as in "Conversion Error". None is a number.
_WORDS = """
a add added addition aggregate allowed an and any are argument arguments array as at attribute
base be because been before binder binding bindings bool boolean by call called can candidate
cannot cast casting catalog character characters clause column columns comparison connection constraint
contains conversion convert converted could data date datetime decimal decode did digits dimension
division do does double duplicate dtype empty encode error errors exceeded exist expected
expression failed field file float for format found frame from function given group has have in
incompatible index indices input int integer internal into invalid is it its items iterable join
key keys length limit list literal lossless mean memory merge missing mixed module multiplication
must name named names near no non none not null number object of on only operand operands
operation or order out overflow parse parser position preserving query range read rebind
referenced result returned row rows scale schema sequence series set shape source should side size
statement str string strings subscript subtraction supported syntax table take than that the there
this time timestamp to too took tuple type types unable undefined unexpected unhashable unit
unknown unsupported use used value values was when which while width with without word would wrong you
zero
"""
_COMPLAINTS = frozenset(_WORDS.split())
_TYPES = re.compile(
    r"(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER|8|16|32|64|128)?|VARCHAR|DOUBLE|FLOAT|DECIMAL|BOOLEAN|DATE"
    r"|TIME|TIMESTAMP(?:TZ)?|BLOB|INTERVAL|UUID|JSON|NULL|FROM|SELECT|WHERE|GROUP|LINE)"
)
_EXCEPTIONS = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))


def words_of(*texts: str) -> frozenset[str]:
    """The words of a domain's code, or of a contract: what a message may repeat of them."""
    return frozenset(word for text in texts for word in _WORD.findall(text))


def words_of_files(folder: Path) -> frozenset[str]:
    """The words of the Python files of a product's folder."""
    return words_of(*(file.read_text("utf-8", "replace") for file in sorted(folder.glob("*.py"))))


def withheld(text: str, known: Iterable[str]) -> str:
    """The text with every word masked that is none of `known`, of Python's and of the engines'."""
    words = frozenset(known)

    def shown(found: re.Match[str]) -> str:
        word = found[0]
        complaint = word in _COMPLAINTS or (word[:1].isupper() and word.lower() in _COMPLAINTS)
        plain = complaint or _TYPES.fullmatch(word) is not None or word in _EXCEPTIONS
        return word if plain or word in words else MASK

    return _MASKED.sub(MASK, _WORD.sub(shown, text))
