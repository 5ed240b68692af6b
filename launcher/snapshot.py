"""A data directory as one tar file, consistent while the service runs.

The database comes first, copied by SQLite itself: every image that the copy knows was stored before, and lies in the
folder that is read afterwards. Images added meanwhile are saved too and belong to no row; the service removes them.
The last member counts the files, so that a file that was cut off is known as such.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO

from core.atomic import replacement
from core.errors import ConfigurationError, InvalidInput, PneumoscreenError

DATABASE = "pneumoscreen.db"
FOLDERS = ("blobs", "models")
SECRETS = ("secret-key", "admin-password", "admin-token")
UNFINISHED = "incoming"
"""Below `blobs`: uploads that are being received."""
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
"""The name of a stored image, which is that of its content."""
END = "backup-is-complete"


class BackupInvalid(PneumoscreenError):
    """A file that is no whole backup, or a data directory that cannot take one."""

    code = "backup_invalid"


def write(data_dir: Path, file: Path) -> int:
    """Save `data_dir`; returns the number of files.

    Raises:
        ConfigurationError: there is no database, or `file` cannot be written.
        InvalidInput: `file` exists already.
    """
    if not _is_file(data_dir / DATABASE):
        raise ConfigurationError(f"There is no database in {data_dir}: name its folder in PNEUMOSCREEN_DATA_DIR.")
    try:
        if file.exists():
            raise InvalidInput(f"{file} exists already; name another file.")
        with replacement(file, mode=0o600) as draft, draft.open("wb") as out:
            return _write(data_dir, out)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"Cannot save {data_dir} to {file}: {error}.") from error


def _write(data_dir: Path, out: io.BufferedWriter) -> int:
    count = 1
    with tarfile.open(fileobj=out, mode="w") as archive, tempfile.TemporaryDirectory(dir=data_dir) as folder:
        copy = Path(folder, DATABASE)
        copy.touch(mode=0o600)
        with (
            closing(sqlite3.connect(data_dir / DATABASE)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        archive.add(copy, DATABASE)
        for path in _files(data_dir):
            try:
                archive.add(path, str(path.relative_to(data_dir)), recursive=False)
            except FileNotFoundError:  # an image that was deleted a moment ago
                continue
            count += 1
        archive.addfile(*_end(count))
    return count


def _files(data_dir: Path) -> Iterator[Path]:
    yield from (path for name in SECRETS if (path := data_dir / name).is_file())
    for folder in FOLDERS:
        for path in sorted((data_dir / folder).rglob("*")):
            if path.is_file() and UNFINISHED not in path.relative_to(data_dir).parts:
                yield path


def _end(count: int) -> tuple[tarfile.TarInfo, io.BytesIO]:
    content = str(count).encode()
    member = tarfile.TarInfo(END)
    member.size = len(content)
    return member, io.BytesIO(content)


def read(file: Path, data_dir: Path) -> int:
    """Put a backup into `data_dir`, which is empty or not there; returns the number of files.

    Nothing is in `data_dir` until everything has been read and checked.

    Raises:
        ConfigurationError: `data_dir` cannot be written.
        InvalidInput: it holds something.
        BackupInvalid: `file` is no whole backup.
    """
    try:
        if data_dir.exists() and any(data_dir.iterdir()):
            raise InvalidInput(f"{data_dir} is not empty: restore into a new folder (PNEUMOSCREEN_DATA_DIR).")
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=data_dir.parent, prefix=f".{data_dir.name}-restoring-"))
    except OSError as error:
        raise ConfigurationError(f"Cannot restore to {data_dir}: {error.strerror}.") from error
    try:
        count = _read(file, draft)
        draft.replace(data_dir)  # over the empty folder, if there is one
    except (OSError, tarfile.TarError) as error:
        raise BackupInvalid(f"Cannot restore {file}: {error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return count


def _read(file: Path, draft: Path) -> int:
    count, promised = 0, None
    with tarfile.open(file, mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or not _is_ours(member.name):
                raise BackupInvalid(f"{file} was not written by `pneumoscreen backup`; nothing was restored.")
            if member.name == END:
                promised = int(content.read(20))
                continue
            _extract(content, draft / member.name)
            count += 1
    if count != promised or not _is_file(draft / DATABASE):
        raise BackupInvalid(f"{file} was cut off: it is not a whole backup; nothing was restored.")
    _check_database(draft / DATABASE, file)
    return count


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/"):
        return False
    return name in (DATABASE, END, *SECRETS) or (len(parts) > 1 and parts[0] in FOLDERS)


def _extract(content: IO[bytes], path: Path) -> None:
    """Write the file for its owner alone. A blob is named by its content, which is compared."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        shutil.copyfileobj(content, out, 1024 * 1024)
        out.flush()
        os.fsync(out.fileno())
    if SHA256_HEX.fullmatch(path.name) and _sha256(path) != path.name:
        raise BackupInvalid(f"The image {path.name[:12]} is damaged in the backup; nothing was restored.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_database(path: Path, file: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:
            ((state,),) = database.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        state = str(error)
    if state != "ok":
        raise BackupInvalid(f"The database in {file} is damaged ({state}); nothing was restored.")


def _is_file(path: Path) -> bool:
    """False too where the way to it cannot be entered."""
    try:
        return path.is_file()
    except OSError:
        return False
