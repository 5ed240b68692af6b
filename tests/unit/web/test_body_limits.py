"""How much of a body each address takes, and JSON that is made to crash its reader."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from web.intake.upload_request import MAX_FORM_BYTES, MAX_JSON_BYTES, MAX_PUBLIC_BYTES

FORM = "application/x-www-form-urlencoded"


def test_json_has_a_limit_of_its_own(client: FlaskClient) -> None:
    answer = client.post("/api/v1/jobs", data=b" " * (MAX_JSON_BYTES + 1), content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")
    assert "2,097 kB" in answer.get_json()["detail"]


@pytest.mark.parametrize("json", [b"[" * 200_000, b'{"name":' * 200_000])
def test_json_that_is_nested_too_deep_is_422(client: FlaskClient, json: bytes) -> None:
    answer = client.post("/api/v1/jobs", data=json, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_request")


def test_a_sign_in_is_small(browser: FlaskClient) -> None:
    answer = browser.post("/login", data=b"a" * (MAX_PUBLIC_BYTES + 1), content_type=FORM)
    assert answer.status_code == 413


def test_a_form_is_small(client: FlaskClient) -> None:
    answer = client.post("/jobs/1/cancel", data=b"a" * (MAX_FORM_BYTES + 1), content_type=FORM)
    assert answer.status_code in {404, 413}
    assert client.post("/", data=b"a" * (MAX_FORM_BYTES + 1), content_type=FORM).status_code == 413


def test_all_fields_of_an_upload_together_are_small(client: FlaskClient) -> None:
    fields = {f"field{number}": "x" * 60_000 for number in range(5)}
    answer = client.post("/api/v1/images", data={**fields, "file": (io.BytesIO(b"x"), "a.png")})
    assert answer.status_code == 413
