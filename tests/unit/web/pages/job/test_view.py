"""The list of jobs and the page of one."""

from __future__ import annotations

import pytest

from db.progress import Progress, progress_of
from db.states import Decision, ImageState, JobState
from db.tables import Job
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends
from web.pages.job.view import is_over, retry_word, tiles

Q, R, D, F, C = ImageState


def _pages(visitor: Visitor, path: str, part: str) -> list[list[str]]:
    """The links that contain `part`, page by page, to the last."""
    pages = []
    while path:
        page = visitor.get(path)
        assert page.status == 200
        pages.append(page.links(part))
        path = page.link("next")
    return pages


def test_the_list_has_every_job_once_newest_first(
    reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.job.view.JOBS_ON_A_PAGE", 3)
    ids = [add_job(("a.png", Q)) for _ in range(7)]
    pages = _pages(reader, "/jobs", "/jobs/")
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [link for page in pages for link in page] == [f"/jobs/{job_id}" for job_id in reversed(ids)]


def test_the_images_of_a_job_come_in_order_of_upload_each_once(
    reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.job.view.IMAGES_ON_A_PAGE", 4)
    add_job(("other.png", 0.1))
    job_id = add_job(*((f"{i}.png", 0.9 if i % 2 else F) for i in range(10)))
    pages = _pages(reader, f"/jobs/{job_id}", "/images/")
    images = [link for page in pages for link in page if not link.startswith("/api/")]
    assert images == [f"/images/{i}" for i in range(2, 12)]


def test_a_choice_survives_the_next_page(reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.pages.job.view.IMAGES_ON_A_PAGE", 2)
    job_id = add_job(*((f"{i}.png", 0.9 if i % 2 else F) for i in range(10)))
    for show, odd in (("failed", 0), ("pneumonia", 1)):
        pages = _pages(reader, f"/jobs/{job_id}?show={show}", "/images/")
        shown = [link for page in pages for link in page if not link.startswith("/api/")]
        assert shown == [f"/images/{i + 1}?list=job&show={show}" for i in range(10) if i % 2 == odd]


def test_next_stays_within_what_the_job_shows_and_leads_back_to_it(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(*((f"{i}.png", 0.9 if i % 2 else F) for i in range(6)))
    page = reader.get("/images/3?list=job&show=failed")
    assert (page.link("prev"), page.link("next")) == (
        "/images/1?list=job&show=failed",
        "/images/5?list=job&show=failed",
    )
    (back,) = page.links(f"/jobs/{job_id}?")
    assert back == f"/jobs/{job_id}?show=failed&at=3#image-3"
    assert {"id": "image-3"} in reader.get(back.partition("#")[0]).all("tr")
    assert reader.get("/images/3?list=job&show=okapi").status == 400


def test_a_job_shows_its_counts_and_each_failure_with_its_sentence(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("a.png", 0.9), ("b.png", 0.1), ("c.png", F), ("d.png", Q), name="ward 3")
    text = reader.get(f"/jobs/{job_id}").text
    assert "3 of 4 images finished, 1 failed" in text
    assert "c.png Its data ends too early." in text
    assert "90.0 %" in text
    assert "by ada, screened in the background" in text


def test_a_page_looks_again_until_its_job_is_over(reader: Visitor, add_job: AddJob) -> None:
    running, over = add_job(("a.png", 0.9), ("b.png", R)), add_job(("a.png", 0.9), ("b.png", C))
    assert f'data-poll="/api/v1/jobs/{running}"' in reader.get(f"/jobs/{running}").html
    assert "data-poll" not in reader.get(f"/jobs/{over}").html


def test_a_job_that_waits_for_a_worker_says_so(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("a.png", Q))
    assert "No worker is running: the images are kept" in reader.get(f"/jobs/{job_id}").text


def test_a_job_that_has_a_worker_does_not(reader: Visitor, add_job: AddJob, worker: str) -> None:
    job_id = add_job(("a.png", Q))
    assert "No worker is running" not in reader.get(f"/jobs/{job_id}").text


@pytest.mark.parametrize("path", ["/jobs/4711", f"/jobs/{2**63 - 1}", f"/jobs/{2**63}", "/images/4711", "/jobs/x"])
def test_what_does_not_exist_is_a_404_page(reader: Visitor, path: str) -> None:
    page = reader.get(path)
    assert page.status == 404
    assert "/" in page.links()


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", "cursor=99999999999999999999", "cursor=²", "show=odd"])
def test_a_damaged_link_is_a_400_page(reader: Visitor, add_job: AddJob, query: str) -> None:
    assert reader.get(f"/jobs/{add_job(('a.png', Q))}?{query}").status == 400


def test_an_empty_job_explains_itself(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job()
    assert "Its upload may have been interrupted" in reader.get(f"/jobs/{job_id}").text
    assert "This job has no image with “failed”" in reader.get(f"/jobs/{job_id}?show=failed").text


def test_cancel_stops_what_is_queued(reader: Visitor, add_job: AddJob, backends: Backends) -> None:
    job_id = add_job(("a.png", 0.9), ("b.png", Q), ("c.png", Q))
    assert reader.post(f"/jobs/{job_id}/cancel", {}).location == f"/jobs/{job_id}"
    assert "2 queued images cancelled." in reader.get(f"/jobs/{job_id}").text
    assert _counts(backends, job_id) == {Q: 0, R: 0, D: 1, F: 0, C: 2}


def test_retry_queues_what_failed_and_what_was_cancelled(reader: Visitor, add_job: AddJob, backends: Backends) -> None:
    job_id = add_job(("a.png", 0.9), ("b.png", F), ("c.png", C), error_code="out_of_memory")
    assert "Retry 2 failed and cancelled" in reader.get(f"/jobs/{job_id}").text
    reader.post(f"/jobs/{job_id}/retry", {})
    assert "2 images queued again." in reader.get(f"/jobs/{job_id}").text
    assert _counts(backends, job_id) == {Q: 2, R: 0, D: 1, F: 0, C: 0}


def test_retry_is_not_offered_for_damaged_files(reader: Visitor, add_job: AddJob, backends: Backends) -> None:
    job_id = add_job(("a.png", F), ("b.png", F))
    page = reader.get(f"/jobs/{job_id}")
    assert not any(form.get("action") == f"/jobs/{job_id}/retry" for form in page.all("form"))
    assert "A retry can't help 2 failed images" in page.text
    reader.post(f"/jobs/{job_id}/retry", {})
    assert "0 images queued again. A retry can't help 2 failed images" in reader.get(f"/jobs/{job_id}").text
    assert _counts(backends, job_id) == {Q: 0, R: 0, D: 0, F: 2, C: 0}


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_changing_a_job_that_does_not_exist_is_a_404(reader: Visitor, action: str) -> None:
    assert reader.post(f"/jobs/4711/{action}", {}).status == 404


def _counts(backends: Backends, job_id: int) -> dict[ImageState, int]:
    with backends.database.read() as session:
        return progress_of(session, session.get_one(Job, job_id)).counts


def _progress(state: JobState, **counts: int) -> Progress:
    by_state = {image_state: counts.get(image_state.value, 0) for image_state in ImageState}
    return Progress(state, by_state, dict.fromkeys(Decision, 0), None)


def test_rare_tiles_appear_only_with_a_number() -> None:
    assert [t[0] for t in tiles(_progress(JobState.DONE, done=3))] == ["pneumonia", "normal", "failed"]
    running = [t[0] for t in tiles(_progress(JobState.RUNNING, done=3, running=1, cancelled=1))]
    assert running == ["pneumonia", "normal", "queued", "running", "failed", "cancelled"]


def test_an_empty_job_is_not_over_since_its_upload_may_come() -> None:
    assert not is_over(_progress(JobState.EMPTY))
    assert is_over(_progress(JobState.CANCELLED, cancelled=2))


def test_the_retry_button_says_what_it_retries() -> None:
    assert retry_word(_progress(JobState.DONE, failed=1200)) == "Retry 1,200 failed"
    assert retry_word(_progress(JobState.CANCELLED, cancelled=1)) == "Retry 1 cancelled"
