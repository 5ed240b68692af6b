"""A file that is an image and something else is stored and handed back as an image, and nothing in it runs."""

from __future__ import annotations

import io
import zipfile

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage

from tests.testing import factories, hostile

HTML = b"<html><body><script>alert(1)</script></body></html>"


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../etc/passwd", b"root::0:0")
    return buffer.getvalue()


POLYGLOTS = {
    "JPEG and zip": factories.jpeg() + a_zip(),
    "PNG and zip": factories.png() + a_zip(),
    "JPEG with HTML in a comment": hostile.jpeg_with(hostile.segment(0xFE, HTML)),
    "PNG with HTML in a text": hostile.png_with(hostile.chunk(b"tEXt", b"k\0" + HTML)),
    "PNG and PDF": factories.png() + b"%PDF-1.7",
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_a_polyglot_comes_back_as_an_image_in_a_sandbox(client: FlaskClient, name: str) -> None:
    data = POLYGLOTS[name]
    sent = client.post(
        "/api/v1/images", data={"file": FileStorage(io.BytesIO(data), "page.html", content_type="text/html")}
    )
    assert sent.status_code == 202
    answer = client.get(f"/api/v1/images/{sent.get_json()['id']}/file")
    assert answer.data == data
    assert answer.mimetype in {"image/png", "image/jpeg"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "html" not in answer.headers["Content-Disposition"]
    answer.close()


@pytest.mark.parametrize("data", [a_zip(), HTML, a_zip() + factories.png(), b"GIF89a" + factories.jpeg()])
def test_what_does_not_begin_as_an_image_is_415(client: FlaskClient, data: bytes) -> None:
    sent = client.post(
        "/api/v1/images", data={"file": FileStorage(io.BytesIO(data), "chest.png", content_type="image/png")}
    )
    assert sent.status_code == 415


def test_a_bomb_in_the_metadata_is_not_unpacked_by_the_web_process(client: FlaskClient) -> None:
    bomb = hostile.jpeg_with(hostile.segment(0xE1, b"Exif\0\0" + hostile.exif(5000, 60_000)))
    sent = client.post("/api/v1/images", data={"file": FileStorage(io.BytesIO(bomb), "chest.jpg")})
    assert sent.status_code == 202
    assert (sent.get_json()["width_px"], sent.get_json()["height_px"]) == (8, 8)
