"""The files that PATH arguments mean: a file, a folder (walked) or a zip. Only names are held, never bytes."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from cli.archive import Archive, is_zip
from core.errors import Permanent, TooLarge

HIDDEN = "hidden files"
OUTSIDE_LINK = "symbolic links that lead out of the folder"
FOLDER_LINK = "symbolic links to folders or to nothing"
SPECIAL = "pipes, sockets and devices"


class Unreadable(Permanent):
    """The operating system or the archive does not hand the bytes over."""

    code = "unreadable"


class Source(Protocol):
    """One file to screen. `name` is for people: shown and recorded, never used to open anything."""

    @property
    def name(self) -> str: ...

    def open(self) -> BinaryIO:
        """A seekable file at its start, for `with`.

        Raises:
            Permanent: it cannot be read, or is larger than the limit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that gives no file, and why."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file on disk."""

    name: str
    path: Path
    max_bytes: int

    def open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise Unreadable(f"The file cannot be read: {error.strerror}.") from error
        size = os.fstat(file.fileno()).st_size
        if size > self.max_bytes:
            file.close()
            raise TooLarge(f"The file has {size / 1e6:.1f} MB; the limit is {self.max_bytes / 1e6:g} MB.")
        return file


class Sources:
    """All files of some paths, in a stable order, as often as iterated; archives stay open until `close`.

    `skipped` counts what the latest walk passed over, by reason.
    """

    def __init__(self, paths: Sequence[Path], *, max_bytes: int) -> None:
        self._paths = [absolute(path) for path in paths]
        self._max_bytes = max_bytes
        self._open = ExitStack()
        self._archives: dict[Path, Archive | Problem] = {}
        self.skipped: Counter[str] = Counter()

    def __enter__(self) -> Sources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __iter__(self) -> Iterator[Source | Problem]:
        self.skipped.clear()
        for path in self._paths:
            yield from self._expand(path, self._prefix(path))

    def count(self) -> int:
        """How many files there are now: a walk over names alone."""
        return sum(not isinstance(item, Problem) for item in self)

    def _prefix(self, path: Path) -> str:
        """What goes before a name: nothing for a single path, else enough of it to tell the paths apart."""
        if len(self._paths) == 1:
            return ""
        base = os.path.commonpath([one.parent for one in self._paths])
        return display_name(os.path.relpath(path, base))

    def _expand(self, path: Path, prefix: str) -> Iterator[Source | Problem]:
        if path.is_dir():
            yield from self._folder(path, prefix)
        elif not path.is_file():
            yield Problem(prefix or display_name(path.name), "Neither a file nor a folder.")
        elif is_zip(path):
            yield from self._zip(path, prefix)
        else:
            yield FileSource(prefix or display_name(path.name), path, self._max_bytes)

    def _zip(self, path: Path, prefix: str) -> Iterator[Source | Problem]:
        if path not in self._archives:
            self._archives[path] = self._open_archive(path, prefix)
        archive = self._archives[path]
        if isinstance(archive, Problem):
            yield archive
            return
        members = archive.members(prefix)
        first = next(members, None)
        if first is None:
            yield Problem(prefix or display_name(path.name), "The zip archive has no files.")
            return
        yield first
        yield from members
        self.skipped[HIDDEN] += archive.hidden

    def _open_archive(self, path: Path, prefix: str) -> Archive | Problem:
        try:
            return self._open.enter_context(Archive(path, max_bytes=self._max_bytes))
        except Permanent as error:
            return Problem(prefix or display_name(path.name), error.message)

    def _folder(self, root: Path, prefix: str) -> Iterator[Source | Problem]:
        """Depth first, each folder's entries sorted by name; a stack instead of recursion, whatever the depth."""
        found = False
        stack = [root]
        while stack:
            path = stack.pop()
            name = "/".join(filter(None, (prefix, display_name(os.path.relpath(path, root)).removeprefix("."))))
            try:
                mode = self._mode(path, root)
                if stat.S_ISDIR(mode):
                    stack += self._entries(path)
                elif stat.S_ISREG(mode):
                    found = True
                    yield FileSource(name, path, self._max_bytes)
            except OSError as error:
                found = True
                yield Problem(name or display_name(root.name), f"The folder cannot be read: {error.strerror}.")
        if not found:
            yield Problem(prefix or display_name(root.name), "The folder has no files.")

    def _entries(self, folder: Path) -> list[Path]:
        """Sorted backwards, as the stack takes them from its end."""
        names = os.listdir(folder)  # noqa: PTH208  # bare names: a folder may hold a million
        shown = sorted((name for name in names if not name.startswith(".")), reverse=True)
        self.skipped[HIDDEN] += len(names) - len(shown)
        return [folder / name for name in shown]

    def _mode(self, path: Path, root: Path) -> int:
        """The file mode; 0 for what is skipped. The root itself may be a link: the user named it."""
        if path == root:
            return path.stat().st_mode
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return self._link_mode(path, root)
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            self.skipped[SPECIAL] += 1
            return 0
        return mode

    def _link_mode(self, path: Path, root: Path) -> int:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # leads nowhere, or in a circle
            self.skipped[FOLDER_LINK] += 1
            return 0
        if not target.is_relative_to(root.resolve()):
            self.skipped[OUTSIDE_LINK] += 1
        elif target.is_file():
            return target.stat().st_mode
        else:  # its files are walked where they are
            self.skipped[FOLDER_LINK] += 1
        return 0


def absolute(path: Path) -> Path:
    """`path` from the root, without `..`; links keep the names that the user gave them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def display_name(name: str) -> str:
    """`name` with `/` between its parts, as text that can be sent: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace").replace(os.sep, "/")
