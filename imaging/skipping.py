"""What lies beside radiographs in folders and archives, and is passed over and counted: the one table of it.

Names only, compared without case. Whoever can read the file asks `is_beside` of companions too: one that holds an
image is an image, whatever its name.
"""

from __future__ import annotations

from collections.abc import Sequence

HIDDEN = "hidden files"
THUMBNAILS = "thumbnails and caches of a NAS or computer"
RECYCLED = "files in recycle bins"
SYSTEM = "system files"
COMPANIONS = "companions (text, tables, documents, checksums)"

FOLDERS = {
    "@eadir": THUMBNAILS,  # Synology
    ".@__thumb": THUMBNAILS,  # QNAP
    "@__thumb": THUMBNAILS,
    ".thumbnails": THUMBNAILS,
    "@tmp": THUMBNAILS,
    "#recycle": RECYCLED,  # Synology
    "@recycle": RECYCLED,  # QNAP
    ".recycle": RECYCLED,  # Samba
    "$recycle.bin": RECYCLED,  # Windows
    "recycler": RECYCLED,
    ".trashes": RECYCLED,  # macOS
    ".trash": RECYCLED,
    "#snapshot": SYSTEM,
    "~snapshot": SYSTEM,
    "system volume information": SYSTEM,
    "lost+found": SYSTEM,
    "__macosx": SYSTEM,
    ".spotlight-v100": SYSTEM,
    ".fseventsd": SYSTEM,
    ".temporaryitems": SYSTEM,
    ".appledouble": SYSTEM,
}
FILES = {
    "thumbs.db": THUMBNAILS,
    "ehthumbs.db": THUMBNAILS,
    "ehthumbs_vista.db": THUMBNAILS,
    ".ds_store": SYSTEM,
    "desktop.ini": SYSTEM,
    "autorun.inf": SYSTEM,
    "icon\r": SYSTEM,
    "dicomdir": COMPANIONS,
}
PREFIXES = {"._": SYSTEM, ".trash-": RECYCLED, "~$": SYSTEM}
COMPANION_SUFFIXES = frozenset[str]().union(
    {"txt", "text", "md", "rst", "log", "rtf", "pdf", "doc", "docx", "odt", "ppt", "pptx"},
    {"csv", "tsv", "xls", "xlsx", "ods"},
    {"xml", "json", "jsonl", "yaml", "yml", "ini", "cfg", "toml"},
    {"html", "htm", "css", "url"},
    {"md5", "sha1", "sha256", "sha512", "sfv", "crc", "par2", "asc", "sig"},
)
COMPANION_NAMES = frozenset[str]().union(
    {"readme", "license", "licence", "copying", "notice", "citation", "changelog", "changes", "manifest"},
    {"checksums", "md5sums", "sha1sums", "sha256sums", "sha512sums"},
)


def reason(parts: Sequence[str]) -> str | None:
    """Why the file at this path is passed over, or None; the last part is its own name."""
    for folder in parts[:-1]:
        if why := of_folder(folder):
            return why
    return of_file(parts[-1])


def of_folder(name: str) -> str | None:
    """Why all that is in a folder of this name is passed over, or None."""
    folded = name.casefold()
    return FOLDERS.get(folded) or _by_start(folded)


def of_file(name: str) -> str | None:
    """Why a file of this name is passed over, or None."""
    folded = name.casefold()
    if why := FILES.get(folded) or _by_start(folded):
        return why
    stem, _, suffix = folded.rpartition(".")
    companion = suffix in COMPANION_SUFFIXES if stem else folded in COMPANION_NAMES
    return COMPANIONS if companion else None


def _by_start(folded: str) -> str | None:
    for prefix, why in PREFIXES.items():
        if folded.startswith(prefix):
            return why
    return FILES.get(folded, HIDDEN) if folded.startswith(".") else None
