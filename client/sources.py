"""The files that PATH arguments mean: a file, a folder (walked) or an archive (zip, tar)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from client.folders import Folder
from core.errors import Permanent, TooLarge
from imaging.archives import Archive, open_archive


class Unreadable(Permanent):
    """The operating system or the archive does not give the bytes."""

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

    def __init__(self, paths: Sequence[Path], *, max_bytes: int, follow_links: bool = False) -> None:
        self._paths = [absolute(path) for path in paths]
        self._max_bytes = max_bytes
        self._follow_links = follow_links
        self._counting = False
        self._open = ExitStack()
        self._archives: dict[Path, Archive | Problem | None] = {}
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
        """How many files and problems there are now: a walk over names alone."""
        self._counting = True
        try:
            return sum(1 for _ in self)
        finally:
            self._counting = False

    def _prefix(self, path: Path) -> str:
        """What goes before a name: nothing for a single path, else enough of it to tell the paths apart."""
        if len(self._paths) == 1:
            return ""
        base = os.path.commonpath([one.parent for one in self._paths])
        return display_name(os.path.relpath(path, base))

    def _expand(self, path: Path, prefix: str) -> Iterator[Source | Problem]:
        name = prefix or display_name(path.name)
        if path.is_dir():
            yield from self._folder(path, prefix)
        elif not path.is_file():
            yield Problem(name, "Neither a file nor a folder.")
        elif (archive := self._archive(path)) is None:
            yield FileSource(name, path, self._max_bytes)
        elif isinstance(archive, Problem):
            yield Problem(name, archive.message)
        else:
            yield from self._members(archive, name, prefix)

    def _archive(self, path: Path) -> Archive | Problem | None:
        """The archive at `path`, opened once; None if it is none."""
        if path not in self._archives:
            try:
                opened = open_archive(path, max_bytes=self._max_bytes)
                self._archives[path] = None if opened is None else self._open.enter_context(closing(opened))
            except Permanent as error:
                self._archives[path] = Problem("", error.message)
        return self._archives[path]

    def _members(self, archive: Archive, name: str, prefix: str) -> Iterator[Source | Problem]:
        empty = True
        try:
            for member in archive.members(prefix, counting=self._counting):
                empty = False
                yield member
        except Permanent as error:
            empty = False
            yield Problem(name, error.message)
        if empty:
            yield Problem(name, f"The archive has no {'images' if archive.skipped.total() else 'files'}.")
        self.skipped += archive.skipped

    def _folder(self, root: Path, prefix: str) -> Iterator[Source | Problem]:
        skipped_before, empty = self.skipped.total(), True
        for path, problem in Folder(root, follow_links=self._follow_links, skipped=self.skipped):
            empty = False
            name = "/".join(filter(None, (prefix, display_name(os.path.relpath(path, root)).removeprefix("."))))
            if problem:
                yield Problem(name or display_name(root.name), problem)
            else:
                yield FileSource(name, path, self._max_bytes)
        if empty:
            what = "images" if self.skipped.total() > skipped_before else "files"
            yield Problem(prefix or display_name(root.name), f"The folder has no {what}.")


def absolute(path: Path) -> Path:
    """`path` from the root, without `..`; links keep the names that the user gave them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def display_name(name: str) -> str:
    """`name` with `/` between its parts, as text that can be sent: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace").replace(os.sep, "/")
