"""PNG to gray, through Pillow. Only its pixels, transparency and gamma count; a text or colour profile is not read."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngImageFile

from imaging import orientation, segments
from imaging.raster import depth
from imaging.raster.picture import Picture

# What Pillow raises on damaged bytes, depending on which chunk is hit. A Warning is here for processes that turn
# warnings into errors.
_DAMAGE = (OSError, SyntaxError, AssertionError, ValueError, TypeError, LookupError, AttributeError, EOFError,
           OverflowError, struct.error, zlib.error, Warning)  # fmt: skip

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (PNG, table 11.1)."""
_GRAY_ALPHA, _RGBA = 4, 6
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""x and y of the first pixel of each pass of an interlaced image, and the steps to the next (PNG, section 8.2)."""
_UNPACK_BYTES = 1 << 16
_DISPLAY_GAMMA = 0.45455
"""What a file without gAMA is displayed as."""
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as Pillow weights 8-bit colours."""


@dataclass(slots=True)
class _Stripped:
    """What of the file the pixels depend on."""

    header: bytes
    kept: list[bytes] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    turn: int = orientation.UPRIGHT
    gamma: float = _DISPLAY_GAMMA
    profiled: bool = False
    doubtful: bool = False

    @property
    def file(self) -> bytes:
        pixels = _chunk(b"IDAT", b"".join(self.packed))
        return b"".join([SIGNATURE, _chunk(b"IHDR", self.header), *self.kept, pixels, _chunk(b"IEND", b"")])

    @property
    def exponent(self) -> float:
        """What raises the file's values to those of a display, as browsers do: a colour profile has precedence."""
        wanted = not self.profiled and 0.1 <= self.gamma <= 10
        exponent = _DISPLAY_GAMMA / self.gamma if wanted else 1.0
        return 1.0 if abs(exponent - 1) < 0.05 else exponent


def decode(data: bytes, size: tuple[int, int]) -> Picture:
    """A PNG for which `imaging.media.sniff` found `size`, (width, height).

    Raises:
        CorruptImage: damaged, cut short, or made to take long.
    """
    stripped = _strip(data)
    if stripped.doubtful and (share := _share(stripped)) < 1:
        raise segments.damaged(share)
    try:
        if _HEADER.unpack(stripped.header)[:2] != size:
            raise segments.damaged()
        return _picture(stripped)
    except _DAMAGE as error:
        raise segments.damaged(_share(stripped)) from error


def _strip(data: bytes) -> _Stripped:
    """The chunks for the pixels. A wrong checksum of another chunk is damage; of pixels it makes them doubtful."""
    stripped: _Stripped | None = None
    ended = False
    for part in segments.png_chunks(data):
        body = data[part.body : part.end - 4]
        sound = zlib.crc32(data[part.start + 4 : part.end - 4]).to_bytes(4, "big") == data[part.end - 4 : part.end]
        if stripped is None:
            if part.kind != b"IHDR" or not sound or len(body) != _HEADER.size:
                raise segments.damaged()
            stripped = _Stripped(body)
        elif part.kind == b"IDAT":
            _add_pixels(stripped, data, part, sound=sound)
        elif part.kind == b"IEND":
            ended = True
        elif part.for_pixels:
            if not sound or part.kind == b"IHDR":
                raise segments.damaged()
            stripped.kept.append(data[part.start : part.end])
        elif sound:
            _read_extra(stripped, part.kind, body)
    if stripped is None:
        raise segments.damaged()
    stripped.doubtful |= not ended
    return stripped


def _add_pixels(stripped: _Stripped, data: bytes, part: segments.Part, *, sound: bool) -> None:
    length = int.from_bytes(data[part.start : part.start + 4], "big")
    stripped.packed.append(data[part.body : min(part.body + length, part.end)])
    stripped.doubtful |= not sound


