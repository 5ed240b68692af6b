"""Reads a multipart form as its bytes arrive, and writes its files into spools. There is no other form parser."""

from __future__ import annotations

import re
from typing import IO, Protocol, cast

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from storage.spool import Spool


class Spools(Protocol):
    """What the reader needs of `services.spools.Spools`."""

    def new(self) -> Spool: ...
    def close(self) -> None: ...


Fields = list[tuple[str, str]]
Files = list[tuple[str, FileStorage]]

PIECE_BYTES = 256 * 1024
"""How much is decoded at once. Decoding smaller pieces takes longer than hashing and writing the files."""
DECODER_BYTES = 500_000
"""What the decoder may hold: a piece, and the rest of the one before. This also limits the header of a part."""
_LAST_BACKSLASH = re.compile(rb'(?<!\\)(?:\\\\)*\\(?="[ \t]*(?:\r|\n|\Z|;[ \t]*(?:file)?name\*?=))')
"""A backslash in front of the quote that ends a name. Browsers write a quote as %22 and a backslash as it is (HTML
Standard, multipart form data), and in Shift-JIS it is the second byte of many characters. Taken for an escape it would
join the name with all that follows."""


class Decoder(MultipartDecoder):
    """Replaces the bytes of a file name that are not UTF-8. Werkzeug's decoder gives up the whole form for them."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        valid = data.decode("utf-8", "replace").encode()
        return super()._parse_headers(_LAST_BACKSLASH.sub(rb"\g<0>\\", valid))


class FormReader:
    """Reads one form: call `feed` for each piece of the body, then `finish`; call `close` in any case.

    Any thread may call it, one at a time.
    """

    def __init__(self, boundary: bytes, spools: Spools, *, max_parts: int | None, max_fields_bytes: int) -> None:
        self.fields: Fields = []
        self.files: Files = []
        self._decoder = Decoder(boundary, DECODER_BYTES, max_parts=max_parts)
        self._damaged = not boundary
        self._spools = spools
        self._fields_bytes_left = max_fields_bytes
        self._part: Field | File | None = None
        self._spool: Spool | None = None
        self._value: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Read the next piece of the body.

        Raises:
            RequestEntityTooLarge: too many parts, or too much in fields that are no files.
            StorageUnavailable: the storage takes nothing.
        """
        if self._damaged:
            return
        try:
            for start in range(0, len(data), PIECE_BYTES):
                self._decode(data[start : start + PIECE_BYTES])
        except ValueError:
            self._damaged = True

    def finish(self) -> tuple[Fields, Files]:
        """The fields and files, in order; none if the form is damaged or cut off. Files are at their beginning."""
        try:
            if not self._damaged:
                self._decoder.receive_data(None)
                self._decoder.next_event()
        except ValueError:
            self._damaged = True
        return ([], []) if self._damaged else (self.fields, self.files)

    def close(self) -> None:
        """Remove the files that did not become blobs."""
        self._spools.close()

    def _decode(self, piece: bytes) -> None:
        self._decoder.receive_data(piece)
        while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data):
                self._add(event)

    def _begin(self, part: Field | File) -> None:
        self._part = part
        self._value = []
        self._spool = self._spools.new() if isinstance(part, File) else None

    def _add(self, data: Data) -> None:
        if self._spool is not None:
            self._spool.write(data.data)
        else:
            self._fields_bytes_left -= len(data.data)
            if self._fields_bytes_left < 0:
                raise RequestEntityTooLarge
            self._value.append(data.data)
        if not data.more_data:
            self._end()

    def _end(self) -> None:
        part = self._part
        if self._spool is not None and isinstance(part, File):
            self._spool.seek(0)
            stream = cast(IO[bytes], self._spool)
            self.files.append((part.name, FileStorage(stream, part.filename, part.name, headers=part.headers)))
        elif part is not None:
            self.fields.append((part.name, b"".join(self._value).decode("utf-8", "replace")))
