"""The page of one image: what is said of a prediction, of a failure, and of waiting."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import select

from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db import previews
from db.session import now
from db.states import Decision, ImageState
from db.tables import Image, Model, Prediction, Review
from imaging.cam import pack
from tests.testing.factories import png
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends
from web.pages.base import NOTICE
from web.pages.image.prediction_view import ADVICE, UNKNOWN_ADVICE, absence, describe

POINTING = pack(np.pad(np.full((2, 2), 3, np.float16), (2, 3), constant_values=-3))

CARD: dict[str, object] = {"calibration": {"prior": 0.26}, "limits": ["Children only."]}


def _prediction(probability: float, decision: Decision, card: dict[str, object] | None = None) -> Prediction:
    model = Model(sha256="a" * 64, name="m", card=card or {}, created_at=datetime(2026, 11, 23, tzinfo=UTC))
    return Prediction(probability=probability, threshold=0.4, decision=decision, model=model)


@pytest.mark.parametrize(
    ("probability", "decision", "title", "sentence"),
    [
        (0.9, Decision.PNEUMONIA, "Pneumonia suspected", "read this one early"),
        (0.1, Decision.NORMAL, "Pneumonia not suspected", "nothing about other findings"),
        (0.40, Decision.PNEUMONIA, "Pneumonia suspected", "A close call: at or just above"),
        (0.36, Decision.NORMAL, "Pneumonia not suspected", "A close call: just below"),
        (0.9, Decision.REFUSED, "Not judged", "doesn't judge this image"),
    ],
)
def test_the_view_says_how_far_to_trust_it(probability: float, decision: Decision, title: str, sentence: str) -> None:
    said = describe(_prediction(probability, decision))
    assert said.title == title
    assert sentence in said.sentence


@pytest.mark.parametrize(
    ("kind", "view", "score", "words"),
    [
        (None, None, None, "This model can't tell"),
        (None, None, 0.5, "Like the training images (score 0.50, limit 1.00)"),
        (ImageKind.FRONTAL, View.AP, None, "Frontal chest X-ray, AP"),
        (ImageKind.FRONTAL, None, 0.5, "Frontal chest X-ray. Like the training images (score 0.50, limit 1.00)"),
        (ImageKind.LATERAL, View.LATERAL, 0.5, "Lateral chest X-ray"),
        (ImageKind.OTHER, None, 2.0, "No frontal chest X-ray"),
    ],
)
def test_what_the_image_shows_is_told(
    kind: ImageKind | None, view: View | None, score: float | None, words: str
) -> None:
    prediction = _prediction(0.9, Decision.NORMAL)
    prediction.kind, prediction.view, prediction.ood_score, prediction.ood_limit = kind, view, score, 1.0
    assert describe(prediction).kind_words == words


def test_as_whose_it_was_judged_is_told_where_the_model_tells_it() -> None:
    made = _prediction(0.9, Decision.NORMAL)
    assert describe(made).population_words == ""
    made.population, made.population_by = Population.ADULT, PopulationBy.NETWORK
    assert describe(made).population_words == "an adult (by the network)"


def test_the_number_is_explained_as_far_as_the_card_tells() -> None:
    told = describe(_prediction(0.87, Decision.PNEUMONIA, CARD))
    assert "about 87 of 100 images with this score would show it" in told.meaning
    assert "if 26 in 100 of them had pneumonia" in told.meaning
    assert told.limits == ["Children only."]
    assert "Among other patients it may be off" in describe(_prediction(0.87, Decision.PNEUMONIA)).meaning


@pytest.mark.parametrize(("probability", "about"), [(0.0001, 1), (0.9999, 99)])
def test_no_score_is_explained_as_certain(probability: float, about: int) -> None:
    assert f"about {about} of 100" in describe(_prediction(probability, Decision.NORMAL, CARD)).meaning


def test_the_gauge_marks_probability_and_operating_point(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.873))
    page = reader.get("/images/1")
    assert {"class": "fill-pneumonia", "width": "87.3%"}.items() <= page.all("rect")[1].items()
    assert any(svg.get("x") == "50.0%" for svg in page.all("svg"))
    assert "87.3\u00a0%" in page.html
    assert "cut-off 50.0 %" in page.text


@pytest.mark.parametrize("outcome", [0.9, 0.1, *ImageState])
def test_every_image_page_says_that_it_is_no_diagnosis(
    reader: Visitor, add_job: AddJob, outcome: ImageState | float
) -> None:
    add_job(("a.png", outcome))
    assert NOTICE in reader.get("/images/1").text


def test_the_facts_of_the_file_are_shown(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("a.png", 0.9), name="ward 3")
    page = reader.get("/images/1")
    assert "640 × 480 px, 1.2 kB, PNG" in page.text
    assert f"/jobs/{job_id}" in page.links()
    assert page.all("img")[-1]["src"] == "/api/v1/images/1/file"


def test_the_x_ray_itself_is_served_to_the_page(reader: Visitor) -> None:
    content = png()
    reader.post("/", {}, [("a.png", content)])
    (source,) = [image["src"] for image in reader.get("/images/1").all("img") if "/api/" in image["src"]]
    with reader.client.get(source) as response:
        assert response.data == content


def test_neighbours_stay_within_the_job(reader: Visitor, add_job: AddJob) -> None:
    add_job(("first.png", 0.9))
    add_job(("a.png", 0.9), ("b.png", 0.1), ("c.png", 0.5))
    pages = {i: reader.get(f"/images/{i}") for i in (1, 2, 3, 4)}
    links = {i: (page.link("prev"), page.link("next")) for i, page in pages.items()}
    assert links == {
        1: ("", ""),
        2: ("", "/images/3"),
        3: ("/images/2", "/images/4"),
        4: ("/images/3", ""),
    }


def test_a_failed_image_tells_why_and_what_to_do(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", ImageState.FAILED))
    text = reader.get("/images/1").text
    assert "Its data ends too early." in text
    assert ADVICE["corrupt_image"] in text


def test_an_unknown_failure_has_advice_too() -> None:
    failed = Image(state=ImageState.FAILED, error_code="new_code", error_message="Odd.")
    assert absence(failed, someone_works=True).advice == UNKNOWN_ADVICE


@pytest.mark.parametrize("state", [ImageState.QUEUED, ImageState.RUNNING])
def test_a_page_without_a_result_looks_again(reader: Visitor, add_job: AddJob, state: ImageState) -> None:
    add_job(("a.png", state))
    assert 'data-poll="/api/v1/images/1"' in reader.get("/images/1").html


@pytest.mark.parametrize(
    ("state", "someone_works", "title"),
    [
        (ImageState.QUEUED, True, "Waiting its turn"),
        (ImageState.QUEUED, False, "Waiting for a worker"),
        (ImageState.RUNNING, True, "Being screened"),
        (ImageState.CANCELLED, True, "Not screened: cancelled"),
    ],
)
def test_waiting_is_explained(state: ImageState, someone_works: bool, title: str) -> None:
    assert absence(Image(state=state), someone_works=someone_works).title == title


def test_a_refused_image_gives_its_reason_and_no_probability_up_front(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("hand.png", 0.873), ood_score=5.4)
    page = reader.get("/images/1")
    assert "Not judged It looks like a hand." in page.text
    assert "Unlike the training images (score 5.40, limit 1.00)" in page.text
    assert "87.3" in page.html[page.html.index("<details") :]
    assert "87.3" not in page.html[: page.html.index("<details")]
    assert "/cam" not in page.html
    assert "87.3" not in reader.get(f"/jobs/{job_id}").text


def test_the_map_lies_over_the_x_ray_until_it_is_asked_for(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9), ood_score=0.2)
    page = reader.get("/images/1")
    (layer,) = page.all("image")
    assert layer["href"] == "/api/v1/images/1/cam"
    assert (layer["width"], layer["height"], layer["preserveaspectratio"]) == ("640", "480", "none")
    (switch,) = [field for field in page.all("input") if field.get("type") == "checkbox"]
    assert "checked" not in switch
    assert "not where a disease is" in page.text
    assert "style=" not in page.html


@pytest.mark.parametrize(
    ("even", "words"),
    [(3.0, "spread over the X-ray. Half of it covers 51 % of the picture"), (-3.0, "No map: nowhere")],
)
def test_a_map_that_points_nowhere_is_not_shown(
    reader: Visitor, add_job: AddJob, backends: Backends, even: float, words: str
) -> None:
    add_job(("a.png", 0.9), ood_score=0.2)
    with backends.database.begin() as session:
        session.scalars(select(Prediction)).one().cam = pack(np.full((7, 7), even, np.float16))
    page = reader.get("/images/1")
    assert words in page.text
    assert page.all("image") == []
    assert not any(field.get("type") == "checkbox" for field in page.all("input"))


def test_an_older_model_says_that_it_cannot_tell(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9))
    page = reader.get("/images/1")
    assert "This model can't tell" in page.text
    assert page.all("image") == []


@pytest.mark.parametrize("state", [ImageState.FAILED, ImageState.CANCELLED])
def test_an_image_without_result_can_be_retried(reader: Visitor, add_job: AddJob, state: ImageState) -> None:
    add_job(("a.png", state), error_code="out_of_memory" if state is ImageState.FAILED else "")
    assert any(form.get("action") == "/images/1/retry" for form in reader.get("/images/1").all("form"))
    assert reader.post("/images/1/retry", {}).location == "/images/1"
    page = reader.get("/images/1")
    assert "The image is queued again." in page.text
    assert not any(form.get("action") == "/images/1/retry" for form in page.all("form"))


def test_no_retry_is_offered_where_it_cannot_help(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", ImageState.FAILED))
    page = reader.get("/images/1")
    assert not any(form.get("action") == "/images/1/retry" for form in page.all("form"))
    assert "a retry of the same file won't help" in page.text
    reader.post("/images/1/retry", {})
    assert "the fault lies in the file itself" in reader.get("/images/1").text


def test_nobody_is_asked_to_agree_with_a_model_that_did_not_judge(
    reader: Visitor, add_job: AddJob, backends: Backends
) -> None:
    add_job(("a.png", 0.9), ood_score=3.0)
    page = reader.get("/images/1")
    assert not any(form.get("action") == "/images/1/review" for form in page.all("form"))
    assert "Do you agree" not in page.text
    assert reader.post("/images/1/review", {"opinion": "agree"}).status == 409
    with backends.database.read() as session:
        assert session.scalars(select(Review)).all() == []


def test_what_did_not_fail_is_not_retried(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9))
    reader.post("/images/1/retry", {})
    assert "Nothing to retry" in reader.get("/images/1").text
    assert reader.post("/images/404/retry", {}).status == 404


def test_the_picture_of_the_worker_is_shown_where_there_is_one(
    reader: Visitor, add_job: AddJob, backends: Backends
) -> None:
    add_job(("a.png", 0.9))
    assert "/api/v1/images/1/file" in [img["src"] for img in reader.get("/images/1").all("img")]
    assert reader.client.get("/api/v1/images/1/picture").status_code == 404
    with backends.database.begin() as session:
        row = session.get_one(Image, 1)
        previews.keep(session, {row.sha256: b"\xff\xd8jpeg"}, now(session))
        newest = session.scalars(select(Prediction)).one()
        newest.box, newest.notes, newest.cam = [300, 400, 10, 20, 290, 380], "Small picture.", POINTING
    page = reader.get("/images/1")
    shown = next(img for img in page.all("img") if "/images/1/" in img["src"])
    assert (shown["src"], shown["width"], shown["height"]) == ("/api/v1/images/1/picture", "300", "400")
    assert {"x": "10", "y": "20", "width": "280", "height": "360"}.items() <= page.all("image")[0].items()
    assert "Small picture." in page.text
    assert "Shown gray and upright, sent with 640 × 480 px; judged without its border" in page.text
    answer = reader.client.get("/api/v1/images/1/picture")
    assert (answer.mimetype, answer.data) == ("image/jpeg", b"\xff\xd8jpeg")


def test_the_words_under_the_x_ray_tell_of_a_border_only_where_one_was_cut_off(
    reader: Visitor, add_job: AddJob, backends: Backends
) -> None:
    add_job(("a.png", 0.9), ("b.png", 0.9))
    with backends.database.begin() as session:
        whole, bordered = session.scalars(select(Prediction).order_by(Prediction.id))
        whole.box, bordered.box = [640, 480, 0, 0, 640, 480], [640, 480, 0, 20, 640, 480]
    assert "As sent, 640 × 480 px Open" in reader.get("/images/1").text
    assert "As sent, 640 × 480 px; judged without its border Open" in reader.get("/images/2").text


@pytest.mark.parametrize("path", ["/jobs/1", "/history"])
def test_the_lists_of_images_tell_what_makes_a_result_less_reliable(
    reader: Visitor, add_job: AddJob, backends: Backends, path: str
) -> None:
    add_job(("a.png", 0.9), ("b.png", 0.9))
    with backends.database.begin() as session:
        session.scalars(select(Prediction)).first().notes = "The picture is small."  # type: ignore[union-attr]
    assert reader.get(path).text.count("The picture is small.") == 1
