"""A file is sent as it was when it was hashed, or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from typing import Any

import httpx
import pytest

from client.unchanged import CHANGED, UnchangedFile, Unsendable

DATA = bytes(range(256)) * 1000


def unchanged_file(now: bytes, then: bytes = DATA) -> UnchangedFile:
    """A file that held `then` when it was hashed and holds `now`."""
    return UnchangedFile(io.BytesIO(now), len(then), hashlib.sha256(then).hexdigest())


def body_of(file: UnchangedFile) -> bytes:
    """Of the request in which httpx sends `file`."""
    files: Any = {"files": ("a.png", file, "application/octet-stream")}
    request = httpx.Request("POST", "http://x", files=files)
    body = b"".join(request.stream)  # type: ignore[arg-type]
    assert int(request.headers["Content-Length"]) == len(body)
    return body


def test_an_unchanged_file_is_sent_whole_as_often_as_asked() -> None:
    file = unchanged_file(DATA)
    assert DATA in body_of(file)
    assert DATA in body_of(file)


@pytest.mark.parametrize(
    "now",
    [DATA + b"x", DATA[:-1], b"", DATA[:-1] + b"x", b"x" + DATA[1:]],
    ids=["longer", "shorter", "empty", "end", "start"],
)
def test_a_changed_file_ends_its_request(now: bytes) -> None:
    file = unchanged_file(now)
    with pytest.raises(Unsendable) as caught:
        body_of(file)
    assert (caught.value.file, caught.value.message) == (file, CHANGED)


def test_a_file_that_cannot_be_read_any_more_ends_its_request() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(Unsendable, match="cannot be read: Input/output error"):
        body_of(UnchangedFile(Broken(), 10, "0" * 64))


def test_it_goes_to_its_ends_only() -> None:
    with pytest.raises(ValueError, match="from its start"):
        unchanged_file(DATA).seek(5)
