"""Whatever is sent to the API, it answers as its OpenAPI document says, and never with a 5xx."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage

from tests import factories
from tests.fuzz import api
from web.services import Services

EXAMPLES = 15

# schemathesis reads answers that are files and leaves closing them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.timeout(300)
def test_the_api_keeps_to_its_document(app: Flask, eager: Services, client: FlaskClient, token: str) -> None:
    report = api.fuzz(app, token, screened(client), examples=EXAMPLES)
    assert report.findings == []
    assert report.requests > 10 * len(report.statuses)
    for operation, statuses in report.statuses.items():
        assert any(status < 300 for status in statuses), f"no request to {operation} got past its checks: {statuses}"


@pytest.mark.timeout(300)
def test_an_answer_that_breaks_the_document_is_found(
    app: Flask, client: FlaskClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.view_functions, "api.whoami", lambda **_: {"name": 7})
    report = api.fuzz(app, token, screened(client), examples=1)
    assert any(finding.startswith("GET /api/v1/whoami: 200") for finding in report.findings)


def screened(client: FlaskClient) -> list[int]:
    """Three jobs of one image each, with the same id; two of them are done if the worker is eager."""
    ids = []
    for seed in range(3):
        data = factories.png(seed) if seed else factories.png()[:-30]
        file = FileStorage(io.BytesIO(data), f"{seed}.png")
        ids.append(client.post("/api/v1/images", data={"file": file}).get_json()["id"])
    return ids
