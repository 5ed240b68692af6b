"""Whatever is sent to the API, it answers as its OpenAPI document says, and never with a 5xx."""

from __future__ import annotations

import pytest
from flask import Flask

from tests import factories
from tests.fuzz import api
from web.services import Services

EXAMPLES = 8


@pytest.mark.timeout(300)
def test_the_api_keeps_to_its_document(app: Flask, services: Services, token: str) -> None:
    report = api.fuzz(app, token, known_ids(services), examples=EXAMPLES)
    print(report.requests, report.statuses)
    print("\n------\n".join(report.findings))
    assert report.findings == []


def known_ids(services: Services) -> list[int]:
    with services.database.begin() as session:
        job = factories.job(session, factories.user(session, "grace"))
        return [image.id for image in factories.images(session, job, 3)]
