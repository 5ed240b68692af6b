"""Requests that no well-behaved client sends: each gets a 4xx that says what was wrong, and none a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from db.session import Database
from db.tables import Image
from tests.testing.factories import png
from tests.testing.postgres import PostgresServer
from tests.unit.web.test_errors import copy_users
from web.app import create_app
from web.backends import Backends

GOOD = (b'form-data; name="files"; filename="good.png"', png())
ONE = (b'form-data; name="file"; filename="one.png"', png())


def multipart(*parts: tuple[bytes, bytes]) -> bytes:
    """A body of parts, each a Content-Disposition and its content."""
    pieces = [b"--B\r\nContent-Disposition: " + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(pieces) + b"--B--\r\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def sender(
    request: pytest.FixtureRequest, backends: Backends, client: FlaskClient, token: str
) -> Iterator[FlaskClient]:
    """A client of the service on each database, with job 1."""
    database = backends.database
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql")
        database = Database(server.new_database(request.getfixturevalue("migrated_postgresql")))
        copy_users(backends.database, database)
        values = {name: getattr(backends, name) for name in Backends.__slots__} | {"database": database}
        client = create_app(backends.settings, Backends(**values)).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert client.post("/api/v1/jobs", json={"name": "ward"}).status_code == 201
    yield client
    database.dispose()


@pytest.mark.parametrize(
    ("path", "parts", "named"),
    [
        ("/jobs/1/images", [(b'form-data; name="files"', png())], "part `files` has no file name"),
        ("/jobs/1/images", [GOOD, (b'form-data; name="files"', b"text")], "part `files` has no file name"),
        ("/jobs/1/images", [GOOD, (b'form-data; name="pictures"; filename="b.png"', png(1))], "part `pictures`"),
        ("/jobs/1/images", [], "No part `files` could be read"),
        ("/images", [(b'form-data; name="file"', png())], "part `file` has no file name"),
        ("/images", [ONE, ONE], "part `file` came 2 times"),
        ("/images", [ONE, (b'form-data; name="file"', b"text")], "part `file` has no file name"),
        ("/images", [GOOD], "name the part `file`"),
    ],
)
def test_a_wrong_part_is_named_and_nothing_is_kept(
    client: FlaskClient, backends: Backends, path: str, parts: list[tuple[bytes, bytes]], named: str
) -> None:
    client.post("/api/v1/jobs", json={})
    response = client.post(f"/api/v1{path}", data=multipart(*parts), content_type="multipart/form-data; boundary=B")
    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    assert named in response.get_json()["detail"]
    with backends.database.read() as session:
        assert session.scalars(select(Image)).all() == []


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/json", "image/png", ""])
@pytest.mark.parametrize("path", ["/jobs/1/images", "/images"])
def test_another_kind_of_body_is_told_what_to_send(client: FlaskClient, path: str, content_type: str) -> None:
    client.post("/api/v1/jobs", json={})
    response = client.post(f"/api/v1{path}", data=multipart(GOOD), content_type=content_type)
    assert response.status_code == 422
    assert "multipart/form-data" in response.get_json()["detail"]


@pytest.mark.parametrize(
    "head",
    [
        b"form-data; name=\"files\"; filename*=UTF-8''R%F6ntgen.png",
        b'form-data; name="files"; filename="a\x00b.png"',
        b'form-data; name="files"; filename=""',
    ],
)
def test_a_name_that_is_hard_to_store_costs_no_file_beside_it(sender: FlaskClient, head: bytes) -> None:
    body = multipart(GOOD, (head, png(1)), (GOOD[0].replace(b"good", b"last"), png(2)))
    response = sender.post("/api/v1/jobs/1/images", data=body, content_type="multipart/form-data; boundary=B")
    assert response.status_code == 201, response.text
    answers = response.get_json()["images"]
    assert [answer.get("error") for answer in answers] == [None] * 3
    assert (answers[0]["filename"], answers[2]["filename"]) == ("good.png", "last.png")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (b"R\xf6ntgen.png", "R\ufffdntgen.png"),
        (b"\x83\x8c\x83\x93.png", "\ufffd\ufffd\ufffd\ufffd.png"),
        (b"\xd0\xc2\xcf\xfb\xff", "\ufffd" * 5),
        (b"\x94\x5c", "\ufffd\\"),
    ],
)
def test_a_name_that_is_not_utf_8_costs_its_bytes_and_no_file(
    client: FlaskClient, backends: Backends, name: bytes, kept: str
) -> None:
    client.post("/api/v1/jobs", json={})
    odd = (b'form-data; name="files"; filename="' + name + b'"', png(1))
    body = multipart(GOOD, odd, (GOOD[0].replace(b"good", "größer".encode()), png(2)))
    response = client.post("/api/v1/jobs/1/images", data=body, content_type="multipart/form-data; boundary=B")
    assert response.status_code == 201, response.text
    assert [answer["filename"] for answer in response.get_json()["images"]] == ["good.png", kept, "größer.png"]
    with backends.database.read() as session:
        assert session.scalars(select(Image.filename).order_by(Image.id)).all() == ["good.png", kept, "größer.png"]


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        (b'form-data; filename="a\\"; name="files"', "a\\"),
        (b'form-data; filename="a\\" ;name="files"', "a\\"),
        (b'form-data; name="files"; filename="a\\\\"', "a\\"),
        (b'form-data; name="files"; filename="a\\\\\\"', "a\\\\"),
        (b'form-data; name="files"; filename="a\\".png"', 'a".png'),
        (b'form-data; name="files"; filename="a\\"; b.png"', 'a"; b.png'),
        (b'form-data; name="files"; filename="a%22.png"', 'a".png'),
    ],
)
def test_a_backslash_before_the_closing_quote_is_part_of_the_name(
    client: FlaskClient, disposition: bytes, kept: str
) -> None:
    client.post("/api/v1/jobs", json={})
    body = multipart(GOOD, (disposition, png(1)))
    response = client.post("/api/v1/jobs/1/images", data=body, content_type="multipart/form-data; boundary=B")
    assert response.status_code == 201, response.text
    assert [answer["filename"] for answer in response.get_json()["images"]] == ["good.png", kept]


@pytest.mark.parametrize("name", [b"\xf6", b"files\xf6"])
def test_a_part_whose_own_name_is_not_utf_8_is_named(client: FlaskClient, name: bytes) -> None:
    client.post("/api/v1/jobs", json={})
    body = multipart(GOOD, (b'form-data; name="' + name + b'"; filename="b.png"', png(1)))
    response = client.post("/api/v1/jobs/1/images", data=body, content_type="multipart/form-data; boundary=B")
    assert response.status_code == 422
    assert f"part `{name.decode(errors='replace')}`" in response.get_json()["detail"]


def test_an_empty_file_is_rejected_by_itself(client: FlaskClient) -> None:
    client.post("/api/v1/jobs", json={})
    body = multipart(GOOD, (b'form-data; name="files"; filename="empty.png"', b""))
    response = client.post("/api/v1/jobs/1/images", data=body, content_type="multipart/form-data; boundary=B")
    answers = response.get_json()["images"]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, "empty_file"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/jobs", {"name": 7}),
        ("POST", "/jobs", {"key": "a\x00b", "name": "\x00"}),
        ("POST", "/jobs", {"name": "\ud800"}),
        ("POST", "/jobs", {"key": "\ud800"}),
        ("POST", "/jobs", [1]),
        ("POST", "/jobs", "text"),
        ("POST", "/jobs", {"expected_images": 10**400}),
        ("POST", "/jobs/1/images/known", {"images": [{"filename": "\x00", "sha256": "0" * 64}]}),
        ("POST", "/jobs/1/images/known", {"images": [{"filename": "\ud800", "sha256": "0" * 64}]}),
        ("POST", "/jobs/1/rejected", {"files": [{"filename": "\ud800\x00", "message": "\ud800\x00."}]}),
        ("POST", "/jobs/1/rejected", {"files": [{"filename": "a", "message": "b", "code": "\x00"}]}),
        ("GET", f"/jobs/{10**4000}", None),
        ("GET", f"/images/{2**63}", None),
        ("GET", "/jobs/%FF", None),
        ("GET", "/jobs/%zz", None),
        ("GET", "/jobs/1%00", None),
        ("GET", "/results?filename=%FF%00", None),
        ("GET", "/results?filename=%ZZ", None),
        ("GET", "/results?%FF=%FF", None),
        ("GET", f"/results?cursor={10**400}", None),
        ("GET", "/results?from=9999-12-31T23:59:59-23:59", None),
        ("GET", "/results?state=%00", None),
        ("GET", "/jobs?limit=1&limit=0", None),
    ],
)
def test_no_value_is_a_crash(sender: FlaskClient, method: str, path: str, body: object) -> None:
    data = None if body is None else json.dumps(body)
    response = sender.open(f"/api/v1{path}", method=method, data=data, content_type="application/json")
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.mimetype == "application/problem+json"
        assert response.get_json()["detail"]
