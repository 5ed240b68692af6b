"""The JSON API, endpoint by endpoint, as a program uses it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

from core.kinds import View
from core.populations import Population, PopulationBy
from db import jobs
from db.accounts import users
from db.session import now
from db.states import ImageState, Priority
from db.tables import Image, Job, Prediction
from tests.testing import factories
from tests.unit.web.conftest import AddJob
from web.backends import Backends

File = tuple[str, bytes]


def new_job(client: FlaskClient, **body: Any) -> int:
    job_id: int = client.post("/api/v1/jobs", json={"name": "ward 3", "priority": "bulk"} | body).get_json()["id"]
    return job_id


def upload(client: FlaskClient, job_id: int, *files: File) -> TestResponse:
    parts = [FileStorage(io.BytesIO(data), filename) for filename, data in files]
    return client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts})


def uploaded(client: FlaskClient, count: int = 1, **body: Any) -> tuple[int, list[int]]:
    """A job with that many images: its id and theirs."""
    job_id = new_job(client, **body)
    files = [(f"{number}.png", factories.png(number, size_px=(9, 8))) for number in range(count)]
    return job_id, [item["id"] for item in upload(client, job_id, *files).get_json()["images"]]


def assert_problem(response: TestResponse, status: int, code: str) -> None:
    body = response.get_json()
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["detail"]


def test_whoami_tells_name_and_role(client: FlaskClient) -> None:
    assert client.get("/api/v1/whoami").get_json() == {"name": "ada", "role": "admin"}


def test_a_new_job_is_empty_and_has_an_address(client: FlaskClient) -> None:
    response = client.post("/api/v1/jobs", json={"name": "ward 3", "priority": "bulk"})
    body = response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/jobs/{body['id']}"
    assert (body["name"], body["priority"], body["state"], body["total"]) == ("ward 3", "bulk", "empty", 0)
    assert set(body["counts"]) == {"queued", "running", "done", "failed", "cancelled"}
    assert set(body["decisions"]) == {"normal", "pneumonia", "refused"}


def test_a_job_without_a_name_gets_one_and_is_interactive(client: FlaskClient) -> None:
    body = client.post("/api/v1/jobs", json={}).get_json()
    assert (body["name"], body["priority"]) == ("Untitled", "interactive")


def test_a_key_used_before_answers_200_with_the_same_job(client: FlaskClient) -> None:
    first = client.post("/api/v1/jobs", json={"name": "a", "key": "k"})
    second = client.post("/api/v1/jobs", json={"name": "b", "key": "k"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.get_json() == second.get_json()


@pytest.mark.parametrize(
    "body",
    [
        {"priority": "urgent"},
        {"name": "x" * 201},
        {"name": 3},
        {"key": ""},
        {"key": "x" * 65},
        {"surprise": 1},
        [],
        "text",
        None,
    ],
)
def test_a_job_that_makes_no_sense_is_422_and_names_the_field(client: FlaskClient, body: object) -> None:
    response = client.post("/api/v1/jobs", json=body)
    assert_problem(response, 422, "invalid_request")
    assert response.get_json()["errors"]


def test_a_body_that_is_no_json_is_an_error_of_the_client(client: FlaskClient) -> None:
    response = client.post("/api/v1/jobs", data=b"{", content_type="application/json")
    assert 400 <= response.status_code < 500
    assert response.mimetype == "application/problem+json"


def test_jobs_are_listed_newest_first_and_in_pages(client: FlaskClient) -> None:
    made = [new_job(client) for _ in range(3)]
    first = client.get("/api/v1/jobs?limit=2").get_json()
    second = client.get(f"/api/v1/jobs?limit=2&cursor={first['next_cursor']}").get_json()
    assert [job["id"] for job in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


def test_a_job_counts_its_images(client: FlaskClient) -> None:
    job_id, _ = uploaded(client, 3)
    body = client.get(f"/api/v1/jobs/{job_id}").get_json()
    assert (body["state"], body["total"], body["counts"]["queued"]) == ("queued", 3, 3)
    assert body["finished_at"] is None


def test_a_job_in_work_says_when_to_ask_again_and_a_finished_one_does_not(client: FlaskClient) -> None:
    job_id, _ = uploaded(client)
    assert client.get(f"/api/v1/jobs/{job_id}").headers["Retry-After"] == "1"
    client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert "Retry-After" not in client.get(f"/api/v1/jobs/{job_id}").headers


def test_a_job_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    job_id, _ = uploaded(client)
    etag = client.get(f"/api/v1/jobs/{job_id}").headers["ETag"]
    unchanged = client.get(f"/api/v1/jobs/{job_id}", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert unchanged.headers["Retry-After"] == "1"
    client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert client.get(f"/api/v1/jobs/{job_id}", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/404"),
        ("GET", "/jobs/404/images"),
        ("POST", "/jobs/404/cancel"),
        ("POST", "/jobs/404/retry"),
        ("POST", "/images/404/retry"),
        ("GET", "/images/404"),
        ("GET", "/images/404/file"),
        ("GET", "/nothing"),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, method: str, path: str) -> None:
    assert_problem(client.open(f"/api/v1{path}", method=method), 404, "not_found")


@pytest.mark.parametrize("path", ["/jobs/0", f"/jobs/{2**63}", f"/images/{10**30}", "/jobs?cursor=-1", "/jobs?limit=0"])
def test_a_number_that_no_row_can_have_is_422(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(f"/api/v1{path}"), 422, "invalid_request")


def test_a_wrong_method_is_405_and_tells_the_right_one(client: FlaskClient) -> None:
    response = client.delete("/api/v1/jobs")
    assert_problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_an_image_is_told_with_all_its_facts(client: FlaskClient) -> None:
    job_id, (image_id,) = uploaded(client)
    body = client.get(f"/api/v1/images/{image_id}").get_json()
    assert (body["job_id"], body["filename"], body["state"], body["attempt"]) == (job_id, "0.png", "queued", 0)
    assert (body["media_type"], body["width_px"], body["height_px"]) == ("image/png", 9, 8)
    assert (body["error"], body["prediction"], body["finished_at"]) == (None, None, None)
    assert client.get(f"/api/v1/images/{image_id}").headers["Retry-After"] == "1"


def test_an_image_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    _, (image_id,) = uploaded(client)
    etag = client.get(f"/api/v1/images/{image_id}").headers["ETag"]
    assert client.get(f"/api/v1/images/{image_id}", headers={"If-None-Match": etag}).status_code == 304


def test_a_screened_image_carries_its_prediction_and_model(client: FlaskClient, eager: Backends) -> None:
    job_id = new_job(client)
    upload(client, job_id, ("a.png", factories.png(brightness=0.7)))
    (image,) = client.get(f"/api/v1/jobs/{job_id}/images").get_json()["items"]
    prediction = image["prediction"]
    assert (image["state"], prediction["decision"], prediction["threshold"]) == ("done", "pneumonia", 0.5)
    assert prediction["probability"] == pytest.approx(0.7, abs=0.02)
    assert prediction["model"] == {"name": "fake-brightness", "sha256": "f" * 64}
    assert eager.settings.worker.batch_size == 4


def test_a_refused_image_carries_score_limit_and_reason(client: FlaskClient, eager: Backends) -> None:
    sent = upload(client, new_job(client), ("white.png", factories.png(brightness=1.2))).get_json()
    image_id = sent["images"][0]["id"]
    prediction = client.get(f"/api/v1/images/{image_id}").get_json()["prediction"]
    assert prediction["decision"] == "refused"
    assert prediction["domain_score"] > prediction["domain_limit"] == 0.9
    assert "can't judge it" in prediction["reason"]
    assert (prediction["kind"], prediction["view"]) == (None, None)


def test_results_are_narrowed_to_a_view(client: FlaskClient, add_job: AddJob) -> None:
    job_id = add_job(("side.png", 0.9), ood_score=2, view=View.LATERAL)
    add_job(("front.png", 0.9), view=View.PA)
    for path in ("/api/v1/results?view=lateral", f"/api/v1/jobs/{job_id}/images?view=lateral"):
        (found,) = client.get(path).get_json()["items"]
        assert (found["prediction"]["kind"], found["prediction"]["view"]) == ("lateral", "lateral")
    assert client.get("/api/v1/results?view=lateral&decision=normal").get_json()["items"] == []
    assert client.get("/api/v1/results?view=oblique").status_code == 422
    (line,) = client.get("/api/v1/results?view=pa&format=csv").get_data(as_text=True).splitlines()[1:]
    assert line.endswith(",frontal,pa,")


def test_a_population_can_be_chosen_for_a_job_and_for_a_single_image(client: FlaskClient, backends: Backends) -> None:
    job = client.post("/api/v1/jobs", json={"population": "child"}).get_json()
    assert job["population"] == "child"
    assert client.post("/api/v1/jobs", json={}).get_json()["population"] is None
    assert client.post("/api/v1/jobs", json={"population": "cat"}).status_code == 422
    form = {"file": (io.BytesIO(factories.png()), "a.png"), "population": "adult"}
    image = client.post("/api/v1/images", data=form).get_json()
    with backends.database.read() as session:
        assert session.get_one(Job, image["job_id"]).population == "adult"
    form = {"file": (io.BytesIO(factories.png()), "a.png"), "population": "cat"}
    assert client.post("/api/v1/images", data=form).status_code == 422


def test_as_whose_an_image_was_judged_is_told(client: FlaskClient, backends: Backends, add_job: AddJob) -> None:
    job_id = add_job(("a.png", 0.9))
    with backends.database.begin() as session:
        prediction = session.scalars(select(Prediction)).one()
        prediction.population, prediction.population_by = Population.CHILD, PopulationBy.NETWORK
    (image,) = client.get(f"/api/v1/jobs/{job_id}/images").get_json()["items"]
    assert (image["prediction"]["population"], image["prediction"]["population_by"]) == ("child", "network")
    lines = client.get(f"/api/v1/jobs/{job_id}/images?format=csv").get_data(as_text=True).splitlines()
    assert lines[0].endswith(",view,population")
    assert lines[1].endswith(",child")


def test_the_map_of_a_screened_image_is_a_picture_that_is_sent_once(client: FlaskClient, eager: Backends) -> None:
    _, (image_id,) = uploaded(client)
    first = client.get(f"/api/v1/images/{image_id}/cam")
    assert (first.status_code, first.mimetype) == (200, "image/png")
    assert first.data.startswith(b"\x89PNG")
    again = client.get(f"/api/v1/images/{image_id}/cam", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_an_image_without_a_map_is_404(client: FlaskClient) -> None:
    _, (image_id,) = uploaded(client)
    for path in (f"/api/v1/images/{image_id}/cam", "/api/v1/images/99/cam"):
        assert_problem(client.get(path), 404, "not_found")


def test_an_image_that_failed_carries_code_and_sentence(client: FlaskClient, eager: Backends) -> None:
    job_id = new_job(client)
    (item,) = upload(client, job_id, ("a.png", factories.png()[:100])).get_json()["images"]
    body = client.get(f"/api/v1/images/{item['id']}").get_json()
    assert (body["state"], body["error"]["code"]) == ("failed", "corrupt_image")
    assert body["error"]["message"].endswith(".")
    assert eager.celery.conf.task_always_eager


def file(client: FlaskClient, image_id: int, headers: dict[str, str] | None = None) -> TestResponse:
    """The answer, read to its end and closed, as a server does it."""
    return client.get(f"/api/v1/images/{image_id}/file", headers=headers, buffered=True)


def test_the_file_comes_back_as_it_was_sent(client: FlaskClient) -> None:
    data = factories.png()
    job_id = new_job(client)
    (item,) = upload(client, job_id, ("müller anna.png", data)).get_json()["images"]
    response = file(client, item["id"])
    assert response.data == data
    assert response.mimetype == "image/png"
    assert response.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'


def test_a_file_is_sent_so_that_nothing_in_it_runs_and_no_name_is_told(client: FlaskClient) -> None:
    job_id = new_job(client)
    (item,) = upload(client, job_id, ("mueller.png", factories.png())).get_json()["images"]
    headers = file(client, item["id"]).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, max-age=3600"
    assert "mueller" not in str(headers)


def test_a_file_that_the_client_has_is_not_sent_again(client: FlaskClient) -> None:
    _, (image_id,) = uploaded(client)
    response = file(client, image_id, {"If-None-Match": file(client, image_id).headers["ETag"]})
    assert (response.status_code, response.data) == (304, b"")


def test_a_file_missing_from_the_storage_is_404_with_its_own_code(client: FlaskClient, backends: Backends) -> None:
    _, (image_id,) = uploaded(client)
    backends.store.delete(client.get(f"/api/v1/images/{image_id}").get_json()["sha256"])
    assert_problem(client.get(f"/api/v1/images/{image_id}/file"), 404, "blob_missing")


def test_the_images_of_a_job_come_in_the_order_of_upload_and_in_pages(client: FlaskClient) -> None:
    job_id, ids = uploaded(client, 3)
    uploaded(client, 1)
    first = client.get(f"/api/v1/jobs/{job_id}/images?limit=2").get_json()
    second = client.get(f"/api/v1/jobs/{job_id}/images?limit=2&cursor={first['next_cursor']}").get_json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


def test_images_are_filtered_by_state(client: FlaskClient) -> None:
    job_id, ids = uploaded(client, 2)
    url = f"/api/v1/jobs/{job_id}/images?state="
    assert [item["id"] for item in client.get(url + "queued").get_json()["items"]] == ids
    assert client.get(url + "done").get_json()["items"] == []
    assert_problem(client.get(url + "lost"), 422, "invalid_request")


def test_results_of_all_jobs_come_newest_first(client: FlaskClient) -> None:
    made = [uploaded(client)[1][0] for _ in range(3)]
    assert [item["id"] for item in client.get("/api/v1/results").get_json()["items"]] == made[::-1]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("filename=1.PNG", 1),
        ("filename=%25", 0),
        ("state=queued", 2),
        ("decision=pneumonia", 0),
        ("from=2020-01-01", 2),
        ("from=2999-01-01T00:00:00Z", 0),
        ("to=2020-01-01T00:00:00%2B05:00", 0),
        ("to=2999-01-01", 2),
    ],
)
def test_results_are_filtered(client: FlaskClient, query: str, count: int) -> None:
    uploaded(client, 2)
    assert len(client.get(f"/api/v1/results?{query}").get_json()["items"]) == count


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "limit=501",
        "limit=x",
        "cursor=x",
        "format=xml",
        "color=red",
        "from=0001-01-01T00:00:00%2B14:00",
    ],
)
def test_a_filter_that_makes_no_sense_is_422(client: FlaskClient, query: str) -> None:
    assert_problem(client.get(f"/api/v1/results?{query}"), 422, "invalid_request")


def test_cancelling_takes_back_what_is_queued(client: FlaskClient) -> None:
    job_id, _ = uploaded(client, 2)
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").get_json() == {"changed": 2}
    assert client.get(f"/api/v1/jobs/{job_id}").get_json()["state"] == "cancelled"
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").get_json() == {"changed": 0}


def test_nothing_can_be_added_to_a_cancelled_job(client: FlaskClient) -> None:
    job_id, _ = uploaded(client)
    client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert_problem(upload(client, job_id, ("new.png", factories.png(9))), 409, "conflict")
    known = {"images": [{"filename": "x", "sha256": "0" * 64}]}
    assert_problem(client.post(f"/api/v1/jobs/{job_id}/images/known", json=known), 409, "conflict")


def test_a_retry_queues_what_was_cancelled_and_opens_the_job_again(client: FlaskClient) -> None:
    job_id, _ = uploaded(client, 2)
    client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert client.post(f"/api/v1/jobs/{job_id}/retry").get_json() == {"changed": 2}
    assert client.get(f"/api/v1/jobs/{job_id}").get_json()["state"] == "queued"
    assert upload(client, job_id, ("new.png", factories.png(9))).status_code == 201


def test_a_retry_queues_what_it_can_help(client: FlaskClient, backends: Backends) -> None:
    job_id, (image_id,) = uploaded(client, 1)
    with backends.database.begin() as session:
        image = session.get_one(Image, image_id)
        image.state, image.error_code, image.error_message = ImageState.FAILED, "out_of_memory", "Too little memory."
    assert client.get(f"/api/v1/images/{image_id}").get_json()["error"]["retry_helps"] is True
    assert client.post(f"/api/v1/jobs/{job_id}/retry").get_json() == {"changed": 1}
    assert client.get(f"/api/v1/jobs/{job_id}").get_json()["counts"]["queued"] == 1


def test_a_retry_says_how_many_it_cannot_help(client: FlaskClient, eager: Backends) -> None:
    job_id = new_job(client)
    (received,) = upload(client, job_id, ("a.png", factories.png()[:100])).get_json()["images"]
    assert client.get(f"/api/v1/images/{received['id']}").get_json()["error"]["retry_helps"] is False
    for path in (f"jobs/{job_id}", f"images/{received['id']}"):
        assert client.post(f"/api/v1/{path}/retry").get_json() == {"changed": 0, "left": 1}
    assert client.get(f"/api/v1/jobs/{job_id}").get_json()["counts"]["failed"] == 1
    assert eager.celery.conf.task_always_eager


def test_one_image_is_retried_by_itself(client: FlaskClient) -> None:
    job_id, (first, _) = uploaded(client, 2)
    client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert client.post(f"/api/v1/images/{first}/retry").get_json() == {"changed": 1}
    assert client.post(f"/api/v1/images/{first}/retry").get_json() == {"changed": 0}
    counts = client.get(f"/api/v1/jobs/{job_id}").get_json()["counts"]
    assert (counts["queued"], counts["cancelled"]) == (1, 1)


def known(client: FlaskClient, job_id: int, wanted: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    body = {"images": [{"filename": filename, "sha256": sha256} for filename, sha256 in wanted]}
    answers: list[dict[str, Any]] = client.post(f"/api/v1/jobs/{job_id}/images/known", json=body).get_json()["images"]
    return answers


def test_bytes_sent_before_need_not_be_sent_again(client: FlaskClient) -> None:
    _, (image_id,) = uploaded(client)
    sha256 = client.get(f"/api/v1/images/{image_id}").get_json()["sha256"]
    job_id = new_job(client)
    new, missing = known(client, job_id, [("again.png", sha256), ("other.png", "0" * 64)])
    assert (new["filename"], new["state"], new["missing"]) == ("again.png", "queued", False)
    assert missing == {"filename": "other.png", "sha256": "0" * 64, "missing": True}
    assert client.get(f"/api/v1/images/{new['id']}").get_json()["width_px"] == 9


def test_bytes_that_left_the_storage_have_to_be_sent_again(client: FlaskClient, backends: Backends) -> None:
    _, (image_id,) = uploaded(client)
    sha256 = client.get(f"/api/v1/images/{image_id}").get_json()["sha256"]
    backends.store.delete(sha256)
    assert known(client, new_job(client), [("again.png", sha256)])[0]["missing"]


def test_what_another_user_sent_is_not_known(client: FlaskClient, backends: Backends) -> None:
    data = factories.png()
    upload(client, new_job(client), ("a.png", data))
    with backends.database.begin() as session:
        bob = users.create_token(session, factories.user(session, "bob"), now=now(session))
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {bob}"
    assert known(client, new_job(client), [("a.png", hashlib.sha256(data).hexdigest())])[0]["missing"]


def test_a_known_name_without_a_character_to_show_is_kept_as_it_was_sent(client: FlaskClient) -> None:
    _, (image_id,) = uploaded(client)
    sha256 = client.get(f"/api/v1/images/{image_id}").get_json()["sha256"]
    assert known(client, new_job(client), [("\x01\x02", sha256)])[0]["filename"] == "\x01\x02"


@pytest.mark.parametrize(
    "images", [[], [{"filename": "", "sha256": "0" * 64}], [{"filename": "a", "sha256": "x"}], [{"filename": "a"}]]
)
def test_a_list_of_known_files_that_makes_no_sense_is_422(client: FlaskClient, images: object) -> None:
    response = client.post(f"/api/v1/jobs/{new_job(client)}/images/known", json={"images": images})
    assert_problem(response, 422, "invalid_request")


def test_a_job_finished_some_time_ago_says_when(client: FlaskClient, backends: Backends) -> None:
    with backends.database.begin() as session:
        owner = factories.user(session, "bob")
        at = now(session) - timedelta(days=1)
        job, _ = jobs.create(session, user_id=owner.id, name="old", priority=Priority.BULK, client_key=None, now=at)
        factories.images(session, job, 1)
        jobs.cancel(session, session.get_one(Job, job.id), at)
    body = client.get(f"/api/v1/jobs/{job.id}").get_json()
    assert body["finished_at"] == at.isoformat().replace("+00:00", "Z")
