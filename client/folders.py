"""The files of a folder, depth first, each folder's entries sorted by name."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from imaging import skipping
from imaging.archives.members import is_beside

OUTSIDE_LINK = "symbolic links that lead out of the folder"
FOLDER_LINK = "symbolic links to folders or to nothing"
SEEN_FOLDER = "symbolic links to folders that are read anyway"
SPECIAL = "pipes, sockets and devices"
LINKS = frozenset({OUTSIDE_LINK, FOLDER_LINK})
"""What `follow_links` reads."""
_DEAD_LINK = "The link leads to nothing; in an annexed folder `git annex get` or `datalad get` fetches the file."
_HEAD_BYTES = 16


class Folder:
    """One walk, with a stack instead of recursion, whatever the depth.

    Args:
        follow_links: read what symbolic links lead to, wherever that is; else only files inside the folder.
        skipped: is told of what is passed over, by reason.
    """

    def __init__(self, root: Path, *, follow_links: bool, skipped: Counter[str]) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._follow_links = follow_links
        self._skipped = skipped
        self._read: set[tuple[int, int]] = set()
        """Device and number of each folder read, so that no link leads in a circle."""

    def __iter__(self) -> Iterator[tuple[Path, str]]:
        """Yield each path with an empty string, or with the sentence why there is no file to read at it."""
        stack = [self._root]
        while stack:
            path = stack.pop()
            try:
                mode = self._mode(path)
                if stat.S_ISDIR(mode):
                    stack += self._entries(path)
                elif stat.S_ISREG(mode) and not self._is_skipped(path):
                    yield path, ""
            except DeadLink:
                yield path, _DEAD_LINK
            except OSError as error:
                yield path, f"The folder cannot be read: {error.strerror}."

    def _entries(self, folder: Path) -> list[Path]:
        """Sorted backwards, as the stack takes them from its end."""
        facts = folder.stat()
        if (facts.st_dev, facts.st_ino) in self._read:
            self._skipped[SEEN_FOLDER] += 1
            return []
        self._read.add((facts.st_dev, facts.st_ino))
        shown = []
        for name in os.listdir(folder):  # noqa: PTH208  # bare names: a folder may hold a million
            why = skipping.of_folder(name)
            if why is None:
                shown.append(folder / name)
            else:
                self._skipped[why] += _count(folder / name)
        return sorted(shown, reverse=True)

    def _is_skipped(self, path: Path) -> bool:
        why = skipping.of_file(path.name)
        if why is None or (why == skipping.COMPANIONS and not _is_beside(path)):
            return False
        self._skipped[why] += 1
        return True

    def _mode(self, path: Path) -> int:
        """The file mode; 0 for what is skipped. The root itself may be a link: the user named it."""
        if path == self._root:
            return path.stat().st_mode
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return self._followed(path) if self._follow_links else self._inside(path)
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            self._skipped[SPECIAL] += 1
            return 0
        return mode

    def _inside(self, link: Path) -> int:
        """The mode of a file inside the folder; links to anything else are skipped."""
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # leads nowhere, or in a circle
            self._skipped[FOLDER_LINK] += 1
            return 0
        if not target.is_relative_to(self._real_root):
            self._skipped[OUTSIDE_LINK] += 1
        elif target.is_file():
            return target.stat().st_mode
        else:  # its files are walked where they are
            self._skipped[FOLDER_LINK] += 1
        return 0

    def _followed(self, link: Path) -> int:
        """The mode of what the link leads to; 0 for a folder that is read under its own name. Raises DeadLink."""
        try:
            target = link.resolve(strict=True)
            mode = target.stat().st_mode
        except (OSError, RuntimeError) as error:
            raise DeadLink from error
        overlaps = target.is_relative_to(self._real_root) or self._real_root.is_relative_to(target)
        if stat.S_ISDIR(mode) and overlaps:
            self._skipped[SEEN_FOLDER] += 1
            return 0
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            self._skipped[SPECIAL] += 1
            return 0
        return mode


class DeadLink(Exception):
    """A symbolic link to nothing, or in a circle."""


def _count(path: Path) -> int:
    """How many files lie in a folder that is passed over; a file is one."""
    if path.is_symlink() or not path.is_dir():
        return 1
    return sum(len(files) for _, _, files in os.walk(path))


def _is_beside(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_beside(file.read(_HEAD_BYTES))
    except OSError:
        return True
