"""Each request has a number: in its answer, in its errors, in what it logs."""

from __future__ import annotations

import io

import pytest
import structlog
from flask.testing import FlaskClient

from tests.testing.factories import jpeg
from tests.testing.settings import change
from web.app import create_app
from web.backends import Backends


def number(client: FlaskClient, sent: str = "") -> str:
    return client.get("/healthz", headers={"X-Request-ID": sent} if sent else {}).headers["X-Request-ID"]


def behind_a_proxy(backends: Backends) -> FlaskClient:
    values = {name: getattr(backends, name) for name in Backends.__slots__}
    settings = change(backends.settings, trusted_proxies=1)
    return create_app(settings, Backends(**values | {"settings": settings})).test_client()


def test_requests_have_different_numbers(client: FlaskClient) -> None:
    assert number(client) != number(client)


def test_a_number_from_outside_is_not_believed(client: FlaskClient) -> None:
    assert number(client, "0123456789abcdef") != "0123456789abcdef"


def test_a_trusted_proxy_names_the_request(backends: Backends) -> None:
    assert number(behind_a_proxy(backends), "0123456789abcdef") == "0123456789abcdef"


@pytest.mark.parametrize("sent", ["short", "Anna Mueller 1960", "a" * 65, "abcdefgh\u00e9"])
def test_a_proxy_cannot_write_a_sentence_into_the_log(backends: Backends, sent: str) -> None:
    assert number(behind_a_proxy(backends), sent) != sent


def test_an_error_tells_its_number(browser: FlaskClient) -> None:
    response = browser.get("/api/v1/jobs")
    assert response.status_code == 401
    assert response.get_json()["request_id"] == response.headers["X-Request-ID"]


def test_an_image_is_followed_from_its_request(client: FlaskClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        response = client.post("/api/v1/images", data={"file": (io.BytesIO(jpeg()), "mueller-anna.jpeg")})
    accepted = next(event for event in events if event["event"] == "images_accepted")
    assert accepted["image_ids"] == [response.get_json()["id"]]
    assert accepted["request_id"] == response.headers["X-Request-ID"]
    assert "mueller" not in str(events)


def test_a_request_is_a_line_with_the_numbers_of_its_address(client: FlaskClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        client.get("/api/v1/images/41?filename=mueller")
    line = next(event for event in events if event["event"] == "request")
    assert (line["image_id"], line["status"]) == (41, 404)
    assert "mueller" not in str(events)
