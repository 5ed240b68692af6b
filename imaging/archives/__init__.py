"""Archives of images: zip and tar, read in place. What they are is told by their bytes, not by their names."""

from __future__ import annotations

from pathlib import Path

from imaging import identify, signatures
from imaging.archives.members import UNREADABLE, Archive, Member
from imaging.archives.tars import FORMS, TarArchive
from imaging.archives.zips import ZipArchive

__all__ = ["Archive", "Member", "open_archive"]


def open_archive(path: Path, *, max_bytes: int) -> Archive | None:
    """The archive that `path` is; None if it is none that is read here. No member may have more than `max_bytes`.

    Raises:
        CorruptImage, TooLarge: it is one, but cannot be read.
    """
    form = _form(path)
    if form is None:
        return None
    if form is signatures.ArchiveForm.ZIP:
        return ZipArchive(path, max_bytes=max_bytes)
    return TarArchive(path, form, max_bytes=max_bytes)


def _form(path: Path) -> signatures.ArchiveForm | None:
    """By its first bytes: a name proves nothing, and a trailing directory may hide behind any image."""
    try:
        with path.open("rb") as file:
            form = identify.identify(file.read(identify.HEAD_BYTES)).archive
            if form not in FORMS:
                return form if form is signatures.ArchiveForm.ZIP else None
            file.seek(0)
            with FORMS[form](file) as plain:
                return form if identify.is_tar(plain.read(512)) else None
    except UNREADABLE:
        return None
