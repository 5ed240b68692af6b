"""The documents, and the names in them that are set as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tests.testing.paths import REPOSITORY

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{p.name}" for p in (REPOSITORY / "docs").glob("*.md")),
)
"""Without CHANGELOG.md, which also names what is gone, and MODEL_CARD.md, which is generated."""

ROOMS = frozenset(path.name for path in REPOSITORY.iterdir() if (path / "__init__.py").exists()) | {
    "docs",
    "docker",
    "scripts",
}
TEST_FOLDERS = frozenset({"unit", "integration", "e2e", "faults", "fuzz"})
SOURCES = ("*.py", "*.html", "*.js", "*.css", "*.toml")


def code(document: str) -> Iterator[str]:
    """Each piece of code in a document's sentences, and each line of its code blocks, without comments."""
    in_block = False
    for line in (REPOSITORY / document).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            in_block = not in_block
        elif in_block:
            yield re.sub(r"\s+#.*$", "", line)
        else:
            yield from re.findall(r"`([^`]+)`", line)


@cache
def words_of_source() -> frozenset[str]:
    """Every identifier in the source that ships; words of tests and documents do not count."""
    rooms = [REPOSITORY / room for room in ROOMS - {"tests", "docs"}]
    texts = [path.read_text(encoding="utf-8") for room in rooms for glob in SOURCES for path in room.rglob(glob)]
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def defines(dotted: str) -> bool:
    """Whether `room.module.name` is a module, or a name in one."""
    place, names = REPOSITORY, dotted.split(".")
    while names and (place / names[0]).is_dir():
        place /= names.pop(0)
    module = place / f"{names[0]}.py" if names and (place / f"{names[0]}.py").exists() else place / "__init__.py"
    if names and module.stem == names[0]:
        names.pop(0)
    return not names or re.search(rf"\b{re.escape(names[0])}\b", module.read_text(encoding="utf-8")) is not None
