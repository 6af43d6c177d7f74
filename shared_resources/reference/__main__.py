"""`python -m shared_resources.reference`: write every page and schema that is made from the code.

Belongs here: the command. Does not belong here: what is written, and where (`files.py`).
"""

from __future__ import annotations

from shared_resources.environment import PROJECT_ROOT
from shared_resources.reference.files import made_files


def main() -> None:
    """Write what differs, and name it."""
    for place, text in made_files(PROJECT_ROOT).items():
        file = PROJECT_ROOT / place
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(place)


if __name__ == "__main__":
    main()
