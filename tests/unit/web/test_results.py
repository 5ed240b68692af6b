"""Results as the API lists them: in the orders of the worklist, and narrowed like it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from db.audit import MAX_DETAIL_CHARS
from db.states import ImageState
from db.tables import AuditEntry
from tests.unit.web.conftest import AddJob
from web.backends import Backends

SCORES = (("b.png", 0.7), ("d.png", 0.2), ("a.png", 0.95), ("e.png", ImageState.FAILED), ("c.png", 0.7))


def ids(client: FlaskClient, path: str) -> list[int]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [item["id"] for item in answer.get_json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("sort=suspicion", [3, 1, 5, 2, 4]),
        ("sort=name", [3, 1, 5, 2, 4]),
        ("sort=oldest&least=0.7", [1, 3, 5]),
        ("sort=suspicion&most=0.7&least=0.2", [1, 5, 2]),
        ("reviewed=no&sort=oldest", [1, 2, 5]),
        ("reviewed=yes", [3]),
        ("opinion=disagree", [3]),
        ("reviewer=1", [3]),
        ("assignee=1", []),
        ("job=1&sort=oldest", [1, 2, 3, 4, 5]),
        ("model=" + "f" * 64, [5, 3, 2, 1]),
        ("model=" + "f" * 12, [5, 3, 2, 1]),
    ],
)
def test_results_are_sorted_and_narrowed(client: FlaskClient, add_job: AddJob, query: str, expected: list[int]) -> None:
    add_job(*SCORES)
    client.post("/api/v1/images/3/review", json={"opinion": "disagree"})
    assert ids(client, f"/api/v1/results?{query}") == expected


def test_the_images_of_a_job_are_sorted_and_paged(client: FlaskClient, add_job: AddJob) -> None:
    job_id = add_job(*SCORES)
    path = f"/api/v1/jobs/{job_id}/images?sort=suspicion&limit=2"
    seen: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page = client.get(path + (f"&cursor={cursor}" if cursor else "")).get_json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [3, 1, 5, 2, 4]


@pytest.mark.parametrize("query", ["sort=random", "least=2", "most=nan", "reviewed=maybe", "model=okapi", "reviewer=0"])
def test_a_value_that_means_nothing_is_422(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/results?{query}").status_code == 422


def test_a_page_after_a_deleted_image_is_refused_in_the_order_of_suspicion(
    client: FlaskClient, add_job: AddJob
) -> None:
    add_job(*SCORES)
    answer = client.get("/api/v1/results?sort=suspicion&cursor=77")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_request")
    assert ids(client, "/api/v1/results?cursor=77") == [5, 4, 3, 2, 1]


def test_the_audit_log_has_the_conditions_of_an_export_and_no_name(
    client: FlaskClient, add_job: AddJob, backends: Backends
) -> None:
    add_job(*SCORES)
    query = "state=done&decision=pneumonia&view=pa&least=0.123456789&most=0.987654321&reviewed=yes&opinion=disagree"
    people = f"reviewer={2**62}&assignee={2**62}&model={'f' * 64}&filename=mueller"
    days = "from=2026-11-23T10:00:00Z&to=2026-11-24T10:00:00Z"
    assert client.get(f"/api/v1/results?format=csv&sort=suspicion&{query}&{people}&{days}").status_code == 200
    with backends.database.read() as session:
        detail = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "exported")).one()
    assert "decision pneumonia" in detail
    assert "part of a file name" in detail
    assert "mueller" not in detail
    assert len(detail) <= MAX_DETAIL_CHARS
