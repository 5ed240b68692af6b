"""Errors as a program reads them, with codes that do not depend on the version of Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ValidationError

from core import errors
from db.session import Database
from tests.testing.postgres import PostgresServer
from tests.unit.web.visitor import Visitor
from web.app import create_app
from web.backends import Backends
from web.problems import invalid_request, problem


@pytest.fixture
def down(backends: Backends, tmp_path: Path) -> Iterator[FlaskClient]:
    """A client whose server has lost its database."""
    database = Database(f"sqlite:///{tmp_path}/no/such/folder/x.db")
    values = {name: getattr(backends, name) for name in Backends.__slots__} | {"database": database}
    client = create_app(backends.settings, Backends(**values)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer any"
    yield client
    database.dispose()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/v1/whoami"), ("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs")]
)
def test_a_database_that_is_down_is_503_for_a_program(down: FlaskClient, method: str, path: str) -> None:
    response = down.open(path, method=method, json={} if method == "POST" else None)
    assert (response.status_code, response.mimetype) == (503, "application/problem+json")
    assert response.get_json()["code"] == "database_unavailable"
    assert response.headers["Retry-After"] == "5"


def test_a_database_that_is_down_is_503_for_a_person(down: FlaskClient) -> None:
    response = down.get("/jobs")
    assert (response.status_code, response.mimetype) == (503, "text/html")
    assert response.headers["Retry-After"] == "5"
    assert "The database does not answer." in response.get_data(as_text=True)


def test_a_request_that_is_too_large_says_how_large_one_may_be(app: Flask, reader: Visitor) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100_000
    page = reader.post("/", {}, [("a.png", bytes(200_000))])
    assert page.status == 413
    assert "413 Too much at once" in page.text
    assert "in 1,010 files and fields" in page.text


def test_a_crash_tells_the_client_nothing_of_its_cause(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.listing.jobs.page", lambda *_, **__: 1 / 0)
    app.testing = False
    response = client.get("/api/v1/jobs")
    assert (response.status_code, response.get_json()["code"]) == (500, "internal_server_error")
    assert "division" not in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "bad_request"), (401, "unauthorized"), (404, "not_found"), (405, "method_not_allowed"), (409, "conflict"),
     (413, "request_too_large"), (422, "invalid_request"), (500, "internal_server_error")],
)  # fmt: skip
def test_a_status_has_one_code_in_every_version_of_python(status: int, code: str) -> None:
    body = problem(status, "Why.").get_json()
    assert body["code"] == code
    assert (body["type"], body["status"], body["detail"]) == ("about:blank", status, "Why.")
    assert body["title"]


def test_a_problem_may_carry_more_than_the_standard_fields() -> None:
    assert problem(422, "Why.", "mine", errors=[1]).get_json() == {
        "type": "about:blank", "title": problem(422, "").get_json()["title"], "status": 422, "detail": "Why.",
        "code": "mine", "errors": [1],
    }  # fmt: skip


def test_wrong_values_are_told_by_their_place_and_not_repeated() -> None:
    class Body(BaseModel):
        number: int

    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"number": "mueller"})
    response = invalid_request(caught.value)
    assert response.get_json()["errors"][0]["field"] == "number"
    assert "mueller" not in response.get_data(as_text=True)


def test_an_address_outside_the_api_answers_with_a_page(client: FlaskClient) -> None:
    response = client.get("/nothing")
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "There is nothing at this address" in response.get_data(as_text=True)


def test_under_api_every_error_is_a_problem_document(client: FlaskClient) -> None:
    for path in ("/api", "/api/v2/jobs", "/api/v1/", "/api/v1/jobs/x"):
        response = client.get(path)
        assert response.status_code == 404
        assert (response.mimetype == "application/problem+json") == path.startswith("/api/")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/results?filename=a%00b", None),
        ("/api/v1/jobs", {"key": "a\x00b"}),
        ("/api/v1/jobs", {"name": "a\x00b"}),
    ],
)
def test_a_nul_in_a_value_is_no_crash_on_postgresql(
    backends: Backends, postgresql: PostgresServer, migrated_postgresql: str, token: str, path: str, body: object
) -> None:
    database = Database(postgresql.new_database(migrated_postgresql))
    copy_users(backends.database, database)
    values = {name: getattr(backends, name) for name in Backends.__slots__} | {"database": database}
    client = create_app(backends.settings, Backends(**values)).test_client()
    response = client.open(
        path, method="POST" if body else "GET", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    database.dispose()
    assert response.status_code in {201, 422}


def copy_users(source: Database, target: Database) -> None:
    """Users and tokens, so that a token of one database is good in the other."""
    with source.engine.connect() as reading, target.begin() as session:
        for table in ("users", "tokens"):
            for row in reading.exec_driver_sql(f"SELECT * FROM {table}").mappings():
                names = ", ".join(map(str, row))
                holders = ", ".join(f"%({name})s" for name in row)
                session.connection().exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({holders})", dict(row))


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (errors.NotFound("Gone."), 404, None),
        (errors.Conflict("Not now."), 409, None),
        (errors.InvalidInput("Not so."), 422, None),
        (errors.QueueFull("Wait.", 17), 429, "17"),
        (errors.TooManyUploads("Wait."), 503, "5"),
        (errors.StorageUnavailable("Away."), 503, "5"),
        (errors.StorageForeign("Another one."), 503, "5"),
        (errors.StorageFull("No space."), 507, "60"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_an_error_of_the_application_has_its_status_and_time_to_come_back(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: errors.PneumoscreenError, status: int, retry_after: str
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr("db.listing.jobs.page", refuse)
    program, person = client.get("/api/v1/jobs"), client.get("/jobs")
    assert program.get_json()["code"] == error.code
    for response in (program, person):
        assert (response.status_code, response.headers.get("Retry-After")) == (status, retry_after)
        assert error.message in response.get_data(as_text=True)


def test_an_error_that_no_client_can_help_is_a_fault_of_the_server(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise errors.ConfigurationError("The folder /srv/secret is wrong.")

    monkeypatch.setattr("db.listing.jobs.page", refuse)
    response = client.get("/api/v1/jobs")
    assert response.status_code == 500
    assert "secret" not in response.get_data(as_text=True)
