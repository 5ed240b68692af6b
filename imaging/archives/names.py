"""Names of a zip archive's members as text: most archives do not say how theirs are encoded.

Explorer, Info-ZIP and NAS systems write the bytes of the machine's own code page. No library guesses that well from a
few short names (charset-normalizer and chardet take a single Russian or Chinese one for another language), so the code
pages of Windows are tried on all names together, and the one that makes the most plausible words is taken.
"""

from __future__ import annotations

import unicodedata
import zipfile
import zlib
from collections.abc import Iterable

_FLAG_UTF8 = 0x800
_UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP keeps a name in UTF-8 (APPNOTE 4.6.9)."""
_ZIP_DEFAULT = "cp437"

# Where two are equally plausible the first is taken.
_CODE_PAGES = ("cp866", "cp932", "cp949", "gbk", "big5", "cp1251", _ZIP_DEFAULT, "cp850", "cp1252")
# Lead bytes of the characters in daily use; the rest of a code page are rare ones.
_COMMON_LEADS = {"cp932": (0x88, 0x97), "gbk": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp949": (0xB0, 0xC8)}
_PLAIN_TRAIL = {"gbk": 0xA1, "cp949": 0xA1}
"""Common characters of these have no lower second byte."""


def decode_all(entries: Iterable[zipfile.ZipInfo]) -> list[str]:
    """The entries' names, in their order."""
    certain = [(info, _certain(info)) for info in entries]
    unsure = [_raw(info) for info, name in certain if name is None]
    encoding = guess_encoding(unsure)
    return [_decoded(_raw(info), encoding) if name is None else name for info, name in certain]


def decode_raw(names: list[bytes]) -> list[str]:
    """The same of names that come as bytes."""
    encoding = guess_encoding(names)
    return [_decoded(name, encoding) for name in names]


def guess_encoding(names: Iterable[bytes]) -> str:
    """The encoding that all of `names` have most probably."""
    foreign = [name for name in names if not name.isascii()]
    if all(_is_valid(name, "utf-8") for name in foreign):
        return "utf-8"
    return max(_CODE_PAGES, key=lambda encoding: sum(_plausibility(name, encoding) for name in foreign))


def _certain(info: zipfile.ZipInfo) -> str | None:
    """A name that the archive itself says how to read."""
    if info.flag_bits & _FLAG_UTF8:
        return info.orig_filename
    extra = info.extra
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and body[:1] == b"\x01":
            current = int.from_bytes(body[1:5], "little") == zlib.crc32(_raw(info))
            if current and _is_valid(body[5:], "utf-8"):
                return body[5:].decode()
    return None


def _raw(info: zipfile.ZipInfo) -> bytes:
    """The name's own bytes: without its flag, `zipfile` has read them as code page 437, which has all 256."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _FLAG_UTF8 else _ZIP_DEFAULT)


def _decoded(name: bytes, encoding: str) -> str:
    for candidate in (encoding, "utf-8"):
        if _is_valid(name, candidate):
            return name.decode(candidate)
    return name.decode(_ZIP_DEFAULT)


def _is_valid(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _plausibility(name: bytes, encoding: str) -> float:
    """0 to 1: how much of what is not ASCII would be ordinary letters of one script."""
    if not _is_valid(name, encoding):
        return 0.0
    text = f" {name.decode(encoding)} "
    points, size_bytes = 0.0, 0
    for place, character in enumerate(text):
        if not character.isascii():
            encoded = character.encode(encoding)
            rate = _letter_of_two if len(encoded) == 2 else _letter_of_one
            points += len(encoded) * rate(character, encoded, encoding, text[place - 1], text[place + 1])
            size_bytes += len(encoded)
    return points / size_bytes if size_bytes else 1.0


def _letter_of_two(character: str, encoded: bytes, encoding: str, before: str, after: str) -> float:
    """A Chinese, Japanese or Korean character: common ones are plausible, those glued to Latin letters less."""
    if encoding == "cp932" and "\u3041" <= character <= "\u30fe":
        return 1.0  # hiragana or katakana
    if not character.isalpha():
        return 0.0
    low, high = _COMMON_LEADS[encoding]
    if not low <= encoded[0] <= high or encoded[1] < _PLAIN_TRAIL.get(encoding, 0):
        return 0.1
    return (1.0, 0.6, 0.3)[_is_latin(before) + _is_latin(after)]


def _letter_of_one(character: str, _encoded: bytes, _encoding: str, before: str, after: str) -> float:
    """A letter of an alphabet: not beside one of another alphabet, and no capital after a small one."""
    script = _script(character)
    if not character.isalpha() or script == "HALFWIDTH":
        return 0.0
    if any(neighbour.isalpha() and _script(neighbour) != script for neighbour in (before, after)):
        return 0.0
    if character.isupper() and before.islower():
        return 0.0
    alone = script == "LATIN" and not (before.isascii() or after.isascii())
    return 0.3 if alone else 0.9


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _script(character: str) -> str:
    return unicodedata.name(character, "?").partition(" ")[0]
