"""Documents with a place that a program fills."""

from __future__ import annotations

import re
from pathlib import Path


def write_into(document: Path, name: str, text: str) -> None:
    """Replace what is between `<!-- NAME: … -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: the document has no such place, or more than one.
    """
    before = document.read_text(encoding="utf-8")
    pattern = rf"(<!-- {name}: [^\n]* -->\n).*?(<!-- end of {name} -->)"
    after, count = re.subn(pattern, lambda place: f"{place[1]}\n{text}\n\n{place[2]}", before, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{document} has no place for {name}")
    document.write_text(after, encoding="utf-8")
