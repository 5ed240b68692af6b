"""Names of zip members, in the code pages of the world."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib

import pytest

from imaging.archives.names import decode_all, decode_raw, guess_encoding

NAMES = {
    "cp932": ["胸部/正常.jpg", "胸部/表.jpg", "ソ.png", "山田太郎.jpg", "レントゲン写真.jpg", "IMG0001_胸部.jpg"],
    "gbk": ["胸片/正常.jpg", "肺炎.jpg", "患者.jpg", "张伟_2023.png", "北京医院/胸部.jpg", "联通.png"],
    "big5": ["胸腔/正常.jpg", "病人資料.jpg", "陳小姐.jpg", "新資料夾/病歷.jpg"],
    "cp949": ["흉부/정상.jpg", "환자.jpg", "폐렴.jpg", "김철수.jpg", "서울대병원/흉부_001.jpg"],
    "cp866": ["Снимки/норма.jpg", "пневмония.jpg", "Иванов.jpg", "рентген.jpg", "ГРУДНАЯ КЛЕТКА/Петров П.П..jpg"],
    "cp1251": ["Снимки/норма.jpg", "пневмония.jpg", "Иванов.jpg"],
    "cp437": ["Röntgen/größe.jpg", "Müller.jpg", "años/niño.jpg", "patiënt.jpg"],
    "cp850": ["crânio/tórax.jpg", "Ärzte_Übersicht.jpg", "São/pulmão.jpg"],
    "cp1252": ["Röntgen/größe.jpg", "Müller.jpg", "tórax/niño.jpg", "poumon_médecin.jpg", "Thérèse.jpg"],
    "utf-8": ["Röntgen/größe.jpg", "胸片/肺炎.jpg", "Снимки.jpg", unicodedata.normalize("NFD", "Müller.jpg")],
}
ALONE = [
    (encoding, name)
    for encoding, names in NAMES.items()
    for name in names
    if (encoding, name) != ("gbk", "联通.png")  # its bytes are UTF-8 as well: only its neighbours tell
]


@pytest.mark.parametrize("encoding", NAMES)
def test_the_names_of_an_archive_are_read_together(encoding: str) -> None:
    names = ["plain.jpg", *NAMES[encoding]]
    assert decode_raw([name.encode(encoding) for name in names]) == names


@pytest.mark.parametrize(("encoding", "name"), ALONE)
def test_one_name_alone_is_enough(encoding: str, name: str) -> None:
    raw = name.encode(encoding)
    assert raw.decode(guess_encoding([raw])) == name


def entry(raw: bytes, *, flags: int = 0, extra: bytes = b"") -> zipfile.ZipInfo:
    """As `zipfile` reads it from a directory."""
    info = zipfile.ZipInfo(raw.decode("utf-8" if flags & 0x800 else "cp437"))
    info.flag_bits, info.extra = flags, extra
    return info


def unicode_path(name: str, of: bytes) -> bytes:
    body = struct.pack("<BL", 1, zlib.crc32(of)) + name.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


def test_what_the_archive_says_goes_before_any_guess() -> None:
    raw = "表.jpg".encode("cp932")
    entries = [
        entry("größe.jpg".encode(), flags=0x800),
        entry(b"?.jpg", extra=b"UT\x01\x00\x03" + unicode_path("胸.jpg", of=b"?.jpg")),
        entry(raw),
    ]
    assert decode_all(entries) == ["größe.jpg", "胸.jpg", "表.jpg"]


@pytest.mark.parametrize(
    "extra", [unicode_path("other.jpg", of=b"a name before it was changed"), b"\x75\x70\xff\xff\x01", b"\x75\x70"]
)
def test_a_unicode_path_of_another_name_is_ignored(extra: bytes) -> None:
    assert decode_all([entry(b"a.jpg", extra=extra)]) == ["a.jpg"]


def test_a_name_in_another_encoding_than_the_rest_is_read_by_itself() -> None:
    names = [b"\xff\xff.jpg", "胸部/表.jpg".encode("cp932"), "レントゲン写真.jpg".encode("cp932"), "größe.jpg".encode()]
    assert decode_raw(names)[1:3] == ["胸部/表.jpg", "レントゲン写真.jpg"]
    assert len(decode_raw(names)) == 4
