"""The one table of first bytes that command line, page and API name files with; `imaging/identify.py` reads it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ArchiveForm(StrEnum):
    """How an archive is read; what is compressed may hold a tar, and `CLOSED` ones are not read here."""

    ZIP = "zip"
    TAR = "tar"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    CLOSED = "closed"


class Kind(NamedTuple):
    """A kind of file, as a sentence names it: "this looks like {name}: {advice}"."""

    name: str
    advice: str = ""
    archive: ArchiveForm | None = None

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.advice}" if self.advice else self.name


_SUBMIT = "unpack it first, or send it with `pneumoscreen submit`"
_UNPACK = "unpack it first"
_SAVE = "save it as PNG"

ZIP = Kind("a zip archive", _SUBMIT, ArchiveForm.ZIP)
TAR = Kind("a tar archive", _SUBMIT, ArchiveForm.TAR)
TEXT = Kind("a text file")
UNKNOWN = Kind("something else")
NIFTI = Kind("a NIfTI volume", _SAVE)
DICOM = Kind("a DICOM file, which this version does not read")
OFFICE = Kind("an office document")
BMP = Kind("a BMP image", _SAVE)

TABLE: tuple[tuple[int, bytes, Kind], ...] = (
    # Images.
    (0, b"\x00\x00\x00\x0cjP  ", Kind("a JPEG 2000 image", _SAVE)),
    (0, b"\xff\x4f\xff\x51", Kind("a JPEG 2000 image without its container", _SAVE)),
    (0, b"\x00\x00\x00\x0cJXL ", Kind("a JPEG XL image", _SAVE)),
    (0, b"\xff\x0a", Kind("a JPEG XL image", _SAVE)),
    (0, b"II\xbc\x01", Kind("a JPEG XR image", _SAVE)),
    (0, b"II*\x00", Kind("a TIFF image", _SAVE)),
    (0, b"MM\x00*", Kind("a TIFF image", _SAVE)),
    (0, b"II+\x00", Kind("a BigTIFF image", _SAVE)),
    (0, b"MM\x00+", Kind("a BigTIFF image", _SAVE)),
    (0, b"GIF8", Kind("a GIF image", _SAVE)),
    (8, b"WEBP", Kind("a WebP image", _SAVE)),
    (0, b"8BPS", Kind("a Photoshop image", _SAVE)),
    (0, b"\x76\x2f\x31\x01", Kind("an OpenEXR image", _SAVE)),
    (0, b"qoif", Kind("a QOI image", _SAVE)),
    (0, b"\x00\x00\x01\x00", Kind("an icon")),
    *((0, b"P%d%c" % (digit, space), Kind("a PNM image", _SAVE)) for digit in range(1, 7) for space in b" \n\r\t"),
    (0, b"SIMPLE  =", Kind("a FITS image", _SAVE)),
    # Medical and scientific volumes.
    (128, b"DICM", DICOM),
    (344, b"n+1\x00", NIFTI),
    (344, b"ni1\x00", NIFTI),
    (4, b"n+2\x00\r\n\x1a\n", NIFTI),
    (4, b"ni2\x00\r\n\x1a\n", NIFTI),
    (0, b"NRRD000", Kind("an NRRD volume", _SAVE)),
    (0, b"ObjectType = Image", Kind("a MetaImage volume", _SAVE)),
    (0, b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file")),
    (0, b"\x93NUMPY", Kind("a NumPy array")),
    (0, b"MATLAB 5.0 MAT", Kind("a MATLAB file")),
    # Archives.
    (0, b"PK\x05\x06", Kind("an empty zip archive", archive=ArchiveForm.ZIP)),
    (0, b"PK\x03\x04", ZIP),
    (
        0,
        b"PK\x07\x08",
        Kind("a part of a zip archive in several files", _UNPACK, ArchiveForm.CLOSED),
    ),
    (257, b"ustar", TAR),
    (0, b"\x1f\x8b", Kind("a gzip archive", _UNPACK, ArchiveForm.GZIP)),
    (0, b"BZh", Kind("a bzip2 archive", _UNPACK, ArchiveForm.BZIP2)),
    (0, b"\xfd7zXZ", Kind("an xz archive", _UNPACK, ArchiveForm.XZ)),
    (0, b"\x28\xb5\x2f\xfd", Kind("a Zstandard archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"Rar!\x1a\x07", Kind("a RAR archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"MSCF", Kind("a Windows cabinet", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"\x04\x22\x4d\x18", Kind("an LZ4 archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"\x1f\x9d", Kind("a compress (.Z) archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"LZIP", Kind("an lzip archive", _UNPACK, ArchiveForm.CLOSED)),
    (2, b"-lh", Kind("an LZH archive", _UNPACK, ArchiveForm.CLOSED)),
    (0, b"xar!", Kind("a xar archive", _UNPACK, ArchiveForm.CLOSED)),
    # Documents, films and what folders are littered with.
    (0, b"%PDF", Kind("a PDF document")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an old Microsoft Office document or thumbnail database")),
    (0, b"{\\rtf", Kind("an RTF document")),
    (0, b"%!PS", Kind("a PostScript document")),
    (8, b"AVI ", Kind("an AVI film")),
    (8, b"WAVE", Kind("a WAVE sound")),
    (0, b"RIFF", Kind("a RIFF file")),
    (0, b"\x1a\x45\xdf\xa3", Kind("a Matroska or WebM film")),
    (0, b"\x00\x00\x01\xba", Kind("an MPEG film")),
    (0, b"OggS", Kind("an Ogg file")),
    (0, b"ID3", Kind("an MP3 sound")),
    (0, b"\x00\x05\x16\x07", Kind("macOS metadata (AppleDouble), not the image itself")),
    (0, b"SQLite format 3\x00", Kind("an SQLite database")),
    (0, b"MZ\x90\x00", Kind("a Windows program")),
    (0, b"\x7fELF", Kind("a Linux program")),
    (0, b"/annex/objects/", Kind("a git-annex pointer, not the image itself", "`git annex get` fetches the image")),
    (0, b"version https://git-lfs", Kind("a Git LFS pointer, not the image itself", "`git lfs pull` fetches it")),
)

# ISO base media: "ftyp" at 4, then the brand (ISO/IEC 14496-12, 4.3).
BRANDS: tuple[tuple[tuple[bytes, ...], Kind], ...] = (
    ((b"avif", b"avis"), Kind("an AVIF image", _SAVE)),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), Kind("a HEIC image", _SAVE)),
    ((b"crx ",), Kind("a Canon raw image", _SAVE)),
    ((b"qt  ",), Kind("a QuickTime film")),
)
FILM = Kind("an MP4 film")