def _read_extra(stripped: _Stripped, kind: int | bytes, body: bytes) -> None:
    if kind == b"eXIf":
        stripped.turn = orientation.read(body)
    elif kind == b"gAMA" and len(body) == 4:
        stripped.gamma = int.from_bytes(body, "big") / 100_000
    elif kind in (b"sRGB", b"iCCP", b"cICP"):
        stripped.profiled = True


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _picture(stripped: _Stripped) -> Picture:
    bits, colour_type = stripped.header[8], stripped.header[9]
    exponent = stripped.exponent
    if bits == 16:
        deep, alpha = _read_16_bit(stripped, colour_type)
        gray, narrow = depth.to_8_bit(deep, exponent)
        if alpha is not None:
            gray = (gray * (alpha / np.float32(65535)) + np.float32(0.5)).astype(np.uint8)
        return Picture(gray, stripped.turn, as_browsers_show=False, narrow=narrow)
    with _opened(stripped.file) as image:
        transparent = image.has_transparency_data
        gray = _gray(image)
    if exponent != 1:
        gray = np.floor((np.arange(256) / 255) ** exponent * 255 + 0.5).astype(np.uint8)[gray]
    return Picture(gray, stripped.turn, as_browsers_show=not transparent and not stripped.doubtful)


def _opened(file: bytes, rawmode: str = "") -> Image.Image:
    """Decoded; with a `rawmode` in place of the one that Pillow chooses for its pixels."""
    # Not through `Image.open`, whose guard against large images only warns up to twice its limit, and which can be
    # turned off for the whole process alone: `imaging.media.sniff` has checked the size.
    image = PngImageFile(io.BytesIO(file))
    if rawmode and isinstance(image.tile, list):
        image.tile = [tile._replace(args=rawmode) for tile in image.tile]
    image.load()
    return image


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        # Outside the collimated field an X-ray is black, so transparency shows black. Channel by channel, as four at
        # a time would take four times the memory.
        opaque = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
        image = ImageChops.multiply(opaque.convert("L"), opaque.getchannel("A"))
    if image.mode != "L":
        image = image.convert("RGB").convert("L")
    return np.asarray(image, dtype=np.uint8).copy()


def _read_16_bit(stripped: _Stripped, colour_type: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """All 16 bits of the gray value, and of the opacity if there is one: Pillow keeps them only of plain gray."""
    if colour_type == _GRAY_ALPHA:
        # Two values of 16 bits are stored and filtered just as four of 8 bits, which Pillow reads as they are.
        relabelled = stripped.header[:8] + bytes([8, _RGBA]) + stripped.header[10:]
        with _opened(_Stripped(relabelled, packed=stripped.packed).file) as image:
            both = np.asarray(image).view(">u2")
        return both[..., 0].astype(np.uint16), both[..., 1].astype(np.uint16)
    if _CHANNELS.get(colour_type, 1) == 1:
        with _opened(stripped.file) as image:
            return np.asarray(image).astype(np.uint16, copy=False), None
    mode = "RGBA" if colour_type == _RGBA else "RGB"
    with _opened(stripped.file) as image:
        high = np.asarray(image)
    with _opened(stripped.file, f"{mode};16L") as image:  # read in the wrong byte order: the lower halves
        low = np.asarray(image)
    deep = np.empty(high.shape[:2], np.uint16)
    alpha = np.empty(high.shape[:2], np.uint16) if mode == "RGBA" else None
    for row, (upper, lower) in enumerate(zip(high, low, strict=True)):  # a row at a time, to save memory
        values = upper.astype(np.uint16) << 8 | lower
        deep[row] = np.rint(values[:, :3] @ _LUMINANCE)
        if alpha is not None:
            alpha[row] = values[:, 3]
    return deep, alpha


def _share(stripped: _Stripped) -> float:
    """How much of the pixel data can be unpacked, 0 to 1. No more of it is unpacked than the header promises."""
    expected, unpacked = _expected_bytes(stripped.header), 0
    unpacker = zlib.decompressobj()
    rest = b"".join(stripped.packed)
    try:
        while unpacked < expected and not unpacker.eof:
            some = unpacker.decompress(rest, min(_UNPACK_BYTES, expected - unpacked))
            rest = unpacker.unconsumed_tail
            unpacked += len(some)
            if not some and not rest:
                break
        if unpacked == expected and rest:
            unpacker.decompress(rest, 1)  # reads the checksum of all pixels
    except zlib.error:
        return min(unpacked / expected, 0.994) if expected else 0.0
    return unpacked / expected if expected else 0.0


def _expected_bytes(header: bytes) -> int:
    """Of all rows unpacked, each with the byte that names its filter."""
    width, height, bits, colour_type, _, _, interlaced = _HEADER.unpack(header)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    pixel_bits = bits * _CHANNELS.get(colour_type, 1)
    return sum(rows * (1 + (columns * pixel_bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)
