"""Whatever is sent to the API, it answers as its OpenAPI document says, and never with a 5xx."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.queue import depth
from core.settings import Settings
from tests.fuzz import api
from tests.fuzz.deployed import deployed, send_three
from tests.testing.postgres import PostgresServer
from web.backends import Backends

EXAMPLES = 15
FEW = 5

# schemathesis reads answers that are files and leaves closing them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_the_api_keeps_to_its_document(app: Flask, eager: Backends, client: FlaskClient, token: str) -> None:
    report = api.fuzz(app, token, send_three(client), examples=EXAMPLES)
    assert report.findings == []
    assert report.requests > 10 * len(report.statuses)
    for operation, statuses in report.statuses.items():
        assert any(status < 300 for status in statuses), f"no request to {operation} got past its checks: {statuses}"


@pytest.mark.integration
def test_it_does_so_on_postgresql_and_valkey(
    settings: Settings, postgresql: PostgresServer, migrated_postgresql: str
) -> None:
    with postgresql.database(migrated_postgresql) as url, deployed(settings, url) as ours:
        report = api.fuzz(ours.app, ours.token, ours.ids, examples=FEW)
        messages = depth(ours.backends.broker)
    assert report.findings == []
    assert max(max(statuses) for statuses in report.statuses.values()) < 500
    assert report.requests > FEW * len(report.statuses)
    assert messages > len(ours.ids), "the uploads among the requests put messages on the broker"


def test_an_answer_that_breaks_the_document_is_found(
    app: Flask, client: FlaskClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.view_functions, "api.whoami", lambda **_: {"name": 7})
    report = api.fuzz(app, token, send_three(client), examples=1)
    assert any(finding.startswith("GET /api/v1/whoami: 200") for finding in report.findings)
