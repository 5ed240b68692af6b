"""The application as a whole: its key, its headers, its documentation."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from core.errors import ConfigurationError
from core.settings import Settings
from tests.testing.settings import change
from web.app import create_app
from web.backends import Backends, connect_all


@pytest.mark.parametrize("key", ["", "short", "x" * 15])
def test_without_a_key_worth_its_name_it_does_not_start(backends: Backends, key: str) -> None:
    weak = change(backends.settings, secret_key=SecretStr(key))
    with pytest.raises(ConfigurationError, match="PNEUMOSCREEN_SECRET_KEY"):
        create_app(weak, backends)


def test_the_real_services_are_made_without_contacting_any(settings: Settings) -> None:
    settings.storage.data_dir.mkdir()
    real = connect_all(settings)
    assert create_app(settings, real).extensions["pneumoscreen"].database is real.database
    assert not (settings.storage.data_dir / "pneumoscreen.db").exists()


@pytest.mark.parametrize(
    "path", ["/", "/login", "/nothing", "/healthz", "/api/v1/whoami", "/api/v1/jobs/404", "/openapi.json"]
)
def test_every_answer_is_hardened(client: FlaskClient, browser: FlaskClient, path: str) -> None:
    for asking in (client, browser):
        headers = asking.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] in {"no-cache", "no-store"}


def test_no_script_but_our_own_may_run(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src" not in policy  # default-src 'self' holds for scripts


def test_pages_are_not_kept_by_browsers(client: FlaskClient) -> None:
    assert client.get("/jobs").headers["Cache-Control"] == "no-store"


def documented(client: FlaskClient) -> set[tuple[str, str]]:
    paths = client.get("/openapi.json").get_json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_the_openapi_document_lists_every_address_of_the_api(app: Flask, client: FlaskClient) -> None:
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert len(served) == 21
    assert documented(client) == served


def test_the_openapi_document_tells_how_to_sign_in_and_what_errors_look_like(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["info"]["title"] == "pneumoscreen"
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    responses = document["paths"]["/api/v1/jobs"]["post"]["responses"]
    assert {"200", "201", "401", "422"} <= set(responses)
    assert "#/components/schemas/Problem" in str(responses["401"])


def test_every_reference_in_the_openapi_document_leads_somewhere(client: FlaskClient) -> None:
    document = client.get("/openapi.json")
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', document.get_data(as_text=True)))
    assert wanted <= set(document.get_json()["components"]["schemas"])
    assert "Image" in wanted


def test_the_interactive_documentation_is_served_from_here(client: FlaskClient) -> None:
    page = client.get("/api/docs").get_data(as_text=True)
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any("/api/docs/assets/" in source for source in sources)
    assert not [source for source in sources if source.startswith(("http:", "https:", "//"))]


def test_no_address_has_room_for_a_file_name(app: Flask) -> None:
    names = {name for rule in app.url_map.iter_rules() for name in rule.arguments}
    assert names <= {"job_id", "image_id", "filename", "sha256", "view_id"}
    with_filename = {rule.endpoint for rule in app.url_map.iter_rules() if "filename" in rule.arguments}
    assert with_filename == {"static", "api_docs.static"}


@pytest.mark.parametrize("path", ["/login", "/healthz", "/nothing", "/static/css/base.css", "/api/v1/whoami"])
def test_every_answer_carries_the_headers_that_keep_browsers_from_harm(app: Flask, path: str) -> None:
    with app.test_client().get(path) as response:
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in response.headers["Permissions-Policy"]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in response.headers


def test_hsts_is_sent_where_the_pages_are_used_over_https_only(settings: Settings, backends: Backends) -> None:
    app = create_app(change(settings, cookie_secure=True), backends)
    assert app.test_client().get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"
